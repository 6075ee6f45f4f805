//! An index of a stored document: the positions of its keys and values.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Value,
    document::{from_stored, internal},
    fields::Fields,
};
use crate::domain::Error;

/// The entries of a document, sorted by key. Positions instead of parsed values: the values may need ten times the memory of
/// their text, and a page may have thousands of documents.
#[derive(Clone, Debug)]
pub(super) struct DocumentIndex(Box<[Entry]>);

/// The offsets of a key and its value in the text.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u32,
    value: u32,
}

impl DocumentIndex {
    pub(super) fn new(document: &str) -> Result<Self, Error> {
        #[cfg(test)]
        super::document::PARSED_DOCUMENTS.set(super::document::PARSED_DOCUMENTS.get() + 1);
        let Fields::<&RawValue>(fields) = serde_json::from_str(document).map_err(internal)?;
        let offset = |raw: &RawValue| {
            let offset = raw.get().as_ptr().addr() - document.as_ptr().addr();
            u32::try_from(offset).map_err(internal)
        };
        let entry = |(key, value): (&RawValue, &RawValue)| Ok(Entry { key: offset(key)?, value: offset(value)? });
        let mut entries = fields.into_iter().map(entry).collect::<Result<Box<[_]>, Error>>()?;
        // The keys of a stored document are sorted, but short ones come before long ones.
        entries.sort_by_cached_key(|entry| entry.key(document));
        Ok(Self(entries))
    }

    /// Parses the value of a key in the document of which this is the index; `None` if it has no such key.
    pub(super) fn get(&self, document: &str, key: &str) -> Result<Option<Value>, Error> {
        let Ok(found) = self.0.binary_search_by(|entry| (*entry.key(document)).cmp(key)) else { return Ok(None) };
        let value = leading(document, self.0[found].value).map_err(internal)?;
        from_stored(value).map(Some)
    }
}

impl Entry {
    fn key(self, document: &str) -> Cow<'_, str> {
        let Key(key) = leading(document, self.key).expect("the key was parsed before");
        key
    }
}

/// A text that borrows from the document unless it has escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Parses the JSON value that begins at an offset, whatever follows it.
fn leading<'a, T: Deserialize<'a>>(document: &'a str, offset: u32) -> Result<T, serde_json::Error> {
    T::deserialize(&mut serde_json::Deserializer::from_str(&document[offset as usize..]))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Document, PARSED_DOCUMENTS},
        *,
    };

    #[test]
    fn values_are_found_in_the_form_of_either_database() {
        for document in [
            r#"{"":[],"a\"":true,"b":-2.5,"bb":"é\n","c":["x","y"],"é":"z"}"#,
            r#"{"": [], "b": -2.5, "c": ["x", "y"], "a\"": true, "bb": "\u00e9\n", "\u00e9": "z"}"#,
        ] {
            let document = Document::new(Some(document.to_owned().into()));
            let get = |key| document.get(key).expect("a document");
            assert_eq!(get("b"), Some(Value::Number(-2.5)));
            assert_eq!(get("bb"), Some(Value::Text("é\n".to_owned())));
            assert_eq!(get("a\""), Some(Value::Boolean(true)));
            assert_eq!(get("é"), Some(Value::Text("z".to_owned())));
            assert_eq!(get("c"), Some(Value::Texts(vec!["x".to_owned(), "y".to_owned()])));
            assert_eq!(get(""), Some(Value::Texts(Vec::new())));
            assert_eq!((get("a"), get("B"), get("zz")), (None, None, None));
        }
        assert_eq!(Document::default().get("a").expect("no document"), None);
    }

    #[test]
    fn a_document_is_parsed_once_for_all_its_values() {
        let document = Document::new(Some(r#"{"a":1,"b":2}"#.to_owned().into()));
        let before = PARSED_DOCUMENTS.get();
        for _ in 0..100 {
            assert_eq!(document.get("a").expect("a document"), Some(Value::Number(1.0)));
            assert_eq!(document.get("c").expect("a document"), None);
        }
        assert_eq!(PARSED_DOCUMENTS.get() - before, 1);
    }

    #[test]
    fn a_malformed_document_is_an_internal_error() {
        for document in ["", "[]", r#"{"a": null}"#, r#"{"a": {}}"#, r#"{"a": [1]}"#] {
            let document = Document::new(Some(document.to_owned().into()));
            assert!(matches!(document.get("a"), Err(Error::Internal(_))), "{document:?}");
        }
    }
}
