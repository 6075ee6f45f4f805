use std::io::Cursor;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    domain::attribute::{AttributeType, Definition},
    members_file::{
        Format,
        columns::Mapping,
        rows::{Next, Row, Rows},
        source,
    },
    types::{Id, MemberId, MemberbaseId, Time},
};

const KEYS: [(&str, AttributeType); 6] = [
    ("plan", AttributeType::String),
    ("age", AttributeType::Number),
    ("a,b", AttributeType::String),
    ("tags", AttributeType::StringList),
    ("ref", AttributeType::Date),
    ("active", AttributeType::Boolean),
];

/// A ref, the attributes and the time of a member.
type Fields<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

fn schema() -> Schema {
    Schema::new(KEYS.map(|(key, kind)| Definition { key: key.to_owned(), kind }).into()).expect("a schema")
}

fn form(format: OutputFormat) -> OutputForm {
    OutputForm { format, delimiter: None, bom: None, escapes_formulas: false }
}

fn view<'a>((reference, attributes, time): &Fields<'a>) -> MemberView<'a> {
    MemberView {
        id: MemberId::from_uuid(Uuid::nil()),
        memberbase: MemberbaseId::from_uuid(Uuid::nil()),
        reference,
        attributes: *attributes,
        updated_at: Time::from_micros(0),
        source_updated_at: time.map(|time| Time::parse(time).expect("a time")),
    }
}

/// Writes members in two pages.
fn written(form: OutputForm, columns: &[&str], members: &[Fields<'_>]) -> Result<String, String> {
    let names: Vec<_> = columns.iter().map(|&name| name.to_owned()).collect();
    let writer = MemberWriter::new(form, &names, &schema()).map_err(|unfit| unfit.to_string())?;
    let mut file = Vec::new();
    let (first, second) = members.split_at(members.len() / 2);
    for (is_first, page) in [(true, first), (false, second)] {
        let mut text = Vec::new();
        let outcome = writer.write(is_first, page.iter().map(|member| Ok(view(member))), &mut text);
        outcome.map_err(|error| match error {
            Error::BadInput { message, .. } => message,
            other => panic!("{other:?}"),
        })?;
        file.extend(text);
    }
    Ok(String::from_utf8(file).expect("UTF-8"))
}

/// Reads a file as `/import` does, with the delimiter only if it is not one that readers recognize.
fn read(format: OutputFormat, text: &str, delimiter: Option<Delimiter>) -> Vec<Value> {
    let format = match format {
        OutputFormat::Csv | OutputFormat::Excel => Format::Csv,
        OutputFormat::Ndjson => Format::Ndjson,
        OutputFormat::Lines => Format::Lines,
    };
    let mapping = Mapping { schema: schema().definitions().to_vec(), delimiter, ..Mapping::default() };
    let source = source::receive(Cursor::new(text.to_owned().into_bytes()), None).expect("in memory");
    let mut rows = Rows::new(format, source, &mapping).expect("a header");
    let (mut row, mut read) = (Row::default(), Vec::new());
    while rows.next(&mut row).expect("a file") == Next::Row {
        assert!(row.fault.is_none(), "{:?}", row.fault);
        read.push(serde_json::from_slice(&row.json).expect("JSON"));
    }
    read
}

/// Returns the rows that leave members as they are, in the form of a file: all attributes, with null for no value.
fn unchanged(members: &[Fields<'_>]) -> Vec<Value> {
    let row = |(reference, attributes, time): &Fields<'_>| {
        let stored: Value = serde_json::from_str(attributes.unwrap_or("{}")).expect("JSON");
        let attributes: serde_json::Map<_, _> =
            KEYS.iter().map(|(key, _)| ((*key).to_owned(), stored[*key].clone())).collect();
        json!({"ref": reference, "attributes": attributes, "sourceUpdatedAt": time})
    };
    members.iter().map(row).collect()
}

/// Adds null for what the rows leave out, which has the same meaning for a member that has no value.
fn filled(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        let row = row.as_object_mut().expect("an object");
        row.entry("sourceUpdatedAt").or_insert(Value::Null);
        let attributes = row.entry("attributes").or_insert(json!({})).as_object_mut().expect("an object");
        for (key, _) in KEYS {
            attributes.entry(key).or_insert(Value::Null);
        }
    }
    rows
}

const MEMBERS: [Fields<'_>; 4] = [
    ("ann", Some(r#"{"age": -7.5, "plan": "gold; \"x\"", "tags": ["a", "b"]}"#), Some("2026-01-31T12:00:00.000Z")),
    ("=1+1", Some(r#"{"a,b": "", "ref": "2026-01-31", "active": true}"#), None),
    ("\\N", Some(r#"{"plan": "\\N"}"#), None),
    ("two\r\nlines", None, None),
];

#[test]
fn csv_has_a_header_and_a_row_per_member() {
    let text = written(form(OutputFormat::Csv), &[], &MEMBERS).expect("a file");
    let expected = "ref,plan,age,\"a,b\",tags,attributes.ref,active,sourceUpdatedAt\n\
        ann,\"gold; \"\"x\"\"\",-7.5,\\N,\"[\"\"a\"\", \"\"b\"\"]\",\\N,\\N,2026-01-31T12:00:00.000Z\n\
        =1+1,\\N,\\N,,\\N,2026-01-31,true,\\N\n\
        \\\\N,\\\\N,\\N,\\N,\\N,\\N,\\N,\\N\n\
        \"two\r\nlines\",\\N,\\N,\\N,\\N,\\N,\\N,\\N\n";
    assert_eq!(text, expected);
    assert_eq!(written(form(OutputFormat::Csv), &["plan"], &[]).expect("a file"), "plan\n");
}

#[test]
fn excel_has_empty_cells_where_they_mean_no_value() {
    let text = written(form(OutputFormat::Excel), &[], &MEMBERS[..2]).expect("a file");
    let expected = "\u{feff}ref;plan;age;a,b;tags;attributes.ref;active;sourceUpdatedAt\r\n\
        ann;\"gold; \"\"x\"\"\";-7.5;\\N;\"[\"\"a\"\", \"\"b\"\"]\";;;2026-01-31T12:00:00.000Z\r\n\
        =1+1;\\N;;;;2026-01-31;true;\r\n";
    assert_eq!(text, expected);
    let form = OutputForm { bom: Some(false), delimiter: Some(Delimiter::COMMA), ..form(OutputFormat::Excel) };
    assert_eq!(written(form, &["ref", "age"], &MEMBERS[..1]).expect("a file"), "ref,age\r\nann,-7.5\r\n");
}

#[test]
fn ndjson_has_the_chosen_fields() {
    let text = written(form(OutputFormat::Ndjson), &[], &MEMBERS[..2]).expect("a file");
    let expected = "{\"ref\":\"ann\",\"attributes\":{\"age\": -7.5, \"plan\": \"gold; \\\"x\\\"\", \"tags\": [\"a\", \"b\"]},\
        \"sourceUpdatedAt\":\"2026-01-31T12:00:00.000Z\"}\n\
        {\"ref\":\"=1+1\",\"attributes\":{\"a,b\": \"\", \"ref\": \"2026-01-31\", \"active\": true}}\n";
    assert_eq!(text, expected);
    let text = written(form(OutputFormat::Ndjson), &["active,age,ref"], &MEMBERS[..2]).expect("a file");
    assert_eq!(
        text,
        "{\"ref\":\"ann\",\"attributes\":{\"age\":-7.5}}\n{\"ref\":\"=1+1\",\"attributes\":{\"active\":true}}\n"
    );
    let text = written(form(OutputFormat::Ndjson), &["sourceUpdatedAt"], &MEMBERS[..2]).expect("a file");
    assert_eq!(text, "{\"sourceUpdatedAt\":\"2026-01-31T12:00:00.000Z\"}\n{}\n");
}

#[test]
fn lines_have_refs_without_line_breaks() {
    let lines = form(OutputFormat::Lines);
    assert_eq!(written(lines, &[], &MEMBERS[..3]).expect("a file"), "ann\n=1+1\n\\N\n");
    let message = written(lines, &[], &MEMBERS).expect_err("a line break");
    assert!(message.contains("contains a line break"), "{message}");
    // A byte order mark is skipped at the start of a file only.
    let members = [("\u{feff}ann", None, None), ("\u{feff}ben", None, None)];
    let text = written(lines, &[], &members).expect("a file");
    assert_eq!(read(OutputFormat::Lines, &text, None), [json!({"ref": "\u{feff}ann"}), json!({"ref": "\u{feff}ben"})]);
}

#[test]
fn formulas_are_escaped_on_request() {
    let form = OutputForm { escapes_formulas: true, ..form(OutputFormat::Csv) };
    let members = [("+49", Some(r#"{"age": -7, "plan": "@x"}"#), None), ("a=b", Some(r#"{"plan": "\tx"}"#), None)];
    let text = written(form, &["ref", "plan", "age"], &members).expect("a file");
    assert_eq!(text, "ref,plan,age\n'+49,'@x,-7\na=b,'\tx,\\N\n");
}

#[test]
fn unfit_options_are_rejected() {
    let ndjson = form(OutputFormat::Ndjson);
    for (form, columns, part) in [
        (OutputForm { bom: Some(false), ..ndjson }, &[][..], "are for format=csv"),
        (OutputForm { delimiter: Some(Delimiter::COMMA), ..ndjson }, &[], "are for format=csv"),
        (OutputForm { escapes_formulas: true, ..ndjson }, &[], "are for format=csv"),
        (form(OutputFormat::Lines), &["ref"], "not for format=lines"),
        (ndjson, &["ref,plna"], "\"plna\" does not exist"),
        (ndjson, &["ref,"], "\"\" does not exist"),
        (ndjson, &[""], "\"\" does not exist"),
        (ndjson, &["plan", "ref,attributes.plan"], "\"attributes.plan\" is given twice"),
    ] {
        let message = written(form, columns, &[]).expect_err("unfit");
        assert!(message.contains(part), "{message}");
    }
    let names = written(form(OutputFormat::Csv), &["a,b", "age,ref,attributes.ref"], &[]).expect("a file");
    assert_eq!(names, "\"a,b\",age,ref,attributes.ref\n");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~é\u{feff}\t\r\n]{0,9}", r"\\{0,4}N?", "[,;|\t\"'=]{0,4}", "NULL|null|true|7"]
}

fn reference() -> impl Strategy<Value = String> {
    text().prop_filter("a ref is not empty", |text| !text.is_empty())
}

fn attributes() -> impl Strategy<Value = Value> {
    let optional = |value: BoxedStrategy<Value>| prop::option::of(value);
    let list = prop::collection::vec(text(), 0..3).prop_map(Value::from);
    (
        optional(text().prop_map(Value::from).boxed()),
        optional(any::<i32>().prop_map(|number| json!(f64::from(number) / 8.0)).boxed()),
        optional(list.boxed()),
        optional(any::<bool>().prop_map(Value::from).boxed()),
    )
        .prop_map(|(plan, age, tags, active)| {
            let values = [("plan", plan), ("age", age), ("tags", tags), ("active", active)];
            values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
        })
}

proptest! {
    #[test]
    fn file_is_read_back_unchanged(
        members in prop::collection::vec((reference(), attributes(), any::<bool>()), 0..5),
        format in prop::sample::select(&[OutputFormat::Csv, OutputFormat::Excel, OutputFormat::Ndjson][..]),
        delimiter in prop::sample::select(&[None, Some(","), Some(";"), Some("tab"), Some("|"), Some(":")][..]),
        bom in any::<Option<bool>>(),
    ) {
        let delimiter = delimiter.map(|text| Delimiter::parse(text).expect("a delimiter"));
        let is_csv = format != OutputFormat::Ndjson;
        let form = OutputForm { delimiter: delimiter.filter(|_| is_csv), bom: bom.filter(|_| is_csv), ..form(format) };
        let members: Vec<_> = members
            .into_iter()
            .map(|(reference, attributes, has_time)| (reference, attributes.to_string(), has_time))
            .collect();
        let members: Vec<Fields<'_>> = members
            .iter()
            .map(|(reference, attributes, has_time)| {
                (&**reference, Some(&**attributes), has_time.then_some("2026-01-31T12:00:00.000001Z"))
            })
            .collect();
        let text = written(form, &[], &members).expect("a file");
        let given = form.delimiter.filter(|delimiter| delimiter.name() == ":");
        prop_assert_eq!(filled(read(format, &text, given)), unchanged(&members), "{}", text);
    }

    #[test]
    fn refs_alone_are_read_back(
        refs in prop::collection::vec(reference(), 0..5),
        format in prop::sample::select(&[OutputFormat::Csv, OutputFormat::Excel, OutputFormat::Ndjson][..]),
    ) {
        let members: Vec<Fields<'_>> = refs.iter().map(|reference| (&**reference, None, None)).collect();
        let text = written(form(format), &["ref"], &members).expect("a file");
        let expected: Vec<_> = refs.iter().map(|reference| json!({"ref": reference})).collect();
        prop_assert_eq!(read(format, &text, None), expected, "{}", text);
    }
}
