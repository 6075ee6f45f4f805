//! Runs requests with async-graphql. Every request is read, parsed, checked against the limits and validated before any
//! resolver runs.

mod bulk_rows;
mod collect_fields;
mod complete;
mod cost;
mod document;
mod executor;
mod introspection;
mod literal;
mod operation;
mod operation_label;
mod persisted;
mod prepared_operation;
mod request;
mod response_shape;
mod schema;
mod stream;
mod variable_copies;
mod variable_uses;
mod variables;
mod write;

pub use apollo_compiler::ast::OperationType;

pub(crate) use self::{
    bulk_rows::{BulkRows, DeferredRows, HasDeferredRows, RowDecoders},
    response_shape::TYPE_KEY,
    stream::{ActiveSubscription, LostEvent, ResponseStream, SubscriptionReady},
    write::{json, raw_json},
};
pub use self::{executor::Executor, operation::Operation, persisted::Trusted, request::Request};
use super::{Code, Error, scalar};

/// A response (<https://spec.graphql.org/draft/#sec-Response>).
pub struct GraphqlResponse {
    /// True if the request was not executed, so that there are errors without data.
    pub(crate) is_request_error: bool,
    /// JSON.
    pub body: Vec<u8>,
    /// The codes of its errors.
    pub codes: Vec<Code>,
}

/// Returns the response to a request that can't be executed
/// (<https://spec.graphql.org/draft/#sec-Errors.Request-Errors>).
pub(crate) fn request_error(errors: &[Error], trace_id: &str) -> GraphqlResponse {
    GraphqlResponse {
        is_request_error: true,
        body: write::request_error(errors, trace_id),
        codes: errors.iter().map(Error::code).collect(),
    }
}

#[cfg(test)]
mod tests;
