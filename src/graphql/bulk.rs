//! What all bulk upserts have in common.

use std::collections::HashMap;

use async_graphql::{Enum, SimpleObject};

use super::scalar::Count;
use crate::domain::{
    self,
    bulk::{Mode, OnError, Outcome},
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
    pub(super) fn of(outcomes: &[Outcome]) -> Self {
        let mut counts = HashMap::new();
        for outcome in outcomes {
            *counts.entry(outcome).or_insert(0) += 1;
        }
        let count = |outcome| Count(counts.get(&outcome).copied().unwrap_or(0));
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
