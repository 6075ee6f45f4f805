//! Imports that can be resumed: the state of an import whose client has chosen an id.
//!
//! Each request that sends the file is an attempt. The transaction of each batch adds the batch's outcome to the state, and
//! the number of rows at the beginning of the file that are stored without a gap. The next attempt skips these rows, after
//! it has compared their hash with the stored one.
//!
//! Only the last attempt can write: a batch of an earlier one, whose connection has not ended yet, is rolled back.

mod begin;
mod cancel;
mod end;
mod find;
mod record;

pub(crate) use self::{
    begin::{Begun, NewAttempt, begin},
    cancel::cancel,
    end::{End, end},
    find::{find, is_continued, rejections},
    record::{Record, Rejection, record_apart},
};
pub(super) use self::{end::delete_all, record::record};

use sea_orm::prelude::Uuid;

use super::Error;
use crate::{
    entity::import,
    types::{RowOutcome, Time},
};

/// An attempt of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The id of the import.
    pub(crate) id: Uuid,
    /// The number of the attempt, from 1.
    number: i32,
}

/// The end of the rows at the beginning of a file that are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of these rows.
    pub(crate) rows: u64,
    /// The line at which the following row begins, or an earlier one after the last of these rows.
    pub(crate) line: u64,
    /// The SHA-256 of these rows.
    pub(crate) hash: [u8; 32],
}

/// Numbers of rows by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// In the order of [`RowOutcome::ALL`]. Rows without an outcome, because they can't be attributed to a member, count as
    /// failed.
    pub(crate) outcomes: [u64; RowOutcome::ALL.len()],
    /// Failed rows that can't be attributed to a member.
    pub(crate) unattributed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running = 0,
    Failed = 1,
    /// All rows are stored. Further attempts change nothing.
    Complete = 2,
}

/// An import.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    id: Uuid,
    /// Time of the last progress.
    pub(crate) updated_at: Time,
    /// Number of rows at the beginning of the file that are stored without a gap.
    pub(crate) stored_rows: u64,
    /// The rows of all attempts. A row that was stored again counts again.
    pub(crate) counts: Counts,
    /// True if not all rejected rows are kept.
    pub(crate) is_truncated: bool,
    /// Number of bytes that were received of the body of the last attempt.
    pub(crate) bytes: u64,
    /// The last event of the last attempt, as JSON; `None` while it is running.
    pub(crate) last_event: Option<String>,
}

impl From<import::Model> for Import {
    fn from(row: import::Model) -> Self {
        Self {
            id: row.id,
            updated_at: Time::from_micros(row.updated_at),
            stored_rows: row.stored_rows.cast_unsigned(),
            counts: counts(&row),
            is_truncated: row.is_truncated,
            bytes: row.body_bytes.cast_unsigned(),
            last_event: row.last_event,
        }
    }
}

fn counts(row: &import::Model) -> Counts {
    let mut counts = Counts { unattributed: row.unattributed.cast_unsigned(), ..Counts::default() };
    for (outcome, rows) in [
        (RowOutcome::Created, row.created),
        (RowOutcome::Updated, row.updated),
        (RowOutcome::Unchanged, row.unchanged),
        (RowOutcome::Stale, row.stale),
        (RowOutcome::Skipped, row.skipped),
        (RowOutcome::Failed, row.rejected),
    ] {
        counts.outcomes[outcome as usize] = rows.cast_unsigned();
    }
    counts
}

/// The error of an import that does not exist or is not visible.
pub(crate) fn not_found(id: Uuid) -> Error {
    Error::NotFound(format!("the import {id} does not exist, or this token can't see it"))
}

/// The error of an attempt after which another one has begun.
fn superseded() -> Error {
    Error::Conflict("another request has continued or cancelled this import".to_owned())
}
