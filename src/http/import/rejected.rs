//! Reports rows that are not stored.

use serde_json::{Value, value::RawValue};

use super::{
    batches::{Batch, UnattributedRow},
    event::{self, Problem, RejectedRow},
    run::Import,
};
use crate::{
    domain::{RowError, import::Rejection, text},
    graphql::RowErrorCode,
    members_file::{INVALID_REF, RowFault},
    types::excerpt,
};

/// Maximum length of a member's JSON in an event.
const MAX_ROW_BYTES: usize = 8 << 10;

/// Maximum number of errors of a row.
pub(super) const MAX_ROW_ERRORS: usize = 10;

/// A row of a batch that failed.
pub(super) struct FailedRow {
    pub(super) index: usize,
    pub(super) reference: String,
    /// The errors, at least one.
    pub(super) errors: Vec<RowError>,
}

impl FailedRow {
    /// Returns true if the row can't be attributed to a member.
    pub(super) fn is_unattributed(&self) -> bool {
        self.errors.iter().any(|error| RowErrorCode::from(error.code).as_str() == INVALID_REF)
    }
}

impl Import {
    /// Returns the events of a batch's rows that are not stored.
    pub(super) fn rejections(&self, batch: &Batch, failed: &[FailedRow]) -> Vec<Rejection> {
        let unattributed = batch.unattributed().iter().filter_map(|row| self.unattributed(row));
        unattributed.chain(failed.iter().filter_map(|row| self.failed(batch, row))).collect()
    }

    /// Returns the event of a row that is not sent to the database.
    fn unattributed(&self, row: &UnattributedRow) -> Option<Rejection> {
        let UnattributedRow { line, reference, fault, text } = row;
        let reference = (!reference.is_empty()).then_some(&**reference);
        self.rejection(*line, reference, std::slice::from_ref(fault), text)
    }

    /// Reports a row because of which the import fails.
    pub(super) fn reject_unattributed(&self, row: &UnattributedRow) {
        self.counts.add_failed(1);
        self.report_fatal(self.unattributed(row).into_iter().collect());
    }

    fn failed(&self, batch: &Batch, row: &FailedRow) -> Option<Rejection> {
        let FailedRow { index, reference, errors } = row;
        let line = batch.line(*index);
        // An error that was found while the row was read is more specific than the one that the database finds in its place.
        if let Some(known) = batch.known_fault(*index) {
            return self.rejection(line, Some(reference), std::slice::from_ref(&known.fault), &known.text);
        }
        let faults: Vec<_> = errors.iter().map(fault).collect();
        self.rejection(line, Some(reference), &faults, batch.row(*index))
    }

    fn rejection(&self, line: u64, reference: Option<&str>, faults: &[RowFault], json: &[u8]) -> Option<Rejection> {
        let mut problems = faults.iter().map(|RowFault { code, message, path }| Problem {
            column: self.columns.get().and_then(|columns| columns.of(path)).map(excerpt),
            code,
            message,
            path: path.iter().map(String::as_str).collect(),
        });
        let problem = problems.next()?;
        let (reference, row) = (reference.map(excerpt_of_ref), shown(json));
        let event = event::rejected(&RejectedRow { line, reference, problem, more: problems.collect(), row });
        Some(Rejection { line, event })
    }
}

/// Returns the JSON of a row, if it is not too long to be shown and clients can parse it: a value can be an escape that is half
/// a character.
pub(super) fn shown(json: &[u8]) -> Option<&RawValue> {
    let json = std::str::from_utf8(json).ok().filter(|json| (1..=MAX_ROW_BYTES).contains(&json.len()))?;
    serde_json::from_str::<Value>(json).ok().and(serde_json::from_str(json).ok())
}

/// Returns the error of a row as files have it.
pub(super) fn fault(error: &RowError) -> RowFault {
    RowFault {
        code: RowErrorCode::from(error.code).as_str().to_owned(),
        message: error.message().to_owned(),
        path: error.path().map(str::to_owned).collect(),
    }
}

/// Returns a ref; of one that is too long, the beginning.
fn excerpt_of_ref(reference: &str) -> &str {
    if reference.len() > text::MAX_BYTES { excerpt(reference) } else { reference }
}
