//! Parses the records of CSV (RFC 4180), which end with `\n`, `\r\n` or `\r`.
//!
//! A cell is either quoted as a whole, or has no quote. Other readers disagree about anything else (some open a quoted
//! section in the middle of a cell, some take a backslash as an escape), so a guess could merge two rows into one.

use std::io::BufRead;

use super::super::{MAX_ROW_BYTES, ReadError, Source};
use crate::members_file::columns::Delimiter;

const AFTER_CLOSING_QUOTE: &str = "not CSV: text follows a closing quote; \
    a quote within a cell is written twice (\"\") and the cell is quoted";
const QUOTE_IN_BARE_CELL: &str = "not CSV: a cell that is not quoted holds a quote; \
    a quote within a cell is written twice (\"\") and the cell is quoted";

pub(super) struct Records {
    source: Source,
    parser: Parser,
    /// The line of the last record, if the next call returns it again.
    again: Option<u64>,
}

/// The next record, a malformed one, or the end of the file.
#[derive(Debug)]
pub(super) enum Parsed<'a> {
    Record(Record<'a>),
    /// A record that RFC 4180 does not allow, with the line of the offending quote. The next record begins after that
    /// line.
    Malformed {
        line: u64,
        message: &'static str,
    },
    /// The proper end of the file.
    End,
}

/// A record with a cell at least.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// The line that it begins in, from 1.
    pub(crate) line: u64,
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
    /// Reads records of cells with a delimiter; the text begins in this line of the file.
    pub(super) fn new(source: Source, delimiter: Delimiter, line: u64) -> Self {
        let parser = Parser {
            state: State::CellStart,
            text: Vec::new(),
            ends: Vec::new(),
            delimiter: delimiter.byte(),
            line,
            opened: 0,
        };
        Self { source, parser, again: None }
    }

    /// Makes the next call of [`Self::next`] return the record of this line, which is the last one, again.
    pub(super) fn repeat(&mut self, line: u64) {
        self.again = Some(line);
    }

    /// Reads the next record.
    pub(super) fn next(&mut self) -> Result<Parsed<'_>, ReadError> {
        if let Some(line) = self.again.take() {
            return self.parser.record(line).map(Parsed::Record);
        }
        self.skip(is_line_end)?;
        let parser = &mut self.parser;
        let line = parser.line;
        parser.begin();
        loop {
            let input = self.source.fill_buf()?;
            if input.is_empty() {
                if parser.state == State::Quoted {
                    let message = format!("the file ends within a quoted cell, which begins in line {}", parser.opened);
                    return Err(ReadError::Damaged(message));
                }
                if parser.is_empty() {
                    return Ok(Parsed::End);
                }
                parser.end_cell();
                break;
            }
            let (read, step) = parser.feed(input);
            self.source.consume(read);
            match step {
                Step::More if parser.bytes() > MAX_ROW_BYTES => {
                    let max = MAX_ROW_BYTES >> 20;
                    let message = format!("the row at line {line} is longer than {max} MiB: is a quote left open?");
                    return Err(ReadError::Damaged(message));
                }
                Step::More => {}
                Step::Record => break,
                Step::Malformed(message) => {
                    let line = parser.line;
                    self.skip(|byte| !is_line_end(byte))?;
                    return Ok(Parsed::Malformed { line, message });
                }
            }
        }
        self.parser.record(line).map(Parsed::Record)
    }

    /// Skips bytes while the condition holds.
    fn skip(&mut self, is_such: fn(u8) -> bool) -> Result<(), ReadError> {
        loop {
            let input = self.source.fill_buf()?;
            let count = find(input, |byte| !is_such(byte));
            let goes_on = count > 0 && count == input.len();
            self.parser.line += newlines(&input[..count]);
            self.source.consume(count);
            if !goes_on {
                return Ok(());
            }
        }
    }
}

/// The parser's place in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    CellStart,
    Bare,
    Quoted,
    /// After a quote in a quoted cell: it closes the cell, or is the first of two that stand for one.
    QuoteInQuoted,
}

/// The result of the bytes that were read so far.
enum Step {
    More,
    Record,
    Malformed(&'static str),
}

/// The state of a record that is read in pieces.
struct Parser {
    state: State,
    /// The cells without anything between.
    text: Vec<u8>,
    /// The end of each cell in `text`.
    ends: Vec<usize>,
    delimiter: u8,
    /// The current line, from 1.
    line: u64,
    /// The line of the last opening quote.
    opened: u64,
}

impl Parser {
    fn begin(&mut self) {
        self.state = State::CellStart;
        self.text.clear();
        self.ends.clear();
    }

    /// Returns the memory of the record.
    fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<usize>()
    }

    /// Returns whether nothing of the record was read yet.
    fn is_empty(&self) -> bool {
        self.state == State::CellStart && self.ends.is_empty()
    }

    fn end_cell(&mut self) {
        self.ends.push(self.text.len());
        self.state = State::CellStart;
    }

    /// Reads up to the end of the record, which is not read itself. Returns how many bytes were read.
    fn feed(&mut self, input: &[u8]) -> (usize, Step) {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match (self.state, byte) {
                (State::Quoted, b'"') => self.state = State::QuoteInQuoted,
                (State::Quoted, _) => {
                    at += self.take(&input[at..], |byte| byte == b'"');
                    continue;
                }
                (State::QuoteInQuoted, b'"') => {
                    self.text.push(b'"');
                    self.state = State::Quoted;
                }
                (State::CellStart, b'"') => {
                    self.opened = self.line;
                    self.state = State::Quoted;
                }
                (_, byte) if byte == self.delimiter => self.end_cell(),
                (_, b'\n' | b'\r') => {
                    self.end_cell();
                    return (at, Step::Record);
                }
                (State::QuoteInQuoted, _) => return (at, Step::Malformed(AFTER_CLOSING_QUOTE)),
                (_, b'"') => return (at, Step::Malformed(QUOTE_IN_BARE_CELL)),
                (State::CellStart | State::Bare, _) => {
                    self.state = State::Bare;
                    let delimiter = self.delimiter;
                    let ends = |byte| byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r');
                    at += self.take(&input[at..], ends);
                    continue;
                }
            }
            at += 1;
        }
        (at, Step::More)
    }

    /// Takes bytes of a cell up to one that ends them. Returns how many.
    fn take(&mut self, input: &[u8], ends: impl Fn(u8) -> bool) -> usize {
        let bytes = &input[..find(input, ends)];
        if self.state == State::Quoted {
            self.line += newlines(bytes);
        }
        self.text.extend_from_slice(bytes);
        bytes.len()
    }

    fn record(&self, line: u64) -> Result<Record<'_>, ReadError> {
        let Self { text, ends, .. } = self;
        let text = std::str::from_utf8(text).map_err(|_| ReadError::NotUtf8 { line })?;
        // Halves of a letter in two cells are no letter.
        if ends.iter().any(|end| !text.is_char_boundary(*end)) {
            return Err(ReadError::NotUtf8 { line });
        }
        Ok(Record { line, text, ends })
    }
}

/// Returns the place of the first such byte, or the length if there is none.
fn find(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| is_such(*byte)).unwrap_or(bytes.len())
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Corpus {
        csv: Vec<Example>,
    }

    #[derive(Debug, Deserialize)]
    struct Example {
        text: String,
        records: Vec<Told>,
        damage: Option<String>,
    }

    /// A record, or the reason why it is malformed.
    #[derive(Debug, Deserialize, PartialEq, Eq)]
    struct Told {
        line: u64,
        cells: Option<Vec<String>>,
        malformed: Option<String>,
    }

    /// Reads a text that comes in pieces of at most `piece` bytes.
    fn told(text: &[u8], piece: usize) -> (Vec<Told>, Option<String>) {
        let begin = Cursor::new(vec![]);
        let rest: Box<dyn Read + Send> = Box::new(Cursor::new(text.to_vec()));
        let mut records = Records::new(BufReader::with_capacity(piece, begin.chain(rest)), Delimiter::COMMA, 1);
        let mut told = vec![];
        loop {
            told.push(match records.next() {
                Ok(Parsed::Record(record)) => {
                    let cells = record.cells().map(str::to_owned).collect();
                    Told { line: record.line, cells: Some(cells), malformed: None }
                }
                Ok(Parsed::Malformed { line, message }) => {
                    Told { line, cells: None, malformed: Some(message.to_owned()) }
                }
                Ok(Parsed::End) => return (told, None),
                Err(error) => return (told, Some(error.to_string())),
            });
        }
    }

    #[test]
    fn texts_are_read_as_in_the_shared_examples() {
        let corpus: Corpus = serde_json::from_str(include_str!("../../../../tests/members_files.json")).expect("JSON");
        for Example { text, records, damage } in corpus.csv {
            for piece in [1, 2, 3, 5, 8192] {
                let (read, error) = told(text.as_bytes(), piece);
                assert_eq!(read, records, "{text:?} in pieces of {piece}");
                assert_eq!(error, damage, "{text:?} in pieces of {piece}");
            }
        }
    }

    /// Splits a text into records by the grammar of RFC 4180, letter by letter; none if the text does not fit it.
    fn by_grammar(text: &str) -> Option<Vec<Vec<String>>> {
        let mut letters = text.chars().peekable();
        let mut records = vec![];
        while letters.peek().is_some() {
            if letters.next_if(|letter| matches!(letter, '\r' | '\n')).is_some() {
                continue;
            }
            let mut record = vec![];
            loop {
                let mut cell = String::new();
                if letters.next_if_eq(&'"').is_some() {
                    loop {
                        match letters.next()? {
                            '"' if letters.next_if_eq(&'"').is_some() => cell.push('"'),
                            '"' => break,
                            letter => cell.push(letter),
                        }
                    }
                } else {
                    while let Some(letter) = letters.next_if(|letter| !matches!(letter, ',' | '"' | '\r' | '\n')) {
                        cell.push(letter);
                    }
                }
                record.push(cell);
                match letters.peek() {
                    Some(',') => letters.next(),
                    Some('\r' | '\n') | None => break,
                    Some(_) => return None,
                };
            }
            records.push(record);
        }
        Some(records)
    }

    proptest! {
        #[test]
        fn a_text_is_read_by_the_grammar_or_rejected(text in "[a\u{e9},\"\r\n]{0,24}", piece in 1_usize..9) {
            let (read, error) = told(text.as_bytes(), piece);
            let read: Option<Vec<_>> = read.into_iter().map(|record| record.cells).collect();
            prop_assert_eq!(read.filter(|_| error.is_none()), by_grammar(&text));
        }

        #[test]
        fn records_that_export_writes_are_read_back(
            width in 1_usize..4, cells in prop::collection::vec("[a\u{e9},\"\\\\ \r\n]{0,6}", 0..12), piece in 1_usize..9,
        ) {
            let mut writer = ::csv::Writer::from_writer(vec![]);
            for record in cells.chunks_exact(width) {
                writer.write_record(record).expect("in memory");
            }
            let (read, error) = told(&writer.into_inner().expect("in memory"), piece);
            prop_assert_eq!(error, None);
            let read: Option<Vec<_>> = read.into_iter().map(|record| record.cells).collect();
            prop_assert_eq!(read, Some(cells.chunks_exact(width).map(<[String]>::to_vec).collect()));
        }
    }
}
