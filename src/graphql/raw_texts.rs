//! Lists of ids and other texts, written as JSON directly: a list may have millions of entries, and a tree of values needs
//! several times the memory of their text.

use std::{borrow::Cow, marker::PhantomData};

use async_graphql::{
    ContextSelectionSet, ID, OutputType, Positioned, ServerResult, Value, parser::types::Field, registry::Registry,
};

use super::{
    execute::raw_json,
    json_template::{quoted, text},
};
use crate::types::Id;

/// A list with the GraphQL type of `List`.
#[derive(Debug)]
pub(crate) struct RawTexts<List>(Value, PhantomData<List>);

impl<List> RawTexts<List> {
    /// Writes each item with `write`.
    pub(super) fn written<T>(items: &[T], write: impl Fn(&mut Vec<u8>, &T)) -> Self {
        let mut json = vec![b'['];
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            write(&mut json, item);
        }
        json.push(b']');
        json.shrink_to_fit();
        Self(raw_json(json), PhantomData)
    }
}

impl RawTexts<Vec<ID>> {
    pub(super) fn of_ids<T: Id>(ids: &[T]) -> Self {
        Self::written(ids, |json, id| quoted(json, id.ascii()))
    }
}

impl RawTexts<Vec<String>> {
    pub(super) fn of_texts(texts: &[String]) -> Self {
        Self::written(texts, |json, item| text(json, item))
    }
}

impl<List: OutputType> OutputType for RawTexts<List> {
    fn type_name() -> Cow<'static, str> {
        List::type_name()
    }

    fn qualified_type_name() -> String {
        List::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        List::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(self.0.clone())
    }
}
