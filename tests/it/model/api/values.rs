//! Values: what each type accepts, its stored form, and how values compare.

use std::cmp::Ordering;

use serde_json::{Value, json};

/// The largest whole number that is exact in a double, 2^53-1.
pub const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

/// Dates and times: the input, the stored form of a DATE, the stored form of a DateTime (`None` if the input is none), and
/// the instant in microseconds after the first instant of the list.
#[rustfmt::skip]
const TIMES: [(&str, &str, Option<&str>, i64); 9] = [
    ("2020-02-29", "2020-02-29", None, 0),
    ("2020-02-29T00:00:00Z", "2020-02-29T00:00:00.000Z", Some("2020-02-29T00:00:00.000Z"), 0),
    ("2020-02-29T01:00:00+01:00", "2020-02-29T00:00:00.000Z", Some("2020-02-29T00:00:00.000Z"), 0),
    ("2020-02-29T00:00:00.000001Z", "2020-02-29T00:00:00.000001Z", Some("2020-02-29T00:00:00.000001Z"), 1),
    ("2020-02-29T00:00:00.0000019Z", "2020-02-29T00:00:00.000001Z", Some("2020-02-29T00:00:00.000001Z"), 1),
    ("2020-02-29T00:00:00.001Z", "2020-02-29T00:00:00.001Z", Some("2020-02-29T00:00:00.001Z"), 1_000),
    ("2020-03-01", "2020-03-01", None, 86_400_000_000),
    ("2020-03-01T00:00:00-00:00", "2020-03-01T00:00:00.000Z", Some("2020-03-01T00:00:00.000Z"), 86_400_000_000),
    ("2020-03-01T12:00:00.5Z", "2020-03-01T12:00:00.500Z", Some("2020-03-01T12:00:00.500Z"), 129_600_500_000),
];

/// Inputs that are no dates and no times.
pub const BAD_TIMES: [&str; 3] = ["2023-02-29", "2023-02-29T00:00:00Z", "soon"];

pub fn time_inputs() -> impl Iterator<Item = &'static str> {
    TIMES.iter().map(|(input, ..)| *input)
}

/// Returns the stored form of a DateTime.
pub fn date_time(value: &Value) -> Option<Value> {
    TIMES.iter().find(|time| value == time.0)?.2.map(Value::from)
}

/// Returns the instant of a DATE or a DateTime, as input or in its stored form.
pub fn instant(value: &Value) -> Option<i64> {
    TIMES.iter().find(|time| value == time.0 || value == time.1).map(|time| time.3)
}

/// A text field has at most 1,024 bytes and no NUL.
pub fn text(value: &Value) -> Option<Value> {
    string(value, 1024)
}

fn string(value: &Value, max_bytes: usize) -> Option<Value> {
    value.as_str().filter(|text| !text.contains('\0') && text.len() <= max_bytes).map(Value::from)
}

/// A key is a text that is not empty. Refs follow the same rule.
pub fn key(value: &Value) -> Option<String> {
    text(value)?.as_str().filter(|key| !key.is_empty()).map(str::to_owned)
}

/// Returns the stored form of an attribute's value; `None` if it is not of the type.
pub fn attribute(kind: &str, value: &Value) -> Option<Value> {
    match kind {
        "STRING" => string(value, 16 << 10),
        "NUMBER" => value.as_f64().filter(|number| number.abs() <= MAX_SAFE).map(|number| json!(number + 0.0)),
        "BOOLEAN" => value.as_bool().map(Value::from),
        "DATE" => TIMES.iter().find(|time| value == time.0).map(|time| time.1.into()),
        _ => value.as_array()?.iter().map(|item| string(item, 16 << 10)).collect::<Option<Value>>(),
    }
}

/// Compares two stored values of a type that has an order: dates as instants, strings byte for byte.
pub fn compare(kind: &str, left: &Value, right: &Value) -> Ordering {
    match kind {
        "NUMBER" => left.as_f64().partial_cmp(&right.as_f64()).unwrap(),
        "DATE" => instant(left).cmp(&instant(right)),
        _ => left.as_str().cmp(&right.as_str()),
    }
}

/// Compares two stored values for equality.
pub fn equal(kind: &str, left: &Value, right: &Value) -> bool {
    if matches!(kind, "NUMBER" | "DATE") { compare(kind, left, right).is_eq() } else { left == right }
}
