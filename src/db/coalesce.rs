//! Look-ups that come while others run: they wait for those, and then run together.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use tokio::sync::oneshot;

use super::{Db, error_kind};

/// Another statement begins only where more than so many look-ups wait for each that runs: they are dear, to us and to
/// the database, and what waits is taken along by the next.
const MAX_WAITING_PER_STATEMENT: usize = 32;

/// So many run at a time at most, those that hang too: the other connections are for others.
const MAX_CONCURRENT_STATEMENTS: usize = 4;

/// A statement that began so long ago may hang, and nobody counts on it any more.
const STALLED_AFTER: Duration = Duration::from_millis(100);

/// So many look-ups are in a statement at most.
const MAX_BATCH_KEYS: usize = 500;

/// Look-ups of one kind, each of a thing by its key.
#[derive(Debug)]
pub struct LookupBatcher<Key, Thing>(Mutex<State<Key, Thing>>);

#[derive(Debug)]
struct State<Key, Thing> {
    waiting: Vec<Waiting<Key, Thing>>,
    /// When the statement of each turn began, by its number.
    running: BTreeMap<u64, Instant>,
    /// How many turns there were.
    turns: u64,
}

#[derive(Debug)]
struct Waiting<Key, Thing> {
    key: Key,
    deadline: Option<Instant>,
    found: oneshot::Sender<Result<Option<Thing>, DbErr>>,
}

impl<Key, Thing> Default for LookupBatcher<Key, Thing> {
    fn default() -> Self {
        Self(Mutex::new(State { waiting: Vec::new(), running: BTreeMap::new(), turns: 0 }))
    }
}

impl<Key, Thing> LookupBatcher<Key, Thing>
where
    Key: Clone + Eq + Hash + Send + 'static,
    Thing: Clone + Send + 'static,
{
    /// The thing with this key, by a statement that begins after this is called: it sees all that was committed before.
    /// `load` finds the things of many keys, all that are there; what fails, fails for all who share it.
    pub async fn find<Load, Loading>(self: &Arc<Self>, db: &Db, key: Key, load: Load) -> Result<Option<Thing>, DbErr>
    where
        Load: Fn(Db, Vec<Key>) -> Loading + Copy + Send + 'static,
        Loading: Future<Output = Result<HashMap<Key, Thing>, DbErr>> + Send,
    {
        let (found, answer) = oneshot::channel();
        if let Some(number) = self.enqueue(Waiting { key, deadline: db.deadline(), found }) {
            let (together, db) = (self.clone(), db.clone());
            // A task of its own: whoever began it may hang up.
            tokio::spawn(async move {
                let turn = BatchWorker { together: &together, number };
                while let Some(batch) = turn.next() {
                    run(&db, batch, load).await;
                }
            });
        }
        let answer = match db.deadline() {
            // The statement may take longer, for the sake of others.
            Some(deadline) => {
                tokio::time::timeout_at(deadline.into(), answer).await.map_err(|_| error_kind::timeout())?
            }
            None => answer.await,
        };
        answer.unwrap_or_else(|_| Err(DbErr::Custom("the look-up panicked".to_owned())))
    }

    /// Waits; where nobody runs who will come to it soon, answers the number of the turn that begins.
    fn enqueue(&self, waiting: Waiting<Key, Thing>) -> Option<u64> {
        let mut state = self.state();
        state.waiting.push(waiting);
        let soon = state.running.values().filter(|began| began.elapsed() < STALLED_AFTER).count();
        if state.running.len() == MAX_CONCURRENT_STATEMENTS || state.waiting.len() <= MAX_WAITING_PER_STATEMENT * soon {
            return None;
        }
        let number = state.turns;
        state.turns += 1;
        state.running.insert(number, Instant::now());
        Some(number)
    }
}

impl<Key, Thing> LookupBatcher<Key, Thing> {
    fn state(&self) -> MutexGuard<'_, State<Key, Thing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that runs.
struct BatchWorker<'a, Key, Thing> {
    together: &'a LookupBatcher<Key, Thing>,
    number: u64,
}

impl<Key, Thing> BatchWorker<'_, Key, Thing> {
    /// Those that wait. Where there are none the turn ends, before another can come and count on it.
    fn next(&self) -> Option<Vec<Waiting<Key, Thing>>> {
        let mut state = self.together.state();
        let count = state.waiting.len().min(MAX_BATCH_KEYS);
        if count == 0 {
            state.running.remove(&self.number);
            return None;
        }
        state.running.insert(self.number, Instant::now());
        Some(state.waiting.drain(..count).collect())
    }
}

impl<Key, Thing> Drop for BatchWorker<'_, Key, Thing> {
    /// After a panic nobody may come any more to those that wait: they are told.
    fn drop(&mut self) {
        let mut state = self.together.state();
        if state.running.remove(&self.number).is_some() {
            state.waiting.clear();
        }
    }
}

/// Finds what they wait for by one statement, which may take as long as the last of them waits.
async fn run<Key, Thing, Loading>(db: &Db, batch: Vec<Waiting<Key, Thing>>, load: impl Fn(Db, Vec<Key>) -> Loading)
where
    Key: Clone + Eq + Hash,
    Thing: Clone,
    Loading: Future<Output = Result<HashMap<Key, Thing>, DbErr>>,
{
    let deadline = batch.iter().map(|waiting| waiting.deadline).max_by_key(|deadline| (deadline.is_none(), *deadline));
    let keys: HashSet<_> = batch.iter().map(|waiting| waiting.key.clone()).collect();
    let loaded = load(db.with_deadline(deadline.flatten()), keys.into_iter().collect()).await;
    for Waiting { key, found, .. } in batch {
        // Who does not wait any more is no concern of the others.
        let _ = found.send(loaded.as_ref().map(|things| things.get(&key).cloned()).map_err(Clone::clone));
    }
}

#[cfg(test)]
mod tests;
