//! Runs requests with async-graphql. Every request is read, parsed, checked against the limits and validated before any
//! resolver runs.

mod complete;
mod cost;
mod document;
mod persisted;
mod plan;
mod request;
mod root;
mod rows;
mod stream;
pub(super) mod template;
mod variables;
mod write;

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Data, ObjectType, Response, SDLExportOptions, Schema, SubscriptionType, ValidationMode, Variables,
    parser::types::{DocumentOperations, ExecutableDocument, OperationType},
    registry::Registry,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};

pub use self::persisted::Trusted;
pub use self::request::Request;
use self::{
    document::{Document, Documents},
    persisted::Persisted,
    plan::Plan,
    rows::Carried,
};
pub(crate) use self::{
    rows::{BulkRows, RowReaders},
    stream::{Answers, Begun},
    write::raw_json,
};
use super::{Code, Error};
use crate::types::{DocumentLimits, Limits, PageLimits};

/// Prepares and runs operations of one schema.
pub struct Executor {
    schema: Box<dyn Engine>,
    documents: Documents,
    persisted: Persisted,
    limits: DocumentLimits,
    pages: PageLimits,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asks.
    Query,
    /// Changes.
    Mutation,
    /// Listens.
    Subscription,
}

/// An operation that may run.
pub struct Operation {
    kind: Kind,
    name: Option<String>,
    document: Arc<Document>,
    variables: Variables,
    rows: Carried,
    cost: u64,
    tells_cost: bool,
}

impl Operation {
    /// What it does.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The same, with its cost in the answer.
    #[must_use]
    pub(crate) fn telling_cost(self) -> Self {
        Self { tells_cost: true, ..self }
    }

    /// The field that it asks for at its root, or a word for those that ask for several or for the schema: one of
    /// [`Executor::operations`].
    pub(crate) fn root(&self) -> &str {
        let operation = self.document.operation(self.name());
        let selections = operation.map(|(_, operation)| &operation.node.selection_set.node);
        selections.map_or("", |selections| root::name(selections, &self.document.parsed.fragments))
    }

    /// Its name in the document.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// What a client is answered.
pub struct Answer {
    /// Whether it is a refusal: errors and no data.
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
    /// Of three roots, and of readers for the lists of rows in their arguments.
    pub(crate) fn new<Q, M, S>(query: Q, mutation: M, subscription: S, readers: RowReaders, limits: &Limits) -> Self
    where
        Q: ObjectType + Clone + 'static,
        M: ObjectType + Clone + 'static,
        S: SubscriptionType + Clone + 'static,
    {
        let documents = Documents::new(&query, &mutation, &subscription, readers, &limits.document);
        // What it gets is validated.
        let schema = Schema::build(query, mutation, subscription)
            .validation_mode(ValidationMode::Fast)
            .limit_recursive_depth(usize::MAX)
            .finish();
        let (limits, pages) = (limits.document, limits.page);
        Self { schema: Box::new(schema), documents, persisted: Persisted::new(None), limits, pages }
    }

    /// The same, that runs trusted documents alone.
    #[must_use]
    pub fn trusting(self, trusted: Trusted) -> Self {
        Self { persisted: Persisted::new(Some(trusted)), ..self }
    }
    /// The schema in its own language.
    pub(crate) fn sdl(&self) -> String {
        self.schema.sdl()
    }

    /// The types of the schema, those of introspection too.
    pub(crate) fn registry(&self) -> &Registry {
        self.documents.registry()
    }

    /// Judges a document, whichever of its operations is to run.
    pub(crate) fn validate(&self, document: &str) -> Result<(), Error> {
        let judged = self.documents.get(document).map(drop);
        judged.map_err(|mut errors| errors.swap_remove(0))
    }

    /// All that [`Operation::root`] may be.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &str> {
        root::names(self.registry())
    }

    /// Everything that can be judged before anything runs.
    pub fn prepare(&self, request: Request<'_>) -> Result<Operation, Vec<Error>> {
        let text = self.persisted.text(&request).map_err(|error| vec![error])?;
        let document = self.documents.get(&text)?;
        self.persisted.keep(&request, &text);
        let (name, operation) = document.operation(request.operation_name.as_deref()).map_err(|error| vec![error])?;
        let kind = match operation.node.ty {
            OperationType::Query => Kind::Query,
            OperationType::Mutation => Kind::Mutation,
            OperationType::Subscription => Kind::Subscription,
        };
        let name = name.map(str::to_owned);
        let mut rows = Carried::default();
        let fragments = &document.parsed.fragments;
        let (readers, raw) = (self.documents.readers(), request.variables);
        let variables = variables::coerce(self.registry(), &operation.node, fragments, raw, readers, &mut rows)?;
        let cost = cost::cost(self.registry(), &document.parsed, &operation.node, &variables, &self.pages);
        let most = self.limits.complexity;
        if cost > most {
            let message =
                format!("the response can have {cost} fields, at most {most} are allowed (MEMBERBASE_MAX_COMPLEXITY)");
            return Err(vec![Error::new(Code::LimitExceeded, message)]);
        }
        Ok(Operation { kind, name, document, variables, rows, cost, tells_cost: false })
    }

    /// Runs an operation; `data` is what its resolvers find in their context.
    pub async fn run(&self, operation: Operation, mut data: Data, trace_id: &str) -> Answer {
        let Operation { name, document, variables, rows, cost, tells_cost, .. } = operation;
        let (document, plan) = match self.planned(&document, name.as_deref(), &variables) {
            Ok(planned) => planned,
            Err(errors) => return refusal(&errors, trace_id),
        };
        data.insert(rows);
        let mut request = async_graphql::Request::new(String::new()).variables(variables);
        request.data = data;
        request.set_parsed_query(document);
        match AssertUnwindSafe(self.schema.execute(request)).catch_unwind().await {
            Ok(response) => {
                let mut answer = answer(&plan, response, &self.limits, trace_id);
                if tells_cost && !answer.refused {
                    write::add_cost(&mut answer.body, cost);
                }
                answer
            }
            Err(_) => {
                tracing::error!(trace_id, "resolver panicked");
                refusal(&[Error::new(Code::InternalServerError, "internal error")], trace_id)
            }
        }
    }

    /// The document in the form that async-graphql runs as the specification says, and the plan of its answer; or what
    /// its variables make wrong of its arguments.
    fn planned(
        &self,
        document: &Document,
        name: Option<&str>,
        variables: &Variables,
    ) -> Result<(ExecutableDocument, Plan), Vec<Error>> {
        let registry = self.registry();
        let operation = document.operation(name).map_err(|error| vec![error])?.1;
        let mut flat = plan::flatten(registry, &document.parsed, operation, variables).ok_or_else(|| {
            let message = "the operation has too many selections after its fragments are merged";
            vec![Error::new(Code::LimitExceeded, message)]
        })?;
        let plan = Plan::new(registry, &document.parsed, &operation.node, variables);
        let ExecutableDocument { operations, fragments } = &mut flat;
        if let DocumentOperations::Single(operation) = operations {
            variables::drop_absent(&mut operation.node, fragments, variables);
            if document.open {
                let readers = self.documents.readers();
                document::check_given(registry, readers, &operation.node, variables, self.limits.errors)?;
            }
        }
        Ok((flat, plan))
    }
}

/// What a response is to a client.
fn answer(plan: &Plan, response: Response, limits: &DocumentLimits, trace_id: &str) -> Answer {
    let completed = complete::complete(plan, response.data, &response.errors);
    let mut failed = response.errors;
    if let Some(fault) = completed.fault {
        tracing::error!(fault, trace_id, "response does not match the schema");
        return refusal(&[Error::new(Code::InternalServerError, "internal error")], trace_id);
    }
    failed.sort_by(|a, b| a.locations.cmp(&b.locations));
    let (errors, codes) = write::errors(failed, trace_id, limits.errors);
    Answer { refused: false, body: write::write(&completed.data, &errors), codes }
}

/// An answer of errors alone.
pub(crate) fn refusal(errors: &[Error], trace_id: &str) -> Answer {
    Answer { refused: true, body: write::refusal(errors, trace_id), codes: errors.iter().map(Error::code).collect() }
}

#[cfg(test)]
mod tests;
