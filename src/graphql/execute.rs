//! Runs requests with async-graphql. Every request is read, parsed, checked against the limits and validated before any
//! resolver runs.

mod bulk_rows;
mod collect_fields;
mod complete;
mod cost;
mod document;
mod introspection;
mod literal;
mod operation;
mod operation_label;
mod persisted;
mod request;
mod response_shape;
mod schema;
mod stream;
pub(super) mod template;
mod variables;
mod write;

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Data, Name, ObjectType, Pos, Response, SDLExportOptions, Schema, ServerError, SubscriptionType, ValidationMode,
    Value, Variables, indexmap::IndexMap, parser::types::DocumentOperations,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};

pub use self::persisted::Trusted;
pub use self::request::Request;
use self::{
    bulk_rows::DeferredRows,
    collect_fields::Collected,
    document::{Documents, LateCheck},
    operation::PreparedOperation,
    persisted::Persisted,
    schema::Types,
};
pub(crate) use self::{
    bulk_rows::{BulkRows, RowDecoders},
    stream::{ResponseStream, SubscriptionReady},
    write::raw_json,
};
use super::{Code, Error, scalar};
use crate::types::{DocumentLimits, Limits, PageLimits};
pub use apollo_compiler::ast::OperationType;

/// Prepares and runs operations of one schema.
pub struct Executor {
    schema: Box<dyn Engine>,
    types: Arc<Types>,
    documents: Documents,
    persisted: Persisted,
    limits: DocumentLimits,
    pages: PageLimits,
}

/// An operation that may run.
pub struct Operation {
    prepared: Arc<PreparedOperation>,
    collected: Arc<Collected>,
    variables: Variables,
    rows: DeferredRows,
    cost: u64,
    shows_cost: bool,
}

impl Operation {
    pub fn kind(&self) -> OperationType {
        self.prepared.kind()
    }

    /// Adds the cost to the response.
    #[must_use]
    pub(crate) fn with_cost_extension(self) -> Self {
        Self { shows_cost: true, ..self }
    }

    /// Returns the label for metrics, one of [`Executor::operations`].
    pub(crate) fn root(&self) -> &str {
        self.prepared.label()
    }

    /// Returns the operation's name in the document.
    pub(crate) fn name(&self) -> Option<&str> {
        self.prepared.name()
    }

    /// Returns the operation for async-graphql, and what is needed for its response.
    fn into_request(self, types: &Types, mut data: Data) -> Result<(async_graphql::Request, Pending), Vec<Error>> {
        let Self { prepared, collected, variables, rows, cost, shows_cost } = self;
        let null_arguments = late_checks(&prepared, &collected, &variables)?;
        let mut document = collected.document.clone();
        if let DocumentOperations::Single(operation) = &mut document.operations {
            variables::drop_absent(&mut operation.node, &variables);
        }
        let introspected = collected.introspection.iter().map(|field| {
            let (json, errors) = introspection::write(types, field, |name| prepared.value(&variables, name));
            // A null has to be seen as such by completion.
            let value = if json == b"null" { Value::Null } else { raw_json(json) };
            (field.key.clone(), value, errors)
        });
        let introspected = introspected.collect();
        data.insert(rows);
        let mut request = async_graphql::Request::new(String::new()).variables(variables);
        request.data = data;
        request.set_parsed_query(document);
        let cost = shows_cost.then_some(cost);
        Ok((request, Pending { collected, introspected, null_arguments, cost }))
    }
}

/// An operation that runs.
struct Pending {
    collected: Arc<Collected>,
    /// The root fields that query the schema, with their values and errors.
    introspected: Vec<(Name, Value, Vec<ServerError>)>,
    /// The arguments that are null where they must not be, by their positions.
    null_arguments: HashMap<Pos, Name>,
    /// The cost, if it is part of the response.
    cost: Option<u64>,
}

/// Checks what depends on the values of variables. Scalars with variables inside are request errors, as bad variables are.
/// Returns the arguments with a null variable where null is not allowed: these are field errors
/// (<https://spec.graphql.org/draft/#CoerceArgumentValues()>), which async-graphql raises in its own words.
fn late_checks(
    prepared: &PreparedOperation,
    collected: &Collected,
    variables: &Variables,
) -> Result<HashMap<Pos, Name>, Vec<Error>> {
    let mut nulls = HashMap::new();
    let mut errors = Vec::new();
    for (argument, check) in &collected.late_checks {
        match check {
            LateCheck::NonNull { variable } => {
                if prepared.value(variables, variable) == Some(&Value::Null) {
                    nulls.insert(*argument, Name::new(variable));
                }
            }
            LateCheck::Scalar { name, literal, in_row, path, pos } => {
                let value = |name: Name| Ok::<_, ()>(prepared.value(variables, &name).cloned().unwrap_or_default());
                let Ok(value) = literal.clone().into_const_with(value) else { continue };
                let check = if *in_row { scalar::check_in_row } else { scalar::check };
                if let Err(message) = check(name, &value) {
                    errors.push(Error::bad_input(path, message).at(pos.line, pos.column));
                }
            }
        }
    }
    if errors.is_empty() { Ok(nulls) } else { Err(errors) }
}

/// What a client is answered.
pub struct GraphqlResponse {
    /// Whether it is a request_error: errors and no data.
    pub(crate) refused: bool,
    /// JSON.
    pub body: Vec<u8>,
    /// The codes of its errors.
    pub codes: Vec<Code>,
}

/// An async-graphql schema whose root types are erased.
trait Engine: Send + Sync {
    fn execute(&self, request: async_graphql::Request) -> BoxFuture<'_, Response>;
    fn execute_stream(&self, request: async_graphql::Request) -> BoxStream<'static, Response>;
    fn sdl(&self) -> String;
}

impl<Q, M, S> Engine for Schema<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    fn execute(&self, request: async_graphql::Request) -> BoxFuture<'_, Response> {
        self.execute(request).boxed()
    }

    fn execute_stream(&self, request: async_graphql::Request) -> BoxStream<'static, Response> {
        self.execute_stream(request).boxed()
    }

    fn sdl(&self) -> String {
        self.sdl_with_options(SDLExportOptions::new().include_specified_by())
    }
}

impl Executor {
    /// Of three roots, and of decoders for the lists of rows in their arguments.
    pub(crate) fn new<Q, M, S>(query: Q, mutation: M, subscription: S, decoders: RowDecoders, limits: &Limits) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        // The documents that it runs are validated.
        let schema = Schema::build(query, mutation, subscription)
            .validation_mode(ValidationMode::Fast)
            .limit_recursive_depth(usize::MAX)
            .finish();
        let schema: Box<dyn Engine> = Box::new(schema);
        let types = Arc::new(Types::new(&schema.sdl()));
        let documents = Documents::new(Arc::clone(&types), decoders, &limits.document);
        let (limits, pages) = (limits.document, limits.page);
        Self { schema, types, documents, persisted: Persisted::new(None), limits, pages }
    }

    /// The same, that runs trusted documents alone.
    #[must_use]
    pub fn trusting(self, trusted: Trusted) -> Self {
        Self { persisted: Persisted::new(Some(trusted)), ..self }
    }
    /// Returns the schema in the schema definition language.
    pub(crate) fn sdl(&self) -> String {
        schema::publish(&self.schema.sdl())
    }

    #[cfg(test)]
    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    /// Checks a document, whichever of its operations is to run.
    pub(crate) fn validate(&self, document: &str) -> Result<(), Error> {
        let checked = self.documents.get(document).map(drop);
        checked.map_err(|mut errors| errors.swap_remove(0))
    }

    /// Returns all labels that [`Operation::root`] can return.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &str> {
        operation_label::labels(&self.types)
    }

    /// Checks everything that can be checked before anything runs.
    pub fn prepare(&self, request: Request<'_>) -> Result<Operation, Vec<Error>> {
        let one = |error| vec![error];
        let text = self.persisted.text(&request).map_err(one)?;
        let document = self.documents.get(&text)?;
        self.persisted.keep(&request, &text);
        let prepared = document.operation(request.operation_name.as_deref()).map_err(one)?;
        let mut rows = DeferredRows::default();
        let decoders = self.documents.decoders();
        let variables = variables::coerce(&self.types, prepared, request.variables, decoders, &mut rows)?;
        let collected = prepared.collected(&self.types, &variables).map_err(one)?;
        let cost = cost::cost(&collected.cost, &self.pages, |name| prepared.value(&variables, name));
        let most = self.limits.complexity;
        if cost > most {
            let message =
                format!("the response can have {cost} fields, at most {most} are allowed (MEMBERBASE_MAX_COMPLEXITY)");
            return Err(vec![Error::new(Code::LimitExceeded, message)]);
        }
        Ok(Operation { prepared: Arc::clone(prepared), collected, variables, rows, cost, shows_cost: false })
    }

    /// Runs an operation with the data for its resolvers.
    pub async fn run(&self, operation: Operation, data: Data, trace_id: &str) -> GraphqlResponse {
        let (request, pending) = match operation.into_request(&self.types, data) {
            Ok(ready) => ready,
            Err(errors) => return request_error(&errors, trace_id),
        };
        if pending.collected.root.failure.is_some() {
            return self.answer(&pending, Response::default(), trace_id);
        }
        match AssertUnwindSafe(self.schema.execute(request)).catch_unwind().await {
            Ok(response) => self.answer(&pending, response, trace_id),
            Err(_) => {
                tracing::error!(trace_id, "resolver panicked");
                request_error(&[Error::new(Code::InternalServerError, "internal error")], trace_id)
            }
        }
    }

    /// Completes async-graphql's response.
    fn answer(&self, pending: &Pending, response: Response, trace_id: &str) -> GraphqlResponse {
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
            return request_error(&[Error::new(Code::InternalServerError, "internal error")], trace_id);
        }
        failed.extend(completed.errors);
        failed.sort_by(|a, b| a.locations.cmp(&b.locations));
        let (errors, codes) = write::errors(failed, trace_id, self.limits.errors);
        let mut body = write::write(&completed.data, &errors);
        if let Some(cost) = pending.cost {
            write::add_cost(&mut body, cost);
        }
        GraphqlResponse { refused: false, body, codes }
    }
}

/// An answer of errors alone.
pub(crate) fn request_error(errors: &[Error], trace_id: &str) -> GraphqlResponse {
    GraphqlResponse {
        refused: true,
        body: write::request_error(errors, trace_id),
        codes: errors.iter().map(Error::code).collect(),
    }
}

#[cfg(test)]
mod tests;
