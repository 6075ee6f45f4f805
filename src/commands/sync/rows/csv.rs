//! CSV with a header.

use std::{
    io::{self, Chain, Read},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::{MAX_ROW, Next, ReadError, Row, Source, fault, not_utf8};
use crate::commands::{
    members_file::{SOURCE_UPDATED_AT, cell},
    sync::columns::{Columns, Mapping},
};

/// A line behind the last one. Where it is not read as a line of its own, a quote was open when the file ended: the reader
/// takes that for an end like any other, but the file was cut.
const END: &str = "\u{1}the end of the file\u{1}";

/// The same, with the end of the line before it, if that has none. An empty line is no row.
const LAST_LINE: &[u8] = b"\n\x01the end of the file\x01\n";

pub(in crate::commands::sync) struct CsvRows {
    reader: Reader<Bounded<Chain<Source, &'static [u8]>>>,
    read: Arc<AtomicUsize>,
    columns: Columns,
    record: StringRecord,
}

impl CsvRows {
    pub(super) fn new(source: Source, mapping: &Mapping) -> Result<Self, ReadError> {
        let read = Arc::<AtomicUsize>::default();
        let input = Bounded { input: source.chain(LAST_LINE), read: Arc::clone(&read) };
        // Whether a row has as many cells as the header is judged here.
        let mut reader = ReaderBuilder::new().flexible(true).has_headers(true).from_reader(input);
        let header = reader.headers().map_err(read_error)?;
        let names: Vec<_> = header.iter().collect();
        if names.contains(&END) {
            return Err(ReadError::Damaged("the file is empty: it has no header".to_owned()));
        }
        let columns = mapping.columns(&names).map_err(ReadError::Usage)?;
        Ok(Self { reader, read, columns, record: StringRecord::new() })
    }

    pub(super) fn next(&mut self, row: &mut Row) -> Result<Next, ReadError> {
        self.read.store(0, Ordering::Relaxed);
        if !self.reader.read_record(&mut self.record).map_err(read_error)? {
            return Err(ReadError::Damaged("the file ends within a quoted cell".to_owned()));
        }
        let (record, columns) = (&self.record, &self.columns);
        if record.len() == 1 && &record[0] == END {
            return Ok(Next::End);
        }
        row.line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns.width {
            // Which of its cells is the ref can't be told.
            let message = format!("expected {} cells, as in the header, found {}", columns.width, record.len());
            row.fault = Some(fault("INVALID_VALUE", message, &[]));
            return Ok(Next::Nobody);
        }
        let Some(reference) = cell::read(&record[columns.reference]) else {
            row.fault = Some(fault("INVALID_REF", "it has no ref", &["ref"]));
            return Ok(Next::Nobody);
        };
        row.reference.push_str(reference);
        write(record, columns, row);
        Ok(Next::Row)
    }
}

fn write(record: &StringRecord, columns: &Columns, row: &mut Row) {
    let Row { reference, json, .. } = row;
    json.extend_from_slice(b"{\"ref\":");
    cell::string(reference, json);
    for (place, attribute) in columns.attributes.iter().enumerate() {
        json.extend_from_slice(if place == 0 { b",\"attributes\":{" } else { b"," });
        json.extend_from_slice(&attribute.key);
        json.push(b':');
        cell::to_json(attribute.kind, &record[attribute.column], json);
    }
    if !columns.attributes.is_empty() {
        json.push(b'}');
    }
    let time = columns.source_updated_at.and_then(|column| cell::read(&record[column]));
    if let Some(time) = time.filter(|time| !time.is_empty()) {
        json.extend_from_slice(format!(",\"{SOURCE_UPDATED_AT}\":").as_bytes());
        cell::string(time, json);
    }
    json.push(b'}');
}

fn read_error(error: csv::Error) -> ReadError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(error) => ReadError::Io(error),
        ErrorKind::Utf8 { .. } => not_utf8(line),
        other => ReadError::Damaged(format!("line {line} can't be read: {other:?}")),
    }
}

/// Refuses to read on where a row has no end.
struct Bounded<R> {
    input: R,
    /// What was read since the last row began.
    read: Arc<AtomicUsize>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        if self.read.fetch_add(count, Ordering::Relaxed) > MAX_ROW {
            return Err(io::Error::other("a row is longer than 16 MiB: is a quote left open?"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        cli::Format,
        commands::{
            api::Definition,
            sync::{columns::Mapping, rows},
        },
        domain::attribute::Kind,
    };

    fn told(text: &[u8]) -> Vec<String> {
        let attribute = |(key, kind): (&str, Kind)| Definition { key: key.to_owned(), kind };
        let schema = [("plan", Kind::String), ("age", Kind::Number)].map(attribute).into();
        rows::told(Format::Csv, text, &Mapping { map: vec![], ignore_unknown: false, schema })
    }

    #[test]
    fn a_row_is_a_member() {
        let text = "ref,plan,age,sourceUpdatedAt\r\nann,\"gold, \"\"x\"\"\ny\",7,2026-01-31T12:00:00Z\r\n\r\n\
            ben,,,\n\"\\\\N\",\\N,\\N,\\N\n";
        let expected = [
            r#"2: {"ref":"ann","attributes":{"plan":"gold, \"x\"\ny","age":7},"sourceUpdatedAt":"2026-01-31T12:00:00Z"}"#,
            r#"5: {"ref":"ben","attributes":{"plan":"","age":null}}"#,
            r#"6: {"ref":"\\N","attributes":{"plan":null,"age":null}}"#,
        ];
        assert_eq!(told(text.as_bytes()), expected);
        assert_eq!(told(b"ref\nann"), [r#"2: {"ref":"ann"}"#]);
        assert_eq!(told(b"ref\n\"ann\""), [r#"2: {"ref":"ann"}"#]);
        assert_eq!(told(b"ref,plan"), [""; 0]);
    }

    #[test]
    fn a_bad_row_is_told() {
        let text = "ref,plan\nann\nben,a,b\n\\N,x\ncid,c\n";
        let expected = [
            "2: expected 2 cells, as in the header, found 1",
            "3: expected 2 cells, as in the header, found 3",
            "4: it has no ref",
            r#"5: {"ref":"cid","attributes":{"plan":"c"}}"#,
        ];
        assert_eq!(told(text.as_bytes()), expected);
    }

    #[test]
    fn a_file_that_is_damaged_has_no_end() {
        let first = r#"2: {"ref":"ann"}"#;
        assert_eq!(told(b""), ["the file is empty: it has no header"]);
        assert_eq!(told(b"\"ref"), ["the file is empty: it has no header"]);
        assert_eq!(told(b"ref\nann\n\"be"), [first, "the file ends within a quoted cell"]);
        assert_eq!(told(b"ref\nann\nb\xffn\n"), [first, "line 3 is not UTF-8"]);
        let mut open = b"ref\nann\n\"".to_vec();
        open.resize(40 << 20, b'x');
        assert_eq!(told(&open)[1], "can't read the file: a row is longer than 16 MiB: is a quote left open?");
    }
}
