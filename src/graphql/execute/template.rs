//! Writes lists as JSON directly: compiles the selection for an item into a text with slots, which each item fills.
//!
//! async-graphql creates a future and a tree of values for every field of every item, which is most of the cost of a long
//! list, and has no benefit if the values are already loaded. So such a list has two forms behind one type, and
//! [`RawListField`] chooses. Tests check that both forms give the same responses.

use std::{borrow::Cow, mem};

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, Value,
    parser::types::{Field, Selection, SelectionSet},
    registry::Registry,
};

use super::raw_json;

/// A list that can be written as JSON for some selections.
pub(crate) trait RawList: Send + Sync {
    /// The list as async-graphql resolves it.
    type Plain: OutputType;

    /// As JSON, where the selection is of plain fields alone.
    fn json(&self, selection: &SelectionSet) -> Option<Value>;

    /// For any other selection.
    fn plain(&self) -> Self::Plain;
}

/// A list in whichever form its selection allows.
#[derive(Debug)]
pub(crate) struct RawListField<T>(pub(in crate::graphql) T);

impl<T: RawList> OutputType for RawListField<T> {
    fn type_name() -> Cow<'static, str> {
        T::Plain::type_name()
    }

    fn qualified_type_name() -> String {
        T::Plain::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::Plain::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match self.0.json(&field.node.selection_set.node) {
            Some(json) => Ok(json),
            None => self.0.plain().resolve(ctx, field).await,
        }
    }
}

/// So many bytes of a list are taken at most on the guess that its items are as long as the first.
const GUESSED: usize = 1 << 20;

/// An item of a list with gaps.
#[derive(Debug)]
pub(in crate::graphql) struct JsonTemplate<Gap> {
    /// What stands before each gap.
    gaps: Vec<(String, Gap)>,
    /// What stands behind the last gap.
    end: String,
}

impl<Gap> JsonTemplate<Gap> {
    /// Of an object with this selection, of which `value` writes each field. None where one can't be written, and where
    /// the selection is not flat, as it is once an operation is planned: one field a response key.
    pub(in crate::graphql) fn of(
        selection: &SelectionSet,
        value: impl FnMut(&mut Self, &str, &SelectionSet) -> Option<()>,
    ) -> Option<Self> {
        let mut template = Self { gaps: Vec::new(), end: String::new() };
        template.object(selection, value)?;
        Some(template)
    }

    /// Writes an object into the item.
    pub(in crate::graphql) fn object(
        &mut self,
        selection: &SelectionSet,
        mut value: impl FnMut(&mut Self, &str, &SelectionSet) -> Option<()>,
    ) -> Option<()> {
        self.end.push('{');
        for (place, item) in selection.items.iter().enumerate() {
            let Selection::Field(field) = &item.node else { return None };
            let field = &field.node;
            let key = field.response_key().node.as_str();
            // What begins with an @ is ours, by which an object tells its type, and not for the answer.
            if key.starts_with('@') || !field.directives.is_empty() {
                return None;
            }
            // A name of GraphQL has nothing in it that JSON escapes.
            self.end.push_str(if place > 0 { ",\"" } else { "\"" });
            self.end.push_str(key);
            self.end.push_str("\":");
            value(self, &field.name.node, &field.selection_set.node)?;
        }
        self.end.push('}');
        Some(())
    }

    /// Writes the name of a type, which is the same for every item.
    pub(in crate::graphql) fn type_name(&mut self, name: &str) -> Option<()> {
        self.end.push('"');
        self.end.push_str(name);
        self.end.push('"');
        Some(())
    }

    /// Leaves a gap, to be filled for every item.
    pub(in crate::graphql) fn slot(&mut self, gap: Gap) -> Option<()> {
        self.gaps.push((mem::take(&mut self.end), gap));
        Some(())
    }

    /// Leaves a gap between quotes, for what has nothing in it that JSON escapes, such as an id or a time.
    pub(in crate::graphql) fn quoted_slot(&mut self, gap: Gap) -> Option<()> {
        self.end.push('"');
        self.slot(gap);
        self.end.push('"');
        Some(())
    }

    /// What is to be filled in.
    pub(in crate::graphql) fn slots(&self) -> impl Iterator<Item = &Gap> {
        self.gaps.iter().map(|(_, gap)| gap)
    }

    /// Adds one item, whose gaps are filled by `fill`.
    pub(in crate::graphql) fn item(&self, json: &mut Vec<u8>, mut fill: impl FnMut(&Gap, &mut Vec<u8>)) {
        for (text, gap) in &self.gaps {
            json.extend_from_slice(text.as_bytes());
            fill(gap, json);
        }
        json.extend_from_slice(self.end.as_bytes());
    }

    /// A list of items.
    pub(in crate::graphql) fn list<Item>(
        &self,
        items: impl ExactSizeIterator<Item = Item>,
        mut fill: impl FnMut(&Item, &Gap, &mut Vec<u8>),
    ) -> Value {
        let count = items.len();
        let mut json = Vec::from(b"[");
        for (place, item) in items.enumerate() {
            if place > 0 {
                json.push(b',');
            }
            self.item(&mut json, |gap, json| fill(&item, gap, json));
            if place == 0 {
                // The others are about as long, an eighth more or less; or the first is as nobody would have thought.
                json.reserve(guess(json.len(), count));
            }
        }
        json.push(b']');
        raw_json(json)
    }
}

/// What so many items take, of which the first takes so much.
fn guess(first: usize, count: usize) -> usize {
    (first + first / 8 + 1).saturating_mul(count).min(GUESSED)
}

/// Writes a text.
pub(in crate::graphql) fn text(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("memory takes whatever is written");
}

/// Writes what has nothing in it that JSON escapes, such as an id or a time.
pub(in crate::graphql) fn quoted(json: &mut Vec<u8>, value: impl AsRef<[u8]>) {
    json.push(b'"');
    json.extend_from_slice(value.as_ref());
    json.push(b'"');
}

/// Writes a value, or null where there is none.
pub(in crate::graphql) fn nullable<T>(json: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => write(json, value),
        None => json.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_taken_on_a_guess() {
        assert_eq!(guess(79, 1_000), 89_000);
        assert_eq!(guess(30 << 20, 5_000_000), GUESSED);
        assert_eq!(guess(1 << 60, usize::MAX), GUESSED);
    }
}
