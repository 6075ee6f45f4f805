//! Lists that are written as JSON directly for some selections.
//!
//! async-graphql creates a future and a tree of values for every field of every item, which is most of the cost of a
//! long list, and has no benefit if the values are already loaded. So such a list has two forms behind one type, and
//! [`RawListField`] chooses. Tests check that both forms give the same responses.

use std::{borrow::Cow, marker::PhantomData};

use async_graphql::{
    ContextSelectionSet, ID, OutputType, Positioned, ServerResult, Value,
    parser::types::{Field, SelectionSet},
    registry::Registry,
};

use super::{
    json_template::{nullable, quoted, text, write_list},
    paced_list::exceeded_at,
};
use crate::{budget::Exceeded, types::Id};

/// A list that can be written as JSON for some selections.
pub(crate) trait RawList: Send + Sync {
    /// The list as async-graphql resolves it.
    type Plain: OutputType;

    /// Writes the list as JSON within the request's budget; `None` if the selection has fields that need resolvers.
    fn json(&self, selection: &SelectionSet) -> Option<Result<Value, Exceeded>>;

    /// Returns the list for any other selection.
    fn plain(&self) -> Self::Plain;
}

/// A list of scalars, which is JSON already: a tree of values for a million ids would be slow. In the schema it is
/// `Vec<T>`.
#[derive(Clone, Debug)]
pub(crate) struct ScalarList<T>(Value, PhantomData<fn() -> T>);

impl ScalarList<ID> {
    pub(super) fn of_ids<I: Id>(ids: &[I]) -> Result<Self, Exceeded> {
        Ok(Self(write_list(ids.iter(), |id, json| quoted(json, id.ascii()))?, PhantomData))
    }
}

impl ScalarList<Option<ID>> {
    pub(super) fn of_nullable_ids<I: Id>(ids: &[Option<I>]) -> Result<Self, Exceeded> {
        let list = write_list(ids.iter(), |id, json| nullable(json, id.as_ref(), |json, id| quoted(json, id.ascii())))?;
        Ok(Self(list, PhantomData))
    }
}

impl ScalarList<String> {
    pub(super) fn of_texts(texts: &[String]) -> Result<Self, Exceeded> {
        Ok(Self(write_list(texts.iter(), |entry, json| text(json, entry))?, PhantomData))
    }
}

impl<T: OutputType> OutputType for ScalarList<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(self.0.clone())
    }
}

/// A list as an output type, in the form that its selection allows.
#[derive(Debug)]
pub(crate) struct RawListField<T>(pub(super) T);

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
            Some(json) => json.map_err(|exceeded| exceeded_at(field, exceeded)),
            None => self.0.plain().resolve(ctx, field).await,
        }
    }
}
