//! Reads one JSON object per line. Its fields are `ref`, `attributes` and `sourceUpdatedAt`, or those of a flat object: any
//! other field is what a column of CSV with its name is.

mod fields;
mod objects;

use std::{borrow::Cow, collections::HashMap};

use self::fields::{Fields, Text};
pub(super) use self::objects::objects;
use super::{Next, ReadError, Row, RowFault, Source, TextLines, fault};
use crate::{
    domain::attribute::AttributeType,
    members_file::{
        ATTRIBUTE_PREFIX, SOURCE_UPDATED_AT, cell,
        columns::{ColumnNames, Mapping, Target, advice, ignoring},
        forms,
    },
};

/// The name of the field with an object of attributes.
pub(crate) const ATTRIBUTES: &str = "attributes";

/// Maximum number of names of fields whose meaning is kept in memory.
const MAX_KNOWN_NAMES: usize = 10_000;

pub(crate) struct NdjsonRows {
    lines: TextLines,
    mapping: Mapping,
    /// The meanings of fields, by their names.
    known: HashMap<String, Meaning>,
}

/// The meaning of a field of an object.
enum Meaning {
    Attributes,
    Unknown,
    Of(Vec<Target>),
}

impl Meaning {
    fn of(name: &str, mapping: &Mapping) -> Self {
        if name == ATTRIBUTES && !mapping.is_mapped(name) && !mapping.is_ignored(name) {
            return Self::Attributes;
        }
        let targets = mapping.field(name);
        if targets.is_empty() && !mapping.is_ignored(name) { Self::Unknown } else { Self::Of(targets) }
    }
}

impl NdjsonRows {
    pub(super) fn new(source: Source, mapping: &Mapping) -> Result<Self, ReadError> {
        mapping.check().map_err(ReadError::Usage)?;
        if let Some(name) = mapping.ignored.iter().find(|name| name.starts_with(ATTRIBUTE_PREFIX)) {
            let message = "a field of the object \"attributes\" can't be left out";
            return Err(ReadError::Usage(format!("{}: {message}", ignoring(name))));
        }
        let lines = TextLines::new(source);
        Ok(Self { lines, mapping: mapping.clone(), known: HashMap::new() })
    }

    pub(super) fn field_names(&self) -> ColumnNames {
        self.mapping.field_names()
    }

    pub(super) fn next(&mut self, row: &mut Row) -> Result<Next, ReadError> {
        let next = self.read(row)?;
        if row.fault.is_some() {
            cell::string(std::str::from_utf8(&self.lines.line).unwrap_or_default(), &mut row.text);
        }
        Ok(next)
    }

    fn read(&mut self, row: &mut Row) -> Result<Next, ReadError> {
        loop {
            let Some((line, text)) = self.lines.next()? else { return Ok(Next::End) };
            if !text.trim().is_empty() {
                row.line = line;
                break;
            }
        }
        let Self { lines, mapping, known } = self;
        let text = std::str::from_utf8(&lines.line).unwrap_or_default();
        let fields = match serde_json::from_str::<Fields<'_>>(text) {
            Ok(Fields(fields)) => fields,
            Err(error) if error.is_eof() && !lines.ended => {
                return Err(ReadError::Damaged(format!("the file ends in the middle of line {}", row.line)));
            }
            Err(error) => {
                row.fault = Some(invalid(json_error(&error), &[]));
                return Ok(Next::Nobody);
            }
        };
        let mut member = Member::default();
        for (Text(name), value) in &fields {
            if !known.contains_key(name.as_ref()) {
                if known.len() == MAX_KNOWN_NAMES {
                    known.clear();
                }
                known.insert(name.as_ref().to_owned(), Meaning::of(name, mapping));
            }
            let taken = match &known[name.as_ref()] {
                Meaning::Attributes => member.take_attributes(value.get()),
                Meaning::Of(targets) => targets.iter().try_for_each(|target| member.take(name, value.get(), *target)),
                Meaning::Unknown if mapping.ignore_unknown => Ok(()),
                Meaning::Unknown => Err(invalid(format!("unknown field `{name}`: {}", advice("fields")), &[])),
            };
            if let Err(fault) = taken {
                row.fault.get_or_insert(fault);
            }
        }
        match &member.reference {
            Reference::One(reference) => row.reference.push_str(reference),
            Reference::Unclear => return Ok(Next::Nobody),
            Reference::Missing => {
                row.fault = Some(invalid("missing field `ref`", &[]));
                return Ok(Next::Nobody);
            }
        }
        let written = if row.fault.is_some() { Ok(()) } else { member.write(mapping, row) };
        if let Err(fault) = written {
            row.fault = Some(fault);
        }
        if row.fault.is_some() {
            refused(row);
        }
        Ok(Next::Row)
    }
}

/// The ref of an object.
#[derive(Default)]
enum Reference<'a> {
    #[default]
    Missing,
    One(Cow<'a, str>),
    /// Unknown, for instance because there are two refs.
    Unclear,
}

/// The parts of a member in an object.
#[derive(Default)]
struct Member<'a> {
    reference: Reference<'a>,
    /// The object of attributes, or null.
    attributes: Option<&'a str>,
    /// Attributes that are fields of their own, by their places in the schema.
    flat: Vec<(usize, &'a str)>,
    source_updated_at: Option<&'a str>,
}

impl<'a> Member<'a> {
    fn take_attributes(&mut self, json: &'a str) -> Result<(), RowFault> {
        if json != "null" && !json.starts_with('{') {
            return Err(invalid("expected an object from key to value", &[ATTRIBUTES]));
        }
        if self.attributes.replace(json).is_some() { Err(duplicate(ATTRIBUTES)) } else { Ok(()) }
    }

    fn take(&mut self, name: &str, json: &'a str, target: Target) -> Result<(), RowFault> {
        match target {
            Target::Reference => self.take_reference(name, json),
            Target::SourceUpdatedAt if json != "null" && !json.starts_with('"') => {
                Err(invalid("expected an RFC 3339 date-time, in a string", &[SOURCE_UPDATED_AT]))
            }
            Target::SourceUpdatedAt if self.source_updated_at.replace(json).is_some() => Err(duplicate(name)),
            Target::SourceUpdatedAt => Ok(()),
            Target::Attribute(place) => {
                self.flat.push((place, json));
                Ok(())
            }
        }
    }

    /// Takes a string. Databases write ids as integers, which are taken from fields with other names.
    fn take_reference(&mut self, name: &str, json: &'a str) -> Result<(), RowFault> {
        let is_integer = name != "ref" && json.bytes().all(|byte| byte.is_ascii_digit());
        let text = if is_integer { Ok(Text(json.into())) } else { serde_json::from_str(json) };
        let (reference, outcome) = match (&self.reference, text) {
            (Reference::Missing, Ok(Text(text))) => (Reference::One(text), Ok(())),
            (Reference::Missing, Err(error)) => (Reference::Unclear, Err(invalid(json_error(&error), &["ref"]))),
            _ => (Reference::Unclear, Err(duplicate(name))),
        };
        self.reference = reference;
        outcome
    }

    /// Appends the JSON of the member to a row that has its ref.
    fn write(&self, mapping: &Mapping, row: &mut Row) -> Result<(), RowFault> {
        let flat = self.flat_attributes(mapping);
        let attributes = match self.attributes {
            Some("null") if !flat.is_empty() => {
                return Err(invalid("attributes is null beside fields that are attributes", &[ATTRIBUTES]));
            }
            Some(object) if !flat.is_empty() => {
                let inner = object[1..object.len() - 1].trim();
                let comma = if inner.is_empty() { "" } else { "," };
                Some(format!("{{{inner}{comma}{flat}}}").into())
            }
            Some(object) => Some(Cow::from(object)),
            None if flat.is_empty() => None,
            None => Some(format!("{{{flat}}}").into()),
        };
        let Row { reference, json, .. } = row;
        json.extend_from_slice(b"{\"ref\":");
        cell::string(reference, json);
        let time = self.source_updated_at.map(|time| match serde_json::from_str::<Text<'_>>(time) {
            Ok(Text(text)) => forms::date(&text, mapping.cells.date_order)
                .map_or(Cow::from(time), |date| format!("\"{date}\"").into()),
            Err(_) => time.into(),
        });
        for (name, value) in [(ATTRIBUTES, attributes), (SOURCE_UPDATED_AT, time)] {
            if let Some(value) = value {
                json.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
            }
        }
        json.push(b'}');
        Ok(())
    }

    /// Returns the members of the object with the attributes that are fields of their own. A string in the place of another
    /// type is read as a cell of CSV is: databases write large numbers and times so.
    fn flat_attributes(&self, mapping: &Mapping) -> String {
        let mut json = Vec::new();
        for (place, value) in &self.flat {
            let kind = mapping.schema[*place].kind;
            let text = if value.starts_with('"') && kind != AttributeType::String {
                serde_json::from_str::<Text<'_>>(value).ok()
            } else {
                None
            };
            if text.as_ref().is_some_and(|Text(text)| mapping.cells.keeps(text)) {
                continue;
            }
            if !json.is_empty() {
                json.push(b',');
            }
            json.extend_from_slice(&mapping.key(*place));
            json.push(b':');
            match text {
                Some(Text(text)) => mapping.cells.write(kind, &text, &mut json),
                None => json.extend_from_slice(value.as_bytes()),
            }
        }
        String::from_utf8(json).unwrap_or_default()
    }
}

fn invalid(message: impl Into<String>, path: &[&str]) -> RowFault {
    fault("INVALID_VALUE", message, path)
}

fn duplicate(name: &str) -> RowFault {
    invalid(format!("duplicate field `{name}`"), &[])
}

/// Returns the message of an error in a line, without serde's own count of lines.
fn json_error(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.split(" at line 1 ").next().unwrap_or_default().to_owned()
}

/// Writes a row that the API finds bad, whatever its ref, and by which it sees the member.
fn refused(row: &mut Row) {
    let Row { reference, json, .. } = row;
    json.clear();
    json.extend_from_slice(b"{\"ref\":");
    cell::string(reference, json);
    json.extend_from_slice(b",\"sourceUpdatedAt\":\"\"}");
}

#[cfg(test)]
mod tests {
    use crate::{
        domain::attribute::{AttributeType, Definition},
        members_file::{Format, columns::Mapping, rows},
    };

    fn told(text: &str) -> Vec<String> {
        rows::told(Format::Ndjson, text.as_bytes(), &Mapping::default())
    }

    /// Reads flat objects, whose fields `customer_id` and `tier` are the ref and the plan.
    fn told_flat(text: &str, ignore_unknown: bool) -> Vec<String> {
        let attribute = |(key, kind): (&str, AttributeType)| Definition { key: key.to_owned(), kind };
        let schema = [
            ("plan", AttributeType::String),
            ("age", AttributeType::Number),
            ("joined", AttributeType::Date),
            ("attributes", AttributeType::String),
        ];
        let map = [("ref", "customer_id"), ("plan", "tier")];
        let map = map.map(|(key, name)| (key.to_owned(), name.to_owned())).to_vec();
        let schema = schema.map(attribute).into();
        rows::told(Format::Ndjson, text.as_bytes(), &Mapping { map, ignore_unknown, schema, ..Mapping::default() })
    }

    #[test]
    fn fields_of_a_flat_object_are_mapped_as_columns_are() {
        for (text, expected) in [
            (r#"{"customer_id":17,"tier":"gold","age":7}"#, r#"{"ref":"17","attributes":{"plan":"gold","age":7}}"#),
            (
                r#"{"age":"7","customer_id":"a","joined":"2026-01-31 10:00:00 UTC"}"#,
                r#"{"ref":"a","attributes":{"age":7,"joined":"2026-01-31T10:00:00Z"}}"#,
            ),
            (r#"{"customer_id":"a","age":null,"tier":""}"#, r#"{"ref":"a","attributes":{"age":null,"plan":""}}"#),
            (
                r#"{"customer_id":"a","age":1,"attributes":{"plan":"x"}}"#,
                r#"{"ref":"a","attributes":{"plan":"x","age":1}}"#,
            ),
            (r#"{"customer_id":"a","age":1,"attributes":{ }}"#, r#"{"ref":"a","attributes":{"age":1}}"#),
            (r#"{"customer_id":"a","attributes.attributes":"x"}"#, r#"{"ref":"a","attributes":{"attributes":"x"}}"#),
            (
                r#"{"customer_id":"a","sourceUpdatedAt":"2026-01-31 10:00:00+00"}"#,
                r#"{"ref":"a","sourceUpdatedAt":"2026-01-31T10:00:00+00:00"}"#,
            ),
            (r#"{"customer_id":"a","age":"many"}"#, r#"{"ref":"a","attributes":{"age":"many"}}"#),
        ] {
            assert_eq!(told_flat(text, false), [format!("1: {expected}")], "{text}");
        }
        // The API rejects a key that is given twice.
        let twice = r#"{"customer_id":"a","age":1,"age":2}"#;
        assert_eq!(told_flat(twice, false), [r#"1: {"ref":"a","attributes":{"age":1,"age":2}}"#]);
        let text = r#"{"customer_id":"a","ref":"b","plan":"c","other":{"a":1}}"#;
        assert_eq!(told_flat(text, true), [r#"1: {"ref":"a"}"#]);
    }

    #[test]
    fn a_flat_object_that_is_bad_is_told() {
        for (text, expected) in [
            (
                r#"{"customer_id":"a","plan":"c"}"#,
                "1: unknown field `plan`: map it with map=KEY=COLUMN, or ignore such fields with ignoreUnknownColumns=true (a)",
            ),
            (
                r#"{"customer_id":"a","age":1,"attributes":null}"#,
                "1: attributes is null beside fields that are attributes (a)",
            ),
            (r#"{"customer_id":1,"customer_id":1}"#, "1: duplicate field `customer_id`"),
            (r#"{"customer_id":1.5}"#, "1: invalid type: floating point `1.5`, expected a string"),
            (r#"{"tier":"gold"}"#, "1: missing field `ref`"),
        ] {
            assert_eq!(told_flat(text, false), [expected], "{text}");
        }
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
