//! All attributes of a member, and the JSON document that stores them.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::{Serialize, Serializer};

use super::{Value, index::DocumentIndex, stored_form};
use crate::{domain::Error, types::SharedText};

/// A stored document, unparsed: it is parsed only if its content is needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    text: Option<SharedText>,
    /// Made when the first single value is read: an operation may select many attributes of each member.
    index: OnceLock<DocumentIndex>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Attributes(pub(super) BTreeMap<String, Value>);

impl Document {
    /// Returns the stored text; `None` if there are no attributes.
    pub(in crate::domain) fn stored(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub(in crate::domain) fn new(stored: Option<SharedText>) -> Self {
        Self { text: stored, index: OnceLock::new() }
    }

    /// Returns a JSON object, which is empty if there are no attributes.
    pub(crate) fn json(&self) -> &str {
        self.stored().unwrap_or("{}")
    }

    pub(crate) fn read(&self) -> Result<Attributes, Error> {
        Attributes::read(self.stored())
    }

    /// Parses the value of one key; `None` if there is no value.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Value>, Error> {
        let Some(text) = self.stored() else { return Ok(None) };
        let index = match self.index.get() {
            Some(index) => index,
            None => {
                let index = DocumentIndex::new(text)?;
                self.index.get_or_init(|| index)
            }
        };
        index.get(text, key)
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Document {}

impl Attributes {
    /// Parses a stored document as either database returns it; `None` means no attributes.
    pub(in crate::domain) fn read(document: Option<&str>) -> Result<Self, Error> {
        let Some(document) = document else { return Ok(Self::default()) };
        #[cfg(test)]
        PARSED_DOCUMENTS.set(PARSED_DOCUMENTS.get() + 1);
        let values: BTreeMap<String, serde_json::Value> = serde_json::from_str(document).map_err(internal)?;
        values.into_iter().map(|(key, value)| Ok((key, from_stored(value)?))).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the document to store; `None` if there are no attributes.
    pub(in crate::domain) fn document(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| stored_form::document(self.0.iter(), 0))
    }

    /// Returns the keys with their values as JSON, sorted by key.
    pub(crate) fn into_json(self) -> impl Iterator<Item = (String, serde_json::Value)> {
        self.0.into_iter().map(|(key, value)| (key, value.to_json()))
    }

    /// Removes a key. Returns whether it had a value.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }
}

#[cfg(test)]
std::thread_local! {
    /// Number of documents that this thread has parsed.
    pub(in crate::domain) static PARSED_DOCUMENTS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

pub(super) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Internal(error.into())
}

pub(super) fn from_stored(value: serde_json::Value) -> Result<Value, Error> {
    Ok(match value {
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Bool(boolean) => Value::Boolean(boolean),
        serde_json::Value::Number(number) => {
            Value::Number(number.as_f64().ok_or_else(|| internal("a stored attribute is not a double"))?)
        }
        list @ serde_json::Value::Array(_) => Value::Texts(serde_json::from_value(list).map_err(internal)?),
        _ => return Err(internal("a stored attribute is null or an object")),
    })
}

impl Value {
    /// Returns the value as JSON; a whole number is written without a fraction.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("texts and finite numbers are JSON")
    }
}

/// Writes a whole number without a fraction.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            #[expect(clippy::cast_possible_truncation, reason = "no attribute is greater than 2^53")]
            Self::Number(number) if number.fract() == 0.0 => serializer.serialize_i64(*number as i64),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::Texts(texts) => texts.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(document: &str) -> Attributes {
        Attributes::read(Some(document)).expect("a document")
    }

    #[test]
    fn documents_are_equal_if_their_values_are() {
        let ours = read(r#"{"aa":2,"b":[],"c":"x"}"#);
        assert_eq!(ours, read(r#"{"c": "x", "b": [], "aa": 2.0}"#));
        assert_eq!(ours.document().as_deref(), Some(r#"{"b": [], "c": "x", "aa": 2}"#));
        assert_ne!(ours, read(r#"{"aa":"2","b":[],"c":"x"}"#));
        assert_eq!(Attributes::default().document(), None);
    }

    #[test]
    fn a_malformed_document_is_an_internal_error() {
        for document in ["", "[]", r#"{"a": null}"#, r#"{"a": {}}"#, r#"{"a": [1]}"#] {
            assert!(matches!(Attributes::read(Some(document)), Err(Error::Internal(_))), "{document}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
        prop_oneof![
            ".*".prop_map(Value::Text),
            (-MAX_EXACT..MAX_EXACT).prop_map(Value::Number),
            any::<i32>().prop_map(|number| Value::Number(number.into())),
            any::<bool>().prop_map(Value::Boolean),
            prop::collection::vec(".*", 0..3).prop_map(Value::Texts),
        ]
    }

    proptest! {
        #[test]
        fn read_after_write_is_the_same(values in prop::collection::btree_map(".{1,9}", value(), 0..5)) {
            let attributes = Attributes(values);
            prop_assert_eq!(Attributes::read(attributes.document().as_deref()).expect("a document"), attributes);
        }
    }
}
