//! Compiles a selection into the JSON text of an object with slots, which each item of a list fills.

use std::mem;

use async_graphql::{
    Value,
    parser::types::{Selection, SelectionSet},
    resolver_utils::{self, EnumType},
};

use super::execute::{TYPE_KEY, raw_json};
use crate::budget::{self, Exceeded};

/// Maximum number of bytes that are reserved for a list by the length of its first item.
const MAX_RESERVED_BYTES: usize = 1 << 20;

/// Number of bytes of a list that are written between two looks at the request's budget.
const UNCHECKED_BYTES: usize = 64 << 10;

/// The JSON text of an item with slots for the values that differ from item to item.
#[derive(Debug)]
pub(super) struct JsonTemplate<Slot> {
    /// The slots, each with the text in front of it.
    slots: Vec<(String, Slot)>,
    /// The text after the last slot.
    end: String,
}

impl<Slot> JsonTemplate<Slot> {
    /// Compiles the selection of an object. `write_field` writes the value of a field, or returns `None` if it can't.
    ///
    /// Returns `None` if a field can't be written, or if the selection has fragments or directives: `execute` merges
    /// the fields of an operation, so that only selections of interfaces and unions still have them.
    pub(super) fn of(
        selection: &SelectionSet,
        write_field: impl FnMut(&mut Self, &str, &SelectionSet) -> Option<()>,
    ) -> Option<Self> {
        let mut template = Self { slots: Vec::new(), end: String::new() };
        template.object(selection, write_field)?;
        Some(template)
    }

    /// Writes an object.
    pub(super) fn object(
        &mut self,
        selection: &SelectionSet,
        mut write_field: impl FnMut(&mut Self, &str, &SelectionSet) -> Option<()>,
    ) -> Option<()> {
        self.end.push('{');
        for (index, item) in selection.items.iter().enumerate() {
            let Selection::Field(field) = &item.node else { return None };
            let field = &field.node;
            let key = field.response_key().node.as_str();
            // Completion removes this key from the data of resolvers, but does not look into raw JSON.
            if key == TYPE_KEY || !field.directives.is_empty() {
                return None;
            }
            // GraphQL names have no characters that JSON escapes.
            self.end.push_str(if index > 0 { ",\"" } else { "\"" });
            self.end.push_str(key);
            self.end.push_str("\":");
            write_field(self, &field.name.node, &field.selection_set.node)?;
        }
        self.end.push('}');
        Some(())
    }

    /// Writes the name of a type, which is the same for every item.
    pub(super) fn type_name(&mut self, name: &str) -> Option<()> {
        self.end.push('"');
        self.end.push_str(name);
        self.end.push('"');
        Some(())
    }

    /// Adds a slot.
    pub(super) fn slot(&mut self, slot: Slot) -> Option<()> {
        self.slots.push((mem::take(&mut self.end), slot));
        Some(())
    }

    /// Adds a slot between quotes for a value without characters that JSON escapes, such as an id or a time.
    pub(super) fn quoted_slot(&mut self, slot: Slot) -> Option<()> {
        self.end.push('"');
        self.slot(slot);
        self.end.push('"');
        Some(())
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().map(|(_, slot)| slot)
    }

    /// Writes one item. `fill` writes the value of a slot.
    pub(super) fn item(&self, json: &mut Vec<u8>, mut fill: impl FnMut(&Slot, &mut Vec<u8>)) {
        for (text, slot) in &self.slots {
            json.extend_from_slice(text.as_bytes());
            fill(slot, json);
        }
        json.extend_from_slice(self.end.as_bytes());
    }

    /// Writes a list of items, within the request's budget.
    pub(super) fn list<Item>(
        &self,
        items: impl ExactSizeIterator<Item = Item>,
        mut fill: impl FnMut(&Item, &Slot, &mut Vec<u8>),
    ) -> Result<Value, Exceeded> {
        write_list(items, |item, json| self.item(json, |slot, json| fill(&item, slot, json)))
    }
}

/// Writes a list of items within the request's budget, each by `write`.
pub(super) fn write_list<Item>(
    items: impl ExactSizeIterator<Item = Item>,
    mut write: impl FnMut(Item, &mut Vec<u8>),
) -> Result<Value, Exceeded> {
    let count = items.len();
    let mut json = Vec::from(b"[");
    let (mut largest, mut unchecked) = (0, 0);
    for (index, item) in items.enumerate() {
        let start = json.len();
        if index > 0 {
            json.push(b',');
        }
        write(item, &mut json);
        let length = json.len() - start;
        largest = length.max(largest);
        unchecked += length;
        if index == 0 {
            json.reserve(estimate(length, count));
        } else if json.capacity() - json.len() < 2 * largest {
            reserve(&mut json, count - index - 1, index + 1, largest)?;
        } else if unchecked > UNCHECKED_BYTES {
            unchecked = 0;
            budget::check()?;
        }
    }
    json.push(b']');
    Ok(raw_json(json))
}

/// Reserves memory for the remaining items, by the lengths of those that are written. Few growths leave little memory
/// behind: each needs both the old and the new memory for a moment.
fn reserve(json: &mut Vec<u8>, remaining: usize, written: usize, largest: usize) -> Result<(), Exceeded> {
    const MAX_FACTOR: usize = 7;
    let average = json.len() / written;
    let expected = (average + average / 16).saturating_mul(remaining).min(MAX_FACTOR * json.len());
    let least = (json.len() / 2).max(4 * largest);
    let growth = if budget::fits(json.capacity() + expected) { expected.max(least) } else { least };
    budget::expect(json.capacity() + growth)?;
    json.reserve_exact(growth);
    Ok(())
}

/// Estimates the length of a list by its first item, with an eighth to spare.
fn estimate(first: usize, count: usize) -> usize {
    (first + first / 8 + 1).saturating_mul(count).min(MAX_RESERVED_BYTES)
}

/// Writes a string.
pub(super) fn text(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("a string is always JSON, and a vector can always be written to");
}

/// Writes a string without characters that JSON escapes, such as an id or a time.
pub(super) fn quoted(json: &mut Vec<u8>, value: impl AsRef<[u8]>) {
    json.push(b'"');
    json.extend_from_slice(value.as_ref());
    json.push(b'"');
}

/// Writes a value of an enum.
pub(super) fn enum_value(json: &mut Vec<u8>, value: impl EnumType) {
    match resolver_utils::enum_value(value) {
        Value::Enum(name) => text(json, &name),
        _ => unreachable!("the value of an enum is one"),
    }
}

/// Writes a value or null.
pub(super) fn nullable<T>(json: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => write(json, value),
        None => json.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_reserved_by_the_length_of_the_first_item() {
        assert_eq!(estimate(79, 1_000), 89_000);
        assert_eq!(estimate(30 << 20, 5_000_000), MAX_RESERVED_BYTES);
        assert_eq!(estimate(1 << 60, usize::MAX), MAX_RESERVED_BYTES);
    }
}
