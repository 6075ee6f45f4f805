//! The one table from what went wrong to what a client is told.

use async_graphql::{ErrorExtensionValues, Pos, Value, indexmap::IndexMap, resolver_utils::enum_value};

use super::bulk;
use crate::domain::{self, InputPath, Step};

/// What a client branches on: `extensions.code`. `docs/errors.md` says of each what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The document is no GraphQL.
    GraphqlParseFailed,
    /// The document does not fit the schema.
    GraphqlValidationFailed,
    /// Variables, arguments, ids, cursors, filters, rows.
    BadUserInput,
    /// No valid token.
    Unauthenticated,
    /// The token does not reach so far.
    Forbidden,
    /// What is to be worked on does not exist.
    NotFound,
    /// The state stands against it.
    Conflict,
    /// A document or list over a limit, or a guard of the caller's.
    LimitExceeded,
    /// Not GraphQL over HTTP.
    BadRequest,
    /// The body is over its limit.
    PayloadTooLarge,
    /// Too many requests.
    RateLimited,
    /// The database can't be reached, or the server is too busy.
    ServiceUnavailable,
    /// The request's time ran out.
    Timeout,
    /// An automatic persisted query that the server does not have.
    PersistedQueryNotFound,
    /// A fault of ours.
    InternalServerError,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::GraphqlParseFailed,
        Self::GraphqlValidationFailed,
        Self::BadUserInput,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::LimitExceeded,
        Self::BadRequest,
        Self::PayloadTooLarge,
        Self::RateLimited,
        Self::ServiceUnavailable,
        Self::Timeout,
        Self::PersistedQueryNotFound,
        Self::InternalServerError,
    ];

    /// As it stands in `extensions.code`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::BadRequest => "BAD_REQUEST",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::RateLimited => "RATE_LIMITED",
            Self::ServiceUnavailable => "SERVICE_UNAVAILABLE",
            Self::Timeout => "TIMEOUT",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::InternalServerError => "INTERNAL_SERVER_ERROR",
        }
    }

    /// Whether the same request may succeed later.
    pub fn retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::ServiceUnavailable | Self::Timeout)
    }
}

/// An error as a client sees it. It has no `Display`: async-graphql turns whatever has one into a public message, and
/// so a bare `?` on a `DbErr` in a resolver does not compile.
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    details: IndexMap<&'static str, Value>,
    /// A box and no vector: errors are moved about in results.
    locations: Box<[Pos]>,
}

impl Error {
    /// An error with a code and a message: lower case, no full stop.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: IndexMap::new(), locations: Box::default() }
    }

    /// Bad input at a place in the variables or arguments.
    pub fn bad_input(path: &InputPath, message: impl Into<String>) -> Self {
        Self::new(Code::BadUserInput, message).within(path)
    }

    /// Adds a place in the variables or arguments.
    #[must_use]
    pub fn within(mut self, path: &InputPath) -> Self {
        if !path.is_empty() {
            self.details.insert("path", path.iter().map(step).collect());
        }
        self
    }

    /// The same, at a place in the document: both count from one. An error may have several.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.locations = self.locations.iter().copied().chain([Pos { line, column }]).collect();
        self
    }

    /// Its places in the document.
    pub fn locations(&self) -> &[Pos] {
        &self.locations
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What `extensions` hold: `code`, `retryable` and the details.
    pub fn extensions(&self) -> ErrorExtensionValues {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", self.code.as_str());
        extensions.set("retryable", self.code.retryable());
        for (key, value) in &self.details {
            extensions.set(*key, value.clone());
        }
        extensions
    }
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        let extensions = Some(error.extensions());
        Self { message: error.message, source: None, extensions }
    }
}

impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        use domain::Error as Domain;
        match error {
            Domain::BadInput { message, path } => Self::bad_input(&path, message),
            Domain::BadRows { failures, count } => bad_rows(&failures, count),
            Domain::Unauthenticated => Self::new(Code::Unauthenticated, "a valid API token is required"),
            Domain::Forbidden(message) => Self::new(Code::Forbidden, message),
            Domain::NotFound(message) => Self::new(Code::NotFound, message),
            Domain::Conflict(message) => Self::new(Code::Conflict, message),
            Domain::LimitExceeded(message) => Self::new(Code::LimitExceeded, message),
            Domain::Timeout => Self::new(Code::Timeout, "the request exceeded its time limit"),
            Domain::Unavailable(cause) => {
                tracing::warn!(%cause, "the database is unavailable");
                Self::new(Code::ServiceUnavailable, "the database is unavailable, try again later")
            }
            Domain::Internal(cause) => {
                tracing::error!(%cause, "internal error");
                Self::new(Code::InternalServerError, "internal error")
            }
        }
    }
}

fn bad_rows(failures: &[(usize, domain::RowError)], count: usize) -> Error {
    let rows = if count == 1 { "1 row is".to_owned() } else { format!("{count} rows are") };
    let mut error = Error::new(Code::BadUserInput, format!("{rows} invalid, so nothing was stored"));
    error.details.insert("failureCount", Value::from(count));
    error.details.insert("failures", failures.iter().map(failure).collect());
    error
}

fn failure((index, error): &(usize, domain::RowError)) -> Value {
    async_graphql::value!({
        "index": (*index),
        "code": (enum_value(bulk::RowErrorCode::from(error.code))),
        "message": (error.message.clone()),
        "path": (error.path.clone()),
    })
}

fn step(step: &Step) -> Value {
    match step {
        Step::Field(name) => name.as_str().into(),
        Step::Index(index) => (*index).into(),
    }
}
