//! Requests that are rejected before their operation runs.

use axum::{
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{ALLOW, CONNECTION},
    },
    response::Response,
};

use super::{negotiate::MediaType, response, trace_id::TraceId};
use crate::{
    budget::Exceeded,
    domain,
    graphql::{
        Code, Error,
        execute::{self, GraphqlResponse},
    },
};

/// The reason why a request is not executed.
#[derive(Debug)]
pub(super) struct Rejection {
    errors: Vec<Error>,
    /// `None` if it follows from the codes.
    pub(super) status: Option<StatusCode>,
    pub(super) header: Option<(HeaderName, &'static str)>,
    close: bool,
}

impl Rejection {
    /// Creates a rejection whose status is not that of its code.
    pub(super) fn with_status(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status: Some(status), ..Self::from(Error::new(code, message)) }
    }

    /// Creates a rejection of the method; `allow` lists the allowed ones (RFC 9110, section 10.2.1).
    pub(super) fn method(allow: &'static str, message: impl Into<String>) -> Self {
        let rejection = Self::with_status(StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, message);
        rejection.with_header(ALLOW, allow)
    }

    /// Creates the rejection of a request whose handler panicked, and logs it.
    pub(super) fn panicked() -> Self {
        tracing::error!("request handler panicked");
        Error::new(Code::InternalServerError, "internal error").into()
    }

    /// Adds a header to the response.
    #[must_use]
    pub(super) fn with_header(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// Closes the connection after the response if `close` is true. Needed if the body is not read.
    #[must_use]
    pub(super) fn close_after(self, close: bool) -> Self {
        Self { close, ..self }
    }

    /// Returns true if the response has an error status in every media type.
    pub(super) fn has_http_status(&self) -> bool {
        self.status.is_some() || self.errors.iter().any(|error| response::http_status(error.code()).is_some())
    }

    /// Returns the code and message of the first error.
    pub(super) fn first_error(&self) -> (Code, String) {
        let first = self.errors.first();
        first.map_or((Code::InternalServerError, String::new()), |error| (error.code(), error.message().to_owned()))
    }

    /// Returns the GraphQL response.
    pub(super) fn answer(&self, trace: &TraceId) -> GraphqlResponse {
        execute::request_error(&self.errors, trace.as_str())
    }

    /// Returns the HTTP response.
    pub(super) fn respond(self, media: MediaType, trace: &TraceId) -> Response {
        let mut response = response::respond(media, self.answer(trace), trace, None);
        if let Some(status) = self.status {
            *response.status_mut() = status;
        }
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if self.close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Vec<Error>> for Rejection {
    fn from(errors: Vec<Error>) -> Self {
        Self { errors, status: None, header: None, close: false }
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        vec![error].into()
    }
}

impl From<Exceeded> for Rejection {
    fn from(exceeded: Exceeded) -> Self {
        Error::from(exceeded).into()
    }
}

impl From<domain::Error> for Rejection {
    fn from(error: domain::Error) -> Self {
        Error::from(error).into()
    }
}
