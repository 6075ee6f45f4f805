//! Reads one JSON object per line: `ref`, and optionally `attributes` and `sourceUpdatedAt`.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Next, ReadError, Row, Source, TextLines, fault};
use crate::commands::members_file::cell;

pub(in crate::commands::sync) struct NdjsonRows(TextLines);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Member<'a> {
    #[serde(rename = "ref", borrow)]
    reference: Text<'a>,
    #[serde(borrow, default, deserialize_with = "given")]
    attributes: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    source_updated_at: Option<&'a RawValue>,
}

/// What is null is there all the same: it removes all attributes, or the time.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Whom a line is about, whatever else is in it.
#[derive(Deserialize)]
struct Subject<'a> {
    #[serde(rename = "ref", borrow)]
    reference: Text<'a>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl NdjsonRows {
    pub(super) fn new(source: Source) -> Self {
        Self(TextLines::new(source))
    }

    pub(super) fn next(&mut self, row: &mut Row) -> Result<Next, ReadError> {
        loop {
            let Some((line, text)) = self.0.next()? else { return Ok(Next::End) };
            if !text.trim().is_empty() {
                row.line = line;
                break;
            }
        }
        let text = std::str::from_utf8(&self.0.line).unwrap_or_default();
        let error = match serde_json::from_str::<Member<'_>>(text) {
            Ok(member) => {
                write(&member, row);
                return Ok(Next::Row);
            }
            Err(error) => error,
        };
        if error.is_eof() && !self.0.ended {
            return Err(ReadError::Damaged(format!("the file ends in the middle of line {}", row.line)));
        }
        let message = error.to_string();
        // serde counts lines of its own.
        let message = message.split(" at line 1 ").next().unwrap_or_default();
        row.fault = Some(fault("INVALID_VALUE", message, &[]));
        match serde_json::from_str::<Subject<'_>>(text) {
            Ok(subject) => {
                refused(&subject.reference.0, row);
                Ok(Next::Row)
            }
            Err(_) => Ok(Next::Nobody),
        }
    }
}

fn write(member: &Member<'_>, row: &mut Row) {
    let Member { reference: Text(reference), attributes, source_updated_at } = member;
    let is =
        |json: &Option<&RawValue>, first| json.is_none_or(|json| json.get() == "null" || json.get().starts_with(first));
    if !is(attributes, '{') {
        row.fault = Some(fault("INVALID_VALUE", "expected an object from key to value", &["attributes"]));
        return refused(reference, row);
    }
    if !is(source_updated_at, '"') {
        row.fault = Some(fault("INVALID_VALUE", "expected an RFC 3339 date-time, in a string", &["sourceUpdatedAt"]));
        return refused(reference, row);
    }
    row.reference.push_str(reference);
    row.json.extend_from_slice(b"{\"ref\":");
    cell::string(reference, &mut row.json);
    let rest = [("attributes", attributes), ("sourceUpdatedAt", source_updated_at)];
    for (name, json) in rest.into_iter().filter_map(|(name, json)| Some((name, json.as_ref()?))) {
        row.json.extend_from_slice(format!(",\"{name}\":{}", json.get()).as_bytes());
    }
    row.json.push(b'}');
}

/// Writes a row that the API finds bad, whatever its ref, and by which it sees the member.
fn refused(reference: &str, row: &mut Row) {
    row.reference.push_str(reference);
    row.json.extend_from_slice(b"{\"ref\":");
    cell::string(reference, &mut row.json);
    row.json.extend_from_slice(b",\"sourceUpdatedAt\":\"\"}");
}

#[cfg(test)]
mod tests {
    use crate::{
        cli::Format,
        commands::sync::{columns::Mapping, rows},
    };

    fn told(text: &str) -> Vec<String> {
        let mapping = Mapping { map: vec![], ignore_unknown: false, schema: vec![] };
        rows::told(Format::Ndjson, text.as_bytes(), &mapping)
    }

    #[test]
    fn a_line_is_a_member() {
        let text = r#"{"ref":"ann"}

 { "attributes" : {"age": 2.50, "a":[1]}, "ref": "b\u00e9n", "sourceUpdatedAt": "2026-01-31T12:00:00Z" }
{"ref":"cid","attributes":null,"sourceUpdatedAt":null}"#;
        let expected = [
            r#"1: {"ref":"ann"}"#,
            r#"3: {"ref":"bén","attributes":{"age": 2.50, "a":[1]},"sourceUpdatedAt":"2026-01-31T12:00:00Z"}"#,
            r#"4: {"ref":"cid","attributes":null,"sourceUpdatedAt":null}"#,
        ];
        assert_eq!(told(text), expected);
    }

    #[test]
    fn a_bad_line_still_says_whom_it_is_about_where_it_can() {
        for (text, expected) in [
            (r#"{"ref":"ann","plan":"gold"}"#, "unknown field `plan`"),
            (r#"{"ref":"ann","attributes":[]}"#, "expected an object from key to value (ann)"),
            (r#"{"ref":"ann","sourceUpdatedAt":5}"#, "in a string (ann)"),
            (r#"{"attributes":{}}"#, "missing field `ref`"),
            (r#"{"ref":7}"#, "invalid type: integer `7`, expected a string"),
            (r#"{"ref":null}"#, "invalid type: null"),
            (r#"["ann"]"#, ""),
            (r#"{"ref":"ann""#, "EOF while parsing an object"),
            (r#"{"ref":"ann"} {}"#, "trailing characters"),
            (r#"{"ref":"\ud800"}"#, ""),
            (r#"{"ref":"ann","ref":"ben"}"#, "duplicate field `ref`"),
            (r#"{"ref":"ann","r\u0065f":"ben","x":1}"#, ""),
            (r#"{"ref":""}"#, "ref is empty"),
            (r#"{"ref":"","attributes":[]}"#, "ref is empty"),
            (r#"{"ref":"a\u0000"}"#, "ref holds a NUL character"),
        ] {
            let told = told(&format!("{text}\n"));
            assert!(told.len() == 1 && told[0].starts_with("1: ") && told[0].contains(expected), "{text}: {told:?}");
            let is_attributed = expected.ends_with("(ann)") || expected == "unknown field `plan`";
            assert_eq!(told[0].ends_with("(ann)"), is_attributed, "{text}: {told:?}");
        }
    }

    #[test]
    fn a_last_line_that_is_cut_is_the_end_of_no_file() {
        let text = "{\"ref\":\"ann\"}\n{\"ref\":\"ben\",\"attributes\":{\"a\":1}}";
        for length in 15..text.len() {
            assert_eq!(told(&text[..length])[1..], ["the file ends in the middle of line 2"], "{}", &text[..length]);
        }
        assert_eq!(told(text).len(), 2);
    }
}
