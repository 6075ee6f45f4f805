//! The attributes of an upsert row: changes that are merged into the stored attributes of the member.

use serde_json::value::RawValue;

use super::{Schema, Value, fields::Fields};
use crate::domain::{RowError, RowErrorCode};

/// Keys with their new values; `None` removes a key. Other keys stay.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Patch(pub(super) Vec<(String, Option<Value>)>);

impl Schema {
    /// Parses a JSON object from key to value, with the types of this schema. Null removes a key. Rejects an object that
    /// has a key twice: JSON parsers differ in which of the values they keep (RFC 8259, section 4).
    pub(crate) fn read_patch(&self, json: &str) -> Result<Patch, RowError> {
        fields(json)?.into_iter().map(|field| self.read_field(field)).collect::<Result<_, _>>().map(Patch)
    }

    /// Returns the errors of a JSON object that [`Schema::read_patch`] rejects with the first of them, in the order of the
    /// object.
    pub(crate) fn patch_errors(&self, json: &str) -> impl Iterator<Item = RowError> {
        let (fields, error) = match fields(json) {
            Ok(fields) => (fields, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        error.into_iter().chain(fields.into_iter().filter_map(|field| self.read_field(field).err()))
    }

    fn read_field(&self, (key, value): (String, &RawValue)) -> Result<(String, Option<Value>), RowError> {
        let kind = self.kind(&key).ok_or_else(|| RowError::unknown_attribute(&key))?;
        if value.get() == "null" {
            return Ok((key, None));
        }
        let mistyped = |expected| {
            let message = |key: &str| format!("attribute {key:?} is of type {}: {expected}", kind.name());
            RowError::of_attribute(RowErrorCode::InvalidAttributeType, &key, message)
        };
        let value = kind.read(value.get()).map_err(mistyped)?;
        Ok((key, Some(value)))
    }
}

/// Parses a JSON object whose keys are different.
fn fields(json: &str) -> Result<Vec<(String, &RawValue)>, RowError> {
    let Ok(Fields::<String>(fields)) = serde_json::from_str(json) else {
        return Err(RowError::invalid("attributes", "attributes: expected a JSON object of Unicode text"));
    };
    match repeated_key(&fields) {
        Some(key) => {
            let message = |key: &str| format!("attributes: key {key:?} is given twice");
            Err(RowError::of_attribute(RowErrorCode::InvalidValue, key, message))
        }
        None => Ok(fields),
    }
}

/// Returns a key that occurs more than once.
fn repeated_key<'f>(fields: &'f [(String, &RawValue)]) -> Option<&'f str> {
    let mut keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

#[cfg(test)]
mod tests {
    use super::{
        super::{AttributeType, AttributesDraft, Definition},
        *,
    };

    fn schema() -> Schema {
        let definition = |(key, kind): (&str, AttributeType)| Definition { key: key.to_owned(), kind };
        let keys = [
            ("age", AttributeType::Number),
            ("plan", AttributeType::String),
            ("$.\"\\ [0]é", AttributeType::StringList),
        ];
        Schema::new(keys.map(definition).to_vec()).expect("a schema")
    }

    fn after(stored: &str, json: &str) -> Option<String> {
        let mut attributes = AttributesDraft::read(Some(stored)).expect("a document");
        attributes.apply(schema().read_patch(json).expect("a patch"), 1000).expect("a small document");
        attributes.document()
    }

    #[test]
    fn an_omitted_key_stays_and_null_removes_a_key() {
        let stored = r#"{"age": 1, "plan": "a"}"#;
        assert_eq!(after(stored, "{}").as_deref(), Some(stored));
        assert_eq!(after(stored, r#"{"age": null}"#).as_deref(), Some(r#"{"plan": "a"}"#));
        assert_eq!(after(stored, r#"{"plan": "b", "age": 2.50}"#).as_deref(), Some(r#"{"age": 2.5, "plan": "b"}"#));
        assert_eq!(after(stored, r#"{"age": null, "plan": null}"#), None);
    }

    #[test]
    fn keys_may_contain_any_character() {
        let json = r#"{"$.\"\\ [0]é": ["x"]}"#;
        assert_eq!(after("{}", json).as_deref(), Some(json));
        assert_eq!(after("{}", r#"{"$.\u0022\\ [0]\u00e9": ["x"]}"#).as_deref(), Some(json));
    }

    #[test]
    fn an_error_names_its_key() {
        for (json, code, path) in [
            (r#"{"aeg": 1}"#, RowErrorCode::UnknownAttribute, vec!["attributes", "aeg"]),
            (r#"{"aeg": null}"#, RowErrorCode::UnknownAttribute, vec!["attributes", "aeg"]),
            (r#"{"plan": "a", "age": "1"}"#, RowErrorCode::InvalidAttributeType, vec!["attributes", "age"]),
            (r#"{"age": 1e400}"#, RowErrorCode::InvalidAttributeType, vec!["attributes", "age"]),
            (r#"{"age": {"a": [[[[1]]]]}}"#, RowErrorCode::InvalidAttributeType, vec!["attributes", "age"]),
            (r#"{"age": 2, "plan": "a", "\u0061ge": 2}"#, RowErrorCode::InvalidValue, vec!["attributes", "age"]),
            (r#"{"\ud800": 1}"#, RowErrorCode::InvalidValue, vec!["attributes"]),
            ("[]", RowErrorCode::InvalidValue, vec!["attributes"]),
        ] {
            let error = schema().read_patch(json).expect_err(json);
            assert_eq!((error.code, error.path().collect()), (code, path), "{json}");
            assert_eq!(schema().patch_errors(json).next(), Some(error), "{json}");
        }
    }

    #[test]
    fn all_errors_of_an_object_are_found() {
        let errors = |json: &str| {
            schema().patch_errors(json).map(|error| error.path().last().map(str::to_owned)).collect::<Vec<_>>()
        };
        let keys = ["aeg", "age", "plan"].map(|key| Some(key.to_owned()));
        assert_eq!(errors(r#"{"aeg": 1, "age": "x", "plan": 2}"#), keys);
        assert_eq!(errors(r#"{"aeg": 1, "age": 1, "plan": 2}"#), [keys[0].clone(), keys[2].clone()]);
        assert_eq!(errors(r#"{"age": 1}"#), []);
    }
}
