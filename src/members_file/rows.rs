//! Reads the rows of a file one by one, each as the JSON of a `MemberInput`.
//!
//! The API validates rows. A row with a ref is always sent, even if it is known to be invalid, so that its member
//! counts as seen and is not deleted because of an invalid attribute. A row whose ref can't exist is never sent,
//! because it can't be attributed to a member.

mod csv;
mod lines;
mod ndjson;

use std::io::{self, BufRead, Read};

pub(super) use self::ndjson::ATTRIBUTES;
use self::{csv::CsvRows, lines::LineRows, ndjson::NdjsonRows};
use super::{
    Format, INVALID_REF, RowFault,
    columns::{ColumnNames, Delimiter, Mapping},
    source::Source,
};
use crate::{domain::text::ref_fault, types::bounded_message};

/// Maximum number of columns of a file.
const MAX_COLUMNS: usize = 10_000;

/// Maximum number of bytes of a row. More is a quote that is not closed, or no file of members.
const MAX_ROW_BYTES: usize = 4 << 20;

/// Maximum length of [`Row::text`].
const MAX_TEXT_BYTES: usize = 8 << 10;

/// A row, or the error in the place of one.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The line in which it begins, from 1.
    pub(crate) line: u64,
    /// The ref of its member.
    pub(crate) reference: String,
    /// A `MemberInput`.
    pub(crate) json: Vec<u8>,
    /// The error, if it is found without the API. `json` is then a row that the API rejects as well.
    pub(crate) fault: Option<RowFault>,
    /// The row as it is in the file, as JSON: an array of the cells of CSV, or the text of the line. Empty if the row has no
    /// `fault`, if it is long, or if its cells can't be separated.
    pub(crate) text: Vec<u8>,
}

/// The next thing in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A row.
    Row,
    /// A row that can't be attributed to a member; `fault` says why.
    Nobody,
    /// The proper end of the file.
    End,
}

/// The reason why a file can't be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The options do not fit the file.
    #[error("{0}")]
    Usage(String),
    /// The file is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The text is not UTF-8.
    #[error("line {line} is not UTF-8: encoding=windows-1252 reads what many Windows programs write")]
    NotUtf8 { line: u64 },
    /// No rows are needed any more.
    #[error("the run has ended")]
    Unwanted,
    /// Reading failed.
    #[error("can't read the file: {0}")]
    Io(#[from] io::Error),
}

/// The rows of a file of some format.
pub(crate) enum Rows {
    Csv(Box<CsvRows>),
    Ndjson(NdjsonRows),
    Lines(LineRows),
}

impl Rows {
    /// Begins to read a file; the header of CSV is read at once.
    pub(crate) fn new(format: Format, source: Source, mapping: &Mapping) -> Result<Self, ReadError> {
        Ok(match format {
            Format::Csv => Self::Csv(Box::new(CsvRows::new(source, mapping)?)),
            Format::Ndjson => Self::Ndjson(NdjsonRows::new(source, mapping)?),
            Format::Lines => Self::Lines(LineRows::new(source)),
        })
    }

    /// Returns the names of the columns or fields in the file, by what they mean.
    pub(crate) fn column_names(&self) -> ColumnNames {
        match self {
            Self::Csv(rows) => rows.column_names(),
            Self::Ndjson(rows) => rows.field_names(),
            Self::Lines(_) => ColumnNames::default(),
        }
    }

    /// Reads the next row.
    pub(crate) fn next(&mut self, row: &mut Row) -> Result<Next, ReadError> {
        row.reference.clear();
        row.json.clear();
        row.text.clear();
        row.fault = None;
        let next = match self {
            Self::Csv(rows) => rows.next(row)?,
            Self::Ndjson(rows) => rows.next(row)?,
            Self::Lines(rows) => rows.next(row)?,
        };
        if row.text.len() > MAX_TEXT_BYTES {
            row.text = Vec::new();
        }
        if next == Next::Row
            && let Some(error) = ref_fault(&row.reference)
        {
            row.fault = Some(fault(INVALID_REF, error.message().to_owned(), &["ref"]));
            return Ok(Next::Nobody);
        }
        Ok(next)
    }
}

/// The beginning of a CSV file.
pub(super) struct Table {
    pub(crate) delimiter: Delimiter,
    /// The records that have any text, with the header.
    pub(crate) records: Vec<Vec<String>>,
}

/// Reads at most this number of records of CSV. Those that are malformed are left out.
pub(super) fn table(text: &str, mapping: &Mapping, max_records: usize) -> Table {
    csv::table(text, mapping, max_records)
}

/// The beginning of a file of NDJSON.
#[derive(Default)]
pub(super) struct Objects {
    /// The names of the fields.
    pub(crate) names: Vec<String>,
    /// For each field, whether any of its values is a string.
    pub(crate) have_strings: Vec<bool>,
    /// The values of each object, in the order of the names.
    pub(crate) records: Vec<Vec<String>>,
}

/// Reads at most this number of objects of NDJSON, with at most `max_names` fields. Lines that are no objects are left out.
pub(super) fn objects(text: &str, max_objects: usize, max_names: usize) -> Objects {
    ndjson::objects(text, max_objects, max_names)
}

/// The lines of a text, without their ends.
struct TextLines {
    source: Source,
    number: u64,
    line: Vec<u8>,
    ended: bool,
}

impl TextLines {
    fn new(source: Source) -> Self {
        Self { source, number: 0, line: Vec::new(), ended: true }
    }

    /// The next line and its number.
    fn next(&mut self) -> Result<Option<(u64, &str)>, ReadError> {
        self.line.clear();
        self.source.by_ref().take(MAX_ROW_BYTES as u64 + 1).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        self.ended = self.line.pop_if(|byte| *byte == b'\n').is_some();
        if self.line.len() > MAX_ROW_BYTES {
            let max = MAX_ROW_BYTES >> 20;
            let message = format!("line {} is longer than {max} MiB: is it a file of members?", self.number);
            return Err(ReadError::Damaged(message));
        }
        self.line.pop_if(|byte| *byte == b'\r');
        let text = std::str::from_utf8(&self.line).map_err(|_| ReadError::NotUtf8 { line: self.number })?;
        Ok(Some((self.number, text)))
    }
}

fn fault(code: &str, message: impl Into<String>, path: &[&str]) -> RowFault {
    let path = path.iter().map(|step| (*step).to_owned()).collect();
    let message = bounded_message(message.into()).into_owned();
    RowFault { code: code.to_owned(), message, path }
}

/// Reads the rows of a text, for tests: the JSON of good ones, `line: message` of bad ones, and the error at the
/// end.
#[cfg(test)]
fn told(format: Format, text: &[u8], mapping: &Mapping) -> Vec<String> {
    let source = super::source::receive(io::Cursor::new(text.to_vec()), None).expect("a text");
    let (mut row, mut told) = (Row::default(), Vec::new());
    let mut rows = match Rows::new(format, source, mapping) {
        Ok(rows) => rows,
        Err(error) => return vec![error.to_string()],
    };
    loop {
        let next = rows.next(&mut row);
        let json = String::from_utf8_lossy(&row.json);
        told.push(match (next, &row.fault) {
            (Ok(Next::End), _) => return told,
            (Ok(Next::Row), None) => format!("{}: {json}", row.line),
            (Ok(Next::Row), Some(fault)) => format!("{}: {} ({})", row.line, fault.message, row.reference),
            (Ok(Next::Nobody), fault) => format!("{}: {}", row.line, fault.as_ref().expect("why").message),
            (Err(error), _) => {
                told.push(error.to_string());
                return told;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Corpus {
        refs: Vec<Ref>,
    }

    #[derive(Deserialize)]
    struct Ref {
        #[serde(rename = "ref")]
        text: String,
        times: usize,
        fault: Option<String>,
    }

    #[test]
    fn a_ref_that_can_t_exist_makes_a_row_of_no_member_as_in_the_shared_examples() {
        let corpus: Corpus = serde_json::from_str(include_str!("../../tests/members_files.json")).expect("examples");
        let mapping = Mapping::default();
        for Ref { text, times, fault } in corpus.refs {
            let json = serde_json::json!({"ref": text.repeat(times)}).to_string();
            let expected = format!("1: {}", fault.as_ref().unwrap_or(&json));
            assert_eq!(told(Format::Ndjson, json.as_bytes(), &mapping), [expected]);
        }
    }
}
