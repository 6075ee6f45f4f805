//! GraphQL errors: the mapping from domain errors to codes and messages.

use async_graphql::{ErrorExtensionValues, Pos, Value, indexmap::IndexMap, resolver_utils::enum_value};

use super::bulk;
use crate::{
    budget::Exceeded,
    domain::{self, InputPath, Step},
    types::{bounded_message, excerpt},
};

/// The value of `extensions.code`, which clients branch on. `docs/errors.md` describes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The document is not valid GraphQL syntax.
    GraphqlParseFailed,
    /// The document is not valid against the schema or the validation rules.
    GraphqlValidationFailed,
    /// A variable, argument, id, cursor, filter or row is invalid.
    BadUserInput,
    /// The request has no valid token.
    Unauthenticated,
    /// The token's access level does not permit the operation.
    Forbidden,
    /// The object does not exist or is not visible to the token.
    NotFound,
    /// The current state does not permit the operation.
    Conflict,
    /// A document, list or budget exceeds its limit, or a maximum that the caller set.
    LimitExceeded,
    /// The request does not conform to GraphQL over HTTP.
    BadRequest,
    /// The body exceeds the size limit.
    PayloadTooLarge,
    /// The token sends too many requests.
    RateLimited,
    /// The database is unavailable, the server is overloaded, or contention outlasted the retries.
    ServiceUnavailable,
    /// The request exceeded its time limit.
    Timeout,
    /// The server does not have the automatic persisted query.
    PersistedQueryNotFound,
    /// A fault in the server.
    InternalServerError,
}

impl Code {
    /// All codes, in the order of the documentation.
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

    /// Returns the value of `extensions.code`.
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

    /// Returns true if the same request can succeed later.
    pub fn retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::ServiceUnavailable | Self::Timeout)
    }
}

/// An error in its published form. It has no `Display`: async-graphql would turn every error with one into a public message.
/// Therefore `?` on a `DbErr` in a resolver does not compile.
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    details: IndexMap<&'static str, Value>,
    /// A boxed slice is smaller than a vector, which matters for results that are moved often.
    locations: Box<[Pos]>,
}

impl Error {
    /// Creates an error. The message is in lower case, without a full stop; more than 1,000 characters of it are cut.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: bounded_message(message.into()).into_owned(),
            details: IndexMap::new(),
            locations: Box::default(),
        }
    }

    /// Creates a `BAD_USER_INPUT` error with a path in the variables or arguments.
    pub(crate) fn bad_input(path: &InputPath, message: impl Into<String>) -> Self {
        Self::new(Code::BadUserInput, message).within(path)
    }

    /// Adds a path in the variables or arguments, with at most 100 characters of each name.
    #[must_use]
    pub(crate) fn within(mut self, path: &InputPath) -> Self {
        if !path.is_empty() {
            self.details.insert("path", path.iter().map(step).collect());
        }
        self
    }

    /// Puts the path before the message, for responses whose errors have no path.
    pub(crate) fn with_path_in_message(mut self) -> Self {
        let Some(Value::List(path)) = self.details.shift_remove("path") else { return self };
        let step = |step: &Value| match step {
            Value::String(name) => name.clone(),
            other => other.to_string(),
        };
        let path: Vec<_> = path.iter().map(step).collect();
        self.message = bounded_message(format!("{}: {}", path.join("."), self.message)).into_owned();
        self
    }

    /// Adds a location in the document; line and column count from 1.
    #[must_use]
    pub(crate) fn at(mut self, line: usize, column: usize) -> Self {
        self.locations = self.locations.iter().copied().chain([Pos { line, column }]).collect();
        self
    }

    /// Returns the locations in the document.
    pub(crate) fn locations(&self) -> &[Pos] {
        &self.locations
    }

    pub fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the `extensions`: `code`, `retryable` and the details.
    pub(crate) fn extensions(&self) -> ErrorExtensionValues {
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
            Domain::OverBudget(exceeded) => exceeded.into(),
            Domain::Timeout => Self::new(Code::Timeout, "the request exceeded its time limit"),
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
                Self::new(Code::InternalServerError, "internal error")
            }
        }
    }
}

impl From<Exceeded> for Error {
    fn from(exceeded: Exceeded) -> Self {
        let code = match exceeded {
            Exceeded::Memory { .. } => Code::LimitExceeded,
            Exceeded::ProcessMemory => Code::ServiceUnavailable,
            Exceeded::Time => Code::Timeout,
        };
        Self::new(code, exceeded.to_string())
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
        "message": (error.message()),
        "path": (error.path().collect::<Vec<_>>()),
    })
}

fn step(step: &Step) -> Value {
    match step {
        Step::Field(name) => excerpt(name).into(),
        Step::Index(index) => (*index).into(),
    }
}
