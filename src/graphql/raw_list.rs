//! Lists that are written as JSON directly for some selections.
//!
//! async-graphql creates a future and a tree of values for every field of every item, which is most of the cost of a
//! long list, and has no benefit if the values are already loaded. So such a list has two forms behind one type, and
//! [`RawListField`] chooses. Tests check that both forms give the same responses.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, Value,
    parser::types::{Field, SelectionSet},
    registry::Registry,
};

/// A list that can be written as JSON for some selections.
pub(crate) trait RawList: Send + Sync {
    /// The list as async-graphql resolves it.
    type Plain: OutputType;

    /// Writes the list as JSON; `None` if the selection has fields that need resolvers.
    fn json(&self, selection: &SelectionSet) -> Option<Value>;

    /// Returns the list for any other selection.
    fn plain(&self) -> Self::Plain;
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
            Some(json) => Ok(json),
            None => self.0.plain().resolve(ctx, field).await,
        }
    }
}
