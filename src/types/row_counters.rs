//! How many rows came to what: counted where it is known, read by whoever tells it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What rows are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// Members.
    Member,
    /// Clips.
    Clip,
    /// Stamp collections.
    StampCollection,
    /// Transactions.
    Transaction,
}

/// What became of a row, by an upsert or by a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOutcome {
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
    /// It was there and is no more.
    Deleted,
}

impl RowKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Member, Self::Clip, Self::StampCollection, Self::Transaction];

    /// As it is told, and as its table is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Clip => "clip",
            Self::StampCollection => "stamp_collection",
            Self::Transaction => "transaction",
        }
    }
}

impl RowOutcome {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Created, Self::Updated, Self::Unchanged, Self::Stale, Self::Skipped, Self::Failed, Self::Deleted];

    /// As it is told.
    pub fn as_str(self) -> &'static str {
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

/// Counts rows twice: for the process, which clones share, and for one call. What is rolled back is not counted.
#[derive(Clone, Debug, Default)]
pub struct RowCounters {
    process: Arc<Counts>,
    call: Arc<Counts>,
}

/// Rows by kind and outcome.
#[derive(Debug, Default)]
pub struct Counts([[AtomicU64; RowOutcome::ALL.len()]; RowKind::ALL.len()]);

impl RowCounters {
    /// The same for the process, and nothing yet for another call.
    #[must_use]
    pub fn per_request(&self) -> Self {
        Self { process: Arc::clone(&self.process), call: Arc::default() }
    }

    /// Counts rows that were stored, or taken away, for good.
    pub fn add(&self, kind: RowKind, outcome: RowOutcome, rows: u64) {
        if rows > 0 {
            self.process.cell(kind, outcome).fetch_add(rows, Ordering::Relaxed);
            self.call.cell(kind, outcome).fetch_add(rows, Ordering::Relaxed);
        }
    }

    /// Those of all calls.
    pub fn process(&self) -> &Counts {
        &self.process
    }

    /// Those of this call.
    pub fn call(&self) -> &Counts {
        &self.call
    }
}

impl Counts {
    /// Of a kind that came to this.
    pub fn get(&self, kind: RowKind, outcome: RowOutcome) -> u64 {
        self.cell(kind, outcome).load(Ordering::Relaxed)
    }

    /// Of any kind that came to this.
    pub fn of(&self, outcome: RowOutcome) -> u64 {
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
    fn each_call_counts_for_itself_and_for_the_process() {
        let process = RowCounters::default();
        let (one, other) = (process.per_request(), process.per_request());
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
