//! The way of a request through async-graphql: read, parsed, bounded and validated before anything runs.

mod document;
mod request;

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Data, EmptySubscription, ErrorExtensionValues, ObjectType, Response, Schema, ServerError, ValidationMode,
    Variables, parser::types::OperationType, registry::Registry,
};
use futures_util::FutureExt;

use self::document::{Document, Documents, presentable};
pub use self::request::Request;
use super::{Code, Error};
use crate::types::{DocumentLimits, Limits};

/// Prepares and runs operations of one schema.
pub struct Executor<Q, M> {
    schema: Schema<Q, M, EmptySubscription>,
    documents: Documents<Q, M>,
    limits: DocumentLimits,
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
}

impl Operation {
    /// What it does.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name in the document.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// What a client is answered.
pub struct Answer {
    /// Whether it is a refusal: errors and no data.
    pub refused: bool,
    /// JSON.
    pub body: Vec<u8>,
    /// The codes of its errors.
    pub codes: Vec<Code>,
}

impl<Q: ObjectType + Clone + 'static, M: ObjectType + Clone + 'static> Executor<Q, M> {
    /// Of two roots.
    pub fn new(query: Q, mutation: M, limits: &Limits) -> Self {
        let documents = Documents::new(&query, &mutation, &limits.document);
        // What it gets is validated.
        let schema = Schema::build(query, mutation, EmptySubscription)
            .validation_mode(ValidationMode::Fast)
            .limit_recursive_depth(usize::MAX)
            .finish();
        Self { schema, documents, limits: limits.document }
    }
}

impl<Q: ObjectType + 'static, M: ObjectType + 'static> Executor<Q, M> {
    /// The schema in its own language.
    pub fn sdl(&self) -> String {
        self.schema.sdl()
    }

    /// The types of the schema, those of introspection too.
    pub fn registry(&self) -> &Registry {
        self.documents.registry()
    }

    /// Everything that can be judged before anything runs.
    pub fn prepare(&self, request: Request<'_>) -> Result<Operation, Vec<Error>> {
        let document = self.documents.get(&request.query)?;
        let (name, operation) = document.operation(request.operation_name.as_deref()).map_err(|error| vec![error])?;
        let kind = match operation.ty {
            OperationType::Query => Kind::Query,
            OperationType::Mutation => Kind::Mutation,
            OperationType::Subscription => Kind::Subscription,
        };
        let name = name.map(str::to_owned);
        // `variables::coerce(self.registry(), operation, request.variables)` takes this place.
        let variables = match request.variables {
            None => Variables::default(),
            Some(text) => Variables::from_json(serde_json::from_str(text.get()).map_err(|error| {
                vec![Error::new(Code::BadUserInput, format!("the variables can't be read: {error}"))]
            })?),
        };
        Ok(Operation { kind, name, document, variables })
    }

    /// Runs an operation; `data` is what its resolvers find in their context.
    pub async fn run(&self, operation: Operation, data: Data, trace_id: &str) -> Answer {
        let mut request = async_graphql::Request::new(String::new()).variables(operation.variables);
        request.operation_name = operation.name;
        request.data = data;
        request.set_parsed_query(operation.document.parsed.clone());
        match AssertUnwindSafe(self.schema.execute(request)).catch_unwind().await {
            Ok(response) => answer(response, &self.limits, trace_id),
            Err(_) => {
                tracing::error!(trace_id, "a resolver panicked");
                refusal(&[Error::new(Code::InternalServerError, "internal error")], trace_id)
            }
        }
    }
}

/// What a response is to a client. `complete` and `write` take this place.
fn answer(mut response: Response, limits: &DocumentLimits, trace_id: &str) -> Answer {
    response.errors.truncate(limits.errors.max(1));
    let codes = response.errors.iter_mut().map(|error| settle(error, trace_id)).collect();
    match serde_json::to_vec(&response) {
        Ok(body) => Answer { refused: false, body, codes },
        Err(cause) => {
            tracing::error!(%cause, trace_id, "an answer could not be written");
            refusal(&[Error::new(Code::InternalServerError, "internal error")], trace_id)
        }
    }
}

/// Gives an error what every error has. What has no code is async-graphql's, of an argument that it could not read.
fn settle(error: &mut ServerError, trace_id: &str) -> Code {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    let known = extensions.get("code").and_then(|code| Code::ALL.into_iter().find(|it| *code == it.as_str().into()));
    let code = known.unwrap_or_else(|| {
        if error.message.starts_with("Data `") {
            // A resolver misses something in its context; the message has the name of a Rust type.
            tracing::error!(cause = error.message, trace_id, "internal error");
            error.message = "internal error".to_owned();
            return Code::InternalServerError;
        }
        error.message = essential(&error.message);
        Code::BadUserInput
    });
    extensions.set("code", code.as_str());
    extensions.set("retryable", code.retryable());
    extensions.set("traceId", trace_id);
    code
}

/// The message without the frame that async-graphql puts around it:
/// `Failed to parse "Outer": ... (occurred while parsing "Inner")`.
fn essential(message: &str) -> String {
    let mut message = message;
    while let Some((_, inner)) = message.strip_prefix("Failed to parse \"").and_then(|rest| rest.split_once("\": ")) {
        message = inner;
    }
    if let Some((inner, _)) = message.split_once(" (occurred while parsing \"") {
        message = inner;
    }
    presentable(message)
}

/// An answer of errors alone.
pub fn refusal(errors: &[Error], trace_id: &str) -> Answer {
    let list: Vec<_> = errors
        .iter()
        .map(|error| {
            let mut extensions = error.extensions();
            extensions.set("traceId", trace_id);
            let mut json = serde_json::json!({"message": error.message(), "extensions": extensions});
            if !error.locations().is_empty() {
                json["locations"] = serde_json::json!(error.locations());
            }
            json
        })
        .collect();
    let body = serde_json::json!({"errors": list}).to_string().into_bytes();
    Answer { refused: true, body, codes: errors.iter().map(Error::code).collect() }
}

#[cfg(test)]
mod tests;
