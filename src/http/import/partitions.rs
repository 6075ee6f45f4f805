//! Partitions rows by the hash of their ref. A partition stores one batch at a time, so rows with the same ref are stored in
//! the order of the file, however many batches are stored concurrently.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    sync::Arc,
};

use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};

use super::checkpoints::{Checkpoints, Prefix};
use crate::members_file::{RowFault, rows::Row};

/// Number of partitions, and so of batches that are stored concurrently.
const PARTITIONS: u64 = 4;

/// Number of bytes at which a batch ends, too.
const MAX_BYTES: usize = 4 << 20;

/// Maximum number of rows that are read after the first row of a batch before it is passed on, in batches. Without a maximum,
/// a partition with few rows would keep an import from being resumed after them.
const MAX_LAG_BATCHES: u64 = 20;

/// Rows that are stored together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The `MemberInput`s, one after another.
    json: Vec<u8>,
    origins: Vec<RowOrigin>,
    faults: Vec<KnownFault>,
    /// Rows that are not stored, because they can't be attributed to a member.
    unattributed: Vec<UnattributedRow>,
    /// Size of the texts of `faults` and `unattributed`.
    fault_bytes: usize,
    /// The number of the first row in the file, from 0.
    first_row: u64,
}

#[derive(Debug)]
struct RowOrigin {
    line: u64,
    /// The end of the row in [`Batch::json`].
    end: usize,
}

/// The error of a row that was found while it was read.
#[derive(Debug)]
pub(super) struct KnownFault {
    index: usize,
    pub(super) fault: RowFault,
    /// The row in the file ([`Row::text`]).
    pub(super) text: Vec<u8>,
}

/// A row that can't be attributed to a member.
#[derive(Debug)]
pub(super) struct UnattributedRow {
    pub(super) line: u64,
    pub(super) reference: String,
    pub(super) fault: RowFault,
    /// The row in the file ([`Row::text`]), or the member as it was read.
    pub(super) text: Vec<u8>,
}

impl UnattributedRow {
    /// Takes the row that was read.
    pub(super) fn take(row: &mut Row) -> Self {
        let text = mem::take(if row.text.is_empty() { &mut row.json } else { &mut row.text });
        let fault = row.fault.take().unwrap_or_default();
        Self { line: row.line, reference: mem::take(&mut row.reference), fault, text }
    }
}

impl Batch {
    /// Returns the number of rows that are attributed to members.
    pub(super) fn len(&self) -> usize {
        self.origins.len()
    }

    /// Returns the number of bytes of the rows.
    pub(super) fn bytes(&self) -> usize {
        self.json.len()
    }

    /// Returns the JSON of each row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.row(index))
    }

    pub(super) fn row(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.origins[before].end);
        &self.json[start..self.origins[index].end]
    }

    /// Returns the line of a row in the file.
    pub(super) fn line(&self, index: usize) -> u64 {
        self.origins[index].line
    }

    /// Returns the error of a row that was found while it was read.
    pub(super) fn known_fault(&self, index: usize) -> Option<&KnownFault> {
        let place = self.faults.binary_search_by_key(&index, |known| known.index).ok()?;
        self.faults.get(place)
    }

    pub(super) fn unattributed(&self) -> &[UnattributedRow] {
        &self.unattributed
    }

    /// Returns the number of the first row in the file, from 0.
    pub(super) fn first_row(&self) -> u64 {
        self.first_row
    }

    fn is_empty(&self) -> bool {
        self.origins.is_empty() && self.unattributed.is_empty()
    }

    fn push(&mut self, row: &mut Row) {
        self.json.extend_from_slice(&row.json);
        if let Some(fault) = row.fault.take() {
            let text = mem::take(&mut row.text);
            self.fault_bytes += text.len() + fault.message.len();
            self.faults.push(KnownFault { index: self.len(), fault, text });
        }
        self.origins.push(RowOrigin { line: row.line, end: self.json.len() });
    }

    fn push_unattributed(&mut self, row: UnattributedRow) {
        self.fault_bytes += row.text.len() + row.fault.message.len() + row.reference.len();
        self.unattributed.push(row);
    }

    /// Appends the rows of another batch.
    fn append(&mut self, other: &mut Self) {
        if !other.is_empty() {
            self.first_row = if self.is_empty() { other.first_row } else { self.first_row.min(other.first_row) };
        }
        let (rows, bytes) = (self.len(), self.json.len());
        self.json.append(&mut other.json);
        self.origins.extend(other.origins.drain(..).map(|row| RowOrigin { end: bytes + row.end, ..row }));
        self.fault_bytes += mem::take(&mut other.fault_bytes);
        self.faults.extend(other.faults.drain(..).map(|known| KnownFault { index: rows + known.index, ..known }));
        self.unattributed.append(&mut other.unattributed);
    }

    fn is_full(&self, max_rows: usize) -> bool {
        self.len() + self.unattributed.len() >= max_rows || self.json.len() + self.fault_bytes >= MAX_BYTES
    }

    fn clear(&mut self) {
        self.json.clear();
        self.origins.clear();
        self.faults.clear();
        self.unattributed.clear();
        self.fault_bytes = 0;
    }
}

/// Fills the batches of all partitions.
pub(super) struct Partitioner {
    /// Maximum number of rows of a batch.
    max_rows: usize,
    senders: Vec<Sender<Batch>>,
    filling: Vec<Batch>,
    /// True if a batch was passed on.
    has_passed_on: bool,
    /// Batches that are stored. They are filled again, so that a thread frees what it has allocated.
    returned: UnboundedReceiver<Batch>,
    checkpoints: Arc<Checkpoints>,
}

/// The end of a partition that stores its batches.
pub(super) struct Partition {
    pub(super) batches: Receiver<Batch>,
    /// Takes the batches back.
    pub(super) stored: UnboundedSender<Batch>,
}

/// The partitions have ended.
#[derive(Debug)]
pub(super) struct Closed;

impl Partitioner {
    /// Creates partitions with batches of at most `max_rows` rows.
    pub(super) fn new(max_rows: usize, checkpoints: Arc<Checkpoints>) -> (Self, Vec<Partition>) {
        // At most three for each partition exist, so the channel is bounded by them.
        let (stored, returned) = mpsc::unbounded_channel();
        // One batch waits while the one before it is stored.
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..PARTITIONS).map(|_| mpsc::channel(1)).unzip();
        let filling = senders.iter().map(|_| Batch::default()).collect();
        let partition = |batches| Partition { batches, stored: stored.clone() };
        let partitions = receivers.into_iter().map(partition).collect();
        (Self { max_rows, senders, filling, has_passed_on: false, returned, checkpoints }, partitions)
    }

    /// Adds a row to the batch of its partition, which is passed on once it is full. Blocks while the partition has a batch
    /// that waits. `read` ends with this row.
    pub(super) fn push(&mut self, row: &mut Row, read: &Prefix) -> Result<(), Closed> {
        let partition = partition(&row.reference);
        self.batch(partition, read).push(row);
        self.pass_on_if_due(partition, read)
    }

    /// Adds a row that can't be attributed to a member.
    pub(super) fn push_unattributed(&mut self, row: UnattributedRow, read: &Prefix) -> Result<(), Closed> {
        self.batch(0, read).push_unattributed(row);
        self.pass_on_if_due(0, read)
    }

    /// Passes on the batches that are not full. If there was no other one, they become one batch, so that a short file is
    /// stored in one transaction.
    pub(super) fn finish(mut self, read: &Prefix) -> Result<(), Closed> {
        if let Some((first, others)) = self.filling.split_first_mut().filter(|_| !self.has_passed_on) {
            others.iter_mut().for_each(|other| first.append(other));
        }
        (0..self.filling.len()).try_for_each(|partition| self.pass_on(partition, read))
    }

    /// Returns the batch of a partition, to which the last row of `read` is added.
    fn batch(&mut self, partition: usize, read: &Prefix) -> &mut Batch {
        let batch = &mut self.filling[partition];
        if batch.is_empty() {
            batch.first_row = read.rows() - 1;
        }
        batch
    }

    fn pass_on_if_due(&mut self, partition: usize, read: &Prefix) -> Result<(), Closed> {
        if !self.filling[partition].is_full(self.max_rows) {
            return Ok(());
        }
        self.pass_on(partition, read)?;
        let max_lag = MAX_LAG_BATCHES * self.max_rows as u64;
        for other in 0..self.filling.len() {
            if self.filling[other].first_row + max_lag < read.rows() {
                self.pass_on(other, read)?;
            }
        }
        Ok(())
    }

    fn pass_on(&mut self, partition: usize, read: &Prefix) -> Result<(), Closed> {
        if self.filling[partition].is_empty() {
            return Ok(());
        }
        let empty = self.empty_batch();
        let batch = mem::replace(&mut self.filling[partition], empty);
        self.has_passed_on = true;
        if let Some(position) = read.position() {
            let unpassed = self.filling.iter().filter(|batch| !batch.is_empty()).map(Batch::first_row).min();
            self.checkpoints.pass_on(batch.first_row, unpassed.unwrap_or(read.rows()), position);
        }
        self.senders[partition].blocking_send(batch).map_err(|_| Closed)
    }

    /// Returns a stored batch, emptied, or a new one. A batch that grew far beyond its limit, for a long row, is dropped.
    fn empty_batch(&mut self) -> Batch {
        let mut batch = self.returned.try_recv().unwrap_or_default();
        if batch.json.capacity() > 2 * MAX_BYTES {
            return Batch::default();
        }
        batch.clear();
        batch
    }
}

fn partition(reference: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    reference.hash(&mut hasher);
    (hasher.finish() % PARTITIONS) as usize
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, thread};

    use super::*;

    const MAX_ROWS: usize = 5_000;

    /// Partitions rows, and returns the lines and the JSON of the batches of each partition.
    fn partitioned(rows: impl Iterator<Item = Row>) -> Vec<Vec<Vec<(u64, String)>>> {
        let (mut partitioner, partitions) = Partitioner::new(MAX_ROWS, Arc::default());
        let mut prefix = Prefix::new(false);
        let read = |mut partition: Partition| {
            let mut batches = Vec::new();
            while let Some(batch) = partition.batches.blocking_recv() {
                let row = |index| (batch.line(index), String::from_utf8_lossy(batch.row(index)).into_owned());
                batches.push((0..batch.len()).map(row).collect());
                // The partitioner may have ended.
                let _ = partition.stored.send(batch);
            }
            batches
        };
        let readers: Vec<_> = partitions.into_iter().map(|partition| thread::spawn(move || read(partition))).collect();
        for mut row in rows {
            prefix.add(&row);
            partitioner.push(&mut row, &prefix).expect("the partitions are open");
        }
        partitioner.finish(&prefix).expect("the partitions are open");
        readers.into_iter().map(|reader| reader.join().expect("no panic")).collect()
    }

    #[test]
    fn rows_of_one_ref_keep_their_order_in_one_partition() {
        let (refs, rounds) = (100_u64, 500);
        let row = |reference: u64, line| {
            let (reference, json) = (reference.to_string(), reference.to_string().into());
            Row { line, reference, json, ..Row::default() }
        };
        let rows = (0..rounds).flat_map(|round| (0..refs).map(move |reference| row(reference, round)));
        let mut seen = HashMap::<String, (usize, Vec<u64>)>::new();
        for (partition, batches) in partitioned(rows).into_iter().enumerate() {
            assert!(!batches.is_empty(), "the partitions share the work");
            assert!(batches.iter().all(|batch| (1..=MAX_ROWS).contains(&batch.len())));
            for (line, json) in batches.into_iter().flatten() {
                let (first, lines) = seen.entry(json).or_insert((partition, vec![]));
                assert_eq!(*first, partition, "a ref is in two partitions");
                lines.push(line);
            }
        }
        assert_eq!(seen.len() as u64, refs);
        assert!(seen.values().all(|(_, lines)| *lines == (0..rounds).collect::<Vec<_>>()));
    }

    #[test]
    fn short_file_is_one_batch() {
        let row = |line: u64| {
            let fault = line.is_multiple_of(3).then(|| RowFault { message: line.to_string(), ..RowFault::default() });
            Row { line, reference: line.to_string(), json: line.to_string().into(), fault, ..Row::default() }
        };
        let (mut partitioner, mut partitions) = Partitioner::new(MAX_ROWS, Arc::default());
        let mut prefix = Prefix::new(false);
        for line in 0..100 {
            prefix.add(&row(line));
            partitioner.push(&mut row(line), &prefix).expect("the partitions are open");
        }
        let reader = thread::spawn(move || partitions[0].batches.blocking_recv().expect("a batch"));
        partitioner.finish(&prefix).expect("the partitions are open");
        let batch = reader.join().expect("no panic");
        assert_eq!(batch.len(), 100);
        for index in 0..100 {
            let line = batch.line(index);
            assert_eq!(batch.row(index), line.to_string().as_bytes());
            let fault = batch.known_fault(index).map(|known| known.fault.message.clone());
            assert_eq!(fault, line.is_multiple_of(3).then(|| line.to_string()));
        }
    }

    #[test]
    fn batch_ends_at_its_maximum_of_bytes() {
        let rows = (0..10).map(|line| Row { line, json: vec![b' '; MAX_BYTES / 2], ..Row::default() });
        let batches: usize = partitioned(rows).iter().map(Vec::len).sum();
        assert_eq!(batches, 5);
    }

    #[test]
    fn partition_with_few_rows_does_not_hold_up_the_import() {
        let checkpoints = Arc::<Checkpoints>::default();
        let (mut partitioner, partitions) = Partitioner::new(MAX_ROWS, Arc::clone(&checkpoints));
        let (mut prefix, count) = (Prefix::new(true), 3 * MAX_LAG_BATCHES * MAX_ROWS as u64);
        checkpoints.begin(prefix.position().expect("a position"));
        let readers = partitions.into_iter().map(|mut partition| {
            let checkpoints = Arc::clone(&checkpoints);
            thread::spawn(move || {
                while let Some(batch) = partition.batches.blocking_recv() {
                    checkpoints.stored(batch.first_row());
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        for line in 0..count {
            let reference = if line < 20 { line.to_string() } else { "often".to_owned() };
            let mut row = Row { line, reference, json: b"{}".into(), ..Row::default() };
            prefix.add(&row);
            partitioner.push(&mut row, &prefix).expect("the partitions are open");
        }
        drop(partitioner);
        readers.into_iter().for_each(|reader| reader.join().expect("no panic"));
        let reached = checkpoints.reached().expect("a position").rows;
        assert!(reached >= count * 2 / 3, "{reached} of {count}");
    }

    #[test]
    fn known_fault_belongs_to_its_row() {
        let mut batch = Batch::default();
        for line in 0..3 {
            let fault = (line == 1).then(|| RowFault { message: "no".to_owned(), ..RowFault::default() });
            batch.push(&mut Row { line, json: b"{}".into(), text: b"[]".into(), fault, ..Row::default() });
        }
        assert!(batch.known_fault(0).is_none() && batch.known_fault(2).is_none());
        let known = batch.known_fault(1).expect("a fault");
        assert_eq!((&*known.fault.message, &*known.text, batch.row(2)), ("no", &b"[]"[..], &b"{}"[..]));
    }

    #[test]
    fn nothing_is_read_for_partitions_that_have_ended() {
        let (mut partitioner, partitions) = Partitioner::new(MAX_ROWS, Arc::default());
        drop(partitions);
        let mut row = Row { json: vec![b' '; MAX_BYTES], ..Row::default() };
        let mut prefix = Prefix::new(false);
        prefix.add(&row);
        partitioner.push(&mut row, &prefix).expect_err("closed");
    }
}
