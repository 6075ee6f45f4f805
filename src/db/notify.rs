//! Notifications between the servers of one PostgreSQL database
//! (<https://www.postgresql.org/docs/current/sql-notify.html>).

use std::{io, time::Duration};

use sea_orm::{ConnectionTrait, DbErr};
use sqlx::{
    Executor, Row,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::time::timeout;

use super::{Db, Pools, error_kind};

/// Time without a notification after which the connection is checked: a network may drop it silently.
const CHECK_AFTER_SILENCE: Duration = Duration::from_secs(15);

/// Time limit of connecting, and of the check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection of its own that receives notifications.
#[derive(Debug)]
pub(crate) struct Listener(PgListener);

impl Db {
    /// Returns whether servers can notify each other through this database.
    pub(crate) fn notifies(&self) -> bool {
        matches!(self.shared.pools, Pools::Postgres { .. })
    }

    /// Sends the texts to all listeners, in order, all or none. Each text must be shorter than 8,000 bytes and contain
    /// no quotes.
    pub(crate) async fn notify(&self, channel: &str, texts: &[String]) -> Result<(), DbErr> {
        debug_assert!(
            texts.iter().all(|text| text.len() < 8_000 && !text.contains('\'')),
            "a notification is too long or contains a quote"
        );
        let texts: Vec<_> = texts.iter().map(|text| format!("'{text}'")).collect();
        // Statements that are sent together are one transaction. It need not be durable: a crash loses notifications
        // anyway.
        let sql = format!(
            "SET LOCAL synchronous_commit = off; SELECT pg_notify('{channel}', text) FROM unnest(ARRAY[{}]) AS text",
            texts.join(",")
        );
        self.read().await?.execute_unprepared(&sql).await.map(drop)
    }

    /// Starts to listen. Returns `None` behind a pooler in transaction mode, where no client has a connection of its
    /// own.
    pub(crate) async fn listen(&self, channel: &str) -> Result<Option<Listener>, DbErr> {
        let Pools::Postgres { pool, pooler: false, .. } = &self.shared.pools else { return Ok(None) };
        let options = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        // The listener reports a lost connection instead of reconnecting by itself, because the notifications lost in
        // the meantime have to be reported as missed.
        let listener_pool =
            options.acquire_timeout(CHECK_TIMEOUT).connect_lazy_with((*pool.pool().connect_options()).clone());
        let mut listener = PgListener::connect_with(&listener_pool).await.map_err(error_kind::connection)?;
        listener.eager_reconnect(false);
        let listening = timeout(CHECK_TIMEOUT, listener.listen(channel)).await;
        listening.map_err(|_| error_kind::timeout())?.map_err(error_kind::statement)?;
        Ok(Some(Listener(listener)))
    }
}

impl Listener {
    /// Waits for the next notification. After an error the listener is unusable.
    pub(crate) async fn next(&mut self) -> Result<String, DbErr> {
        loop {
            match timeout(CHECK_AFTER_SILENCE, self.0.try_recv()).await {
                Ok(Ok(Some(notification))) => return Ok(notification.payload().to_owned()),
                Ok(Ok(None)) => {
                    return Err(error_kind::connection(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
                }
                Ok(Err(error)) => return Err(error_kind::connection(error)),
                Err(_) => {
                    let row = timeout(CHECK_TIMEOUT, self.0.fetch_one("SELECT pg_is_in_recovery()")).await;
                    let row = row.map_err(|_| error_kind::timeout())?.map_err(error_kind::connection)?;
                    if row.try_get(0).map_err(error_kind::connection)? {
                        // After a failover the connection may still lead to the old primary, which sends no
                        // notifications any more.
                        let error = io::Error::new(io::ErrorKind::ConnectionReset, "the database is in recovery");
                        return Err(error_kind::connection(error.into()));
                    }
                }
            }
        }
    }
}
