//! Failures of imports, whose errors are no GraphQL responses.

use axum::http::StatusCode;

use super::{rejection::Rejection, response};
use crate::{
    budget::Exceeded,
    domain,
    graphql::{Code, Error},
    types::bounded_message,
};

/// The reason why an import ended before its end.
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
