//! Notifications from one server of a PostgreSQL database to the others.

use std::{io, time::Duration};

use sea_orm::{ConnectionTrait, DbErr};
use sqlx::{
    Executor, Row,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::time::timeout;

use super::{Db, Pools, error_kind};

/// After so long without a notification the connection is asked for an answer: a network may drop it without a word.
const CHECK_AFTER_SILENCE: Duration = Duration::from_secs(15);

/// How long a connection, and an answer, may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection of its own that hears notifications.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Db {
    /// Whether the servers of this database can notify each other.
    pub fn notifies(&self) -> bool {
        matches!(*self.pools, Pools::Postgres { .. })
    }

    /// Notifies all who listen, of all of the texts or of none, in this order. Each has less than 8,000 bytes and no quotes.
    pub async fn notify(&self, channel: &str, texts: &[String]) -> Result<(), DbErr> {
        debug_assert!(
            texts.iter().all(|text| text.len() < 8_000 && !text.contains('\'')),
            "a notification is too large"
        );
        let texts: Vec<_> = texts.iter().map(|text| format!("'{text}'")).collect();
        // Statements that are sent together are one transaction. What is lost by a crash right after it is lost anyway.
        let sql = format!(
            "SET LOCAL synchronous_commit = off; SELECT pg_notify('{channel}', text) FROM unnest(ARRAY[{}]) AS text",
            texts.join(",")
        );
        self.read().await?.execute_unprepared(&sql).await.map(drop)
    }

    /// Listens from now on; none where a pooler stands before the database, which gives nobody a connection of his own.
    pub async fn listen(&self, channel: &str) -> Result<Option<Listener>, DbErr> {
        let Pools::Postgres { pool, pooler: false, .. } = &*self.pools else { return Ok(None) };
        let options = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        // It hears of a loss, and does not connect again by itself: what was lost meanwhile is to be told.
        let own = options.acquire_timeout(CHECK_TIMEOUT).connect_lazy_with((*pool.pool().connect_options()).clone());
        let mut listener = PgListener::connect_with(&own).await.map_err(error_kind::connection)?;
        listener.eager_reconnect(false);
        let listening = timeout(CHECK_TIMEOUT, listener.listen(channel)).await;
        listening.map_err(|_| error_kind::timeout())?.map_err(error_kind::statement)?;
        Ok(Some(Listener(listener)))
    }
}

impl Listener {
    /// The next notification. After an error nothing more is heard.
    pub async fn next(&mut self) -> Result<String, DbErr> {
        loop {
            match timeout(CHECK_AFTER_SILENCE, self.0.try_recv()).await {
                Ok(Ok(Some(notification))) => return Ok(notification.payload().to_owned()),
                Ok(Ok(None)) => {
                    return Err(error_kind::connection(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
                }
                Ok(Err(error)) => return Err(error_kind::connection(error)),
                Err(_) => {
                    let answer = timeout(CHECK_TIMEOUT, self.0.fetch_one("SELECT pg_is_in_recovery()")).await;
                    let answer = answer.map_err(|_| error_kind::timeout())?.map_err(error_kind::connection)?;
                    if answer.try_get(0).map_err(error_kind::connection)? {
                        // After a failover the connection may still lead to the old primary, where no notifications are sent.
                        let error = io::Error::new(io::ErrorKind::ConnectionReset, "the database is in recovery");
                        return Err(error_kind::connection(error.into()));
                    }
                }
            }
        }
    }
}
