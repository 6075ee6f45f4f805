//! Parsers for the fields of rows in bulk calls.

use super::{
    RowError,
    bulk::Undefinable,
    text::{self, MAX_BYTES},
};
use crate::types::{self, Time};

/// Validates a text of at most 1,024 bytes without NUL.
pub(super) fn text<'a>(field: &'static str, text: &'a str) -> Result<&'a str, RowError> {
    match text::fault(text) {
        Some(fault) => Err(RowError::invalid(field, format!("{field} {fault}"))),
        None => Ok(text),
    }
}

/// Validates a text that is a key, which must not be empty.
pub(super) fn key<'a>(field: &'static str, key: &'a str) -> Result<&'a str, RowError> {
    if key.is_empty() {
        return Err(RowError::invalid(field, format!("{field} is empty; it has 1 to {MAX_BYTES} bytes")));
    }
    text(field, key)
}

/// Parses an RFC 3339 date-time.
pub(super) fn time(field: &'static str, text: &str) -> Result<Time, RowError> {
    Time::parse(text).map_err(|error| RowError::invalid(field, format!("{field}: {error}")))
}

/// Parses a whole number from the text of a JSON number (`1.0` and `1e2` are whole).
pub(super) fn parse_integer(field: &'static str, number: &str, min: i64, max: i64) -> Result<i64, RowError> {
    types::parse_safe_integer(number)
        .filter(|whole| (min..=max).contains(whole))
        .ok_or_else(|| RowError::invalid(field, format!("{field}: expected a whole number from {min} to {max}")))
}

pub(super) fn parse_optional<'a, T>(
    field: &'static str,
    value: &'a Undefinable<String>,
    parse: impl Fn(&'static str, &'a str) -> Result<T, RowError>,
) -> Result<Undefinable<T>, RowError> {
    match value {
        Some(Some(text)) => Ok(Some(Some(parse(field, text)?))),
        Some(None) => Ok(Some(None)),
        None => Ok(None),
    }
}

/// Returns the new value of an optional field: an omitted field keeps the stored value, null clears it.
pub(super) fn merge_optional<State, T: Clone>(
    value: Undefinable<T>,
    stored: Option<&State>,
    field: impl Fn(&State) -> &Option<T>,
) -> Option<T> {
    value.unwrap_or_else(|| stored.and_then(|stored| field(stored).clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MAX_SAFE_INTEGER;

    #[test]
    fn whole_numbers_are_parsed_exactly() {
        for (text, number) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("1.0", Some(1)),
            ("1e2", Some(100)),
            ("9007199254740991", Some(MAX_SAFE_INTEGER)),
            ("-9007199254740991", Some(-MAX_SAFE_INTEGER)),
            ("9007199254740992", None),
            ("9007199254740993", None),
            ("9007199254740992.0", None),
            ("1.5", None),
            ("1e400", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_integer("amount", text, -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER).ok(), number, "{text}");
        }
    }
}
