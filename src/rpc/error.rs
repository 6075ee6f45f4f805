//! RPC errors: the mapping from domain errors to codes, HTTP statuses and messages.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    budget::Exceeded,
    domain::{self, RowError, RowErrorCode},
    types::bounded_message,
};

#[derive(Debug)]
pub struct Error {
    code: Code,
    message: String,
    data: Map<String, Value>,
}

/// The response body of every failed call.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct Envelope<'a> {
    error: Failure<'a>,
}

#[derive(Serialize, ToSchema)]
struct Failure<'a> {
    /// Error code: one of the codes of the response's status.
    code: &'a str,
    /// Description of the error for people. Not for programs: it can change.
    message: &'a str,
    /// For a bulk call with invalid rows: `failures`, the first 100 of them, each with `index`, `code`, `message` and
    /// `path`, and `failure_count`. Otherwise empty.
    data: &'a Map<String, Value>,
    /// Trace id of the request, as in the server's log: 32 hexadecimal digits.
    trace_id: &'a str,
}

/// Error codes of the original API. [`Code::meaning`] describes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    InvalidAttributeKey,
    InvalidSchemaModification,
    AuthenticationError,
    AuthorizationError,
    NotFound,
    MethodNotAllowed,
    Conflict,
    PayloadTooLarge,
    UnsupportedMediaType,
    RateLimited,
    ServiceUnavailable,
    InternalError,
}

impl Code {
    pub(crate) const ALL: [Self; 13] = [
        Self::BadRequest,
        Self::InvalidAttributeKey,
        Self::InvalidSchemaModification,
        Self::AuthenticationError,
        Self::AuthorizationError,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::ServiceUnavailable,
        Self::InternalError,
    ];

    /// Returns the published form of the code.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::InvalidAttributeKey => "invalid_attribute_key",
            Self::InvalidSchemaModification => "invalid_schema_modification",
            Self::AuthenticationError => "authentication_error",
            Self::AuthorizationError => "authorization_error",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RateLimited => "rate_limited",
            Self::ServiceUnavailable => "service_unavailable",
            Self::InternalError => "internal_error",
        }
    }

    /// Returns the description for the OpenAPI document.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::BadRequest => "the request is malformed or a value is invalid",
            Self::InvalidAttributeKey => "an attribute key is not declared in the schema of the memberbase",
            Self::InvalidSchemaModification => {
                "members have values for an attribute that the new schema removes or gives another type"
            }
            Self::AuthenticationError => "the request has no valid API token",
            Self::AuthorizationError => "the token's access level does not permit the call",
            Self::NotFound => "the object does not exist, or the token has no access to it",
            Self::MethodNotAllowed => "the method is not POST",
            Self::Conflict => "the current state does not permit the call",
            Self::PayloadTooLarge => "the body exceeds the size limit",
            Self::UnsupportedMediaType => {
                "the content type is not application/json, or the content encoding is not gzip, br or zstd"
            }
            Self::RateLimited => "too many requests; retry after the time in `Retry-After`",
            Self::ServiceUnavailable => {
                "the server is overloaded, its database is unavailable, the call keeps conflicting with other calls, or it has \
                exceeded its time limit; retry"
            }
            Self::InternalError => "a fault in the server; the log has details by trace id",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::InvalidAttributeKey | Self::InvalidSchemaModification => StatusCode::BAD_REQUEST,
            Self::AuthenticationError => StatusCode::UNAUTHORIZED,
            Self::AuthorizationError => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: bounded_message(message.into()).into_owned(), data: Map::new() }
    }

    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the response body of the failed call.
    pub(crate) fn envelope(&self, trace_id: &str) -> Vec<u8> {
        let Self { code, message, data } = self;
        let error = Failure { code: code.as_str(), message, data, trace_id };
        serde_json::to_vec(&Envelope { error }).expect("texts and JSON are JSON")
    }
}

impl From<Exceeded> for Error {
    fn from(exceeded: Exceeded) -> Self {
        let code = match exceeded {
            Exceeded::Memory { .. } => Code::BadRequest,
            Exceeded::ProcessMemory | Exceeded::Time => Code::ServiceUnavailable,
        };
        Self::new(code, exceeded.to_string())
    }
}

impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        use domain::Error as Domain;
        match error {
            Domain::BadInput { message, .. } | Domain::LimitExceeded(message) => Self::new(Code::BadRequest, message),
            Domain::BadRows { failures, count } => bad_rows(&failures, count),
            Domain::Unauthenticated => Self::new(Code::AuthenticationError, "a valid API token is required"),
            Domain::Forbidden(message) => Self::new(Code::AuthorizationError, message),
            Domain::NotFound(message) => Self::new(Code::NotFound, message),
            Domain::Conflict(message) => Self::new(Code::Conflict, message),
            Domain::OverBudget(exceeded) => exceeded.into(),
            Domain::Timeout => Self::new(Code::ServiceUnavailable, "the request exceeded its time limit"),
            Domain::Unavailable(cause) => {
                tracing::warn!(%cause, "the database is unavailable");
                Self::new(Code::ServiceUnavailable, "the database is unavailable, try again later")
            }
            Domain::Contention(cause) => {
                tracing::warn!(%cause, "contention outlasted the retries");
                Self::new(Code::ServiceUnavailable, "the call keeps conflicting with other calls, try again later")
            }
            Domain::Internal(cause) => {
                tracing::error!(%cause, "internal error");
                Self::new(Code::InternalError, "internal error")
            }
        }
    }
}

fn bad_rows(failures: &[(usize, RowError)], count: usize) -> Error {
    let rows = if count == 1 { "1 row is".to_owned() } else { format!("{count} rows are") };
    let failure = |(index, error): &(usize, RowError)| {
        let (path, message) = published_path(error);
        json!({"index": index, "code": row_code(error.code), "message": message, "path": path})
    };
    let listed: Vec<_> = failures.iter().map(failure).collect();
    let data = [("failures".to_owned(), json!(listed)), ("failure_count".to_owned(), json!(count))];
    let code = match failures {
        [(_, RowError { code: RowErrorCode::UnknownAttribute, .. }), ..] => Code::InvalidAttributeKey,
        _ => Code::BadRequest,
    };
    Error { code, message: format!("{rows} invalid, so nothing was stored"), data: data.into_iter().collect() }
}

/// Returns the path and message of a row's failure with the field names of this API, which are in snake case. Path entries
/// after the first are attribute keys and stay unchanged.
fn published_path(error: &RowError) -> (Vec<String>, String) {
    let field = snake_case(error.field());
    let message = match error.message().strip_prefix(error.field()) {
        Some(rest) if rest.starts_with(':') => format!("{field}{rest}"),
        _ => error.message().to_owned(),
    };
    let attribute = error.path().skip(1).map(str::to_owned);
    (std::iter::once(field).chain(attribute).collect(), message)
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len());
    for char in name.chars() {
        if char.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}

fn row_code(code: RowErrorCode) -> &'static str {
    match code {
        RowErrorCode::InvalidRef => "invalid_ref",
        RowErrorCode::InvalidValue => "invalid_value",
        RowErrorCode::UnknownAttribute => "unknown_attribute",
        RowErrorCode::InvalidAttributeType => "invalid_attribute_type",
        RowErrorCode::UnknownMember => "unknown_member",
        RowErrorCode::MemberMismatch => "member_mismatch",
    }
}
