//! Limits the memory of a request's errors. A list can have an error for each of its items, of which the response lists
//! the first ones and counts the others.

use std::sync::{Arc, LazyLock};

use async_graphql::{ContextSelectionSet, ServerError, Value};

use crate::app::App;

/// Marks an error that only counts: it has its path, which completion needs, and its code in place of the message.
struct Counted;

static COUNTED: LazyLock<Arc<Counted>> = LazyLock::new(|| Arc::new(Counted));

/// Removes the messages of the latest errors of the request, if there are more than a response lists.
pub(super) fn limit(ctx: &ContextSelectionSet<'_>) {
    let Ok(mut errors) = ctx.query_env.errors.lock() else { return };
    let Some(app) = ctx.data_opt::<App>() else { return };
    let Some(more) = errors.get_mut(app.limits.document.errors..) else { return };
    for error in more.iter_mut().rev().take_while(|error| !is_counted(error)) {
        error.message = code(error).unwrap_or_default().to_owned();
        error.extensions = None;
        error.source = Some(COUNTED.clone());
    }
}

/// Returns true if the error only counts.
pub(super) fn is_counted(error: &ServerError) -> bool {
    error.source.as_ref().is_some_and(|source| source.is::<Counted>())
}

/// Returns the error's code; `None` if the error is not of our resolvers.
pub(super) fn code(error: &ServerError) -> Option<&str> {
    if is_counted(error) {
        return Some(&error.message);
    }
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}
