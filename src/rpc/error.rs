//! From what went wrong to what a client of the original API is told.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::domain::{self, RowError, RowErrorCode};

/// Why a call failed.
#[derive(Debug)]
pub struct Error {
    code: Code,
    message: String,
    data: Value,
}

/// The codes of the original API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request.
    BadRequest,
    /// The key of an attribute that the schema does not have.
    InvalidAttributeKey,
    /// A key of the schema that is in use.
    InvalidSchemaModification,
    /// No valid token.
    AuthenticationError,
    /// The token does not reach so far.
    AuthorizationError,
    /// What is to be worked on does not exist.
    NotFound,
    /// Another method than POST.
    MethodNotAllowed,
    /// The state stands against it.
    Conflict,
    /// The body is over its limit.
    PayloadTooLarge,
    /// A body that is not JSON.
    UnsupportedMediaType,
    /// Too many requests.
    RateLimited,
    /// Load, or the database.
    ServiceUnavailable,
    /// A fault of ours.
    InternalError,
}

impl Code {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
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

    /// Its status.
    pub fn status(self) -> StatusCode {
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
    /// An error without data.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: json!({}) }
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The envelope that every failed call is answered with.
    pub fn envelope(&self, trace_id: &str) -> Vec<u8> {
        let Self { code, message, data } = self;
        let error = json!({"code": code.as_str(), "message": message, "data": data, "trace_id": trace_id});
        json!({ "error": error }).to_string().into_bytes()
    }
}

impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        use domain::Error as Domain;
        match error {
            Domain::BadInput { message, .. } | Domain::LimitExceeded(message) => Self::new(Code::BadRequest, message),
            Domain::BadRows { failures, count } => bad_rows(&failures, count),
            Domain::Unauthenticated => Self::new(Code::AuthenticationError, "a valid API token is needed"),
            Domain::Forbidden(message) => Self::new(Code::AuthorizationError, message),
            Domain::NotFound(message) => Self::new(Code::NotFound, message),
            Domain::Conflict(message) => Self::new(Code::Conflict, message),
            Domain::Timeout => Self::new(Code::ServiceUnavailable, "the request took longer than it may"),
            Domain::Unavailable(cause) => {
                tracing::warn!(%cause, "the database is not available");
                Self::new(Code::ServiceUnavailable, "the database is not available, try again")
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
        let path = path(&error.path);
        json!({"index": index, "code": row_code(error.code), "message": error.message, "path": path})
    };
    let told: Vec<_> = failures.iter().map(failure).collect();
    let data = json!({"failures": told, "failure_count": count});
    let code = match failures {
        [(_, RowError { code: RowErrorCode::UnknownAttribute, .. }), ..] => Code::InvalidAttributeKey,
        _ => Code::BadRequest,
    };
    Error { code, message: format!("{rows} bad, and so nothing was stored"), data }
}

/// A place in a row, whose fields have other names here; below them are keys of attributes.
fn path(path: &[String]) -> Vec<String> {
    let mut path = path.to_vec();
    if let Some(field) = path.first_mut() {
        *field = field.chars().fold(String::new(), |mut name, char| {
            if char.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(char.to_ascii_lowercase());
            name
        });
    }
    path
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
