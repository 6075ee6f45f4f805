//! Counts of an import's rows.

use std::sync::atomic::{AtomicU64, Ordering};

use super::event::Totals;
use crate::{domain::import, types::RowOutcome};

/// Counts that the parts of an import share.
#[derive(Default)]
pub(super) struct Counts {
    /// In the order of [`RowOutcome::ALL`]. Rows without an outcome count as failed.
    outcomes: [AtomicU64; RowOutcome::ALL.len()],
    /// Failed rows that can't be attributed to a member.
    unattributed: AtomicU64,
}

impl Counts {
    /// Adds the rows of a batch, or those of earlier attempts.
    pub(super) fn add(&self, rows: &import::Counts) {
        for (count, rows) in self.outcomes.iter().zip(rows.outcomes) {
            count.fetch_add(rows, Ordering::Relaxed);
        }
        self.unattributed.fetch_add(rows.unattributed, Ordering::Relaxed);
    }

    /// Adds rows because of which nothing was stored.
    pub(super) fn add_failed(&self, rows: u64) {
        self.outcomes[RowOutcome::Failed as usize].fetch_add(rows, Ordering::Relaxed);
    }

    /// Returns the number of rows that can't be attributed to a member.
    pub(super) fn unattributed(&self) -> u64 {
        self.unattributed.load(Ordering::Relaxed)
    }

    /// Returns the totals of an import that has received this number of bytes.
    pub(super) fn totals(&self, bytes: u64) -> Totals {
        let outcomes = self.outcomes.each_ref().map(|rows| rows.load(Ordering::Relaxed));
        Totals::new(&import::Counts { outcomes, unattributed: 0 }, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_batches_and_attempts_are_added() {
        let counts = Counts::default();
        counts.add(&import::Counts { outcomes: [1, 2, 3, 4, 5, 6, 0], unattributed: 2 });
        counts.add(&import::Counts { outcomes: [1, 0, 0, 0, 0, 1, 0], unattributed: 1 });
        counts.add_failed(7);
        let expected =
            Totals { rows: 30, bytes: 9, created: 2, updated: 2, unchanged: 3, stale: 4, skipped: 5, rejected: 14 };
        assert_eq!((counts.totals(9), counts.unattributed()), (expected, 3));
    }
}
