//! What can go wrong, grouped by what the caller can do about it.

use std::fmt;

use crate::db::DbErrorKind;

/// Why an operation of the domain did not happen. Nothing of it was stored.
#[derive(Debug)]
pub enum Error {
    /// The caller asked for something that makes no sense; asked differently it works.
    BadInput {
        /// What was wrong and what was expected.
        message: String,
        /// Where in the operation's input, from its top; empty where it is about no single place.
        path: InputPath,
    },
    /// Rows of a bulk call are bad, and the call wanted all or nothing.
    BadRows {
        /// The first of them, each with its place in the input.
        failures: Vec<(usize, RowError)>,
        /// How many there are.
        count: usize,
    },
    /// No token, or none that is valid.
    Unauthenticated,
    /// The token does not reach so far.
    Forbidden(String),
    /// What is to be worked on does not exist, or not for this token.
    NotFound(String),
    /// The state stands against it.
    Conflict(String),
    /// A guard that the caller set, or a limit of the server, stands against it.
    LimitExceeded(String),
    /// The request's time ran out.
    Timeout,
    /// The database can't be reached or has no room; later it may work.
    Unavailable(sea_orm::DbErr),
    /// A fault of ours.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// A place in an input.
pub type InputPath = Vec<Step>;

/// A step down into an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a field.
    Field(String),
    /// Into a list.
    Index(usize),
}

/// Why one row of a bulk call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The kind.
    pub code: RowErrorCode,
    /// What was wrong and what was expected.
    pub message: String,
    /// Where in the row.
    pub path: Vec<String>,
}

/// The kinds of failure that a row can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowErrorCode {
    /// A ref that can't exist: empty, too long or with NUL.
    InvalidRef,
    /// A value that its field can't hold.
    InvalidValue,
    /// An attribute that the schema of the memberbase does not declare.
    UnknownAttribute,
    /// A value that is not of the type that its attribute is declared with.
    InvalidAttributeType,
    /// A member that is not in the memberbase.
    UnknownMember,
    /// A member other than the one to whom the thing belongs for good.
    MemberMismatch,
}

impl Error {
    /// Bad input at a field of the operation's input.
    pub fn bad_input(field: &str, message: impl fmt::Display) -> Self {
        Self::BadInput { message: message.to_string(), path: vec![Step::Field(field.to_owned())] }
    }

    /// The same error, of an entry of the list at its place.
    #[must_use]
    pub fn at(self, index: usize) -> Self {
        match self {
            Self::BadInput { message, mut path } => {
                path.push(Step::Index(index));
                Self::BadInput { message, path }
            }
            other => other,
        }
    }

    /// The same error, deeper: its path continues that of `field`.
    #[must_use]
    pub fn within(self, field: &str) -> Self {
        match self {
            Self::BadInput { message, mut path } => {
                path.insert(0, Step::Field(field.to_owned()));
                Self::BadInput { message, path }
            }
            other => other,
        }
    }
}

/// A failed statement is the caller's concern only as far as time and reachability go.
impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        match DbErrorKind::of(&error) {
            DbErrorKind::Timeout => Self::Timeout,
            DbErrorKind::Unavailable | DbErrorKind::Contention => Self::Unavailable(error),
            DbErrorKind::Other => Self::Internal(error.into()),
        }
    }
}
