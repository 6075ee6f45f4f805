//! Evaluates the rows of a key against its stored state: begins, merges its rows in input order, and finishes.

use super::{Merge, PendingWrite, UpsertRun, Upsertable};
use crate::domain::{
    Error,
    bulk::{Mode, Outcome},
};

/// Maximum number of rows of a key that are merged without a look at the clock. A row may take a millisecond, if it has a
/// 64 KiB document.
pub(super) const MAX_ROWS_PER_STEP: usize = 64;

/// The rows of one key, merged in input order.
pub(super) struct MergedRows<'s, State, Draft> {
    stored: Option<&'s State>,
    /// True if the mode leaves the rows out.
    skipped: bool,
    draft: Draft,
    first_row: Option<usize>,
}

impl<'a, K: Upsertable<'a>> UpsertRun<'_, 'a, K> {
    /// Begins to merge the rows of a key into its stored state.
    pub(super) fn begin_key<'s>(&self, stored: Option<&'s K::State>) -> MergedRows<'s, K::State, K::Draft> {
        let skipped = match self.options.mode {
            Mode::Upsert => false,
            Mode::InsertOnly => stored.is_some(),
            Mode::UpdateOnly => stored.is_none(),
        };
        MergedRows { stored, skipped, draft: K::Draft::default(), first_row: None }
    }

    /// Merges rows, and sets their outcomes.
    pub(super) fn merge_rows(
        &mut self,
        rows: &[usize],
        merged: &mut MergedRows<'_, K::State, K::Draft>,
    ) -> Result<(), Error> {
        rows.iter().try_for_each(|&row| self.merge_row(row, merged))
    }

    fn merge_row(&mut self, row: usize, merged: &mut MergedRows<'_, K::State, K::Draft>) -> Result<(), Error> {
        let Some(input) = &self.rows[row] else { return Ok(()) };
        let merge = if merged.skipped {
            self.kind.validation_error(input).map(Merge::Failed)
        } else {
            Some(self.kind.merge(input, merged.stored, &mut merged.draft)?)
        };
        self.failures.remove(&row);
        self.outcomes[row] = match merge {
            None => Outcome::Skipped,
            Some(Merge::Stale) => Outcome::Stale,
            Some(Merge::Failed(error)) => {
                self.failures.insert(row, error);
                Outcome::Failed
            }
            Some(Merge::Merged) => {
                merged.first_row.get_or_insert(row);
                Outcome::Unchanged
            }
        };
        Ok(())
    }

    /// Gives the first merged row the net outcome of all rows of the key. Returns the new state if it differs.
    pub(super) fn finish_key(
        &mut self,
        key: usize,
        merged: MergedRows<'_, K::State, K::Draft>,
    ) -> Option<PendingWrite<K::State>> {
        let MergedRows { stored, draft, first_row, .. } = merged;
        let first_row = first_row?;
        let change = K::finish(draft, stored)?;
        if change.visible {
            self.outcomes[first_row] = if stored.is_some() { Outcome::Updated } else { Outcome::Created };
        }
        Some(PendingWrite { key, change })
    }
}
