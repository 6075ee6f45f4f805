//! Reads CSV (RFC 4180), with a header or without, with commas or another delimiter.

mod records;

use std::io::{self, BufRead, BufReader, Cursor, Read};

use self::records::{Parsed, Record, Records};
use super::{MAX_COLUMNS, Next, ReadError, Row, RowFault, Source, Table, fault};
use crate::members_file::{
    INVALID_REF, SOURCE_UPDATED_AT,
    cell::{self, CellRules},
    columns::{ColumnNames, Columns, Delimiter, Mapping},
    forms, source,
};

/// The beginning of the line by which spreadsheets declare the delimiter: `sep=;`.
const DECLARATION: &[u8] = b"sep=";

pub(crate) struct CsvRows {
    records: Records,
    columns: Columns,
    cells: CellRules,
    /// The names in the header; `None` without one.
    header: Option<Vec<String>>,
}

impl CsvRows {
    pub(super) fn new(mut source: Source, mapping: &Mapping) -> Result<Self, ReadError> {
        let declared = declared_delimiter(&mut source)?;
        let line = if declared.is_some() { 2 } else { 1 };
        let begin = source.fill_buf()?.to_vec();
        let (delimiter, is_recognized) = match mapping.delimiter.or(declared) {
            Some(delimiter) => (delimiter, false),
            None => (recognize(&begin, line, mapping), true),
        };
        let unfit = |message: String| {
            let way = if is_recognized { ", which delimiter=CHARACTER changes" } else { "" };
            ReadError::Usage(format!("{message} (the columns are separated by {delimiter}{way})"))
        };
        let mut records = Records::new(source, delimiter, line);
        let (line, first) = first(&mut records)?;
        let (names, header) = if mapping.no_header {
            records.repeat(line);
            ((1..=first.len()).map(|number| number.to_string()).collect(), None)
        } else {
            (first.clone(), Some(first))
        };
        let columns = columns(mapping, &names).map_err(unfit)?;
        Ok(Self { records, columns, cells: mapping.cells, header })
    }

    pub(super) fn column_names(&self) -> ColumnNames {
        let Self { columns, header, .. } = self;
        let name = |column: usize| match header {
            Some(header) => header[column].clone(),
            None => (column + 1).to_string(),
        };
        let key = |json: &[u8]| serde_json::from_slice::<String>(json).unwrap_or_default();
        ColumnNames {
            reference: Some(name(columns.reference)),
            source_updated_at: columns.source_updated_at.map(name),
            attributes: columns.attributes.iter().map(|cell| (key(&cell.key), name(cell.column))).collect(),
        }
    }

    pub(super) fn next(&mut self, row: &mut Row) -> Result<Next, ReadError> {
        let Self { records, columns, cells, header } = self;
        let record = loop {
            match records.next()? {
                // Spreadsheets write such rows where nothing is left of a row.
                Parsed::Record(record) if record.len() == columns.width && record.cells().all(str::is_empty) => {}
                Parsed::Record(record) => break record,
                Parsed::Malformed { line, message } => {
                    row.line = line;
                    row.fault = Some(fault("INVALID_VALUE", message, &[]));
                    return Ok(Next::Nobody);
                }
                Parsed::End => return Ok(Next::End),
            }
        };
        row.line = record.line;
        match reference(&record, columns, header.as_deref()) {
            Ok(reference) => row.reference.push_str(reference),
            Err(fault) => {
                row.fault = Some(fault);
                let cells: Vec<_> = record.cells().collect();
                serde_json::to_writer(&mut row.text, &cells).expect("writing to a vector does not fail");
                return Ok(Next::Nobody);
            }
        }
        write(&record, columns, cells, row);
        Ok(Next::Row)
    }
}

/// Returns the ref of a record, or why it can't be attributed to a member.
fn reference<'a>(record: &Record<'a>, columns: &Columns, header: Option<&[String]>) -> Result<&'a str, RowFault> {
    if record.len() != columns.width {
        // Any of its cells could be the ref.
        let place = if header.is_some() { "in the header" } else { "in the first row" };
        let message = format!("expected {} cells, as {place}, found {}", columns.width, record.len());
        return Err(fault("INVALID_VALUE", message, &[]));
    }
    if header.is_some_and(|header| record.cells().eq(header.iter().map(String::as_str))) {
        return Err(fault("INVALID_VALUE", "it repeats the header", &[]));
    }
    cell::read(record.cell(columns.reference)).ok_or_else(|| fault(INVALID_REF, "it has no ref", &["ref"]))
}

/// Returns the first record of a file, and its line.
fn first(records: &mut Records) -> Result<(u64, Vec<String>), ReadError> {
    match records.next()? {
        Parsed::Record(record) if record.len() > MAX_COLUMNS => {
            let message = format!("the file has {} columns, at most {MAX_COLUMNS} are allowed", record.len());
            Err(ReadError::Damaged(message))
        }
        Parsed::Record(record) => Ok((record.line, record.cells().map(str::to_owned).collect())),
        Parsed::Malformed { line, message } => Err(ReadError::Damaged(format!("line {line}: {message}"))),
        Parsed::End => Err(ReadError::Damaged("the file is empty: it has no header".to_owned())),
    }
}

fn columns(mapping: &Mapping, names: &[String]) -> Result<Columns, String> {
    mapping.columns(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Skips a line that declares the delimiter, and returns that.
fn declared_delimiter(source: &mut Source) -> io::Result<Option<Delimiter>> {
    let begin = source.fill_buf()?;
    let Some((byte, rest)) = begin.strip_prefix(DECLARATION).and_then(<[u8]>::split_first) else { return Ok(None) };
    let end = if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
    let delimiter = Delimiter::of(*byte).filter(|_| end > 0);
    if delimiter.is_some() {
        source.consume(DECLARATION.len() + 1 + end);
    }
    Ok(delimiter)
}

/// Reads at most this number of records of a text.
pub(super) fn table(text: &str, mapping: &Mapping, max_records: usize) -> Table {
    let mut source = source::of_text(text);
    // Reading in memory does not fail.
    let declared = declared_delimiter(&mut source).unwrap_or_default();
    let line = if declared.is_some() { 2 } else { 1 };
    let recognized = || recognize(text.as_bytes(), line, mapping);
    let delimiter = mapping.delimiter.or(declared).unwrap_or_else(recognized);
    let mut records = Records::new(source, delimiter, line);
    let mut table = Table { delimiter, records: Vec::new() };
    while table.records.len() < max_records {
        match records.next() {
            Ok(Parsed::Record(record)) if record.cells().all(str::is_empty) => {}
            Ok(Parsed::Record(record)) => {
                table.records.push(record.cells().take(MAX_COLUMNS).map(str::to_owned).collect());
            }
            Ok(Parsed::Malformed { .. }) => {}
            Ok(Parsed::End) | Err(_) => break,
        }
    }
    table
}

/// Returns the delimiter of a file with this beginning: the first one by which the header fits, or else by which it has the
/// ref, of those that it has most often.
fn recognize(begin: &[u8], line: u64, mapping: &Mapping) -> Delimiter {
    let names = |delimiter| {
        let rest: Box<dyn Read + Send> = Box::new(io::empty());
        let source = BufReader::new(Cursor::new(begin.to_vec()).chain(rest));
        first(&mut Records::new(source, delimiter, line)).ok()
    };
    let mut found: Vec<_> = Delimiter::RECOGNIZED
        .into_iter()
        .filter_map(|delimiter| Some((delimiter, names(delimiter)?.1)))
        .filter(|(_, names)| names.len() > 1)
        .collect();
    found.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    // Columns may be unknown because the import declares them.
    let lenient = Mapping { ignore_unknown: true, ..mapping.clone() };
    let fits = |mapping: &Mapping| found.iter().find(|(_, names)| mapping.no_header || columns(mapping, names).is_ok());
    let best = fits(mapping).or_else(|| fits(&lenient)).or(found.first());
    best.map_or(Delimiter::COMMA, |(delimiter, _)| *delimiter)
}

fn write(record: &Record<'_>, columns: &Columns, cells: &CellRules, row: &mut Row) {
    let Row { reference, json, .. } = row;
    json.extend_from_slice(b"{\"ref\":");
    cell::string(reference, json);
    let mut is_first = true;
    for attribute in &columns.attributes {
        let text = record.cell(attribute.column);
        if cells.keeps(text) {
            continue;
        }
        json.extend_from_slice(if is_first { b",\"attributes\":{" } else { b"," });
        is_first = false;
        json.extend_from_slice(&attribute.key);
        json.push(b':');
        cells.write(attribute.kind, text, json);
    }
    if !is_first {
        json.push(b'}');
    }
    let time = columns.source_updated_at.and_then(|column| cell::read(record.cell(column)));
    if let Some(time) = time.filter(|time| !time.is_empty()) {
        json.extend_from_slice(format!(",\"{SOURCE_UPDATED_AT}\":").as_bytes());
        cell::string(&forms::date(time, cells.date_order).unwrap_or_else(|| time.to_owned()), json);
    }
    json.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::attribute::{AttributeType, Definition},
        members_file::{
            Format,
            cell::Empty,
            forms::{DateOrder, Decimal},
            rows,
        },
    };

    fn mapping() -> Mapping {
        let attribute = |(key, kind): (&str, AttributeType)| Definition { key: key.to_owned(), kind };
        let schema = [("plan", AttributeType::String), ("age", AttributeType::Number)].map(attribute).into();
        Mapping { schema, ..Mapping::default() }
    }

    fn told(text: &[u8]) -> Vec<String> {
        rows::told(Format::Csv, text, &mapping())
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
        let text = "ref,plan\nann\nben,a,b\n\\N,x\ncid,c\n,x\nde\0,x\nan\"n,x\nref,plan\nend,e\n";
        let expected = [
            "2: expected 2 cells, as in the header, found 1",
            "3: expected 2 cells, as in the header, found 3",
            "4: it has no ref",
            r#"5: {"ref":"cid","attributes":{"plan":"c"}}"#,
            "6: ref is empty; a ref has 1 to 1024 bytes",
            "7: ref holds a NUL character",
            "8: not CSV: a cell that is not quoted holds a quote; a quote within a cell is written twice (\"\") and the \
            cell is quoted",
            "9: it repeats the header",
            r#"10: {"ref":"end","attributes":{"plan":"e"}}"#,
        ];
        assert_eq!(told(text.as_bytes()), expected);
    }

    #[test]
    fn a_row_of_empty_cells_is_none() {
        let expected =
            [r#"2: {"ref":"ann","attributes":{"plan":"a"}}"#, "5: expected 2 cells, as in the header, found 3"];
        assert_eq!(told(b"ref,plan\nann,a\n,\n\"\",\n,,\n,\n"), expected);
    }

    #[test]
    fn the_delimiter_is_recognized_by_the_header() {
        let ann = |line| vec![format!(r#"{line}: {{"ref":"ann","attributes":{{"plan":"a","age":7}}}}"#)];
        for text in
            ["ref,plan,age\nann,a,7", "ref;plan;age\nann;a;7", "ref\tplan\tage\nann\ta\t7", "ref|\"plan\"|age\nann|a|7"]
        {
            assert_eq!(told(text.as_bytes()), ann(2), "{text:?}");
        }
        for text in ["sep=;\r\nref;plan;age\r\nann;a;7", "sep=\t\nref\tplan\tage\nann\ta\t7"] {
            assert_eq!(told(text.as_bytes()), ann(3), "{text:?}");
        }
        let ignoring = Mapping { ignore_unknown: true, ..mapping() };
        let rows = rows::told(Format::Csv, b"ref,plan;a;b\nann,x", &ignoring);
        assert_eq!(rows, [r#"2: {"ref":"ann"}"#], "more semicolons, but without a ref");
        let rows = told(b"ref,a;b;c\nann,x");
        assert!(rows[0].contains("\"a;b;c\" is not an attribute"), "it has a ref: {rows:?}");
        let rows = told(b"id;plan\nann;a");
        assert!(rows[0].contains("\"id\" is not an attribute") && rows[0].contains("separated by ';'"), "{rows:?}");
    }

    #[test]
    fn a_delimiter_that_is_given_is_not_guessed() {
        let with = |delimiter: &str, text: &str| {
            let delimiter = Delimiter::parse(delimiter).ok();
            rows::told(Format::Csv, text.as_bytes(), &Mapping { delimiter, ..mapping() })
        };
        assert_eq!(with(";", "ref;plan\nann;a,b"), [r#"2: {"ref":"ann","attributes":{"plan":"a,b"}}"#]);
        assert_eq!(with(";", "sep=,\nref;plan\nann;a"), [r#"3: {"ref":"ann","attributes":{"plan":"a"}}"#]);
        assert_eq!(with(" ", "ref plan\nann \"a b\""), [r#"2: {"ref":"ann","attributes":{"plan":"a b"}}"#]);
        assert!(with(",", "ref;plan\nann;a")[0].contains("separated by ','"));
    }

    #[test]
    fn without_a_header_columns_have_numbers() {
        let map = [("ref", "1"), ("age", "3")].map(|(key, column)| (key.to_owned(), column.to_owned())).to_vec();
        let numbered = Mapping { map, ignore_unknown: true, no_header: true, ..mapping() };
        let expected = [r#"1: {"ref":"ann","attributes":{"age":7}}"#, r#"2: {"ref":"ben","attributes":{"age":null}}"#];
        assert_eq!(rows::told(Format::Csv, b"ann;x;7\nben;;\n", &numbered), expected);
        let quoted = b"\"ann\nb\";x;7\n";
        assert_eq!(rows::told(Format::Csv, quoted, &numbered), [r#"1: {"ref":"ann\nb","attributes":{"age":7}}"#]);
        let rows = rows::told(Format::Csv, b"ann\n", &numbered);
        assert!(rows[0].contains("no column \"3\""), "{rows:?}");
        assert_eq!(rows::told(Format::Csv, b"", &numbered), ["the file is empty: it has no header"]);
    }

    #[test]
    fn cells_have_the_forms_that_are_given() {
        let cells = CellRules { empty: Empty::Keep, decimal: Some(Decimal::Comma), date_order: Some(DateOrder::Dmy) };
        let text = "ref;plan;age;sourceUpdatedAt\nann;;1.234,5;31/12/2024 8:00\nben;;;\ncid;x;\\N;\n";
        let expected = [
            r#"2: {"ref":"ann","attributes":{"age":1234.5},"sourceUpdatedAt":"2024-12-31T08:00:00Z"}"#,
            r#"3: {"ref":"ben"}"#,
            r#"4: {"ref":"cid","attributes":{"plan":"x","age":null}}"#,
        ];
        assert_eq!(rows::told(Format::Csv, text.as_bytes(), &Mapping { cells, ..mapping() }), expected);
    }

    #[test]
    fn a_file_that_is_damaged_has_no_end() {
        let first = r#"2: {"ref":"ann"}"#;
        assert_eq!(told(b""), ["the file is empty: it has no header"]);
        assert_eq!(told(b"\"ref"), ["the file ends within a quoted cell, which begins in line 1"]);
        assert_eq!(told(b"ref\nann\n\"be"), [first, "the file ends within a quoted cell, which begins in line 3"]);
        assert!(told(b"\"re\"f\nann\n")[0].starts_with("line 1: not CSV: text follows a closing quote"));
        let rows = told(b"ref\nann\nb\xffn\n");
        assert!(rows[0] == first && rows[1].starts_with("line 3 is not UTF-8"), "{rows:?}");
        assert!(told(b"ref,plan\n\xc3,\xa9\n")[0].starts_with("line 2 is not UTF-8"));
        let mut open = b"ref\nann\n\"".to_vec();
        open.resize(40 << 20, b'x');
        assert_eq!(told(&open)[1], "the row at line 3 is longer than 4 MiB: is a quote left open?");
    }
}
