//! Prepares GraphQL operations: parses and validates them, and names them in the log and in the metrics.

use std::sync::Arc;

use tracing::Span;

use super::{Service, body::BodyLimit, pipeline, rejection::Rejection, request_metrics::RequestMetrics};
use crate::{
    budget::Budget,
    graphql::execute::{Executor, Operation, OperationType, Request},
    metrics::Type,
    types::BodyLimits,
};

/// Maximum number of bytes of an operation's name that are logged.
const MAX_LOGGED_NAME_BYTES: usize = 64;

impl Service {
    /// Parses and validates the operation of a request, as work of its budget.
    pub(super) async fn prepare(
        &self,
        body: Vec<u8>,
        budget: &Budget,
        metrics: &RequestMetrics,
    ) -> Result<Operation, Rejection> {
        let (executor, limits) = (Arc::clone(&self.executor), self.app.limits.body);
        let operation = pipeline::parse(body, budget, move |body| prepare(&executor, &limits, body)).await;
        // A parser can't say more than that it stopped.
        let operation = budget.exceeded().map_or(operation, |exceeded| Err(exceeded.into()))?;
        if let Some(name) = operation.name() {
            Span::current().record("operation", name.get(..MAX_LOGGED_NAME_BYTES).unwrap_or(name));
        }
        let kind = match operation.kind() {
            OperationType::Query => Type::Query,
            OperationType::Mutation => Type::Mutation,
            OperationType::Subscription => Type::Subscription,
        };
        metrics.set_operation(kind, operation.root());
        Ok(operation)
    }
}

fn prepare(executor: &Executor, limits: &BodyLimits, body: &[u8]) -> Result<Operation, Rejection> {
    let request = Request::from_json(body)?;
    let variables = request.variables.map_or(0, |text| text.get().len());
    BodyLimit::envelope(limits).check(body.len() - variables)?;
    executor.prepare_if(request, |kind| match BodyLimit::variables(kind, limits) {
        Some(limit) => limit.check(variables),
        None => Ok(()),
    })
}
