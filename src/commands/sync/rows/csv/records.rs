//! The records of CSV, each with the line that it begins in, and an end of the file that can be told from a cut.

use std::io::{BufRead, Chain, Read};

use csv_core::{ReadRecordResult, Reader};

use super::super::{MAX_ROW, ReadError, Source, not_utf8};

/// A line behind the last one. Where it is not read as a line of its own, a quote was open when the file ended: the parser
/// takes that for an end like any other, but the file was cut.
pub(super) const END: &str = "\u{1}the end of the file\u{1}";

/// The same, with the end of the line before it, if that has none. An empty line is no row.
const LAST_LINE: &[u8] = b"\n\x01the end of the file\x01\n";

pub(super) struct Records {
    source: Chain<Source, &'static [u8]>,
    parser: Reader,
    /// The cells without anything between.
    text: Vec<u8>,
    /// Where each of them ends in `text`.
    ends: Vec<usize>,
    line: u64,
}

/// A record with a cell at least.
pub(super) struct Record<'a> {
    /// The line that it begins in, from 1.
    pub line: u64,
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Record<'a> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn cell(&self, place: usize) -> &'a str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[place]]
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &'a str> {
        (0..self.len()).map(|place| self.cell(place))
    }
}

impl Records {
    pub(super) fn new(source: Source) -> Self {
        Self { source: source.chain(LAST_LINE), parser: Reader::new(), text: vec![0; 4096], ends: vec![0; 64], line: 1 }
    }

    /// The next record; the last one is [`END`].
    pub(super) fn next(&mut self) -> Result<Record<'_>, ReadError> {
        self.skip_ends_of_lines()?;
        let (line, mut written, mut cells) = (self.line, 0, 0);
        loop {
            let input = self.source.fill_buf()?;
            let (result, read, more_written, more_cells) =
                self.parser.read_record(input, &mut self.text[written..], &mut self.ends[cells..]);
            self.line += newlines(&input[..read]);
            self.source.consume(read);
            written += more_written;
            cells += more_cells;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.text.len() > MAX_ROW => {
                    let message = format!("the row at line {line} is longer than 16 MiB: is a quote left open?");
                    return Err(ReadError::Damaged(message));
                }
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Err(cut()),
            }
        }
        let ends = &self.ends[..cells];
        let text = std::str::from_utf8(&self.text[..written]).map_err(|_| not_utf8(line))?;
        // Halves of a letter in two cells are no letter.
        if ends.iter().any(|end| !text.is_char_boundary(*end)) {
            return Err(not_utf8(line));
        }
        let record = Record { line, text, ends };
        if record.cell(cells - 1).ends_with("\u{1}\n") && record.cell(cells - 1).contains(END) {
            return Err(cut());
        }
        Ok(record)
    }

    fn skip_ends_of_lines(&mut self) -> Result<(), ReadError> {
        loop {
            let input = self.source.fill_buf()?;
            let ends = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let more = ends > 0 && ends == input.len();
            self.line += newlines(&input[..ends]);
            self.source.consume(ends);
            if !more {
                return Ok(());
            }
        }
    }
}

fn cut() -> ReadError {
    ReadError::Damaged("the file ends within a quoted cell".to_owned())
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
