//! Failures of imports and exports, whose errors are no GraphQL responses.

use axum::{
    http::{HeaderValue, StatusCode},
    response::Response,
};
use serde::Serialize;

use super::{rejection::Rejection, response, trace_id::TraceId};
use crate::{
    budget::Exceeded,
    domain,
    graphql::{Code, Error},
    types::bounded_message,
};

/// The reason why an import or an export ended before its end.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: bounded_message(message.into()).into_owned() }
    }

    /// Returns the status of a response whose only result is this failure.
    pub(super) fn status(&self) -> StatusCode {
        response::http_status(self.code).unwrap_or(match self.code {
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Conflict | Code::LimitExceeded => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.message())
    }
}

impl From<domain::Error> for Failure {
    fn from(error: domain::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Exceeded> for Failure {
    fn from(exceeded: Exceeded) -> Self {
        Error::from(exceeded).into()
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let (code, message) = rejection.first_error();
        Self { code, message }
    }
}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        Self::with_status(failure.status(), failure.code, failure.message)
    }
}

/// The body of a response to an export that did not begin. The fields are those of the event of an import.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    event: &'static str,
    code: &'static str,
    message: &'a str,
    retryable: bool,
    trace_id: &'a str,
}

/// Returns the response of a rejection as a JSON object.
pub(super) fn respond(rejection: Rejection, trace: &TraceId) -> Response {
    let (status, header) = (rejection.status, rejection.header.clone());
    let failure = Failure::from(rejection);
    let Failure { code, message } = &failure;
    let (retryable, trace_id) = (code.retryable(), trace.as_str());
    let body = Body { event: "failed", code: code.as_str(), message, retryable, trace_id };
    let body = serde_json::to_vec(&body).expect("texts are JSON");
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    let mut response = response::build(status.unwrap_or_else(|| failure.status()), json, body, Some(code.as_str()));
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
