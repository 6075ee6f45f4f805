//! Coalesces concurrent look-ups by key: those that arrive while a statement is running share the next one.
//!
//! A look-up never joins a statement that has already begun, so it sees everything that was committed before it was
//! called. Further statements run concurrently only if many look-ups are waiting, or if the running statement has
//! stalled.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use tokio::sync::oneshot;

use super::{Db, error_kind};

/// Another statement begins only if more look-ups than this are waiting for each running one: statements are expensive
/// for the server and for the database, and the next one serves all that wait.
const MAX_WAITING_PER_STATEMENT: usize = 32;

/// Maximum number of concurrent statements, including stalled ones, so that connections are left for other work.
const MAX_CONCURRENT_STATEMENTS: usize = 4;

/// A statement that has run this long may be stuck: new look-ups no longer rely on its batch worker.
const STALLED_AFTER: Duration = Duration::from_millis(100);

/// Maximum number of look-ups in one statement.
const MAX_BATCH_KEYS: usize = 500;

/// Batches look-ups of one kind of value by key.
#[derive(Debug)]
pub(crate) struct LookupBatcher<Key, Value>(Mutex<Queue<Key, Value>>);

#[derive(Debug)]
struct Queue<Key, Value> {
    waiting: Vec<Waiting<Key, Value>>,
    /// The time at which the current statement of each batch worker began, by worker id.
    running: BTreeMap<u64, Instant>,
    next_worker_id: u64,
}

#[derive(Debug)]
struct Waiting<Key, Value> {
    key: Key,
    deadline: Option<Instant>,
    result: oneshot::Sender<Result<Option<Value>, DbErr>>,
}

impl<Key, Value> Default for LookupBatcher<Key, Value> {
    fn default() -> Self {
        Self(Mutex::new(Queue { waiting: Vec::new(), running: BTreeMap::new(), next_worker_id: 0 }))
    }
}

impl<Key, Value> LookupBatcher<Key, Value>
where
    Key: Clone + Eq + Hash + Send + 'static,
    Value: Clone + Send + 'static,
{
    /// Returns the value of a key. The statement begins after this call, so it sees everything committed before. `load`
    /// returns the values of the keys that exist; its error is returned to all callers that share the statement.
    pub(crate) async fn find<Load, Loading>(
        self: &Arc<Self>,
        db: &Db,
        key: Key,
        load: Load,
    ) -> Result<Option<Value>, DbErr>
    where
        Load: Fn(Db, Vec<Key>) -> Loading + Copy + Send + 'static,
        Loading: Future<Output = Result<HashMap<Key, Value>, DbErr>> + Send,
    {
        let (sender, receiver) = oneshot::channel();
        if let Some(worker_id) = self.enqueue(Waiting { key, deadline: db.deadline(), result: sender }) {
            let batcher = self.clone();
            // The statements are for all that wait.
            let db = db.for_tenant(None);
            // A separate task, because the caller that started it may be cancelled. Boxed: the future is large, and is moved
            // several times.
            tokio::spawn(Box::pin(async move {
                let worker = BatchWorker { batcher: &batcher, id: worker_id };
                while let Some(batch) = worker.next_batch() {
                    run(&db, batch, load).await;
                }
            }));
        }
        let result = match db.deadline() {
            // The statement itself may run longer, if other callers have later deadlines.
            Some(deadline) => {
                tokio::time::timeout_at(deadline.into(), receiver).await.map_err(|_| error_kind::timeout())?
            }
            None => receiver.await,
        };
        result.unwrap_or_else(|_| Err(DbErr::Custom("the look-up panicked".to_owned())))
    }

    /// Adds a look-up to the queue. Returns the id of the batch worker that the caller must start, if the running ones
    /// are not enough to serve the queue soon.
    fn enqueue(&self, waiting: Waiting<Key, Value>) -> Option<u64> {
        let mut queue = self.queue();
        queue.waiting.push(waiting);
        let responsive = queue.running.values().filter(|began| began.elapsed() < STALLED_AFTER).count();
        let enough = queue.waiting.len() <= MAX_WAITING_PER_STATEMENT * responsive;
        if enough || queue.running.len() == MAX_CONCURRENT_STATEMENTS {
            return None;
        }
        let id = queue.next_worker_id;
        queue.next_worker_id += 1;
        queue.running.insert(id, Instant::now());
        Some(id)
    }
}

impl<Key, Value> LookupBatcher<Key, Value> {
    fn queue(&self) -> MutexGuard<'_, Queue<Key, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs one batch after the other until the queue is empty.
struct BatchWorker<'a, Key, Value> {
    batcher: &'a LookupBatcher<Key, Value>,
    id: u64,
}

impl<Key, Value> BatchWorker<'_, Key, Value> {
    /// Takes the next batch from the queue. If the queue is empty the worker ends, under the same lock, so that no new
    /// look-up relies on it.
    fn next_batch(&self) -> Option<Vec<Waiting<Key, Value>>> {
        let mut queue = self.batcher.queue();
        let count = queue.waiting.len().min(MAX_BATCH_KEYS);
        if count == 0 {
            queue.running.remove(&self.id);
            return None;
        }
        queue.running.insert(self.id, Instant::now());
        Some(queue.waiting.drain(..count).collect())
    }
}

impl<Key, Value> Drop for BatchWorker<'_, Key, Value> {
    /// After a panic there may be no worker left for the queue: drops it, which fails all waiting look-ups.
    fn drop(&mut self) {
        let mut queue = self.batcher.queue();
        if queue.running.remove(&self.id).is_some() {
            queue.waiting.clear();
        }
    }
}

/// Runs one statement for a batch, until the latest deadline in it.
async fn run<Key, Value, Loading>(db: &Db, batch: Vec<Waiting<Key, Value>>, load: impl Fn(Db, Vec<Key>) -> Loading)
where
    Key: Clone + Eq + Hash,
    Value: Clone,
    Loading: Future<Output = Result<HashMap<Key, Value>, DbErr>>,
{
    let deadline = batch.iter().map(|waiting| waiting.deadline).max_by_key(|deadline| (deadline.is_none(), *deadline));
    let keys: HashSet<_> = batch.iter().map(|waiting| waiting.key.clone()).collect();
    let loaded = load(db.with_deadline(deadline.flatten()), keys.into_iter().collect()).await;
    for Waiting { key, result, .. } in batch {
        let value = loaded.as_ref().map(|values| values.get(&key).cloned()).map_err(Clone::clone);
        // Fails if the caller no longer waits, which does not concern the others.
        let _ = result.send(value);
    }
}

#[cfg(test)]
mod tests;
