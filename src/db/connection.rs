//! A connection in use: goes back to its pool only where nothing of it is left open.

use std::{sync::Arc, time::Instant};

use sea_orm::DbErr;
use sqlx::{Postgres, Sqlite};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Cutoff,
    deadline::Deadline,
    error_kind,
    pool::{LifoPool, PooledConnection},
};

/// A pool's connection and its status.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) driver: Driver,
    pub(super) status: Status,
    /// The permit to write, given back with the connection.
    _write_permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
pub(super) enum Driver {
    Sqlite(PooledConnection<Sqlite>),
    Postgres(PooledConnection<Postgres>),
}

/// Decides what becomes of a connection after its use.
#[derive(Debug)]
pub(super) struct Status {
    /// Between BEGIN and the end, or in the middle of a statement: the connection is closed.
    pub(super) busy: bool,
    /// A statement failed, perhaps because the connection is lost: the pool checks it.
    pub(super) doubtful: bool,
    /// The database takes no writes, as a standby does after a failover: this connection and all others that are open now
    /// may lead to the wrong server, and are closed.
    pub(super) read_only: bool,
    /// A statement was left in its middle; the transaction can't be rolled back by another one.
    pub(super) interrupted: bool,
    /// The transaction is being ended, which nothing stops.
    pub(super) ending: bool,
    /// When the last statement ended.
    pub(super) used_at: Instant,
}

impl Connection {
    pub(super) async fn sqlite(pool: &Arc<LifoPool<Sqlite>>, cutoff: &Cutoff) -> Result<Self, DbErr> {
        Self::watched(pool.acquire(cutoff.deadline).await?, cutoff).await
    }

    /// The connection if it is not in use.
    pub(super) async fn sqlite_if_free(pool: &Arc<LifoPool<Sqlite>>, cutoff: &Cutoff) -> Result<Option<Self>, DbErr> {
        match pool.acquire_if_idle(cutoff.deadline).await? {
            Some(connection) => Self::watched(connection, cutoff).await.map(Some),
            None => Ok(None),
        }
    }

    async fn watched(mut connection: PooledConnection<Sqlite>, cutoff: &Cutoff) -> Result<Self, DbErr> {
        let watched = match &connection.deadline {
            Some(watched) => watched,
            None => {
                let watched = Deadline::watched_by(&mut connection).await.map_err(error_kind::connection)?;
                connection.deadline.insert(watched)
            }
        };
        watched.set(cutoff.deadline);
        Ok(Self::new(Driver::Sqlite(connection), None))
    }

    pub(super) async fn postgres(
        pool: &Arc<LifoPool<Postgres>>,
        cutoff: &Cutoff,
        write_permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, DbErr> {
        let connection = pool.acquire(cutoff.deadline).await?;
        Ok(Self::new(Driver::Postgres(connection), write_permit))
    }

    fn new(driver: Driver, write_permit: Option<OwnedSemaphorePermit>) -> Self {
        let status = Status {
            busy: false,
            doubtful: false,
            read_only: false,
            interrupted: false,
            ending: false,
            used_at: Instant::now(),
        };
        Self { driver, status, _write_permit: write_permit }
    }
}

impl Drop for Connection {
    /// A future that was dropped may have left a statement or a transaction open; no one else is to find it.
    fn drop(&mut self) {
        if let Driver::Sqlite(PooledConnection { deadline: Some(deadline), .. }) = &self.driver {
            // Ends the statement that still runs. The next user of the connection sets a deadline of its own.
            deadline.set(self.status.busy.then(Instant::now));
        }
        match &mut self.driver {
            Driver::Sqlite(connection) => self.status.give_back(connection),
            Driver::Postgres(connection) => self.status.give_back(connection),
        }
    }
}

impl Status {
    fn give_back<DB: sqlx::Database>(&self, connection: &mut PooledConnection<DB>) {
        if self.read_only {
            connection.close_all();
        } else if self.busy {
            connection.close();
        } else if self.doubtful {
            connection.return_for_check();
        }
    }
}
