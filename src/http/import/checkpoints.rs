//! Finds out how much of the beginning of a file is stored, so that another attempt can skip it.
//!
//! Batches follow each other in the file, and are stored concurrently. A mark is the end of a batch. It is reached once this
//! batch and all earlier ones are stored.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};

use crate::{domain::import::Position, members_file::rows::Row};

/// The rows of a file that were read so far.
pub(super) struct Prefix {
    rows: u64,
    /// The line after the one in which the last row begins.
    line: u64,
    /// `None` if the import can't be resumed.
    hasher: Option<Sha256>,
}

impl Prefix {
    /// Creates an empty prefix.
    pub(super) fn new(can_be_resumed: bool) -> Self {
        Self { rows: 0, line: 0, hasher: can_be_resumed.then(Sha256::new) }
    }

    /// Adds the next row.
    pub(super) fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.line = row.line + 1;
        let Some(hasher) = &mut self.hasher else { return };
        for part in [row.reference.as_bytes(), &row.json, &row.text] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }

    /// Returns the number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the end of the prefix; `None` if the import can't be resumed.
    pub(super) fn position(&self) -> Option<Position> {
        let hasher = self.hasher.clone()?;
        Some(Position { rows: self.rows, line: self.line, hash: hasher.finalize().into() })
    }
}

/// The marks of an import, and the batches that are not stored.
#[derive(Default)]
pub(super) struct Checkpoints(Mutex<State>);

#[derive(Default)]
struct State {
    /// The first row of each batch that is passed on and not stored.
    passed_on: Vec<u64>,
    /// In the order of the file. The first may be reached.
    marks: VecDeque<Position>,
}

impl Checkpoints {
    /// Begins after the rows that an earlier attempt has stored.
    pub(super) fn begin(&self, from: Position) {
        self.lock().marks = VecDeque::from([from]);
    }

    /// Adds a batch before it is passed on.
    pub(super) fn pass_on(&self, first_row: u64, end: Position) {
        let mut state = self.lock();
        state.passed_on.push(first_row);
        state.marks.push_back(end);
    }

    /// Returns the mark that is reached once the batch with this first row is stored.
    pub(super) fn after(&self, first_row: u64) -> Option<Position> {
        self.lock().reached_without(Some(first_row))
    }

    /// Removes a batch, which is stored.
    pub(super) fn stored(&self, first_row: u64) {
        let mut state = self.lock();
        if let Some(index) = state.passed_on.iter().position(|row| *row == first_row) {
            state.passed_on.swap_remove(index);
        }
        let Some(reached) = state.reached_without(None) else { return };
        state.marks.retain(|mark| mark.rows >= reached.rows);
    }

    /// Returns the last mark that is reached.
    pub(super) fn reached(&self) -> Option<Position> {
        self.lock().reached_without(None)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the last mark that is reached if this batch is stored, too.
    fn reached_without(&self, batch: Option<u64>) -> Option<Position> {
        let others = self.passed_on.iter().filter(|row| Some(**row) != batch);
        let first_missing = others.copied().min().unwrap_or(u64::MAX);
        self.marks.iter().rev().find(|mark| mark.rows <= first_missing).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn at(rows: u64) -> Position {
        Position { rows, ..Position::default() }
    }

    #[test]
    fn mark_is_reached_when_all_earlier_batches_are_stored() {
        let checkpoints = Checkpoints::default();
        checkpoints.begin(at(0));
        checkpoints.pass_on(0, at(10));
        checkpoints.pass_on(10, at(20));
        checkpoints.pass_on(20, at(25));
        assert_eq!((checkpoints.reached(), checkpoints.after(0)), (Some(at(0)), Some(at(10))));
        assert_eq!(checkpoints.after(10), Some(at(0)), "the first batch is not stored");
        checkpoints.stored(10);
        assert_eq!((checkpoints.reached(), checkpoints.after(0)), (Some(at(0)), Some(at(20))));
        checkpoints.stored(0);
        assert_eq!((checkpoints.reached(), checkpoints.after(20)), (Some(at(20)), Some(at(25))));
        checkpoints.stored(20);
        assert_eq!(checkpoints.reached(), Some(at(25)));
    }

    #[test]
    fn attempt_begins_at_the_position_of_the_one_before_it() {
        let checkpoints = Checkpoints::default();
        assert_eq!(checkpoints.reached(), None);
        checkpoints.begin(at(30));
        assert_eq!(checkpoints.reached(), Some(at(30)));
        checkpoints.pass_on(30, at(35));
        assert_eq!((checkpoints.reached(), checkpoints.after(30)), (Some(at(30)), Some(at(35))));
    }

    #[test]
    fn hash_depends_on_each_part_of_each_row() {
        let hash = |rows: &[(&str, &str)]| {
            let mut prefix = Prefix::new(true);
            for (reference, json) in rows {
                let (reference, json) = ((*reference).to_owned(), json.as_bytes().to_vec());
                prefix.add(&Row { reference, json, ..Row::default() });
            }
            prefix.position().expect("a position").hash
        };
        let all = [&[("a", "b"), ("c", "d")][..], &[("a", "b"), ("c", "e")], &[("ab", ""), ("c", "d")], &[("a", "b")]];
        assert_eq!(HashSet::from(all.map(hash)).len(), all.len());
        assert!(Prefix::new(false).position().is_none());
    }
}
