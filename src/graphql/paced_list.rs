//! Lists whose items are resolved within the request's budget.
//!
//! async-graphql creates the futures of all items before the first one runs, some 560 bytes each, and resolves them in one
//! poll: a list of 100,000 items takes as long as it takes, and nothing can stop it. [`PacedList`] starts a few items at
//! a time, and stops when the request has exceeded its budget.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerError, ServerResult, Value, parser::types::Field,
    registry::Registry,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Error, error_count};
use crate::budget;

/// Number of items that are resolved concurrently. Items wait together for what is loaded for all of them.
const MAX_CONCURRENT_ITEMS: usize = 64;

/// A list as an output type. In the schema it is `Vec<T>`; every list of the schema is either this or a
/// [`RawListField`](super::raw_list::RawListField).
#[derive(Debug)]
pub(crate) struct PacedList<T>(Vec<T>);

impl<T> From<Vec<T>> for PacedList<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T> FromIterator<T> for PacedList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: OutputType> OutputType for PacedList<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let resolve = async |(index, item): (usize, &T)| {
            let ctx = ctx.with_index(index);
            let paced = budget::pace().await.map_err(|exceeded| exceeded_at(field, exceeded));
            let resolved = match paced {
                Ok(()) => item.resolve(&ctx, field).await,
                Err(error) => Err(error),
            };
            error_count::limit(&ctx);
            resolved.map_err(|error| ctx.set_error_path(error))
        };
        let items = stream::iter(self.0.iter().enumerate()).map(resolve).buffered(MAX_CONCURRENT_ITEMS);
        items.try_collect().await.map(Value::List)
    }
}

/// Returns the error of a list that exceeds the request's budget.
pub(super) fn exceeded_at(field: &Positioned<Field>, exceeded: budget::Exceeded) -> ServerError {
    async_graphql::Error::from(Error::from(exceeded)).into_server_error(field.pos)
}
