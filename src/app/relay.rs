//! Changes between the servers of one PostgreSQL database, by LISTEN and NOTIFY.
//!
//! A writer never waits for it: what was committed is notified afterwards, by a task of its own and many changes at a time,
//! because commits with a NOTIFY in them wait for each other. So a server that is killed in between takes what it had not
//! notified with it. Whatever else is lost is told: as a loss, to all who listen.

mod wire;

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(super) use self::wire::ServerId;
use self::wire::{Inbox, Message, fragments};
use super::App;

/// The channel of notifications; each database has its own.
const CHANNEL: &str = "memberbase_changes";

/// How long it may take to notify.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait after a failure.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

impl App {
    /// Tells other servers what is committed here from now on, until `stop`, and then what is left: to be awaited before the
    /// database is closed. On SQLite, which has one server, there is nothing to do.
    pub fn relay_outbound(self, stop: CancellationToken) -> impl Future<Output = ()> {
        self.changes.set_relayed(self.db.notifies());
        self.send(stop)
    }

    async fn send(self, stop: CancellationToken) {
        if !self.db.notifies() {
            return;
        }
        let mut failing = false;
        loop {
            let outgoing = tokio::select! {
                outgoing = self.changes.next_outgoing() => outgoing,
                () = stop.cancelled() => self.changes.outgoing(),
            };
            if outgoing.changes.is_empty() && !outgoing.lost {
                return;
            }
            let texts = fragments(self.changes.server(), &Message { changes: outgoing.changes, lost: outgoing.lost });
            match self.db.untracked().with_deadline(Instant::now() + SEND_TIMEOUT).notify(CHANNEL, &texts).await {
                Ok(()) => failing = false,
                Err(_) if stop.is_cancelled() => return,
                Err(cause) => {
                    if !failing {
                        tracing::warn!(%cause, "other servers were not told of changes; they will be told that some are lost");
                    }
                    failing = true;
                    self.changes.mark_lost();
                    tokio::select! {
                        () = sleep(RECONNECT_DELAY) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
    }

    /// Hears of what other servers committed, until `stop`.
    pub async fn relay_inbound(self, stop: CancellationToken) {
        if self.db.notifies() {
            tokio::select! {
                () = self.listen() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn listen(&self) {
        let mut failures = 0_u32;
        loop {
            let cause = match self.db.listen(CHANNEL).await {
                Ok(None) => {
                    tracing::warn!("behind a pooler, subscribers hear of the writes of their own server alone");
                    return;
                }
                Ok(Some(mut listener)) => {
                    // What was notified before is lost.
                    self.changes.deliver_loss();
                    failures = 0;
                    let mut inbox = Inbox::new(self.changes.server());
                    loop {
                        match listener.next().await {
                            Ok(text) => inbox.receive(&text).into_iter().for_each(|parcel| self.deliver(parcel)),
                            Err(cause) => break cause,
                        }
                    }
                }
                Err(cause) => cause,
            };
            failures = failures.saturating_add(1);
            match failures {
                1 => tracing::warn!(%cause, "the connection that hears of other servers' changes is lost"),
                // It takes longer: subscribers are told now as well, and not only when it is back.
                2 => self.changes.deliver_loss(),
                _ => tracing::debug!(%cause, "still no connection that hears of other servers' changes"),
            }
            if failures > 1 {
                sleep(RECONNECT_DELAY).await;
            }
        }
    }

    fn deliver(&self, Message { changes, lost }: Message) {
        if lost {
            self.changes.deliver_loss();
        }
        for change in changes {
            self.changes.deliver(change);
        }
    }
}
