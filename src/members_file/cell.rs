//! Conversion between CSV cells and JSON values, by the type of the attribute.
//!
//! `\N` means that there is no value. A text that consists of backslashes and an N is written with one more backslash:
//! the cell `\\N` is the text `\N`.

use std::borrow::Cow;

use clap::ValueEnum;
use serde_json::value::RawValue;

use super::forms::{self, DateOrder, Decimal};
use crate::domain::attribute::AttributeType;

/// The cell of a missing value.
pub(crate) const NONE: &str = r"\N";

/// Returns the text of a cell; `None` for [`NONE`].
pub(crate) fn read(cell: &str) -> Option<&str> {
    match backslashes(cell) {
        Some(1) => None,
        Some(_) => Some(&cell[1..]),
        None => Some(cell),
    }
}

/// Returns the cell for a text.
pub(crate) fn write(text: &str) -> Cow<'_, str> {
    if backslashes(text).is_some() { format!("\\{text}").into() } else { text.into() }
}

/// Returns the number of backslashes of a text that consists of backslashes and an N.
fn backslashes(text: &str) -> Option<usize> {
    let before = text.strip_suffix('N')?;
    (!before.is_empty() && before.bytes().all(|byte| byte == b'\\')).then_some(before.len())
}

/// The forms of cells that a file has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CellRules {
    pub(crate) empty: Empty,
    /// `None` if numbers are written as in JSON.
    pub(crate) decimal: Option<Decimal>,
    /// `None` if no date depends on it.
    pub(crate) date_order: Option<DateOrder>,
}

/// The meaning of an empty cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Empty {
    /// The empty text in a STRING; the value of another type is removed
    #[default]
    Text,
    /// The value is removed
    Remove,
    /// The stored value is kept
    Keep,
}

impl CellRules {
    /// Returns true if the cell leaves the stored value as it is.
    pub(crate) fn keeps(&self, cell: &str) -> bool {
        cell.is_empty() && self.empty == Empty::Keep
    }

    /// Appends the JSON of an attribute's cell. A cell that does not fit the type is appended as a string: the API
    /// validates every value, so the row is rejected there and still counts as naming its member.
    pub(crate) fn write(&self, kind: AttributeType, cell: &str, json: &mut Vec<u8>) {
        let text = read(cell).filter(|text| !self.is_none(kind, text));
        let Some(text) = text else { return json.extend_from_slice(b"null") };
        let raw = match kind {
            AttributeType::String => None,
            AttributeType::Number => forms::number(text, self.decimal),
            AttributeType::Boolean => forms::boolean(text).map(|value| value.to_string()),
            AttributeType::StringList => forms::list(text),
            AttributeType::Date => forms::date(text, self.date_order).map(|date| format!("\"{date}\"")),
        };
        match raw {
            Some(raw) => json.extend_from_slice(raw.as_bytes()),
            None => string(text, json),
        }
    }

    /// Returns whether a text stands for no value.
    fn is_none(&self, kind: AttributeType, text: &str) -> bool {
        if kind == AttributeType::String {
            text.is_empty() && self.empty == Empty::Remove
        } else {
            text.is_empty() || text.eq_ignore_ascii_case("null")
        }
    }
}

pub(crate) fn string(text: &str, json: &mut Vec<u8>) {
    serde_json::to_writer(json, text).expect("writing to a vector does not fail");
}

/// Returns the cell for an attribute's JSON value; [`NONE`] for null or no value.
pub(crate) fn from_json(json: Option<&RawValue>) -> Result<Cow<'_, str>, serde_json::Error> {
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
        CellRules::default().write(kind, cell, &mut json);
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
            (Boolean, "yes", "true"),
            (Boolean, "perhaps", r#""perhaps""#),
            (Number, "NULL", "null"),
            (String, "NULL", r#""NULL""#),
            (Date, "2026-01-31 10:00:00+00", r#""2026-01-31T10:00:00+00:00""#),
            (Date, "soon", r#""soon""#),
            (Boolean, "", "null"),
            (Date, "2026-01-31", r#""2026-01-31""#),
            (Date, "", "null"),
            (StringList, r#"["a", "b"]"#, r#"["a", "b"]"#),
            (StringList, "[]", "[]"),
            (StringList, "a,b", r#""a,b""#),
            (StringList, "[a]", r#""[a]""#),
            (StringList, "null", "null"),
        ] {
            assert_eq!(json(kind, cell), expected, "{kind:?} {cell:?}");
        }
    }

    #[test]
    fn empty_cells_have_the_meaning_that_is_given() {
        for (empty, kind, expected) in [
            (Empty::Text, AttributeType::String, "\"\""),
            (Empty::Text, AttributeType::Number, "null"),
            (Empty::Remove, AttributeType::String, "null"),
        ] {
            let (rules, mut json) = (CellRules { empty, ..CellRules::default() }, Vec::new());
            rules.write(kind, "", &mut json);
            assert_eq!(json, expected.as_bytes(), "{empty:?} {kind:?}");
            assert!(!rules.keeps(""));
        }
        let rules = CellRules { empty: Empty::Keep, ..CellRules::default() };
        assert!(rules.keeps("") && !rules.keeps(NONE) && !rules.keeps("x"));
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
