//! Reads CSV with a header (RFC 4180).

mod records;

use self::records::{Parsed, Record, Records};
use super::{Next, ReadError, Row, Source, fault};
use crate::commands::{
    members_file::{SOURCE_UPDATED_AT, cell},
    sync::{
        columns::{Columns, Mapping},
        rejects::INVALID_REF,
    },
};

pub(in crate::commands::sync) struct CsvRows {
    records: Records,
    columns: Columns,
}

impl CsvRows {
    pub(super) fn new(source: Source, mapping: &Mapping) -> Result<Self, ReadError> {
        let mut records = Records::new(source);
        let header = match records.next()? {
            Parsed::Record(header) => header,
            Parsed::Malformed { line, message } => {
                return Err(ReadError::Damaged(format!("line {line}: {message}")));
            }
            Parsed::End => return Err(ReadError::Damaged("the file is empty: it has no header".to_owned())),
        };
        let names: Vec<_> = header.cells().collect();
        let columns = mapping.columns(&names).map_err(ReadError::Usage)?;
        Ok(Self { records, columns })
    }

    pub(super) fn next(&mut self, row: &mut Row) -> Result<Next, ReadError> {
        let columns = &self.columns;
        let record = match self.records.next()? {
            Parsed::Record(record) => record,
            Parsed::Malformed { line, message } => {
                row.line = line;
                row.fault = Some(fault("INVALID_VALUE", message, &[]));
                return Ok(Next::Nobody);
            }
            Parsed::End => return Ok(Next::End),
        };
        row.line = record.line;
        if record.len() != columns.width {
            // Which of its cells is the ref can't be told.
            let message = format!("expected {} cells, as in the header, found {}", columns.width, record.len());
            row.fault = Some(fault("INVALID_VALUE", message, &[]));
            return Ok(Next::Nobody);
        }
        let Some(reference) = cell::read(record.cell(columns.reference)) else {
            row.fault = Some(fault(INVALID_REF, "it has no ref", &["ref"]));
            return Ok(Next::Nobody);
        };
        row.reference.push_str(reference);
        write(&record, columns, row);
        Ok(Next::Row)
    }
}

fn write(record: &Record<'_>, columns: &Columns, row: &mut Row) {
    let Row { reference, json, .. } = row;
    json.extend_from_slice(b"{\"ref\":");
    cell::string(reference, json);
    for (place, attribute) in columns.attributes.iter().enumerate() {
        json.extend_from_slice(if place == 0 { b",\"attributes\":{" } else { b"," });
        json.extend_from_slice(&attribute.key);
        json.push(b':');
        cell::to_json(attribute.kind, record.cell(attribute.column), json);
    }
    if !columns.attributes.is_empty() {
        json.push(b'}');
    }
    let time = columns.source_updated_at.and_then(|column| cell::read(record.cell(column)));
    if let Some(time) = time.filter(|time| !time.is_empty()) {
        json.extend_from_slice(format!(",\"{SOURCE_UPDATED_AT}\":").as_bytes());
        cell::string(time, json);
    }
    json.push(b'}');
}

#[cfg(test)]
mod tests {
    use crate::{
        cli::Format,
        commands::{
            api::Definition,
            sync::{columns::Mapping, rows},
        },
        domain::attribute::AttributeType,
    };

    fn told(text: &[u8]) -> Vec<String> {
        let attribute = |(key, kind): (&str, AttributeType)| Definition { key: key.to_owned(), kind };
        let schema = [("plan", AttributeType::String), ("age", AttributeType::Number)].map(attribute).into();
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
        let text = "ref,plan\nann\nben,a,b\n\\N,x\ncid,c\n,x\nde\0,x\nan\"n,x\nend,e\n";
        let expected = [
            "2: expected 2 cells, as in the header, found 1",
            "3: expected 2 cells, as in the header, found 3",
            "4: it has no ref",
            r#"5: {"ref":"cid","attributes":{"plan":"c"}}"#,
            "6: ref is empty; a ref has 1 to 1024 bytes",
            "7: ref holds a NUL character",
            "8: not CSV: a cell that is not quoted holds a quote; a quote within a cell is written twice (\"\") and the \
            cell is quoted",
            r#"9: {"ref":"end","attributes":{"plan":"e"}}"#,
        ];
        assert_eq!(told(text.as_bytes()), expected);
    }

    #[test]
    fn a_file_that_is_damaged_has_no_end() {
        let first = r#"2: {"ref":"ann"}"#;
        assert_eq!(told(b""), ["the file is empty: it has no header"]);
        assert_eq!(told(b"\"ref"), ["the file ends within a quoted cell, which begins in line 1"]);
        assert_eq!(told(b"ref\nann\n\"be"), [first, "the file ends within a quoted cell, which begins in line 3"]);
        assert!(told(b"\"re\"f\nann\n")[0].starts_with("line 1: not CSV: text follows a closing quote"));
        assert_eq!(told(b"ref\nann\nb\xffn\n"), [first, "line 3 is not UTF-8"]);
        assert_eq!(told(b"ref,plan\n\xc3,\xa9\n"), ["line 2 is not UTF-8"]);
        let mut open = b"ref\nann\n\"".to_vec();
        open.resize(40 << 20, b'x');
        assert_eq!(told(&open)[1], "the row at line 3 is longer than 16 MiB: is a quote left open?");
    }
}
