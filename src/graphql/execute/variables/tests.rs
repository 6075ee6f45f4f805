//! Tests of the coercion of one variable, with a toy schema.

use async_graphql::{EmptyMutation, EmptySubscription, Enum, InputObject, MaybeUndefined, Object, OneofObject, Schema};
use rstest::rstest;
use serde::Deserialize;

use super::*;
use crate::graphql::{
    Code,
    scalar::{AttributeValue, Attributes, Count, DateTime},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Color {
    Red,
    Green,
}

#[derive(Clone, Debug, PartialEq, InputObject, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    color: Option<Color>,
    at: Option<Spot>,
}

#[derive(Clone, Debug, PartialEq, InputObject, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spot {
    x: i32,
}

#[derive(OneofObject)]
enum Choice {
    Name(String),
    Since(DateTime),
    Row(Row),
}

#[derive(InputObject)]
struct Input {
    id: async_graphql::ID,
    #[graphql(default = 7)]
    count: i32,
    note: MaybeUndefined<String>,
    rows: Option<Vec<Row>>,
    grid: Option<Vec<Vec<i32>>>,
    choice: Option<Choice>,
    since: Option<DateTime>,
}

const NO_TIME: &str = "expected an RFC 3339 date-time such as 2026-01-31T12:00:00Z";

const NO_ATTRIBUTE_VALUE: &str = "expected a string, a number, a boolean or a list of strings";

struct Query;

#[Object]
impl Query {
    async fn f(&self, v: Option<Input>) -> bool {
        v.is_some_and(|input| {
            let Input { id, count, note, rows, grid, choice, since } = input;
            id.is_empty()
                && count == 0
                && note.is_null()
                && rows.is_none()
                && grid.is_none()
                && choice.is_none()
                && since.is_none()
        })
    }

    async fn others(&self, a: Option<f64>, b: Option<Attributes>, c: Option<AttributeValue>, d: Option<Count>) -> bool {
        a.is_some() && b.is_some() && c.is_some() && d.is_some()
    }
}

fn types() -> Types {
    Types::new(&Schema::new(Query, EmptyMutation, EmptySubscription).sdl())
}

fn coerce_variable(ty: &str, json: &str, decoders: &RowDecoders) -> Result<Value, Vec<Error>> {
    let types = types();
    let operation = PreparedOperation::unvalidated(&types, &format!("query($v: {ty}) {{ f(v: $v) }}"));
    let text = format!(r#"{{"other": [1, {{"x": {{}}}}], "v": {json}}}"#);
    let raw: &RawValue = serde_json::from_str(&text).unwrap();
    let (mut variables, _) = coerce(&types, &operation, Some(raw), decoders, None)?;
    Ok(variables.remove("v").unwrap())
}

/// Returns the path and the message of the error.
fn coercion_error(ty: &str, json: &str, decoders: &RowDecoders) -> (Vec<serde_json::Value>, String) {
    let errors = coerce_variable(ty, json, decoders).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code(), Code::BadUserInput);
    let extensions = serde_json::to_value(errors[0].extensions()).unwrap();
    (extensions["path"].as_array().unwrap().clone(), errors[0].message().to_owned())
}

#[rstest]
#[case("Int", "3", "3")]
#[case("Int", "-2147483648", "-2147483648")]
#[case("Int", "1.0", "1")]
#[case("Int", "null", "null")]
#[case("Float", "3", "3")]
#[case("Float", "3.5", "3.5")]
#[case("Float", "1e300", "1e300")]
#[case("ID!", r#""a""#, r#""a""#)]
#[case("ID!", "18446744073709551615", r#""18446744073709551615""#)]
#[case("Boolean", "true", "true")]
#[case("String!", r#""\u00e9\n""#, r#""é\n""#)]
#[case("Color", r#""RED""#, r#""RED""#)]
#[case("[Int!]", "4", "[4]")]
#[case("[[Int!]!]", "4", "[[4]]")]
#[case("[[Int]]", "[[1, null], null, 3]", "[[1, null], null, [3]]")]
#[case("[[Int!]!]", "null", "null")]
#[case("Input", r#"{"id": 5}"#, r#"{"id": "5"}"#)]
#[case("Input", r#"{"id": "b", "note": null}"#, r#"{"id": "b", "note": null}"#)]
#[case("Input", r#"{"id": "a", "choice": {"name": "x"}}"#, r#"{"id": "a", "choice": {"name": "x"}}"#)]
#[case("Input", r#"{"id": "a", "rows": {"name": "x"}}"#, r#"{"id": "a", "rows": [{"name": "x"}]}"#)]
#[case("Attributes", r#"{"a b": [1, {}]}"#, r#"{"a b": [1, {}]}"#)]
#[case("AttributeValue", r#"["a", "1"]"#, r#"["a", "1"]"#)]
#[case("[AttributeValue]", r#"[1, "a", null, ["a"]]"#, r#"[1, "a", null, ["a"]]"#)]
#[case("DateTime", r#""2026-01-31T12:00:00Z""#, r#""2026-01-31T12:00:00Z""#)]
#[case("[DateTime!]", r#""2026-01-31T12:00:00Z""#, r#"["2026-01-31T12:00:00Z"]"#)]
#[case("MinorUnits", "-5.0", "-5.0")]
#[case("Count", "9007199254740991", "9007199254740991")]
fn valid_variables_are_coerced(#[case] ty: &str, #[case] json: &str, #[case] expected: &str) {
    let value = coerce_variable(ty, json, &RowDecoders::default()).unwrap();
    let value = match value {
        // An object of a scalar is kept as its JSON text.
        Value::Binary(json) => serde_json::from_slice(&json).unwrap(),
        value => value.into_json().unwrap(),
    };
    let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
    assert_eq!(value, expected);
}

#[rstest]
#[case("Int", r#""3""#, r#"["v"]"#, "expected a 32-bit integer, got a string")]
#[case("Int", "1.5", r#"["v"]"#, "expected a 32-bit integer, got a fraction")]
#[case("Int", "2147483648", r#"["v"]"#, "expected a 32-bit integer, got a greater one")]
#[case("Int!", "null", r#"["v"]"#, "expected a 32-bit integer, got null")]
#[case("String", "1", r#"["v"]"#, "expected a string, got a number")]
#[case("String", "[]", r#"["v"]"#, "expected a string, got a list")]
#[case("Boolean", "{}", r#"["v"]"#, "expected a boolean, got an object")]
#[case("Float", "true", r#"["v"]"#, "expected a number, got a boolean")]
#[case("ID", "1.5", r#"["v"]"#, "expected a string or a whole number, got a fraction")]
#[case("Color", r#""BLUE""#, r#"["v"]"#, "expected one of RED, GREEN, got another string")]
#[case("Color", "1", r#"["v"]"#, "expected one of RED, GREEN, got a number")]
#[case("DateTime", "1", r#"["v"]"#, "expected a string, got a number")]
#[case("Attributes", "[]", r#"["v"]"#, "expected an object, got a list")]
#[case("AttributeValue", "{}", r#"["v"]"#, "expected a string, a number, a boolean or a list, got an object")]
#[case("DateTime", r#""nope""#, r#"["v"]"#, NO_TIME)]
#[case("[DateTime!]", r#""nope""#, r#"["v"]"#, NO_TIME)]
#[case("[[DateTime]]", r#"[null, ["2026-01-31T12:00:00Z", "nope"]]"#, r#"["v", 1, 1]"#, NO_TIME)]
#[case("Count", "-1", r#"["v"]"#, "expected a whole number from 0 to 9007199254740991")]
#[case("Count", "9007199254740992", r#"["v"]"#, "expected a whole number from 0 to 9007199254740991")]
#[case("MinorUnits", "1.5", r#"["v"]"#, "expected a whole number from -9007199254740991 to 9007199254740991")]
#[case("AttributeValue", r#"["a", 1]"#, r#"["v"]"#, NO_ATTRIBUTE_VALUE)]
#[case("[AttributeValue!]", "[[[]]]", r#"["v", 0]"#, NO_ATTRIBUTE_VALUE)]
#[case("Input", r#"{"id": "a", "since": "nope"}"#, r#"["v", "since"]"#, NO_TIME)]
#[case("Input", r#"{"id": "a", "choice": {"since": "nope"}}"#, r#"["v", "choice", "since"]"#, NO_TIME)]
#[case("[Int!]!", "null", r#"["v"]"#, "expected a list, got null")]
#[case("[Int!]!", "[1, null]", r#"["v", 1]"#, "expected a 32-bit integer, got null")]
#[case("Input", "3", r#"["v"]"#, "expected an object, got a number")]
#[case("Input", "{}", r#"["v", "id"]"#, "expected a string or a whole number, got none")]
#[case("Input", r#"{"id": null}"#, r#"["v", "id"]"#, "expected a string or a whole number, got null")]
#[case("Input", r#"{"id": "a", "x": 1}"#, r#"["v", "x"]"#, "Input has no such field")]
#[case(
    "Input",
    r#"{"id": "a", "grid": [[1], [2, "x"]]}"#,
    r#"["v", "grid", 1, 1]"#,
    "expected a 32-bit integer, got a string"
)]
#[case(
    "Input",
    r#"{"id": "a", "choice": {}}"#,
    r#"["v", "choice"]"#,
    "expected exactly one of the fields of Choice, got 0"
)]
#[case("Input", r#"{"id": "a", "choice": {"name": null}}"#, r#"["v", "choice", "name"]"#, "expected a value, got null")]
#[case(
    "Input",
    r#"{"id": "a", "rows": [{"name": "a"}, 3]}"#,
    r#"["v", "rows", 1]"#,
    "expected an object, got a number"
)]
#[case(
    "Input",
    r#"{"id": "a", "rows": [{"name": "a"}, {"name": 1}]}"#,
    r#"["v", "rows", 1, "name"]"#,
    "expected a string, got a number"
)]
#[case("Input", r#"{"id": "a", "rows": [["a"]]}"#, r#"["v", "rows", 0]"#, "expected an object, got a list")]
#[case("Input", r#"{"id": "a", "rows": {"nme": "a"}}"#, r#"["v", "rows", "nme"]"#, "Row has no such field")]
#[case(
    "Input",
    r#"{"id": "a", "rows": [{"name": "a"}, {}]}"#,
    r#"["v", "rows", 1, "name"]"#,
    "expected a string, got none"
)]
#[case(
    "Input",
    r#"{"id": "a", "rows": [{"name": "a", "color": {"RED": null}}]}"#,
    r#"["v", "rows", 0, "color"]"#,
    "expected one of RED, GREEN, got an object"
)]
#[case(
    "Input",
    r#"{"id": "a", "rows": [{"name": "a", "at": [1]}]}"#,
    r#"["v", "rows", 0, "at"]"#,
    "expected an object, got a list"
)]
#[case("Input", r#"{"id": "a", "rows": [null]}"#, r#"["v", "rows", 0]"#, "expected an object, got null")]
fn invalid_variables_are_rejected_with_path_and_reason(
    #[case] ty: &str,
    #[case] json: &str,
    #[case] path: &str,
    #[case] message: &str,
) {
    let path: Vec<serde_json::Value> = serde_json::from_str(path).unwrap();
    for decoders in [RowDecoders::default(), RowDecoders::default().with::<Row>()] {
        assert_eq!(coercion_error(ty, json, &decoders), (path.clone(), message.to_owned()));
    }
}

#[rstest]
#[case("Unknown")]
#[case("Attributes")]
#[case("AttributeValue")]
#[case("[Int]")]
#[case("[[Int]]")]
#[case("[Row!]")]
fn deep_nesting_is_rejected(#[case] ty: &str) {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for decoders in [RowDecoders::default(), RowDecoders::default().with::<Row>()] {
        assert_eq!(coercion_error(ty, &deep, &decoders).0[0], "v");
    }
}

#[test]
fn each_variable_reports_its_first_error() {
    let types = types();
    let operation =
        PreparedOperation::unvalidated(&types, "query($a: Int!, $b: Int, $c: String!, $d: Int! = 4, $e: Int!) { f }");
    let raw: &RawValue = serde_json::from_str(r#"{"a": "x", "c": 1, "e": 2}"#).unwrap();
    let decoders = RowDecoders::default();
    let errors = coerce(&types, &operation, Some(raw), &decoders, None).err().unwrap();
    assert_eq!(errors.len(), 2);
    let errors = coerce(&types, &operation, None, &decoders, None).err().unwrap();
    let messages: Vec<_> = errors.iter().map(Error::message).collect();
    let none = |ty| format!("expected a value of type {ty}, got none");
    assert_eq!(messages, [none("Int!"), none("String!"), none("Int!")]);
}

#[test]
fn variables_after_invalid_rows_are_checked() {
    let types = types();
    let operation = PreparedOperation::unvalidated(&types, "query($r: [Row!], $i: Input, $c: Int, $s: [Row!]) { f }");
    let text = r#"{"r": [{"name": 1}], "i": {"rows": [{"name": "a"}, {}], "id": "a"}, "c": "x", "s": [{"name": "b"}]}"#;
    let raw: &RawValue = serde_json::from_str(text).unwrap();
    for decoders in [RowDecoders::default(), RowDecoders::default().with::<Row>()] {
        let errors = coerce(&types, &operation, Some(raw), &decoders, None).err().unwrap();
        let path = |error: &Error| serde_json::to_value(error.extensions()).unwrap()["path"].to_string();
        let paths: Vec<_> = errors.iter().map(path).collect();
        assert_eq!(paths, [r#"["r",0,"name"]"#, r#"["i","rows",1,"name"]"#, r#"["c"]"#]);
    }
}

#[test]
fn keys_that_are_given_twice_are_rejected() {
    let types = types();
    let operation = PreparedOperation::unvalidated(&types, "query($r: [Row!], $i: Input) { f }");
    let message = |text: &str| {
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        let decoders = RowDecoders::default().with::<Row>();
        let errors = coerce(&types, &operation, Some(raw), &decoders, None).err().unwrap();
        errors[0].message().to_owned()
    };
    assert_eq!(message(r#"{"r": [], "i": null, "r": []}"#), "the variable is given twice");
    assert_eq!(message(r#"{"r": 7, "r": []}"#), "the variable is given twice");
    assert_eq!(message(r#"{"i": {"id": "a", "rows": [], "rows": []}}"#), "the field is given twice");
}
