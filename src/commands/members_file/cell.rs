//! Conversion between CSV cells and JSON values, by the type of the attribute.
//!
//! `\N` means that there is no value. A text that consists of backslashes and an N is written with one more backslash:
//! the cell `\\N` is the text `\N`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::domain::attribute::AttributeType;

/// The cell of a missing value.
pub(in crate::commands) const NONE: &str = r"\N";

/// Returns the text of a cell; `None` for [`NONE`].
pub(in crate::commands) fn read(cell: &str) -> Option<&str> {
    match backslashes(cell) {
        Some(1) => None,
        Some(_) => Some(&cell[1..]),
        None => Some(cell),
    }
}

/// Returns the cell for a text.
pub(in crate::commands) fn write(text: &str) -> Cow<'_, str> {
    if backslashes(text).is_some() { format!("\\{text}").into() } else { text.into() }
}

/// Returns the number of backslashes of a text that consists of backslashes and an N.
fn backslashes(text: &str) -> Option<usize> {
    let before = text.strip_suffix('N')?;
    (!before.is_empty() && before.bytes().all(|byte| byte == b'\\')).then_some(before.len())
}

/// Appends the JSON of an attribute's cell. A cell that does not fit the type is appended as a string: the API
/// validates every value, so the row is rejected there and still counts as naming its member.
pub(in crate::commands) fn to_json(kind: AttributeType, cell: &str, json: &mut Vec<u8>) {
    let Some(text) = read(cell) else { return json.extend_from_slice(b"null") };
    if text.is_empty() && kind != AttributeType::String {
        return json.extend_from_slice(b"null");
    }
    let raw = match kind {
        AttributeType::String | AttributeType::Date => None,
        AttributeType::Number => is_json(text, |first| first == '-' || first.is_ascii_digit()).then_some(text),
        AttributeType::StringList => is_json(text, |first| first == '[').then_some(text),
        AttributeType::Boolean => boolean(text),
    };
    match raw {
        Some(raw) => json.extend_from_slice(raw.as_bytes()),
        None => string(text, json),
    }
}

pub(in crate::commands) fn string(text: &str, json: &mut Vec<u8>) {
    serde_json::to_writer(json, text).expect("writing to a vector does not fail");
}

/// Returns whether a text is JSON without surrounding space whose first character matches.
fn is_json(text: &str, first: fn(char) -> bool) -> bool {
    text.starts_with(first) && !text.ends_with(char::is_whitespace) && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Parses the forms of a boolean that JSON, spreadsheets and databases write.
fn boolean(text: &str) -> Option<&'static str> {
    let is = |names: [&str; 3]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
    if is(["true", "t", "1"]) {
        Some("true")
    } else if is(["false", "f", "0"]) {
        Some("false")
    } else {
        None
    }
}

/// Returns the cell for an attribute's JSON value; [`NONE`] for null or no value.
pub(in crate::commands) fn from_json(json: Option<&RawValue>) -> Result<Cow<'_, str>, serde_json::Error> {
    let Some(json) = json.map(RawValue::get).filter(|json| *json != "null") else { return Ok(NONE.into()) };
    if !json.starts_with('"') {
        return Ok(json.into());
    }
    let text: String = serde_json::from_str(json)?;
    Ok(write(&text).into_owned().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(kind: AttributeType, cell: &str) -> String {
        let mut json = Vec::new();
        to_json(kind, cell, &mut json);
        String::from_utf8(json).expect("JSON")
    }

    #[test]
    fn cells_are_parsed_by_type() {
        use AttributeType::{Boolean, Date, Number, String, StringList};
        for (kind, cell, expected) in [
            (String, "", r#""""#),
            (String, "a \"b\"\n", r#""a \"b\"\n""#),
            (String, r"\N", "null"),
            (String, r"\\N", r#""\\N""#),
            (String, r"x\N", r#""x\\N""#),
            (String, "7", r#""7""#),
            (Number, "", "null"),
            (Number, "-2.50", "-2.50"),
            (Number, "1e3", "1e3"),
            (Number, "1,5", r#""1,5""#),
            (Number, "007", r#""007""#),
            (Number, " 7", r#"" 7""#),
            (Number, "7 ", r#""7 ""#),
            (Number, "NaN", r#""NaN""#),
            (Number, r"\N", "null"),
            (Boolean, "TRUE", "true"),
            (Boolean, "f", "false"),
            (Boolean, "0", "false"),
            (Boolean, "yes", r#""yes""#),
            (Boolean, "", "null"),
            (Date, "2026-01-31", r#""2026-01-31""#),
            (Date, "", "null"),
            (StringList, r#"["a", "b"]"#, r#"["a", "b"]"#),
            (StringList, "[]", "[]"),
            (StringList, "a,b", r#""a,b""#),
            (StringList, "[a]", r#""[a]""#),
            (StringList, "null", r#""null""#),
        ] {
            assert_eq!(json(kind, cell), expected, "{kind:?} {cell:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_is_the_inverse_of_writing(text in prop_oneof![".*", r"\\{0,4}N?"]) {
            let value = serde_json::value::to_raw_value(&text).expect("JSON");
            let cell = from_json(Some(&value)).expect("a string");
            let again: String = serde_json::from_str(&json(AttributeType::String, &cell)).expect("a string");
            prop_assert_eq!(again, text);
        }
    }

    #[test]
    fn other_values_are_written_as_json() {
        for text in ["true", "-2.5", r#"["a","\\N"]"#] {
            let value = RawValue::from_string(text.to_owned()).expect("JSON");
            assert_eq!(from_json(Some(&value)).expect("JSON"), text);
        }
        assert_eq!(from_json(None).expect("JSON"), r"\N");
    }
}
