//! The parts that all bulk upserts share: their options, the outcome of each row, and the algorithm that stores rows
//! (`upsert`).

mod group;
mod statement;
mod upsert;

use std::collections::BTreeMap;

pub(super) use statement::update;
pub(super) use upsert::{Change, MAX_WRITE_ROWS, Merge, SmallStateDraft, Stored, Upsertable, store};

use super::{Error, RowError};
use crate::{
    app::App,
    types::{RowKind, RowOutcome},
};

/// Maximum number of failures that an error lists.
const MAX_REPORTED_FAILURES: usize = 100;

/// The effect of invalid rows on the rest of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Store nothing if any row is invalid.
    RejectBatch,
    /// Store the valid rows.
    SkipFailed,
}

/// Restricts the rows that are stored by whether their key exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Upsert,
    InsertOnly,
    UpdateOnly,
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub on_error: OnError,
    pub mode: Mode,
    /// Run everything, then roll back.
    pub dry_run: bool,
}

/// The result of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Created,
    Updated,
    /// The stored values were equal.
    Unchanged,
    /// The row is older than the stored values.
    Stale,
    /// The mode excludes the row.
    Skipped,
    /// The row is invalid.
    Failed,
}

/// The invalid rows of a call, by index in the input.
pub(crate) type Failures = BTreeMap<usize, RowError>;

/// The results of a bulk upsert, in input order.
#[derive(Debug)]
pub struct Upserted<Id> {
    /// Ids of the stored records; `None` for a row that failed, that update-only mode skipped, or that a dry run would
    /// create.
    pub(crate) ids: Vec<Option<Id>>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) failures: Failures,
}

impl<Id> Upserted<Id> {
    /// Returns the number of rows per outcome, in the order of [`RowOutcome::ALL`].
    pub(crate) fn counts(&self) -> [u64; RowOutcome::ALL.len()] {
        let mut counts = [0; RowOutcome::ALL.len()];
        for outcome in &self.outcomes {
            counts[RowOutcome::from(*outcome) as usize] += 1;
        }
        counts
    }

    /// Adds the rows to the row counters. For calls after the commit.
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

/// An optional field of a row: `None` if it is omitted, `Some(None)` if it is null.
pub(crate) type Undefinable<T> = Option<Option<T>>;

impl OnError {
    /// Rejects the call if it has invalid rows and stores all rows or none.
    pub(super) fn check(self, failures: &Failures) -> Result<(), Error> {
        if failures.is_empty() || self == Self::SkipFailed {
            return Ok(());
        }
        let reported = failures.iter().take(MAX_REPORTED_FAILURES).map(|(&index, error)| (index, error.clone()));
        Err(Error::BadRows { failures: reported.collect(), count: failures.len() })
    }
}
