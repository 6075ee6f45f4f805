//! Divides the rows of a file into batches, in their order, which are stored concurrently. A batch that has a ref of earlier
//! ones waits until those are stored, so that rows with the same ref are stored in the order of the file.
//!
//! The rows of a batch follow each other in the file: files are often sorted by ref, and so the rows of a transaction are
//! neighbours in the database.

mod batch;

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    sync::Arc,
};

use tokio::sync::{
    Mutex,
    mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender},
};

use self::batch::MAX_BYTES;
pub(super) use self::batch::{Batch, UnattributedRow};
use super::checkpoints::{Checkpoints, Prefix};
use crate::members_file::rows::Row;

/// Number of batches that are stored concurrently.
pub(super) const CONCURRENT: usize = 4;

/// Number of batches that wait to be stored.
const WAITING: usize = 2;

/// Fills batches, and passes them on.
pub(super) struct Batcher {
    /// Maximum number of rows of a batch.
    max_rows: usize,
    filling: Batch,
    /// The hashes of the refs of `filling`.
    keys: Vec<u64>,
    /// The first rows of earlier batches that have a ref of `filling`.
    waits_for: Vec<u64>,
    /// The batches that are passed on and not stored.
    unstored: Vec<PassedOn>,
    /// The first row of the last batch that has a ref with this hash, of `unstored` and `filling`.
    last_batches: HashMap<u64, u64>,
    waiting: Sender<Batch>,
    returned: UnboundedReceiver<Returned>,
    /// Batches that are stored. They are filled again, so that a thread frees what it has allocated.
    empty: Vec<Batch>,
    checkpoints: Arc<Checkpoints>,
}

struct PassedOn {
    first_row: u64,
    /// The hashes of its refs.
    keys: Vec<u64>,
}

/// The end of a batch.
enum Returned {
    Stored {
        first_row: u64,
        /// `None` if something else has it still.
        batch: Option<Batch>,
    },
    Failed,
}

/// Batches that wait to be stored.
#[derive(Clone)]
pub(super) struct Queue {
    waiting: Arc<Mutex<Receiver<Batch>>>,
    returned: UnboundedSender<Returned>,
}

impl Queue {
    /// Returns the next batch; `None` after the last.
    pub(super) async fn next(&self) -> Option<Batch> {
        self.waiting.lock().await.recv().await
    }

    /// Ends a batch that is stored.
    pub(super) fn stored(&self, batch: Arc<Batch>) {
        let first_row = batch.first_row;
        // The file may be parsed to its end.
        let _ = self.returned.send(Returned::Stored { first_row, batch: Arc::into_inner(batch) });
    }

    /// Ends all batches, because the import has failed.
    pub(super) fn fail(&self) {
        let _ = self.returned.send(Returned::Failed);
    }
}

/// No batches are stored any more.
#[derive(Debug)]
pub(super) struct Closed;

impl Batcher {
    /// Fills batches of at most `max_rows` rows.
    pub(super) fn new(max_rows: usize, checkpoints: Arc<Checkpoints>) -> (Self, Queue) {
        // At most as many messages exist as batches.
        let (return_batch, returned) = mpsc::unbounded_channel();
        let (sender, receiver) = mpsc::channel(WAITING);
        let queue = Queue { waiting: Arc::new(Mutex::new(receiver)), returned: return_batch };
        let batcher = Self {
            max_rows,
            filling: Batch::default(),
            keys: Vec::new(),
            waits_for: Vec::new(),
            unstored: Vec::new(),
            last_batches: HashMap::new(),
            waiting: sender,
            returned,
            empty: Vec::new(),
            checkpoints,
        };
        (batcher, queue)
    }

    /// Adds a row. A batch that is full is passed on, which blocks while others wait. `read` ends with this row.
    pub(super) fn push(&mut self, row: &mut Row, read: &Prefix) -> Result<(), Closed> {
        self.begin(read);
        let key = key(&row.reference);
        let last = self.last_batches.insert(key, self.filling.first_row);
        if last != Some(self.filling.first_row) {
            self.keys.push(key);
            if let Some(last) = last.filter(|last| !self.waits_for.contains(last)) {
                self.waits_for.push(last);
            }
        }
        self.filling.push(row);
        self.pass_on_if_full(read)
    }

    /// Adds a row that can't be attributed to a member.
    pub(super) fn push_unattributed(&mut self, row: UnattributedRow, read: &Prefix) -> Result<(), Closed> {
        self.begin(read);
        self.filling.push_unattributed(row);
        self.pass_on_if_full(read)
    }

    /// Passes on the last batch.
    pub(super) fn finish(mut self, read: &Prefix) -> Result<(), Closed> {
        if self.filling.is_empty() { Ok(()) } else { self.pass_on(read) }
    }

    /// Begins a batch with the last row of `read`, unless one has begun.
    fn begin(&mut self, read: &Prefix) {
        if self.filling.is_empty() {
            self.filling.first_row = read.rows() - 1;
        }
    }

    fn pass_on_if_full(&mut self, read: &Prefix) -> Result<(), Closed> {
        if self.filling.is_full(self.max_rows) { self.pass_on(read) } else { Ok(()) }
    }

    fn pass_on(&mut self, read: &Prefix) -> Result<(), Closed> {
        while let Ok(returned) = self.returned.try_recv() {
            self.take_back(returned)?;
        }
        for first_row in mem::take(&mut self.waits_for) {
            while self.unstored.iter().any(|batch| batch.first_row == first_row) {
                let returned = self.returned.blocking_recv().ok_or(Closed)?;
                self.take_back(returned)?;
            }
        }
        let batch = mem::replace(&mut self.filling, self.empty.pop().unwrap_or_default());
        self.unstored.push(PassedOn { first_row: batch.first_row, keys: mem::take(&mut self.keys) });
        if let Some(position) = read.position() {
            self.checkpoints.pass_on(batch.first_row, position);
        }
        self.waiting.blocking_send(batch).map_err(|_| Closed)
    }

    fn take_back(&mut self, returned: Returned) -> Result<(), Closed> {
        let Returned::Stored { first_row, batch } = returned else { return Err(Closed) };
        if let Some(place) = self.unstored.iter().position(|batch| batch.first_row == first_row) {
            for key in self.unstored.swap_remove(place).keys {
                if self.last_batches.get(&key) == Some(&first_row) {
                    self.last_batches.remove(&key);
                }
            }
        }
        // One that grew far beyond its limit, for a long row, is dropped.
        if let Some(mut batch) = batch.filter(|batch| batch.json.capacity() <= 2 * MAX_BYTES) {
            batch.clear();
            self.empty.push(batch);
        }
        Ok(())
    }
}

fn key(reference: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    reference.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::{Barrier, Mutex},
        thread,
        time::Duration,
    };

    use super::{super::checkpoints::Prefix, *};
    use crate::members_file::RowFault;

    const MAX_ROWS: usize = 100;

    /// Runs a closure on each batch on several threads, as the tasks of an import do, while rows are added.
    fn store(rows: impl Iterator<Item = Row>, each: impl Fn(&Batch) + Sync) -> Result<(), Closed> {
        let (mut batcher, queue) = Batcher::new(MAX_ROWS, Arc::default());
        let mut read = Prefix::new(false);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let work = |queue: Queue| {
            while let Some(batch) = runtime.block_on(queue.next()) {
                each(&batch);
                queue.stored(Arc::new(batch));
            }
        };
        thread::scope(|scope| {
            for _ in 0..CONCURRENT {
                let queue = queue.clone();
                scope.spawn(|| work(queue));
            }
            drop(queue);
            let mut pushed = Ok(());
            for mut row in rows {
                read.add(&row);
                pushed = pushed.and_then(|()| batcher.push(&mut row, &read));
            }
            pushed.and_then(|()| batcher.finish(&read))
        })
    }

    fn row(line: u64, reference: u64) -> Row {
        let (reference, json) = (reference.to_string(), reference.to_string().into());
        Row { line, reference, json, ..Row::default() }
    }

    #[test]
    fn rows_of_one_ref_keep_their_order() {
        // Refs come again after one batch, after several, and within a batch.
        let refs = |line: u64| if line.is_multiple_of(3) { line % 150 } else { line % 1_013 };
        let lines = 20_000;
        let stored = Mutex::new(HashMap::<String, Vec<u64>>::new());
        store((0..lines).map(|line| row(line, refs(line))), |batch| {
            assert!((1..=MAX_ROWS).contains(&batch.len()));
            if batch.first_row().is_multiple_of(7) {
                thread::sleep(Duration::from_millis(1));
            }
            for index in 0..batch.len() {
                let reference = String::from_utf8_lossy(batch.row(index)).into_owned();
                stored.lock().expect("no panic").entry(reference).or_default().push(batch.line(index));
            }
        })
        .expect("all batches are stored");
        let stored = stored.into_inner().expect("no panic");
        assert_eq!(stored.values().map(Vec::len).sum::<usize>() as u64, lines);
        assert!(stored.values().all(|lines| lines.is_sorted()));
    }

    #[test]
    fn batches_of_different_refs_are_stored_concurrently() {
        let barrier = Barrier::new(CONCURRENT);
        let rows = (0..MAX_ROWS as u64 * 8).map(|line| row(line, line));
        // Each batch waits until as many are being stored.
        store(rows, |_| {
            barrier.wait();
        })
        .expect("all batches are stored");
    }

    #[test]
    fn short_file_is_one_batch() {
        let batches = Mutex::new(Vec::new());
        let fault =
            |line: u64| line.is_multiple_of(3).then(|| RowFault { message: line.to_string(), ..RowFault::default() });
        let rows = (0..MAX_ROWS as u64).map(|line| Row { fault: fault(line), ..row(line, line) });
        store(rows, |batch| {
            for index in 0..batch.len() {
                assert_eq!(batch.row(index), batch.line(index).to_string().as_bytes());
                let known = batch.known_fault(index).map(|known| known.fault.message.clone());
                assert_eq!(known, fault(batch.line(index)).map(|fault| fault.message));
            }
            batches.lock().expect("no panic").push(batch.len());
        })
        .expect("all batches are stored");
        assert_eq!(*batches.lock().expect("no panic"), [MAX_ROWS]);
    }

    #[test]
    fn batch_ends_at_its_maximum_of_bytes() {
        let batches = Mutex::new(0);
        let rows = (0..10).map(|line| Row { line, json: vec![b' '; MAX_BYTES / 2], ..Row::default() });
        store(rows, |_| *batches.lock().expect("no panic") += 1).expect("all batches are stored");
        assert_eq!(*batches.lock().expect("no panic"), 5);
    }

    /// Adds batches with the same ref.
    fn push_until_closed(batcher: &mut Batcher) {
        let mut read = Prefix::new(false);
        loop {
            let mut row = Row { json: vec![b' '; MAX_BYTES], ..Row::default() };
            read.add(&row);
            if batcher.push(&mut row, &read).is_err() {
                return;
            }
        }
    }

    #[test]
    fn nothing_is_read_after_a_failure() {
        let (mut batcher, queue) = Batcher::new(MAX_ROWS, Arc::default());
        drop(queue);
        push_until_closed(&mut batcher);
        // The second batch waits for the first, which fails.
        let (mut batcher, queue) = Batcher::new(MAX_ROWS, Arc::default());
        let waiting = thread::spawn(move || push_until_closed(&mut batcher));
        queue.fail();
        waiting.join().expect("no panic");
    }
}
