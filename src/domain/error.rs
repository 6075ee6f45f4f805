//! Errors of the domain, grouped by what the caller can do about them. One table in `graphql` maps them to codes.

mod row;

use std::fmt;

pub use row::RowError;
pub(crate) use row::RowErrorCode;

use crate::{budget::Exceeded, db::DbErrorKind};

/// The reason why an operation failed. A failed operation has stored nothing.
#[derive(Debug)]
pub enum Error {
    /// Invalid input; a corrected call can succeed.
    BadInput {
        /// States what was wrong and what was expected.
        message: String,
        /// Path from the top of the operation's input; empty if the error concerns no single position.
        path: InputPath,
    },
    /// Invalid rows in a bulk call that stores all rows or none.
    BadRows {
        /// The first failed rows, each with its index in the input.
        failures: Vec<(usize, RowError)>,
        /// Number of all failed rows.
        count: usize,
    },
    /// The request has no token, or an invalid one.
    Unauthenticated,
    /// The token lacks the access.
    Forbidden(String),
    /// The thing does not exist, or the token can't see it.
    NotFound(String),
    /// The present state does not permit the operation.
    Conflict(String),
    /// A limit of the server, or a guard that the caller set, is exceeded.
    LimitExceeded(String),
    /// The deadline of the request has passed.
    Timeout,
    /// The request needs more memory than it may use, or than the server has at present.
    OverBudget(Exceeded),
    /// The database is unreachable or full; the same call may succeed later.
    Unavailable(sea_orm::DbErr),
    /// Each attempt conflicted with other calls; the same call may succeed later.
    Contention(sea_orm::DbErr),
    /// A defect of the server.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// A position in an input, as the steps that lead to it.
pub(crate) type InputPath = Vec<Step>;

/// One step of an [`InputPath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Field(String),
    Index(usize),
}

impl Error {
    pub(crate) fn bad_input(field: &str, message: impl fmt::Display) -> Self {
        Self::BadInput { message: message.to_string(), path: vec![Step::Field(field.to_owned())] }
    }

    /// Appends a list index to the path of a [`Error::BadInput`].
    #[must_use]
    pub(crate) fn at(self, index: usize) -> Self {
        match self {
            Self::BadInput { message, mut path } => {
                path.push(Step::Index(index));
                Self::BadInput { message, path }
            }
            other => other,
        }
    }

    /// Prepends a field to the path of a [`Error::BadInput`].
    #[must_use]
    pub(crate) fn within(self, field: &str) -> Self {
        match self {
            Self::BadInput { message, mut path } => {
                path.insert(0, Step::Field(field.to_owned()));
                Self::BadInput { message, path }
            }
            other => other,
        }
    }
}

/// Reports timeouts, unavailability and contention to the caller; any other database error is internal.
impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        match DbErrorKind::of(&error) {
            DbErrorKind::Timeout => Self::Timeout,
            DbErrorKind::OverBudget(exceeded) => exceeded.into(),
            DbErrorKind::Unavailable => Self::Unavailable(error),
            DbErrorKind::Contention => Self::Contention(error),
            DbErrorKind::Other => Self::Internal(error.into()),
        }
    }
}

impl From<Exceeded> for Error {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded {
            Exceeded::Time => Self::Timeout,
            exceeded => Self::OverBudget(exceeded),
        }
    }
}
