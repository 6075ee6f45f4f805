//! Publishes committed changes: directly to the subscribers of this server, and through the relay to other servers.
//!
//! The subscribers of a memberbase share one bounded channel. A writer never waits; a subscriber that lags is notified
//! that it missed changes.

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

use super::{
    relay::ServerId,
    shared_json::{SharedBytes, SharedJson},
};
use crate::types::{Change, MemberbaseId};

/// Maximum number of changes that wait for the relay. With all their ids they take 4 MiB.
const OUTBOX_CAPACITY: usize = 256;

/// The hub for publishing changes and subscribing to them. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Changes(Arc<Hub>);

#[derive(Debug, Default)]
struct Hub {
    server: ServerId,
    /// Number of subscriptions, read by every write.
    subscriptions: AtomicUsize,
    memberbases: Mutex<HashMap<MemberbaseId, broadcast::Sender<Arc<PublishedChange>>>>,
    /// True while the relay runs.
    relayed: AtomicBool,
    outbox: Mutex<Outbox>,
    /// Notified when something was added to the outbox.
    wakeup: Notify,
    delivered: AtomicU64,
    missed: AtomicU64,
    shared_bytes: SharedBytes,
}

/// A change with the JSON that its subscriptions share.
#[derive(Debug)]
pub(crate) struct PublishedChange {
    pub(crate) change: Arc<Change>,
    pub(crate) json: SharedJson,
}

/// Changes that have not yet been sent to other servers.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) changes: Vec<Arc<Change>>,
    /// True if further changes were lost.
    pub(super) lost: bool,
}

/// A subscription to the changes of one memberbase.
#[derive(Debug)]
pub(crate) struct ChangeReceiver {
    hub: Arc<Hub>,
    memberbase: MemberbaseId,
    /// `None` after the memberbase was deleted.
    receiver: Option<broadcast::Receiver<Arc<PublishedChange>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeCounts {
    pub subscriptions: usize,
    /// Changes delivered, summed over the subscriptions.
    pub(crate) delivered: u64,
    /// Changes missed by subscriptions that lagged, summed over the subscriptions.
    pub missed: u64,
}

impl Changes {
    /// Returns whether a change may have receivers. If not, it need not be assembled.
    pub fn has_subscribers(&self) -> bool {
        self.0.subscriptions.load(SeqCst) > 0 || self.0.relayed.load(SeqCst)
    }

    /// Publishes a committed change, without waiting.
    pub(crate) fn publish(&self, change: Change) {
        let change = Arc::new(change.bounded());
        if change.is_empty() {
            return;
        }
        if self.0.relayed.load(SeqCst) {
            let mut outbox = lock(&self.0.outbox);
            // Under the lock, so that concurrent changes have one order on all servers.
            self.deliver(Arc::clone(&change));
            if outbox.changes.len() < OUTBOX_CAPACITY {
                outbox.changes.push(change);
            } else {
                outbox.lost = true;
            }
            drop(outbox);
            self.0.wakeup.notify_one();
        } else {
            self.deliver(change);
        }
    }

    /// Subscribes to a memberbase. The first subscription sets how many changes the shared channel buffers.
    pub(crate) fn subscribe(&self, memberbase: MemberbaseId, buffer: usize) -> ChangeReceiver {
        let mut memberbases = lock(&self.0.memberbases);
        let sender = memberbases.entry(memberbase).or_insert_with(|| broadcast::Sender::new(buffer));
        let receiver = Some(sender.subscribe());
        self.0.subscriptions.fetch_add(1, SeqCst);
        ChangeReceiver { hub: Arc::clone(&self.0), memberbase, receiver }
    }

    pub fn counts(&self) -> ChangeCounts {
        let Hub { subscriptions, delivered, missed, .. } = &*self.0;
        ChangeCounts {
            subscriptions: subscriptions.load(SeqCst),
            delivered: delivered.load(SeqCst),
            missed: missed.load(SeqCst),
        }
    }

    pub(super) fn server(&self) -> ServerId {
        self.0.server
    }

    /// Delivers a change to the subscribers of this server.
    pub(super) fn deliver(&self, change: Arc<Change>) {
        if self.0.subscriptions.load(SeqCst) == 0 {
            return;
        }
        if let Some(sender) = lock(&self.0.memberbases).get(&change.memberbase) {
            // Fails if the last subscriber has just left.
            let _ = sender.send(self.published(change));
        }
    }

    fn published(&self, change: Arc<Change>) -> Arc<PublishedChange> {
        Arc::new(PublishedChange { change, json: SharedJson::new(self.0.shared_bytes.clone()) })
    }

    /// Notifies all subscribers of this server that they may have missed changes.
    pub(super) fn deliver_loss(&self) {
        for (memberbase, sender) in &*lock(&self.0.memberbases) {
            let _ = sender.send(self.published(Arc::new(Change::unknown(*memberbase))));
        }
    }

    /// Sets whether changes are queued for the relay.
    pub(super) fn set_relayed(&self, relayed: bool) {
        self.0.relayed.store(relayed, SeqCst);
    }

    /// Waits until the outbox is not empty, and takes its content.
    pub(super) async fn next_outgoing(&self) -> Outbox {
        loop {
            let outgoing = self.outgoing();
            if outgoing.lost || !outgoing.changes.is_empty() {
                return outgoing;
            }
            self.0.wakeup.notified().await;
        }
    }

    /// Takes the content of the outbox.
    pub(super) fn outgoing(&self) -> Outbox {
        mem::take(&mut *lock(&self.0.outbox))
    }

    /// Records that changes taken from the outbox could not be sent.
    pub(super) fn mark_lost(&self) {
        lock(&self.0.outbox).lost = true;
        self.0.wakeup.notify_one();
    }
}

impl ChangeReceiver {
    /// Waits for the next change. Returns it with whether changes before it were missed; `None` after the memberbase was
    /// deleted.
    pub(crate) async fn next(&mut self) -> Option<(Arc<PublishedChange>, bool)> {
        let mut missed = false;
        let published = loop {
            match self.receiver.as_mut()?.recv().await {
                Ok(published) => break published,
                Err(RecvError::Lagged(changes)) => {
                    self.hub.missed.fetch_add(changes, SeqCst);
                    missed = true;
                }
                Err(RecvError::Closed) => return None,
            }
        };
        self.hub.delivered.fetch_add(1, SeqCst);
        if published.change.last {
            self.receiver = None;
        }
        let missed = missed || published.change.missed;
        Some((published, missed))
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
    async fn a_change_is_delivered_to_the_subscribers_of_its_memberbase_only() {
        let changes = Changes::default();
        let one = base();
        let other = base();
        assert!(!changes.has_subscribers());
        let mut first = changes.subscribe(one, 8);
        let mut second = changes.subscribe(one, 8);
        let mut third = changes.subscribe(other, 8);
        assert!(changes.has_subscribers());
        changes.publish(change(one, 0));
        changes.publish(change(one, 1));
        changes.publish(change(other, 2));
        for (receiver, count) in [(&mut first, 1), (&mut second, 1), (&mut third, 2)] {
            let (published, missed) = receiver.next().await.expect("a change");
            assert_eq!((published.change.created.count, missed), (count, false));
        }
        drop((first, second, third));
        assert!(!changes.has_subscribers() && lock(&changes.0.memberbases).is_empty());
    }

    #[tokio::test]
    async fn a_lagging_subscriber_receives_missed_with_the_next_change() {
        let changes = Changes::default();
        let base = base();
        let mut slow = changes.subscribe(base, 4);
        for count in 1..=10 {
            changes.publish(change(base, count));
        }
        let mut received = Vec::new();
        for _ in 0..4 {
            let (published, missed) = slow.next().await.expect("a change");
            received.push((published.change.created.count, missed));
        }
        assert_eq!(received, [(7, true), (8, false), (9, false), (10, false)]);
        assert_eq!(changes.counts(), ChangeCounts { subscriptions: 1, delivered: 4, missed: 6 });
    }

    #[tokio::test]
    async fn nothing_is_received_after_the_last_change() {
        let changes = Changes::default();
        let base = base();
        let mut receiver = changes.subscribe(base, 4);
        changes.publish(Change { last: true, ..Change::new(base) });
        assert!(receiver.next().await.expect("the last").0.change.last);
        changes.publish(change(base, 1));
        assert!(receiver.next().await.is_none());
    }

    #[tokio::test]
    async fn a_full_outbox_reports_a_loss() {
        let changes = Changes::default();
        let base = base();
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
