//! A pool that makes room when it is full: a new member replaces the one that has waited longest, so that silent clients
//! do not keep others out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// A pool with a maximum number of members.
#[derive(Debug)]
pub(super) struct EvictingPool {
    max: usize,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    count: usize,
    /// The key of the member that starts to wait next, so that keys are in the order of waiting.
    next_key: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

/// A member's place in the pool, which is returned on drop.
#[derive(Debug)]
pub(super) struct Place {
    pool: Arc<EvictingPool>,
    evicted: CancellationToken,
    /// The key in `waiting`; `None` while the member is busy. It stays after an eviction.
    key: Option<u64>,
}

impl EvictingPool {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, members: Mutex::default() })
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Adds a waiting member. Returns `None` if the pool is full of busy members.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        let mut members = self.lock();
        if members.count >= self.max {
            let (_, oldest) = members.waiting.pop_first()?;
            oldest.cancel();
            members.count -= 1;
        }
        members.count += 1;
        let evicted = CancellationToken::new();
        let key = members.wait(&evicted);
        Some(Place { pool: Arc::clone(self), evicted, key: Some(key) })
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn wait(&mut self, evicted: &CancellationToken) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        self.waiting.insert(key, evicted.clone());
        key
    }
}

impl Place {
    /// Returns the token that is cancelled when the member is evicted.
    pub(super) fn evicted(&self) -> &CancellationToken {
        &self.evicted
    }

    /// Protects the member from eviction, unless it has been evicted.
    pub(super) fn set_busy(&mut self) {
        self.key = self.key.filter(|key| self.pool.lock().waiting.remove(key).is_none());
    }

    /// Lets the member be evicted, after all that wait already.
    pub(super) fn set_waiting(&mut self) {
        if self.key.is_none() {
            self.key = Some(self.pool.lock().wait(&self.evicted));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut members = self.pool.lock();
        // An evicted member no longer counts.
        if self.key.is_none_or(|key| members.waiting.remove(&key).is_some()) {
            members.count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_pool_evicts_the_member_that_has_waited_longest() {
        let pool = EvictingPool::new(2);
        let mut first = pool.enter().expect("a place");
        let second = pool.enter().expect("a place");
        first.set_busy();
        first.set_waiting();
        let third = pool.enter().expect("the place of the second");
        assert!(second.evicted().is_cancelled());
        assert!(!first.evicted().is_cancelled() && !third.evicted().is_cancelled());
    }

    #[test]
    fn busy_member_is_not_evicted() {
        let pool = EvictingPool::new(1);
        let mut busy = pool.enter().expect("a place");
        busy.set_busy();
        assert!(pool.enter().is_none());
        assert!(!busy.evicted().is_cancelled());
        busy.set_waiting();
        assert!(pool.enter().is_some());
        assert!(busy.evicted().is_cancelled());
    }

    #[test]
    fn place_is_returned_once() {
        let pool = EvictingPool::new(1);
        let mut evicted = pool.enter().expect("a place");
        let mut other = pool.enter().expect("its place");
        evicted.set_busy();
        drop(evicted);
        other.set_busy();
        assert!(pool.enter().is_none(), "the evicted member's place is taken");
        drop(other);
        assert!(pool.enter().is_some());
        assert_eq!(pool.lock().count, 0);
    }
}
