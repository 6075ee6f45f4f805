//! Attribute types, and parsing of single values by type.

use std::borrow::Cow;

use crate::types::{MAX_SAFE_INTEGER, Time};

/// Maximum size of a STRING and of an item of a STRING_LIST.
const MAX_TEXT_BYTES: usize = 16 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttributeType {
    /// Text of at most 16 KiB.
    String,
    /// A finite double within plus or minus 2^53-1.
    Number,
    Boolean,
    /// An RFC 3339 full-date or date-time.
    Date,
    /// An ordered list of texts of at most 16 KiB each.
    StringList,
}

/// A value. A date is stored as text: a full-date as `YYYY-MM-DD`, a date-time in UTC to the microsecond.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A STRING or a DATE.
    Text(String),
    Number(f64),
    Boolean(bool),
    /// A STRING_LIST.
    Texts(Vec<String>),
}

impl Value {
    /// Returns the size of its content.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Texts(texts) => texts.iter().map(String::len).sum(),
            Self::Number(_) | Self::Boolean(_) => size_of::<Self>(),
        }
    }
}

impl AttributeType {
    pub(crate) const ALL: [Self; 5] = [Self::String, Self::Number, Self::Boolean, Self::Date, Self::StringList];

    /// Returns the name of the type in the API and in stored schemas.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Number => "NUMBER",
            Self::Boolean => "BOOLEAN",
            Self::Date => "DATE",
            Self::StringList => "STRING_LIST",
        }
    }

    /// Returns the type with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Parses the JSON of one value. The error states what was expected.
    pub(crate) fn read(self, json: &str) -> Result<Value, &'static str> {
        let first = json.bytes().next();
        match self {
            Self::String if first == Some(b'"') => text(&string(json)?).map(Value::Text),
            Self::String => Err("expected a string"),
            Self::Number => number(json, first).map(Value::Number),
            Self::Boolean => match json {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                _ => Err("expected true or false"),
            },
            Self::Date if first == Some(b'"') => date(&string(json)?).map(Value::Text),
            Self::Date => Err("expected a date (RFC 3339 full-date or date-time) in a string"),
            Self::StringList if first == Some(b'[') => texts(json).map(Value::Texts),
            Self::StringList => Err("expected a list of strings"),
        }
    }
}

fn string(json: &str) -> Result<Cow<'_, str>, &'static str> {
    serde_json::from_str(json).map_err(|_| "expected a string of valid Unicode")
}

fn text(text: &str) -> Result<String, &'static str> {
    if text.len() > MAX_TEXT_BYTES {
        return Err("expected at most 16 KiB of text");
    }
    if text.contains('\0') {
        return Err("expected text without NUL");
    }
    Ok(text.to_owned())
}

/// Parses a list of strings. Any other item ends parsing at once, so that deep nesting is never read.
fn texts(json: &str) -> Result<Vec<String>, &'static str> {
    let texts: Vec<String> = serde_json::from_str(json).map_err(|_| "expected a list of strings")?;
    texts.iter().map(|item| text(item)).collect()
}

fn number(json: &str, first: Option<u8>) -> Result<f64, &'static str> {
    if !first.is_some_and(|first| first == b'-' || first.is_ascii_digit()) {
        return Err("expected a number");
    }
    let number: f64 = json.parse().map_err(|_| "expected a number")?;
    #[expect(clippy::cast_precision_loss, reason = "2^53-1 is exact")]
    if number.abs() > MAX_SAFE_INTEGER as f64 {
        return Err("expected a number within plus or minus 2^53-1");
    }
    // Turns -0 into 0.
    Ok(number + 0.0)
}

/// Parses a full-date or date-time (RFC 3339, section 5.6) and returns it in its stored form.
fn date(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected a date (RFC 3339 full-date or date-time)";
    if text.len() == 10 {
        // A full-date is valid if a date-time of that day is.
        let midnight = Time::parse(&format!("{text}T00:00:00Z")).map_err(|_| EXPECTED)?;
        return Ok(midnight.to_string().split('T').next().unwrap_or_default().to_owned());
    }
    Time::parse(text).map(|time| time.to_string()).map_err(|_| EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Value, &'static str> {
        Ok(Value::Text(text.to_owned()))
    }

    #[test]
    fn values_are_parsed_by_type() {
        use AttributeType::{Boolean, Date, Number, String, StringList};
        for (kind, json, value) in [
            (String, r#""é\n""#, text("é\n")),
            (String, r#""""#, text("")),
            (Number, "2", Ok(Value::Number(2.0))),
            (Number, "2.0", Ok(Value::Number(2.0))),
            (Number, "-0", Ok(Value::Number(0.0))),
            (Number, "1e-7", Ok(Value::Number(1e-7))),
            (Number, "9007199254740991", Ok(Value::Number(9_007_199_254_740_991.0))),
            (Boolean, "false", Ok(Value::Boolean(false))),
            (Date, r#""2024-02-29""#, text("2024-02-29")),
            (Date, r#""2026-01-31T12:00:00+01:00""#, text("2026-01-31T11:00:00.000Z")),
            (Date, r#""2026-01-31T12:00:00.1234567Z""#, text("2026-01-31T12:00:00.123456Z")),
            (StringList, r#"["b", "a", "b"]"#, Ok(Value::Texts(["b", "a", "b"].map(str::to_owned).to_vec()))),
            (StringList, "[]", Ok(Value::Texts(Vec::new()))),
        ] {
            assert_eq!(kind.read(json), value, "{json}");
        }
        let zero = Number.read("-0.0");
        assert!(matches!(zero, Ok(Value::Number(zero)) if zero.is_sign_positive()));
    }

    #[test]
    fn values_of_another_type_are_rejected() {
        let deep = "[".repeat(100_000);
        let long = format!("\"{}\"", "a".repeat(16 * 1024 + 1));
        let long_item = format!("[{long}]");
        for (kind, json) in [
            (AttributeType::String, "1"),
            (AttributeType::String, "null"),
            (AttributeType::String, r#""\u0000""#),
            (AttributeType::String, r#""\ud800""#),
            (AttributeType::String, &long),
            (AttributeType::Number, r#""1""#),
            (AttributeType::Number, "true"),
            (AttributeType::Number, "1e400"),
            (AttributeType::Number, "9007199254740992"),
            (AttributeType::Number, "9007199254740993"),
            (AttributeType::Number, "-1e16"),
            (AttributeType::Boolean, "1"),
            (AttributeType::Boolean, r#""true""#),
            (AttributeType::Date, r#""2023-02-29""#),
            (AttributeType::Date, r#""2026-1-31""#),
            (AttributeType::Date, r#""0000-01-01""#),
            (AttributeType::Date, r#""2026-01-31 12:00:00Z""#),
            (AttributeType::Date, r#""2026-01-31T12:00:00""#),
            (AttributeType::Date, "20260131"),
            (AttributeType::StringList, r#""a""#),
            (AttributeType::StringList, "[1]"),
            (AttributeType::StringList, "[null]"),
            (AttributeType::StringList, r#"[["a"]]"#),
            (AttributeType::StringList, r#"["\u0000"]"#),
            (AttributeType::StringList, &long_item),
            (AttributeType::StringList, &deep),
            (AttributeType::String, &deep),
            (AttributeType::Number, r#"{"a": 1}"#),
        ] {
            assert!(kind.read(json).is_err(), "{kind:?} {}", &json[..json.len().min(40)]);
        }
    }
}
