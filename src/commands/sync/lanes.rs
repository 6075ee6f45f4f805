//! Partitions rows into lanes by the hash of their ref. A lane sends one batch at a time, so rows with the same ref are
//! stored in file order, however many requests run concurrently.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::members_file::{RowFault, rows::Row};

/// A batch ends at so many bytes, too: rows may be large, and there are many batches.
const MAX_BYTES: usize = 4 << 20;

/// Rows of one request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// `MemberInput`s with commas between.
    pub(crate) json: String,
    /// Where they came from.
    pub(crate) places: Vec<Place>,
}

/// Where a row came from.
#[derive(Debug)]
pub(super) struct Place {
    pub(crate) line: u64,
    pub(crate) reference: Box<str>,
    /// Why it is bad, where that is known already.
    pub(crate) fault: Option<RowFault>,
}

/// The lanes' begins.
pub(super) struct Lanes {
    senders: Vec<Sender<Batch>>,
    filling: Vec<Batch>,
    size: usize,
}

/// Nobody is at the end of a lane.
#[derive(Debug)]
pub(super) struct Closed;

impl Lanes {
    /// So many lanes with batches of so many rows, and their ends.
    pub(super) fn new(count: usize, size: usize) -> (Self, Vec<Receiver<Batch>>) {
        // One batch waits while the one before it is in flight.
        let (senders, ends) = (0..count).map(|_| channel(1)).unzip();
        (Self { senders, filling: (0..count).map(|_| Batch::default()).collect(), size }, ends)
    }

    /// Adds a row to its batch, which leaves once it is full. Waits where the lane is full.
    pub(super) fn push(&mut self, row: &mut Row) -> Result<(), Closed> {
        let lane = self.lane(&row.reference);
        let batch = &mut self.filling[lane];
        if !batch.json.is_empty() {
            batch.json.push(',');
        }
        batch.json.push_str(&String::from_utf8_lossy(&row.json));
        let reference = row.reference.as_str().into();
        batch.places.push(Place { line: row.line, reference, fault: row.fault.take() });
        if batch.places.len() < self.size && batch.json.len() < MAX_BYTES {
            return Ok(());
        }
        let full = std::mem::take(batch);
        self.senders[lane].blocking_send(full).map_err(|_| Closed)
    }

    /// Sends what is left.
    pub(super) fn finish(self) -> Result<(), Closed> {
        let mut left = self.senders.into_iter().zip(self.filling).filter(|(_, batch)| !batch.places.is_empty());
        left.try_for_each(|(sender, batch)| sender.blocking_send(batch).map_err(|_| Closed))
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of lanes")]
    fn lane(&self, reference: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        reference.hash(&mut hasher);
        (hasher.finish() % self.senders.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, thread};

    use super::*;

    /// Sends so many rows of each ref in turn, and answers the batches of each lane.
    fn sent(refs: usize, rounds: u64, lanes: usize, size: usize) -> Vec<Vec<Batch>> {
        let (mut begins, ends) = Lanes::new(lanes, size);
        let readers: Vec<_> = ends
            .into_iter()
            .map(|mut end| thread::spawn(move || std::iter::from_fn(|| end.blocking_recv()).collect::<Vec<_>>()))
            .collect();
        for round in 0..rounds {
            for reference in 0..refs {
                let json = format!("{{\"ref\":\"{reference}\"}}").into_bytes();
                let mut row = Row { line: round, reference: reference.to_string(), json, ..Row::default() };
                begins.push(&mut row).expect("somebody is there");
            }
        }
        begins.finish().expect("somebody is there");
        readers.into_iter().map(|reader| reader.join().expect("no panic")).collect()
    }

    #[test]
    fn rows_of_one_ref_keep_their_order_in_one_lane() {
        let lanes = sent(50, 20, 4, 7);
        let mut seen = HashMap::<Box<str>, (usize, Vec<u64>)>::new();
        for (lane, batches) in lanes.iter().enumerate() {
            assert!(!batches.is_empty(), "the lanes share the work");
            for place in batches.iter().flat_map(|batch| &batch.places) {
                let (first, lines) = seen.entry(place.reference.clone()).or_insert((lane, vec![]));
                assert_eq!(*first, lane, "{} is in two lanes", place.reference);
                lines.push(place.line);
            }
        }
        assert_eq!(seen.len(), 50);
        assert!(seen.values().all(|(_, lines)| *lines == (0..20).collect::<Vec<_>>()));
    }

    #[test]
    fn a_batch_has_no_more_rows_than_it_may() {
        let lanes = sent(10, 10, 3, 8);
        for batch in lanes.iter().flatten() {
            let rows: Vec<serde_json::Value> = serde_json::from_str(&format!("[{}]", batch.json)).expect("JSON");
            assert!((1..=8).contains(&rows.len()) && rows.len() == batch.places.len());
        }
        assert_eq!(lanes.iter().flatten().map(|batch| batch.places.len()).sum::<usize>(), 100);
    }

    #[test]
    fn a_batch_has_no_more_bytes_than_it_may() {
        let (mut begins, mut ends) = Lanes::new(1, 1000);
        let reader = thread::spawn(move || std::iter::from_fn(|| ends[0].blocking_recv()).count());
        for line in 0..10 {
            let mut row = Row { line, json: vec![b' '; MAX_BYTES / 2], ..Row::default() };
            begins.push(&mut row).expect("somebody is there");
        }
        begins.finish().expect("somebody is there");
        assert_eq!(reader.join().expect("no panic"), 5);
    }

    #[test]
    fn nobody_reads_on_for_nobody() {
        let (mut begins, ends) = Lanes::new(1, 1);
        drop(ends);
        begins.push(&mut Row::default()).expect_err("nobody is there");
    }
}
