//! What the fields of rows may hold, each read from what a request gives.

use super::{
    RowError,
    bulk::Undefinable,
    text::{self, MAX_BYTES},
};
use crate::types::{self, Time};

/// Reads a text.
pub(super) fn text<'a>(field: &str, text: &'a str) -> Result<&'a str, RowError> {
    match text::fault(text) {
        Some(fault) => Err(RowError::invalid(field, format!("{field} {fault}"))),
        None => Ok(text),
    }
}

/// Reads a text that a thing is known by.
pub(super) fn key<'a>(field: &str, key: &'a str) -> Result<&'a str, RowError> {
    if key.is_empty() {
        return Err(RowError::invalid(field, format!("{field} is empty; it has 1 to {MAX_BYTES} bytes")));
    }
    text(field, key)
}

/// Reads a time.
pub(super) fn time(field: &str, text: &str) -> Result<Time, RowError> {
    Time::parse(text).map_err(|error| RowError::invalid(field, format!("{field}: {error}")))
}

/// Reads a whole number, written as JSON writes numbers (`1.0` and `1e2` are whole).
pub(super) fn parse_integer(field: &str, number: &str, from: i64, to: i64) -> Result<i64, RowError> {
    types::parse_safe_integer(number)
        .filter(|whole| (from..=to).contains(whole))
        .ok_or_else(|| RowError::invalid(field, format!("{field}: expected a whole number from {from} to {to}")))
}

/// Reads what may be left out or null by what reads the value.
pub(super) fn parse_optional<'a, T>(
    field: &str,
    given: &'a Undefinable<String>,
    read: impl Fn(&str, &'a str) -> Result<T, RowError>,
) -> Result<Undefinable<T>, RowError> {
    match given {
        Some(Some(value)) => Ok(Some(Some(read(field, value)?))),
        Some(None) => Ok(Some(None)),
        None => Ok(None),
    }
}

/// What an optional field is to be: what is left out stays as it is stored, null clears it.
pub(super) fn merge_optional<State, T: Clone>(
    given: Undefinable<T>,
    stored: Option<&State>,
    field: impl Fn(&State) -> &Option<T>,
) -> Option<T> {
    given.unwrap_or_else(|| stored.and_then(|stored| field(stored).clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MAX_SAFE_INTEGER;

    #[test]
    fn whole_numbers_are_read_exactly() {
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
