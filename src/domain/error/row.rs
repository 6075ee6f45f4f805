//! Errors of single rows. A call may have millions of them, so they are small: few own any memory.

use std::borrow::Cow;

use crate::types::{bounded_message, excerpt};

/// The reason why one row of a bulk call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    pub(crate) code: RowErrorCode,
    /// States what was wrong and what was expected.
    message: Cow<'static, str>,
    /// Field of the row.
    field: &'static str,
    /// The start of the attribute's key, if the error concerns one attribute.
    attribute: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowErrorCode {
    /// The ref is empty, too long or contains NUL.
    InvalidRef,
    InvalidValue,
    /// The attribute schema does not declare the key.
    UnknownAttribute,
    /// The value is not of the attribute's declared type.
    InvalidAttributeType,
    UnknownMember,
    /// The stored transaction belongs to another member, which can't change.
    MemberMismatch,
}

impl RowError {
    pub(crate) fn new(code: RowErrorCode, field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: bounded_message(message), field, attribute: None }
    }

    pub(in crate::domain) fn invalid(field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RowErrorCode::InvalidValue, field, message)
    }

    /// Returns an error of one attribute. `message` is given the start of the key.
    pub(crate) fn of_attribute(code: RowErrorCode, key: &str, message: impl FnOnce(&str) -> String) -> Self {
        let key = excerpt(key);
        let error = Self::new(code, "attributes", message(key));
        Self { attribute: Some(key.into()), ..error }
    }

    pub(in crate::domain) fn unknown_attribute(key: &str) -> Self {
        let message = |key: &str| format!("attribute {key:?} is not in the schema");
        Self::of_attribute(RowErrorCode::UnknownAttribute, key, message)
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn field(&self) -> &'static str {
        self.field
    }

    /// Replaces the path by a field.
    pub(in crate::domain) fn set_field(&mut self, field: &'static str) {
        self.field = field;
        self.attribute = None;
    }

    /// Returns the path in the row: the field and, if the error concerns one attribute, its key, of which at most 100
    /// characters are given.
    pub(crate) fn path(&self) -> impl Iterator<Item = &str> {
        [Some(self.field), self.attribute.as_deref()].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_does_not_grow_with_its_key() {
        let error = RowError::unknown_attribute(&"k".repeat(1 << 20));
        assert_eq!(error.path().map(str::len).collect::<Vec<_>>(), ["attributes".len(), 100]);
        assert!(error.message().len() < 200, "{}", error.message());
    }

    #[test]
    fn an_error_with_a_fixed_message_owns_no_memory() {
        let error = RowError::invalid("memberId", "one of memberId and memberRef is required");
        assert!(matches!(error, RowError { message: Cow::Borrowed(_), attribute: None, .. }));
        assert!(size_of::<RowError>() <= 64);
    }
}
