//! Relays changes between the servers of one PostgreSQL database, by LISTEN and NOTIFY
//! (<https://www.postgresql.org/docs/current/sql-notify.html>).
//!
//! Writers do not wait for it: a task sends committed changes afterwards, many in one transaction, because commits that
//! contain a NOTIFY are serialized. If a server is killed between the two, changes that it had not sent are lost
//! silently. Every other loss is reported to all subscribers as `missed`.

mod wire;

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(super) use self::wire::ServerId;
use self::wire::{Inbox, Message, fragments};
use super::App;

/// The channel of notifications. Channels belong to a database, so the name may be the same in several.
const CHANNEL: &str = "memberbase_changes";

const SEND_TIMEOUT: Duration = Duration::from_secs(10);

const RECONNECT_DELAY: Duration = Duration::from_secs(1);

impl App {
    /// Sends the changes of this server to other servers until `stop`, and then those that are left. It has to be
    /// awaited before the database is closed. On SQLite, which has only one server, it returns at once.
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
                        tracing::warn!(%cause, "sending changes to other servers failed; they will be notified of the loss");
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

    /// Receives the changes of other servers until `stop`.
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
                    tracing::warn!("behind a pooler, subscribers receive only the changes of their own server");
                    return;
                }
                Ok(Some(mut listener)) => {
                    // Notifications sent before this moment are lost.
                    self.changes.deliver_loss();
                    failures = 0;
                    let mut inbox = Inbox::new(self.changes.server());
                    loop {
                        match listener.next().await {
                            Ok(text) => inbox.receive(&text).into_iter().for_each(|message| self.deliver(message)),
                            Err(cause) => break cause,
                        }
                    }
                }
                Err(cause) => cause,
            };
            failures = failures.saturating_add(1);
            match failures {
                1 => tracing::warn!(%cause, "the connection that receives the changes of other servers failed"),
                // A longer interruption: subscribers are notified now as well, and not only after the reconnection.
                2 => self.changes.deliver_loss(),
                _ => tracing::debug!(%cause, "still no connection to receive the changes of other servers"),
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
