//! CSV with a header.

mod records;

use self::records::{END, Record, Records};
use super::{Next, ReadError, Row, Source, fault};
use crate::commands::{
    members_file::{SOURCE_UPDATED_AT, cell},
    sync::columns::{Columns, Mapping},
};

pub(in crate::commands::sync) struct CsvRows {
    records: Records,
    columns: Columns,
}

impl CsvRows {
    pub(super) fn new(source: Source, mapping: &Mapping) -> Result<Self, ReadError> {
        let mut records = Records::new(source);
        let header = records.next()?;
        let names: Vec<_> = header.cells().collect();
        if names == [END] {
            return Err(ReadError::Damaged("the file is empty: it has no header".to_owned()));
        }
        let columns = mapping.columns(&names).map_err(ReadError::Usage)?;
        Ok(Self { records, columns })
    }

    pub(super) fn next(&mut self, row: &mut Row) -> Result<Next, ReadError> {
        let columns = &self.columns;
        let record = self.records.next()?;
        if record.len() == 1 && record.cell(0) == END {
            return Ok(Next::End);
        }
        row.line = record.line;
        if record.len() != columns.width {
            // Which of its cells is the ref can't be told.
            let message = format!("expected {} cells, as in the header, found {}", columns.width, record.len());
            row.fault = Some(fault("INVALID_VALUE", message, &[]));
            return Ok(Next::Nobody);
        }
        let Some(reference) = cell::read(record.cell(columns.reference)) else {
            row.fault = Some(fault("INVALID_REF", "it has no ref", &["ref"]));
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
        assert_eq!(told(b"\"ref"), ["the file ends within a quoted cell"]);
        assert_eq!(told(b"ref\nann\n\"be"), [first, "the file ends within a quoted cell"]);
        assert_eq!(told(b"ref\nann\nb\xffn\n"), [first, "line 3 is not UTF-8"]);
        assert_eq!(told(b"ref,plan\n\xc3,\xa9\n"), ["line 2 is not UTF-8"]);
        let mut open = b"ref\nann\n\"".to_vec();
        open.resize(40 << 20, b'x');
        assert_eq!(told(&open)[1], "the row at line 3 is longer than 16 MiB: is a quote left open?");
    }
}
