//! What all bulk upserts have in common.

mod boxed_undefined;
mod results;
mod unparsed;

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, Enum, ID, MaybeUndefined, OutputType, Positioned, ServerResult, SimpleObject, Value,
    parser::types::Field, registry::Registry,
};

pub use boxed_undefined::BoxedUndefined;
pub use results::{MemberUpsertResults, UpsertResults};
pub use unparsed::Unparsed;

use super::{
    execute::{raw_json, template::quoted},
    scalar::Count,
};
use crate::{
    domain::{
        self,
        bulk::{Mode, OnError, Options, Outcome, Undefinable, Upserted},
    },
    types::{Id, RowOutcome},
};

/// What is to happen where some rows are bad.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRowError {
    /// Nothing is stored, and the call is answered with an error that tells the bad rows.
    RejectBatch,
    /// The good rows are stored, and the bad ones are FAILED in the results.
    SkipFailed,
}

/// Which rows are to be stored.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpsertMode {
    /// All: created where they are not there, updated where they are different.
    Upsert,
    /// Those that are not there yet; the others are SKIPPED, with their id.
    InsertOnly,
    /// Those that are there already; the others are SKIPPED, without an id.
    UpdateOnly,
}

/// What became of a row.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[graphql(remote = "Outcome")]
pub enum UpsertOutcome {
    /// It was not there.
    Created,
    /// It was there and is different now.
    Updated,
    /// It was there just so; nothing was written.
    Unchanged,
    /// It is older than what is there; nothing was written.
    Stale,
    /// The mode left it out.
    Skipped,
    /// It is bad.
    Failed,
}

/// How many rows came to what.
#[derive(SimpleObject, Debug)]
pub struct UpsertSummary {
    /// Rows that were CREATED.
    created: Count,
    /// Rows that were UPDATED.
    updated: Count,
    /// Rows that were UNCHANGED.
    unchanged: Count,
    /// Rows that were STALE.
    stale: Count,
    /// Rows that were SKIPPED.
    skipped: Count,
    /// Rows that FAILED.
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

/// Why a row failed.
#[derive(SimpleObject, Clone, Debug)]
pub struct RowError {
    /// The kind; it may get more values.
    code: RowErrorCode,
    /// What was wrong and what was expected.
    message: String,
    /// Where in the row, e.g. ["ref"].
    path: Vec<String>,
}

impl From<&domain::RowError> for RowError {
    fn from(error: &domain::RowError) -> Self {
        Self { code: error.code.into(), message: error.message.clone(), path: error.path.clone() }
    }
}

/// The kinds of failure that a row can have; there may be more.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "domain::RowErrorCode")]
pub enum RowErrorCode {
    /// The ref is empty, longer than 1,024 bytes, or holds NUL.
    InvalidRef,
    /// A value that its field can't hold.
    InvalidValue,
    /// The attribute schema of the memberbase has no such key.
    UnknownAttribute,
    /// The value is not of the type that its attribute is declared with.
    InvalidAttributeType,
    /// The memberbase has no such member.
    UnknownMember,
    /// The transaction belongs to another member, and a transaction never changes its member.
    MemberMismatch,
}

/// How rows of what belongs to members are stored.
pub(super) fn options(on_error: OnRowError, dry_run: bool) -> Options {
    Options { on_error: on_error.into(), mode: Mode::Upsert, dry_run }
}

/// What an optional field of a row says.
pub(super) fn given<T, R>(field: MaybeUndefined<T>, read: impl FnOnce(T) -> R) -> Undefinable<R> {
    Option::<Option<T>>::from(field).map(|value| value.map(read))
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

/// Ids in a list, null where there is none: written as JSON at once, for there may be a million of them.
#[derive(Debug)]
pub struct Ids(Value);

impl Ids {
    pub(super) fn new<T: Id>(ids: &[Option<T>]) -> Self {
        let mut json = Vec::with_capacity(ids.len() * 33 + 2);
        json.push(b'[');
        for (place, id) in ids.iter().enumerate() {
            if place > 0 {
                json.push(b',');
            }
            match id {
                Some(id) => quoted(&mut json, id.ascii()),
                None => json.extend_from_slice(b"null"),
            }
        }
        json.push(b']');
        Self(raw_json(json))
    }
}

impl OutputType for Ids {
    fn type_name() -> Cow<'static, str> {
        <Vec<Option<ID>> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<Option<ID>> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<Option<ID>> as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(self.0.clone())
    }
}
