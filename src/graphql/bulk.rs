//! Input and result types that all bulk upserts share.

mod boxed_undefined;
mod results;
mod unparsed;

use async_graphql::{Enum, MaybeUndefined, SimpleObject, resolver_utils::EnumType};

pub(crate) use boxed_undefined::BoxedUndefined;
pub(crate) use results::{MemberUpsertResults, UpsertResults};
pub(crate) use unparsed::Unparsed;

use super::scalar::Count;
use crate::{
    domain::{
        self,
        bulk::{Mode, OnError, Options, Outcome, Undefinable, Upserted},
    },
    types::RowOutcome,
};

/// Handling of a bulk upsert in which rows fail.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnRowError {
    /// Stores nothing if any row fails. The call fails with BAD_USER_INPUT, and the error lists the first 100 failed rows in `extensions.failures`.
    RejectBatch,
    /// Stores the valid rows. The others have the outcome FAILED in the results.
    SkipFailed,
}

/// Which rows to store, depending on whether the member exists.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpsertMode {
    /// All rows: missing members are created, changed ones updated.
    Upsert,
    /// Only rows of missing members. The others are SKIPPED, and their results have a `memberId`.
    InsertOnly,
    /// Only rows of existing members. The others are SKIPPED, and their `memberId` is null.
    UpdateOnly,
}

/// Outcome of a row.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[graphql(remote = "Outcome")]
pub(crate) enum UpsertOutcome {
    /// The record was created.
    Created,
    /// The record existed and was changed.
    Updated,
    /// The record existed with the same values. Nothing was written.
    Unchanged,
    /// The row's sourceUpdatedAt is older than the stored one. Nothing was written.
    Stale,
    /// The row was excluded by the mode. Nothing was written.
    Skipped,
    /// The row is invalid. Nothing of it was written.
    Failed,
}

/// Number of rows by outcome.
#[derive(SimpleObject, Debug)]
pub(crate) struct UpsertSummary {
    /// Number of rows that were CREATED.
    created: Count,
    /// Number of rows that were UPDATED.
    updated: Count,
    /// Number of rows that were UNCHANGED.
    unchanged: Count,
    /// Number of rows that were STALE.
    stale: Count,
    /// Number of rows that were SKIPPED.
    skipped: Count,
    /// Number of rows that FAILED.
    failed: Count,
}

impl UpsertSummary {
    pub(super) fn of<T>(upserted: &Upserted<T>) -> Self {
        let counts = upserted.counts();
        let count = |outcome: Outcome| Count(counts[RowOutcome::from(outcome) as usize]);
        Self {
            created: count(Outcome::Created),
            updated: count(Outcome::Updated),
            unchanged: count(Outcome::Unchanged),
            stale: count(Outcome::Stale),
            skipped: count(Outcome::Skipped),
            failed: count(Outcome::Failed),
        }
    }
}

/// Reason of a row's failure.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct RowError {
    /// Kind of failure. More values may be added.
    code: RowErrorCode,
    /// Description of the failure: the value that was rejected and what is expected.
    message: String,
    /// Path to the rejected value in the row, such as ["ref"].
    path: Vec<String>,
}

impl From<&domain::RowError> for RowError {
    fn from(error: &domain::RowError) -> Self {
        Self {
            code: error.code.into(),
            message: error.message().to_owned(),
            path: error.path().map(str::to_owned).collect(),
        }
    }
}

/// Kind of a row's failure. More values may be added.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::RowErrorCode")]
pub(crate) enum RowErrorCode {
    /// The ref is empty, longer than 1,024 bytes, or contains NUL.
    InvalidRef,
    /// A value is out of the range or format of its field.
    InvalidValue,
    /// The memberbase's attribute schema does not declare the key.
    UnknownAttribute,
    /// The value does not have the declared type of its attribute.
    InvalidAttributeType,
    /// The member does not exist in the memberbase.
    UnknownMember,
    /// The transaction belongs to another member. The member of a transaction can't be changed.
    MemberMismatch,
}

impl RowErrorCode {
    /// Returns the name in the schema.
    pub(crate) fn as_str(self) -> &'static str {
        let item = <Self as EnumType>::items().iter().find(|item| item.value == self);
        item.map_or("", |item| item.name)
    }
}

/// Returns the options of a bulk upsert of clips, stamp collections or transactions, which has no mode.
pub(super) fn options(on_error: OnRowError, dry_run: bool) -> Options {
    Options { on_error: on_error.into(), mode: Mode::Upsert, dry_run }
}

/// Converts an optional field of a row, keeping the difference between an omitted field and null.
pub(super) fn undefinable<T, R>(field: MaybeUndefined<T>, convert: impl FnOnce(T) -> R) -> Undefinable<R> {
    Option::<Option<T>>::from(field).map(|value| value.map(convert))
}

impl From<OnRowError> for OnError {
    fn from(on_error: OnRowError) -> Self {
        match on_error {
            OnRowError::RejectBatch => Self::RejectBatch,
            OnRowError::SkipFailed => Self::SkipFailed,
        }
    }
}

impl From<UpsertMode> for Mode {
    fn from(mode: UpsertMode) -> Self {
        match mode {
            UpsertMode::Upsert => Self::Upsert,
            UpsertMode::InsertOnly => Self::InsertOnly,
            UpsertMode::UpdateOnly => Self::UpdateOnly,
        }
    }
}
