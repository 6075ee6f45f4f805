//! A connection in use. It returns to its pool only if no statement or transaction is left open on it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use sqlx::{AssertSqlSafe, Executor, Postgres, Sqlite};

use super::{
    Cutoff,
    deadline::Deadline,
    error_kind,
    pool::{LifoPool, PooledConnection, Usage},
    shares::Tenant,
    write_queue::Turn,
};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) driver: Driver,
    pub(super) status: Status,
    /// The turn to write, which ends after the connection is returned.
    turn: Option<Turn>,
}

#[derive(Debug)]
pub(super) enum Driver {
    Sqlite(PooledConnection<Sqlite>),
    Postgres(PooledConnection<Postgres>),
}

/// The status of a connection, which decides whether it is reused, checked or closed.
#[derive(Debug)]
pub(super) struct Status {
    /// In a transaction or in the middle of a statement: the connection has to be closed.
    pub(super) busy: bool,
    /// A statement failed, perhaps because the connection is lost: the pool has to check it.
    pub(super) doubtful: bool,
    /// The database accepts no writes, like a standby after a failover: this and all other open connections may lead to
    /// the wrong server, and are closed.
    pub(super) read_only: bool,
    /// A statement was abandoned before its end, so a `ROLLBACK` can't be sent.
    pub(super) interrupted: bool,
    /// The transaction is being ended, which a disconnecting client does not stop.
    pub(super) ending: bool,
    /// When the last statement ended.
    pub(super) used_at: Instant,
    /// When the time limit of the transaction's statements was computed.
    limited_at: Instant,
}

/// Maximum time by which PostgreSQL may end a statement of a transaction after the deadline. It is less than the time
/// after which the session gives up on the statement, and has to close the connection.
const LIMIT_TOLERANCE: Duration = Duration::from_millis(200);

impl Connection {
    pub(super) async fn sqlite(
        pool: &Arc<LifoPool<Sqlite>>,
        tenant: Tenant,
        cutoff: &Cutoff,
        turn: Option<Turn>,
    ) -> Result<Self, DbErr> {
        Self::watched(pool.acquire(usage(turn.as_ref()), tenant, cutoff.deadline).await?, cutoff, turn).await
    }

    /// Returns the connection if it is not in use.
    pub(super) async fn sqlite_if_free(
        pool: &Arc<LifoPool<Sqlite>>,
        tenant: Tenant,
        cutoff: &Cutoff,
    ) -> Result<Option<Self>, DbErr> {
        match pool.acquire_if_idle(tenant, cutoff.deadline).await? {
            Some(connection) => Self::watched(connection, cutoff, None).await.map(Some),
            None => Ok(None),
        }
    }

    async fn watched(
        mut connection: PooledConnection<Sqlite>,
        cutoff: &Cutoff,
        turn: Option<Turn>,
    ) -> Result<Self, DbErr> {
        let watched = match &connection.deadline {
            Some(watched) => watched,
            None => {
                let watched = Deadline::watched_by(&mut connection).await.map_err(error_kind::connection)?;
                connection.deadline.insert(watched)
            }
        };
        watched.set(cutoff.deadline);
        Ok(Self::new(Driver::Sqlite(connection), turn))
    }

    pub(super) async fn postgres(
        pool: &Arc<LifoPool<Postgres>>,
        tenant: Tenant,
        cutoff: &Cutoff,
        turn: Option<Turn>,
    ) -> Result<Self, DbErr> {
        let connection = pool.acquire(usage(turn.as_ref()), tenant, cutoff.deadline).await?;
        Ok(Self::new(Driver::Postgres(connection), turn))
    }

    fn new(driver: Driver, turn: Option<Turn>) -> Self {
        let status = Status {
            busy: false,
            doubtful: false,
            read_only: false,
            interrupted: false,
            ending: false,
            used_at: Instant::now(),
            limited_at: Instant::now(),
        };
        Self { driver, status, turn }
    }
}

impl Connection {
    /// Prepares the connection for another statement of a transaction: PostgreSQL's time limit is for each statement,
    /// so one that begins late would run for long after the deadline, even if this server has closed the connection
    /// (behind a pooler nothing else ends it).
    pub(super) async fn keep_to_deadline(&mut self, deadline: Option<Instant>) -> Result<(), DbErr> {
        let Driver::Postgres(connection) = &mut self.driver else { return Ok(()) };
        let Some(deadline) = deadline.filter(|deadline| self.turn.is_some() && *deadline > Instant::now()) else {
            return Ok(());
        };
        if self.status.limited_at.elapsed() < LIMIT_TOLERANCE {
            return Ok(());
        }
        self.status.limited_at = Instant::now();
        let limit = AssertSqlSafe(super::timeout(deadline));
        let set = tokio::time::timeout_at((deadline + LIMIT_TOLERANCE).into(), connection.execute(limit));
        match set.await {
            Ok(set) => set.map(drop).map_err(error_kind::statement),
            Err(_) => {
                self.status.interrupted = true;
                Err(error_kind::timeout())
            }
        }
    }
}

impl Drop for Connection {
    /// A dropped future may have left a statement or a transaction open, which must not reach the next user.
    fn drop(&mut self) {
        if let Driver::Sqlite(PooledConnection { deadline: Some(deadline), .. }) = &self.driver {
            // Interrupts a statement that is still running. The next user of the connection sets its own deadline.
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
/// Only writers queue for their turn.
fn usage(turn: Option<&Turn>) -> Usage {
    if turn.is_some() { Usage::Write } else { Usage::Read }
}
