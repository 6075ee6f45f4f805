//! What all bulk upserts have in common: how rows are judged, and what is told of each.

use std::collections::BTreeMap;

use super::{Error, RowError};

/// The most failures that an error tells.
const TOLD: usize = 100;

/// What is to happen where some rows are bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Nothing is stored.
    RejectBatch,
    /// The good rows are stored.
    SkipFailed,
}

/// Which rows are to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All.
    Upsert,
    /// Those that are not there yet.
    InsertOnly,
    /// Those that are there already.
    UpdateOnly,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
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
}

/// The bad rows of a call, by their place in the input.
pub type Failures = BTreeMap<usize, RowError>;

/// Refuses the call where it has bad rows and wants all or nothing.
pub fn judge(failures: &Failures, on_error: OnError) -> Result<(), Error> {
    if failures.is_empty() || on_error == OnError::SkipFailed {
        return Ok(());
    }
    let first = failures.iter().take(TOLD).map(|(&index, error)| (index, error.clone()));
    Err(Error::BadRows { failures: first.collect(), count: failures.len() })
}

/// Rows of the same key, folded into one.
#[derive(Debug)]
pub struct Folded<'a> {
    /// Each key once, in the order of their bytes: the one order in which every call writes.
    pub keys: Vec<&'a str>,
    /// Of each key the first row that has it.
    pub first: Vec<usize>,
    /// Of each row the place of its key in `keys`; none for a bad row.
    pub place: Vec<Option<usize>>,
}

impl<'a> Folded<'a> {
    /// Folds rows by their keys.
    pub fn new(rows: impl ExactSizeIterator<Item = &'a str>, failures: &Failures) -> Self {
        let mut place = vec![None; rows.len()];
        let mut sorted: Vec<(&str, usize)> = Vec::with_capacity(rows.len());
        sorted.extend(rows.enumerate().filter(|(row, _)| !failures.contains_key(row)).map(|(row, key)| (key, row)));
        sorted.sort_unstable();
        let (mut keys, mut first) = (Vec::with_capacity(sorted.len()), Vec::with_capacity(sorted.len()));
        for (key, row) in sorted {
            if keys.last() != Some(&key) {
                keys.push(key);
                first.push(row);
            }
            place[row] = Some(keys.len() - 1);
        }
        Self { keys, first, place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_key_fold_into_the_first() {
        let failures = Failures::new();
        let folded = Folded::new(["b", "a", "b", "A"].into_iter(), &failures);
        assert_eq!(folded.keys, ["A", "a", "b"]);
        assert_eq!(folded.first, [3, 1, 0]);
        assert_eq!(folded.place, [Some(2), Some(1), Some(2), Some(0)]);
    }
}
