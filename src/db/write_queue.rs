//! The queue of writers, in front of the connections: each transaction waits for its turn before it takes one.
//!
//! A memberbase has a queue of its own, first come, first served. It mirrors the memberbase's lock: transactions with a
//! shared lock run concurrently, one with an exclusive lock runs alone. If several memberbases wait, the turn goes to
//! the one with the fewest running transactions, and among those to the one that has waited longest since its last
//! transaction began or ended. SQLite runs one transaction at a time: its memberbases take turns.
//!
//! On PostgreSQL a memberbase may not fill the server's connections: it runs at most a share of the concurrent
//! transactions ([`share`]), and only a memberbase without a running transaction may begin the last one.
//!
//! **No deadlocks.** A wait for a turn can't be part of a cycle: a transaction awaits its turn before it begins, while it
//! has no connection and no lock, and the holder of a turn never awaits another one. That leaves the waits in PostgreSQL.
//! A transaction takes the lock of one memberbase, or those of several in the order of their ids
//! ([`super::Session::lock_shared`]), so these waits have no cycle either. Such a transaction has a turn for the first
//! memberbase only; it takes the other locks in the database alone, where it may also wait for transactions of this
//! server.
//!
//! **Waits in PostgreSQL.** A writer that does not get a lock there within a second rolls back, gives its connection
//! and its turn back, and queues again at its old place. That is long enough for a shared lock: PostgreSQL's own queue
//! is fair, so the writer only has to be in it at the moment when an exclusive lock is released. It is too short for an
//! exclusive lock if other servers hold shared ones for longer and in turns, because new ones are granted as soon as
//! the wait ends. So each wait for an exclusive lock is twice as long as the one before. Its writer is the only one of
//! its memberbase that runs here, and takes one connection.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Lock, error_kind};

/// Transactions of one memberbase that run concurrently if there are enough connections: the concurrent batches of an
/// import.
const MIN_SHARE: usize = 4;

#[derive(Debug)]
pub(super) struct WriteQueue {
    /// Maximum wait of a transaction without a deadline.
    pub(super) max_wait: Duration,
    arrivals: AtomicU64,
    state: Mutex<State>,
}

/// The place of a call in the queue. A transaction that is retried keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrival(u64);

#[derive(Debug)]
struct State {
    /// Transactions that may begin now.
    free: usize,
    /// Maximum number of concurrent transactions of a memberbase.
    share: usize,
    /// The memberbases with running or waiting transactions; `None` for transactions without a memberbase.
    memberbases: HashMap<Option<Uuid>, Memberbase>,
    clock: u64,
}

#[derive(Debug)]
struct Memberbase {
    running: usize,
    /// True if the running transaction is exclusive.
    exclusive: bool,
    /// In the order of their arrival.
    waiting: VecDeque<Waiter>,
    /// When a transaction last began or ended, or else the first one arrived.
    last_turn: u64,
}

#[derive(Debug)]
struct Waiter {
    arrival: Arrival,
    exclusive: bool,
    granted: oneshot::Sender<()>,
}

/// The turn of a transaction, awaited or granted. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    queue: Arc<WriteQueue>,
    memberbase: Option<Uuid>,
    /// `None` once it is granted.
    awaited: Option<Arrival>,
}

/// Returns the maximum number of concurrent transactions of a memberbase.
fn share(writers: usize) -> usize {
    (writers / 2).max(MIN_SHARE)
}

impl WriteQueue {
    /// Returns a queue for this number of concurrent transactions.
    pub(super) fn new(writers: usize, max_wait: Duration) -> Arc<Self> {
        let state = State { free: writers, share: share(writers), memberbases: HashMap::new(), clock: 0 };
        Arc::new(Self { max_wait, arrivals: AtomicU64::new(0), state: Mutex::new(state) })
    }

    /// Returns a place at the end of the queue.
    pub(super) fn arrive(&self) -> Arrival {
        Arrival(self.arrivals.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits for the turn of a transaction with this lock.
    pub(super) async fn turn(
        self: &Arc<Self>,
        lock: Lock,
        arrival: Arrival,
        deadline: Option<Instant>,
    ) -> Result<Turn, DbErr> {
        let memberbase = lock.memberbase();
        let (granted, turn_granted) = oneshot::channel();
        let waiter = Waiter { arrival, exclusive: lock.is_exclusive(), granted };
        self.state().join(memberbase, waiter);
        // Leaves the queue if the wait is cancelled.
        let mut turn = Turn { queue: Arc::clone(self), memberbase, awaited: Some(arrival) };
        let latest = deadline.unwrap_or_else(|| Instant::now() + self.max_wait);
        match tokio::time::timeout_at(latest.into(), turn_granted).await {
            Ok(_) => {
                turn.awaited = None;
                Ok(turn)
            }
            Err(_) if deadline.is_some() => Err(error_kind::timeout()),
            Err(_) => Err(error_kind::connection(sqlx::Error::PoolTimedOut)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn join(&mut self, memberbase: Option<Uuid>, waiter: Waiter) {
        let now = self.tick();
        let joined = self.memberbases.entry(memberbase).or_insert_with(|| Memberbase {
            running: 0,
            exclusive: false,
            waiting: VecDeque::new(),
            last_turn: now,
        });
        let place = joined.waiting.partition_point(|other| other.arrival < waiter.arrival);
        joined.waiting.insert(place, waiter);
        self.grant();
    }

    /// Ends a turn. A turn that is still awaited may have been granted a moment ago.
    fn leave(&mut self, memberbase: Option<Uuid>, awaited: Option<Arrival>) {
        let now = self.tick();
        let Some(left) = self.memberbases.get_mut(&memberbase) else { return };
        let place = awaited.and_then(|arrival| left.waiting.iter().position(|waiter| waiter.arrival == arrival));
        match place {
            Some(place) => drop(left.waiting.remove(place)),
            None => {
                left.running -= 1;
                left.last_turn = now;
                self.free += 1;
            }
        }
        if left.running == 0 && left.waiting.is_empty() {
            self.memberbases.remove(&memberbase);
        }
        self.grant();
    }

    /// Begins all transactions that may begin now.
    fn grant(&mut self) {
        while self.free > 0 {
            let now = self.tick();
            let admitted = self.memberbases.values_mut().filter(|memberbase| memberbase.admits(self.free, self.share));
            let Some(next) = admitted.min_by_key(|memberbase| (memberbase.running, memberbase.last_turn)) else {
                return;
            };
            let Some(waiter) = next.waiting.pop_front() else { return };
            next.running += 1;
            next.exclusive = waiter.exclusive;
            next.last_turn = now;
            self.free -= 1;
            // If the wait has been cancelled by now, its turn leaves when it is dropped.
            let _ = waiter.granted.send(());
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

impl Memberbase {
    /// Returns whether the first waiting transaction may begin.
    fn admits(&self, free: usize, share: usize) -> bool {
        let Some(first) = self.waiting.front() else { return false };
        let locked = self.exclusive || first.exclusive;
        self.running == 0 || (!locked && self.running < share && free > 1)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.state().leave(self.memberbase, self.awaited);
    }
}

#[cfg(test)]
mod tests;
