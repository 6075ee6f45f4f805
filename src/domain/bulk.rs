//! What all bulk upserts have in common: how rows are folded, judged and stored, and what is told of each.

mod group;
mod statement;
mod upsert;

use std::collections::BTreeMap;

pub(super) use statement::update;
pub(super) use upsert::{MAX_WRITE_ROWS, Merge, Stored, Upsertable, store};

use super::{Error, RowError, RowErrorCode};
use crate::{
    app::App,
    types::{RowKind, RowOutcome},
};

/// The most failures that an error tells.
const MAX_REPORTED_FAILURES: usize = 100;

/// What is to happen where some rows are bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Nothing is stored.
    RejectBatch,
    /// The good rows are stored.
    SkipFailed,
}

/// Which rows are to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All.
    Upsert,
    /// Those that are not there yet.
    InsertOnly,
    /// Those that are there already.
    UpdateOnly,
}

/// How rows are to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What bad rows do to the good ones.
    pub on_error: OnError,
    /// Which rows.
    pub mode: Mode,
    /// Do it all, and keep nothing.
    pub dry_run: bool,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was not there.
    Created,
    /// It was there and is different now.
    Updated,
    /// It was there just so.
    Unchanged,
    /// It is older than what is there.
    Stale,
    /// The mode left it out.
    Skipped,
    /// It is bad.
    Failed,
}

/// The bad rows of a call, by their place in the input.
pub type Failures = BTreeMap<usize, RowError>;

/// What became of the rows, each list in the order of the input.
#[derive(Debug)]
pub struct Upserted<Id> {
    /// The ids of the things; none for a row that failed, that was not there to be updated, or that a dry run would
    /// create.
    pub ids: Vec<Option<Id>>,
    /// What became of each.
    pub outcomes: Vec<Outcome>,
    /// Why the bad ones failed.
    pub failures: Failures,
}

impl<Id> Upserted<Id> {
    /// How many rows came to what, in the order of [`RowOutcome::ALL`].
    pub fn counts(&self) -> [u64; RowOutcome::ALL.len()] {
        let mut counts = [0; RowOutcome::ALL.len()];
        for outcome in &self.outcomes {
            counts[RowOutcome::from(*outcome) as usize] += 1;
        }
        counts
    }

    /// Counts the rows, once they are stored.
    pub(super) fn count(&self, app: &App, kind: RowKind) {
        let counts = self.counts();
        for (outcome, count) in RowOutcome::ALL.into_iter().zip(counts) {
            app.rows.add(kind, outcome, count);
        }
    }
}

impl From<Outcome> for RowOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Created => Self::Created,
            Outcome::Updated => Self::Updated,
            Outcome::Unchanged => Self::Unchanged,
            Outcome::Stale => Self::Stale,
            Outcome::Skipped => Self::Skipped,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// What an optional field of a row says: none where it is left out, `Some(None)` where it is null.
pub type Undefinable<T> = Option<Option<T>>;

impl OnError {
    /// Refuses the call where it has bad rows and wants all or nothing.
    pub(super) fn check(self, failures: &Failures) -> Result<(), Error> {
        if failures.is_empty() || self == Self::SkipFailed {
            return Ok(());
        }
        let first = failures.iter().take(MAX_REPORTED_FAILURES).map(|(&index, error)| (index, error.clone()));
        Err(Error::BadRows { failures: first.collect(), count: failures.len() })
    }
}

impl RowError {
    /// An attribute that the schema does not have.
    pub(super) fn unknown_attribute(key: &str) -> Self {
        let message = format!("attribute {key:?} is not in the schema");
        let path = vec!["attributes".to_owned(), key.to_owned()];
        Self { code: RowErrorCode::UnknownAttribute, message, path }
    }

    /// A value that its field can't hold.
    pub(super) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self { code: RowErrorCode::InvalidValue, message: message.into(), path: vec![field.to_owned()] }
    }
}
