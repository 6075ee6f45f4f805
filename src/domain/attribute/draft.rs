//! The attributes of one member while the patches of several rows are merged into them.

use std::{
    collections::{BTreeMap, btree_map},
    io,
};

use serde::{Serialize, Serializer};

use super::{Attributes, Patch, Value, stored_form};
use crate::domain::Error;

/// A parsed document that patches change. The work of a patch depends on its own size, not on the size of the document:
/// a large call may have thousands of small rows of one member.
#[derive(Debug, Default)]
pub(crate) struct AttributesDraft {
    entries: BTreeMap<String, Entry>,
    /// The first values of the keys that were set or removed since; `None` for a key that had none.
    originals: BTreeMap<String, Option<Entry>>,
    /// Sum of the entries' bytes.
    entry_bytes: usize,
}

#[derive(Debug, PartialEq)]
struct Entry {
    value: Value,
    /// Size of the key and the value in the document, with their colon and comma.
    bytes: usize,
}

impl AttributesDraft {
    /// Parses a stored document as either database returns it; `None` means no attributes.
    pub(in crate::domain) fn read(document: Option<&str>) -> Result<Self, Error> {
        let values = Attributes::read(document)?.0.into_iter();
        let entries: BTreeMap<_, _> = values
            .map(|(key, value)| {
                let entry = Entry::new(&key, value);
                (key, entry)
            })
            .collect();
        let entry_bytes = entries.values().map(|entry| entry.bytes).sum();
        Ok(Self { entries, originals: BTreeMap::new(), entry_bytes })
    }

    /// Merges a patch. If the document would change and be larger than `max_bytes`, nothing is changed, and the error is
    /// the size that it would have.
    pub(crate) fn apply(&mut self, patch: Patch, max_bytes: usize) -> Result<(), usize> {
        let mut changes = Vec::with_capacity(patch.0.len());
        let mut entry_bytes = self.entry_bytes;
        let mut len = self.entries.len();
        for (key, value) in patch.0 {
            let old = self.entries.get(&key);
            if old.map(|old| &old.value) == value.as_ref() {
                continue;
            }
            let new = value.map(|value| Entry::new(&key, value));
            entry_bytes = entry_bytes + Entry::bytes(new.as_ref()) - Entry::bytes(old);
            len = len + usize::from(new.is_some()) - usize::from(old.is_some());
            changes.push((key, new));
        }
        let bytes = document_bytes(entry_bytes);
        if !changes.is_empty() && len > 0 && bytes > max_bytes {
            return Err(bytes);
        }
        for (key, value) in changes {
            self.set(key, value);
        }
        Ok(())
    }

    /// Removes all attributes.
    pub(crate) fn clear(&mut self) {
        while let Some((key, _)) = self.entries.first_key_value() {
            self.set(key.clone(), None);
        }
    }

    /// Returns whether any value differs from the document that was read.
    pub(crate) fn is_changed(&self) -> bool {
        self.originals.iter().any(|(key, original)| self.entries.get(key) != original.as_ref())
    }

    /// Returns the document to store, in the form of [`Attributes::document`].
    pub(in crate::domain) fn document(&self) -> Option<String> {
        if self.entries.is_empty() {
            return None;
        }
        Some(stored_form::document(self.entries.iter(), document_bytes(self.entry_bytes) + 2 * self.entries.len()))
    }

    fn set(&mut self, key: String, value: Option<Entry>) {
        self.entry_bytes += Entry::bytes(value.as_ref());
        let old = match value {
            Some(entry) => self.entries.insert(key.clone(), entry),
            None => self.entries.remove(&key),
        };
        self.entry_bytes -= Entry::bytes(old.as_ref());
        if let btree_map::Entry::Vacant(original) = self.originals.entry(key) {
            original.insert(old);
        }
    }
}

/// Returns the size of a document without spaces: one brace more than its entries have commas. The limit is for this size,
/// which does not depend on the stored form.
fn document_bytes(entry_bytes: usize) -> usize {
    entry_bytes + 1
}

impl Entry {
    fn new(key: &str, value: Value) -> Self {
        let bytes = json_bytes(key) + json_bytes(&value) + 2;
        Self { value, bytes }
    }

    fn bytes(entry: Option<&Self>) -> usize {
        entry.map_or(0, |entry| entry.bytes)
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

fn json_bytes(value: &(impl Serialize + ?Sized)) -> usize {
    let mut count = ByteCount(0);
    serde_json::to_writer(&mut count, value).expect("texts and finite numbers are JSON");
    count.0
}

struct ByteCount(usize);

impl io::Write for ByteCount {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn draft(stored: &str) -> AttributesDraft {
        AttributesDraft::read(Some(stored)).expect("a document")
    }

    fn text(key: &str, value: &str) -> (String, Option<Value>) {
        (key.to_owned(), Some(Value::Text(value.to_owned())))
    }

    #[test]
    fn a_patch_that_makes_the_document_too_large_changes_nothing() {
        let mut draft = draft(r#"{"a":"x","b":"y"}"#);
        let patch = Patch(vec![("a".to_owned(), None), text("c", "0123456789")]);
        assert_eq!(draft.apply(patch.clone(), 25), Err(r#"{"b":"y","c":"0123456789"}"#.len()));
        assert_eq!(draft.document().as_deref(), Some(r#"{"a": "x", "b": "y"}"#));
        assert!(!draft.is_changed());
        assert_eq!(draft.apply(patch, 26), Ok(()));
        assert_eq!(draft.document().as_deref(), Some(r#"{"b": "y", "c": "0123456789"}"#));
    }

    #[test]
    fn a_patch_of_equal_values_is_accepted_by_a_document_over_the_limit() {
        let mut draft = draft(r#"{"a":"x","b":"y"}"#);
        assert_eq!(draft.apply(Patch(vec![text("a", "x"), ("c".to_owned(), None)]), 3), Ok(()));
        assert_eq!(draft.apply(Patch(vec![("a".to_owned(), None)]), 3), Err(r#"{"b":"y"}"#.len()));
    }

    #[test]
    fn a_draft_that_returns_to_its_first_values_is_unchanged() {
        let stored = r#"{"a": "x", "b": "y"}"#;
        let mut draft = draft(stored);
        draft.clear();
        assert!(draft.is_changed());
        assert_eq!(draft.document(), None);
        draft.apply(Patch(vec![text("b", "z"), text("c", "")]), 100).expect("small");
        draft.apply(Patch(vec![text("a", "x"), text("b", "y"), ("c".to_owned(), None)]), 100).expect("small");
        assert!(!draft.is_changed());
        assert_eq!(draft.document().as_deref(), Some(stored));
    }

    fn values() -> impl Strategy<Value = Vec<(String, Option<Value>)>> {
        let value = prop_oneof![
            ".*".prop_map(Value::Text),
            any::<i32>().prop_map(|number| Value::Number(f64::from(number) / 8.0)),
            prop::collection::vec(".*", 0..3).prop_map(Value::Texts),
        ];
        prop::collection::btree_map("[a-d\"é]", prop::option::of(value), 0..4)
            .prop_map(|values| values.into_iter().collect())
    }

    proptest! {
        #[test]
        fn the_size_that_decides_is_the_size_of_the_document_without_spaces(patches in prop::collection::vec(values(), 1..5)) {
            let mut draft = AttributesDraft::default();
            for patch in patches {
                let before = draft.document();
                let mut changed = AttributesDraft::read(before.as_deref()).expect("a document");
                changed.apply(Patch(patch.clone()), usize::MAX).expect("no limit");
                let values = Attributes::read(changed.document().as_deref()).expect("a document");
                let bytes = json_bytes(&values.0);
                if !values.0.is_empty() && changed.is_changed() {
                    prop_assert_eq!(draft.apply(Patch(patch.clone()), bytes - 1), Err(bytes));
                    prop_assert_eq!(draft.document(), before);
                }
                prop_assert_eq!(draft.apply(Patch(patch), bytes), Ok(()));
                prop_assert_eq!(draft.document(), changed.document());
            }
        }
    }
}
