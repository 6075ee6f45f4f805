//! What was committed, on its way to those who listen: to subscribers of this server at once, to other servers by the relay.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::sync::{
    Notify,
    broadcast::{self, error::RecvError},
};

use super::relay::ServerId;
use crate::types::{Change, MemberbaseId};

/// So many changes wait for the relay. With all their ids they take 4 MiB.
const OUTBOX_CAPACITY: usize = 256;

/// Where changes are told, and heard of. A clone is of the same.
#[derive(Clone, Debug, Default)]
pub struct Changes(Arc<Hub>);

#[derive(Debug, Default)]
struct Hub {
    server: ServerId,
    /// How many listen, looked at by every write.
    subscriptions: AtomicUsize,
    memberbases: Mutex<HashMap<MemberbaseId, broadcast::Sender<Arc<Change>>>>,
    /// Whether the relay runs.
    relayed: AtomicBool,
    outbox: Mutex<Outbox>,
    /// Rung when there is something in the outbox.
    wakeup: Notify,
    delivered: AtomicU64,
    missed: AtomicU64,
}

/// What other servers are still to be told.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) changes: Vec<Arc<Change>>,
    /// Whether some are lost.
    pub(super) lost: bool,
}

/// What is heard of one memberbase from now on.
#[derive(Debug)]
pub struct ChangeReceiver {
    hub: Arc<Hub>,
    memberbase: MemberbaseId,
    /// None once the memberbase is no more.
    receiver: Option<broadcast::Receiver<Arc<Change>>>,
}

/// ChangeCounts of a server, for those who watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Who listens now.
    pub subscriptions: usize,
    /// Changes that subscribers were given, each time.
    pub delivered: u64,
    /// Changes that subscribers were too slow for, each time.
    pub missed: u64,
}

impl Changes {
    /// Whether anybody may hear of a change: if not, nobody has to find out what it was.
    pub fn has_subscribers(&self) -> bool {
        self.0.subscriptions.load(SeqCst) > 0 || self.0.relayed.load(SeqCst)
    }

    /// Tells what was committed. It waits for nobody.
    pub fn publish(&self, change: Change) {
        let change = Arc::new(change.bounded());
        if change.is_empty() {
            return;
        }
        self.deliver(Arc::clone(&change));
        if self.0.relayed.load(SeqCst) {
            let mut outbox = lock(&self.0.outbox);
            if outbox.changes.len() < OUTBOX_CAPACITY {
                outbox.changes.push(change);
            } else {
                outbox.lost = true;
            }
            drop(outbox);
            self.0.wakeup.notify_one();
        }
    }

    /// Listens to one memberbase, with so many changes waiting at most.
    pub fn subscribe(&self, memberbase: MemberbaseId, buffer: usize) -> ChangeReceiver {
        let mut memberbases = lock(&self.0.memberbases);
        let sender = memberbases.entry(memberbase).or_insert_with(|| broadcast::Sender::new(buffer));
        let receiver = Some(sender.subscribe());
        self.0.subscriptions.fetch_add(1, SeqCst);
        ChangeReceiver { hub: Arc::clone(&self.0), memberbase, receiver }
    }

    /// The figures as they are now.
    pub fn counts(&self) -> ChangeCounts {
        let Hub { subscriptions, delivered, missed, .. } = &*self.0;
        ChangeCounts {
            subscriptions: subscriptions.load(SeqCst),
            delivered: delivered.load(SeqCst),
            missed: missed.load(SeqCst),
        }
    }

    /// Which server this is.
    pub(super) fn server(&self) -> ServerId {
        self.0.server
    }

    /// Gives a change to the subscribers of this server.
    pub(super) fn deliver(&self, change: Arc<Change>) {
        if self.0.subscriptions.load(SeqCst) == 0 {
            return;
        }
        if let Some(sender) = lock(&self.0.memberbases).get(&change.memberbase) {
            // Whoever listened may have gone.
            let _ = sender.send(change);
        }
    }

    /// Tells all subscribers of this server that they may have missed something.
    pub(super) fn deliver_loss(&self) {
        for (memberbase, sender) in &*lock(&self.0.memberbases) {
            let _ = sender.send(Arc::new(Change::unknown(*memberbase)));
        }
    }

    /// From now on changes are kept for the relay, or no longer.
    pub(super) fn set_relayed(&self, relayed: bool) {
        self.0.relayed.store(relayed, SeqCst);
    }

    /// Waits until there is something in the outbox, and takes it.
    pub(super) async fn next_outgoing(&self) -> Outbox {
        loop {
            let outgoing = self.outgoing();
            if outgoing.lost || !outgoing.changes.is_empty() {
                return outgoing;
            }
            self.0.wakeup.notified().await;
        }
    }

    /// Takes what is in the outbox.
    pub(super) fn outgoing(&self) -> Outbox {
        mem::take(&mut *lock(&self.0.outbox))
    }

    /// What was taken from the outbox did not arrive.
    pub(super) fn mark_lost(&self) {
        lock(&self.0.outbox).lost = true;
        self.0.wakeup.notify_one();
    }
}

impl ChangeReceiver {
    /// The next change, and whether others before it were lost. None once the memberbase is no more.
    pub async fn next(&mut self) -> Option<(Arc<Change>, bool)> {
        let mut missed = false;
        let change = loop {
            match self.receiver.as_mut()?.recv().await {
                Ok(change) => break change,
                Err(RecvError::Lagged(changes)) => {
                    self.hub.missed.fetch_add(changes, SeqCst);
                    missed = true;
                }
                Err(RecvError::Closed) => return None,
            }
        };
        self.hub.delivered.fetch_add(1, SeqCst);
        if change.last {
            self.receiver = None;
        }
        let missed = missed || change.missed;
        Some((change, missed))
    }
}

impl Drop for ChangeReceiver {
    fn drop(&mut self) {
        let mut memberbases = lock(&self.hub.memberbases);
        self.receiver = None;
        if memberbases.get(&self.memberbase).is_some_and(|sender| sender.receiver_count() == 0) {
            memberbases.remove(&self.memberbase);
        }
        self.hub.subscriptions.fetch_sub(1, SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::types::{Id, Touched};

    fn base() -> MemberbaseId {
        MemberbaseId::from_uuid(Uuid::now_v7())
    }

    fn change(memberbase: MemberbaseId, created: u64) -> Change {
        Change { created: Touched::counted(created), ..Change::new(memberbase) }
    }

    #[tokio::test]
    async fn each_memberbase_is_heard_by_its_own_subscribers() {
        let (changes, one, other) = (Changes::default(), base(), base());
        assert!(!changes.has_subscribers());
        let (mut first, mut second) = (changes.subscribe(one, 8), changes.subscribe(one, 8));
        let mut third = changes.subscribe(other, 8);
        assert!(changes.has_subscribers());
        changes.publish(change(one, 0));
        changes.publish(change(one, 1));
        changes.publish(change(other, 2));
        for (heard, count) in [(&mut first, 1), (&mut second, 1), (&mut third, 2)] {
            let (change, missed) = heard.next().await.expect("a change");
            assert_eq!((change.created.count, missed), (count, false));
        }
        drop((first, second, third));
        assert!(!changes.has_subscribers() && lock(&changes.0.memberbases).is_empty());
    }

    #[tokio::test]
    async fn who_is_slow_is_told_so_with_the_next_change() {
        let (changes, base) = (Changes::default(), base());
        let mut slow = changes.subscribe(base, 4);
        for count in 1..=10 {
            changes.publish(change(base, count));
        }
        let mut heard = Vec::new();
        for _ in 0..4 {
            let (change, missed) = slow.next().await.expect("a change");
            heard.push((change.created.count, missed));
        }
        assert_eq!(heard, [(7, true), (8, false), (9, false), (10, false)]);
        assert_eq!(changes.counts(), ChangeCounts { subscriptions: 1, delivered: 4, missed: 6 });
    }

    #[tokio::test]
    async fn nothing_is_heard_after_the_last_change() {
        let (changes, base) = (Changes::default(), base());
        let mut heard = changes.subscribe(base, 4);
        changes.publish(Change { last: true, ..Change::new(base) });
        assert!(heard.next().await.expect("the last").0.last);
        changes.publish(change(base, 1));
        assert_eq!(heard.next().await, None);
    }

    #[tokio::test]
    async fn an_outbox_that_is_full_says_so() {
        let (changes, base) = (Changes::default(), base());
        changes.set_relayed(true);
        for _ in 0..OUTBOX_CAPACITY {
            changes.publish(change(base, 1));
        }
        assert!(!lock(&changes.0.outbox).lost);
        changes.publish(change(base, 1));
        let outgoing = changes.next_outgoing().await;
        assert_eq!((outgoing.changes.len(), outgoing.lost), (OUTBOX_CAPACITY, true));
        let outgoing = changes.outgoing();
        assert_eq!((outgoing.changes.len(), outgoing.lost), (0, false));
    }
}
