//! Prepares operations, runs them and completes their responses.

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Data, ObjectType, PathSegment, Response, SDLExportOptions, Schema, ServerError, SubscriptionType, ValidationMode,
    Value, Variables, indexmap::IndexMap,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use serde_json::value::RawValue;

use super::{
    Code, DeferredRows, Error, GraphqlResponse, Operation, OperationType, Request, RowDecoders, Trusted, complete,
    cost,
    document::Documents,
    operation::Pending,
    operation_label,
    persisted::Persisted,
    request_error,
    schema::{self, Types},
    variables, write,
};
use crate::{
    budget::Exceeded,
    graphql::error_count,
    types::{DocumentLimits, Limits, PageLimits},
};

/// Prepares and runs operations of one schema.
pub struct Executor {
    pub(super) engine: Engine,
    /// The schema as async-graphql exports it.
    sdl: String,
    pub(super) types: Arc<Types>,
    documents: Documents,
    persisted: Persisted,
    limits: DocumentLimits,
    pages: PageLimits,
    max_list_values: usize,
}

/// Runs requests with the resolvers of an async-graphql schema, whose root types are erased.
pub(super) struct Engine {
    execute: Box<dyn Fn(async_graphql::Request) -> BoxFuture<'static, Response> + Send + Sync>,
    pub(super) subscribe: Box<dyn Fn(async_graphql::Request) -> BoxStream<'static, Response> + Send + Sync>,
}

impl Executor {
    /// Creates an executor of three root types. Lists of rows in their arguments are read by the decoders.
    pub(crate) fn new<Q, M, S>(query: Q, mutation: M, subscription: S, decoders: RowDecoders, limits: &Limits) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        // The documents that it runs have been validated, and their depth is limited.
        let schema = Schema::build(query, mutation, subscription)
            .validation_mode(ValidationMode::Fast)
            .limit_recursive_depth(usize::MAX)
            .finish();
        let sdl = schema.sdl_with_options(SDLExportOptions::new().include_specified_by());
        let types = Arc::new(Types::new(&sdl));
        let documents = Documents::new(Arc::clone(&types), decoders, &limits.document);
        Self {
            engine: Engine {
                execute: {
                    let schema = schema.clone();
                    Box::new(move |request| {
                        let schema = schema.clone();
                        async move { schema.execute(request).await }.boxed()
                    })
                },
                subscribe: Box::new(move |request| schema.execute_stream(request).boxed()),
            },
            sdl,
            types,
            documents,
            persisted: Persisted::new(None),
            limits: limits.document,
            pages: limits.page,
            max_list_values: limits.filter.values,
        }
    }

    /// Restricts the executor to trusted documents.
    #[must_use]
    pub fn trusting(self, trusted: Trusted) -> Self {
        Self { persisted: Persisted::new(Some(trusted)), ..self }
    }

    /// Returns the schema in the schema definition language.
    pub(crate) fn sdl(&self) -> String {
        schema::publish(&self.sdl)
    }

    #[cfg(test)]
    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    /// Checks a document with all its operations.
    pub(crate) fn validate(&self, document: &str) -> Result<(), Error> {
        let checked = self.documents.get(document).map(drop);
        checked.map_err(|mut errors| errors.swap_remove(0))
    }

    /// Returns all labels that [`Operation::root`] can return.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &str> {
        operation_label::labels(&self.types)
    }

    /// Coerces the variables of a query that is not run.
    pub(crate) fn coerce_variables(
        &self,
        query: &str,
        variables: &RawValue,
    ) -> Result<(Variables, DeferredRows), Vec<Error>> {
        let document = self.documents.get(query)?;
        let prepared = document.operation(None).map_err(|error| vec![error])?;
        let decoders = self.documents.decoders();
        variables::coerce(&self.types, prepared, Some(variables), decoders, Some(self.max_list_values))
    }

    /// Checks everything that can be checked before anything runs.
    pub fn prepare(&self, request: Request<'_>) -> Result<Operation, Vec<Error>> {
        self.prepare_if(request, |_| Ok(()))
    }

    /// Prepares an operation whose type is accepted. The type is checked before the variables are read.
    pub(crate) fn prepare_if<E: From<Vec<Error>>>(
        &self,
        request: Request<'_>,
        accept: impl FnOnce(OperationType) -> Result<(), E>,
    ) -> Result<Operation, E> {
        let one = |error| vec![error];
        let text = self.persisted.text(&request).map_err(one)?;
        let document = self.documents.get(&text)?;
        self.persisted.store(&request, &text);
        let prepared = document.operation(request.operation_name.as_deref()).map_err(one)?;
        accept(prepared.kind())?;
        let decoders = self.documents.decoders();
        let max_items = (prepared.kind() != OperationType::Mutation).then_some(self.max_list_values);
        let (variables, rows) = variables::coerce(&self.types, prepared, request.variables, decoders, max_items)?;
        let collected = prepared.collected(&self.types, &variables).map_err(one)?;
        let cost = cost::cost(&collected.cost, &self.pages, |name| prepared.value(&variables, name));
        let max_cost = self.limits.complexity;
        if cost.fields > max_cost {
            let fields = cost.fields;
            let message = format!(
                "the response can have {fields} fields, at most {max_cost} are allowed (MEMBERBASE_MAX_COMPLEXITY)"
            );
            return Err(one(Error::new(Code::LimitExceeded, message)).into());
        }
        Ok(Operation { prepared: Arc::clone(prepared), collected, variables, rows, cost, shows_cost: false })
    }

    /// Runs a query or a mutation with the data for its resolvers.
    pub async fn run(&self, operation: Operation, data: Data, trace_id: &str) -> GraphqlResponse {
        let (request, pending) = match operation.into_request(&self.types, data) {
            Ok(ready) => ready,
            Err(errors) => return request_error(&errors, trace_id),
        };
        if pending.collected.root.failure.is_some() {
            return self.complete(&pending, Response::default(), trace_id);
        }
        let response = AssertUnwindSafe((self.engine.execute)(request)).catch_unwind().await;
        match response {
            Ok(response) => self.complete(&pending, response, trace_id),
            Err(_) => {
                tracing::error!(trace_id, "resolver panicked");
                internal_error(trace_id)
            }
        }
    }

    /// Completes async-graphql's response.
    pub(super) fn complete(&self, pending: &Pending, response: Response, trace_id: &str) -> GraphqlResponse {
        let mut failed = response.errors;
        for error in &mut failed {
            if error.extensions.is_none()
                && let Some(variable) = error.locations.first().and_then(|pos| pending.null_arguments.get(pos))
            {
                error.message = format!("${variable} must not be null here");
                error.extensions = Some(Error::new(Code::BadUserInput, "").extensions());
            }
        }
        let mut data = match response.data {
            Value::Object(map) => map,
            // async-graphql makes null of an object whose fields all failed.
            _ => IndexMap::new(),
        };
        for (key, value, errors) in &pending.introspected {
            data.insert(key.clone(), value.clone());
            failed.extend(errors.iter().cloned());
        }
        let completed = complete::complete(&pending.collected.root, data, &failed);
        if let Some(fault) = completed.fault {
            tracing::error!(fault, trace_id, "response does not match the schema");
            return internal_error(trace_id);
        }
        failed.extend(completed.errors);
        // Items of a list may fail in any order, so that errors of one place in the document are sorted by their indexes.
        let indexes = |error: &ServerError| -> Vec<usize> {
            let index = |segment: &PathSegment| match segment {
                PathSegment::Index(index) => Some(*index),
                PathSegment::Field(_) => None,
            };
            error.path.iter().filter_map(index).collect()
        };
        failed.sort_by_cached_key(|error| (error_count::is_counted(error), error.locations.clone(), indexes(error)));
        let (errors, codes) = write::errors(failed, trace_id, self.limits.errors);
        let mut body = match write::write(completed.data, &errors) {
            Ok(body) => body,
            Err(exceeded) => return too_large(exceeded, trace_id),
        };
        if let Some(cost) = pending.cost {
            write::add_cost(&mut body, cost);
        }
        GraphqlResponse { is_request_error: false, body, codes }
    }
}

/// Returns the response in place of one that does not fit into the request's budget. It is not a request error: a mutation
/// was executed.
fn too_large(exceeded: Exceeded, trace_id: &str) -> GraphqlResponse {
    let error = Error::from(exceeded);
    let codes = vec![error.code()];
    GraphqlResponse { is_request_error: false, body: write::without_data(&error, trace_id), codes }
}

pub(super) fn internal_error(trace_id: &str) -> GraphqlResponse {
    request_error(&[Error::new(Code::InternalServerError, "internal error")], trace_id)
}
