//! Reports rows that are not stored.

use serde_json::{Value, value::RawValue};

use super::{
    event::{self, Problem, RejectedRow},
    partitions::Batch,
    run::Import,
};
use crate::{
    domain::{RowError, text},
    graphql::RowErrorCode,
    members_file::{INVALID_REF, RowFault, rows::Row},
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

impl Import {
    /// Reports a row that is not sent to the database, because it can't be attributed to a member.
    pub(super) fn reject_unattributed(&self, row: &Row, fault: &RowFault) {
        self.counts.add_unattributed(false);
        let json = if row.text.is_empty() { &row.json } else { &row.text };
        let reference = (!row.reference.is_empty()).then_some(&*row.reference);
        self.push_rejected(row.line, reference, std::slice::from_ref(fault), json);
    }

    /// Reports a row of a batch that failed.
    pub(super) fn reject(&self, batch: &Batch, row: &FailedRow) {
        let FailedRow { index, reference, errors } = row;
        // An error that was found while the row was read is more specific than the one that the database finds in its place.
        if let Some(known) = batch.known_fault(*index) {
            let faults = std::slice::from_ref(&known.fault);
            return self.push_rejected(batch.line(*index), Some(reference), faults, &known.text);
        }
        let faults: Vec<_> = errors.iter().map(fault).collect();
        if faults.iter().any(|fault| fault.code == INVALID_REF) {
            self.counts.add_unattributed(true);
        }
        self.push_rejected(batch.line(*index), Some(reference), &faults, batch.row(*index));
    }

    fn push_rejected(&self, line: u64, reference: Option<&str>, faults: &[RowFault], json: &[u8]) {
        let mut problems = faults.iter().map(|RowFault { code, message, path }| Problem {
            column: self.columns.get().and_then(|columns| columns.of(path)).map(excerpt),
            code,
            message,
            path: path.iter().map(String::as_str).collect(),
        });
        let Some(problem) = problems.next() else { return };
        let (reference, row) = (reference.map(excerpt_of_ref), shown(json));
        self.outbox.push(&event::rejected(&RejectedRow { line, reference, problem, more: problems.collect(), row }));
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
