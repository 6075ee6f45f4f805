//! Counts of an import's rows.

use std::sync::atomic::{AtomicU64, Ordering};

use super::event::Totals;
use crate::types::RowOutcome;

/// Counts that the parts of an import share.
#[derive(Default)]
pub(super) struct Counts {
    /// In the order of [`RowOutcome::ALL`].
    outcomes: [AtomicU64; RowOutcome::ALL.len()],
    /// Rows that can't be attributed to a member.
    unattributed: AtomicU64,
    /// Unattributed rows without an outcome, because they were not sent to the database.
    without_outcome: AtomicU64,
}

impl Counts {
    /// Adds rows, in the order of [`RowOutcome::ALL`].
    pub(super) fn add_rows(&self, rows: &[u64; RowOutcome::ALL.len()]) {
        for (count, rows) in self.outcomes.iter().zip(rows) {
            count.fetch_add(*rows, Ordering::Relaxed);
        }
    }

    /// Adds rows because of which a batch was not stored.
    pub(super) fn add_failed(&self, rows: usize) {
        self.outcomes[RowOutcome::Failed as usize].fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Adds a row that can't be attributed to a member. It may have an outcome, which is counted apart.
    pub(super) fn add_unattributed(&self, has_outcome: bool) {
        self.unattributed.fetch_add(1, Ordering::Relaxed);
        self.without_outcome.fetch_add(u64::from(!has_outcome), Ordering::Relaxed);
    }

    /// Returns the number of rows that can't be attributed to a member.
    pub(super) fn unattributed(&self) -> u64 {
        self.unattributed.load(Ordering::Relaxed)
    }

    /// Returns the totals of an import that has received this number of bytes.
    pub(super) fn totals(&self, bytes: u64) -> Totals {
        let outcome = |outcome: RowOutcome| self.outcomes[outcome as usize].load(Ordering::Relaxed);
        let without_outcome = self.without_outcome.load(Ordering::Relaxed);
        Totals {
            rows: RowOutcome::ALL.into_iter().map(outcome).sum::<u64>() + without_outcome,
            bytes,
            created: outcome(RowOutcome::Created),
            updated: outcome(RowOutcome::Updated),
            unchanged: outcome(RowOutcome::Unchanged),
            stale: outcome(RowOutcome::Stale),
            skipped: outcome(RowOutcome::Skipped),
            rejected: outcome(RowOutcome::Failed) + without_outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_without_an_outcome_is_rejected() {
        let counts = Counts::default();
        counts.add_rows(&[1, 2, 3, 4, 5, 6, 0]);
        counts.add_failed(7);
        counts.add_unattributed(true);
        counts.add_unattributed(false);
        let expected =
            Totals { rows: 29, bytes: 9, created: 1, updated: 2, unchanged: 3, stale: 4, skipped: 5, rejected: 14 };
        assert_eq!((counts.totals(9), counts.unattributed()), (expected, 2));
    }
}
