//! Counters of row outcomes. The domain increments them after a commit; metrics and the request log read them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    Member,
    Clip,
    StampCollection,
    Transaction,
}

/// The outcome of a row in an upsert or a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOutcome {
    Created,
    Updated,
    /// The stored row was equal.
    Unchanged,
    /// The row was older than the stored one.
    Stale,
    /// The mode of the upsert excluded the row.
    Skipped,
    /// The row was invalid.
    Failed,
    Deleted,
}

impl RowKind {
    /// All values, in the order of their numbers.
    pub(crate) const ALL: [Self; 4] = [Self::Member, Self::Clip, Self::StampCollection, Self::Transaction];

    /// Returns the name used in metrics and logs, which is also the name of the table.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Clip => "clip",
            Self::StampCollection => "stamp_collection",
            Self::Transaction => "transaction",
        }
    }
}

impl RowOutcome {
    /// All values, in the order of their numbers.
    pub(crate) const ALL: [Self; 7] =
        [Self::Created, Self::Updated, Self::Unchanged, Self::Stale, Self::Skipped, Self::Failed, Self::Deleted];

    /// Returns the name used in metrics and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }
}

/// Counts rows twice: for the process and for one request. Clones share both. Rows that are rolled back are not counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowCounters {
    process: Arc<Counts>,
    request: Arc<Counts>,
}

/// Numbers of rows by kind and outcome.
#[derive(Debug, Default)]
pub(crate) struct Counts([[AtomicU64; RowOutcome::ALL.len()]; RowKind::ALL.len()]);

impl RowCounters {
    /// Returns counters for another request, which start at zero and share the counts of the process.
    #[must_use]
    pub(crate) fn per_request(&self) -> Self {
        Self { process: Arc::clone(&self.process), request: Arc::default() }
    }

    /// Counts rows of a committed transaction.
    pub(crate) fn add(&self, kind: RowKind, outcome: RowOutcome, rows: u64) {
        if rows > 0 {
            self.process.cell(kind, outcome).fetch_add(rows, Ordering::Relaxed);
            self.request.cell(kind, outcome).fetch_add(rows, Ordering::Relaxed);
        }
    }

    pub(crate) fn process(&self) -> &Counts {
        &self.process
    }

    /// Returns the counts of this request.
    pub(crate) fn call(&self) -> &Counts {
        &self.request
    }
}

impl Counts {
    pub(crate) fn get(&self, kind: RowKind, outcome: RowOutcome) -> u64 {
        self.cell(kind, outcome).load(Ordering::Relaxed)
    }

    /// Returns the number of rows of all kinds with an outcome.
    pub(crate) fn of(&self, outcome: RowOutcome) -> u64 {
        RowKind::ALL.iter().map(|kind| self.get(*kind, outcome)).sum()
    }

    fn cell(&self, kind: RowKind, outcome: RowOutcome) -> &AtomicU64 {
        &self.0[kind as usize][outcome as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_counted_separately_and_for_the_process() {
        let process = RowCounters::default();
        let one = process.per_request();
        let other = process.per_request();
        one.add(RowKind::Member, RowOutcome::Created, 2);
        one.add(RowKind::Clip, RowOutcome::Created, 3);
        other.add(RowKind::Member, RowOutcome::Created, 5);
        assert_eq!(one.call().of(RowOutcome::Created), 5);
        assert_eq!(other.call().of(RowOutcome::Created), 5);
        assert_eq!(process.process().get(RowKind::Member, RowOutcome::Created), 7);
        assert_eq!(process.process().of(RowOutcome::Created), 10);
        assert_eq!(process.process().of(RowOutcome::Updated), 0);
    }
}
