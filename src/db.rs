//! The database: pools, sessions, transactions and the classification of errors. No other module uses sqlx.
//!
//! Callers state their intent: [`Db::read`] or [`Db::write`]. SQLite has one connection for writes and a pool for reads;
//! PostgreSQL has one pool for both.

mod array_binds;
mod auto_analyze;
mod coalesce;
mod columnar;
mod connect;
mod connection;
mod cutoff;
mod deadline;
mod error_kind;
mod lock;
mod migrate;
mod notify;
mod open;
mod pool;
mod readiness;
mod session;
mod shares;
mod sqlite_statistics;
mod sqlite_wal;
mod statement_memory;
mod write_queue;

use std::{
    ops::Add,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sqlx::{Postgres, Sqlite};

pub use array_binds::{ArrayColumn, ArrayTable, ScalarBind};
pub(crate) use array_binds::{json, list};
pub(crate) use coalesce::LookupBatcher;
pub(crate) use columnar::TextColumn;
pub use columnar::{ColumnSpec, ColumnarRows};
pub use connect::Settings;
pub(crate) use cutoff::{Cutoff, Steps};
pub use error_kind::DbErrorKind;
pub use lock::Lock;
pub(crate) use migrate::Migration;
pub(crate) use open::OpenError;
pub use session::Session;

use auto_analyze::AnalyzeScheduler;
use connection::Connection;
use lock::MAX_LOCK_WAIT;
use pool::LifoPool;
use shares::Tenant;
use sqlite_wal::Wal;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use write_queue::{Arrival, WriteQueue};

/// Maximum number of retries of a transaction that conflicted with others.
const MAX_RETRIES: u32 = 20;

/// Number of retries after which a transaction locks its memberbases exclusively: concurrent deletions of the rows that
/// it reads could otherwise conflict with every attempt.
const ATTEMPTS_BEFORE_EXCLUSIVE: u32 = 3;

/// The database, with the deadline of the request that it serves. Clones share the pools and the counters.
#[derive(Clone, Debug)]
pub struct Db {
    shared: Arc<Shared>,
    cutoff: Cutoff,
    tenant: Tenant,
    /// Cancelled once the client of the request has gone.
    client: Option<CancellationToken>,
    /// True for background work, whose statements are counted separately.
    untracked: bool,
}

/// State that all clones of a [`Db`] share.
#[derive(Debug)]
struct Shared {
    pools: Pools,
    write_queue: Arc<WriteQueue>,
    statements: AtomicU64,
    untracked_statements: AtomicU64,
    waits: Waits,
    analyze_scheduler: AnalyzeScheduler,
}

/// Waits for a connection, including those that ended without one.
#[derive(Debug, Default)]
struct Waits {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    pub idle: u32,
    pub used: u32,
    /// Maximum number of open connections.
    pub(crate) max: u32,
}

#[derive(Debug)]
enum Pools {
    Sqlite {
        readers: Arc<LifoPool<Sqlite>>,
        writer: Arc<LifoPool<Sqlite>>,
        wal: Arc<Wal>,
    },
    Postgres {
        pool: Arc<LifoPool<Postgres>>,
        /// `SET LOCAL` statements that follow each `BEGIN`; empty if the settings belong to the connection.
        local: String,
        /// True behind a pooler in transaction mode.
        pooler: bool,
    },
}

/// The mode in which read-only statements run.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadMode {
    /// True if PostgreSQL plans the statements for their bound values (custom plans). It uses generic plans otherwise,
    /// which are wrong if a value decides whether an index pays off.
    pub custom_plan: bool,
    /// True if all statements read the same snapshot.
    pub snapshot: bool,
}

impl Db {
    /// Returns the database for one request, whose statements end at the deadline.
    #[must_use]
    pub fn with_deadline(&self, deadline: impl Into<Option<Instant>>) -> Self {
        let mut db = self.clone();
        db.cutoff.deadline = deadline.into();
        db
    }

    /// Returns the database for work of a tenant. Tenants share the connections, and none can take all of them.
    #[must_use]
    pub fn for_tenant(&self, tenant: Option<Uuid>) -> Self {
        let mut db = self.clone();
        db.tenant = tenant;
        db
    }

    /// Returns the database for the request of a client; the token is cancelled when the client goes. That alone stops
    /// nothing: see [`Db::stopping_with_client`].
    #[must_use]
    pub(crate) fn with_client(self, client: CancellationToken) -> Self {
        Self { client: Some(client), ..self }
    }

    /// Returns the database for work that only the client needs: it is stopped and rolled back when the client goes.
    #[must_use]
    pub(crate) fn stopping_with_client(&self) -> Self {
        let mut db = self.clone();
        db.cutoff.client.clone_from(&self.client);
        db
    }

    /// Returns the time at which all statements have to be finished.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.cutoff.deadline
    }

    /// Returns a step counter for a loop over rows that runs outside a transaction.
    pub(crate) fn steps(&self) -> Steps<'_> {
        self.cutoff.steps()
    }

    pub fn backend(&self) -> DbBackend {
        match self.shared.pools {
            Pools::Sqlite { .. } => DbBackend::Sqlite,
            Pools::Postgres { .. } => DbBackend::Postgres,
        }
    }

    /// Returns the number of statements sent through this value and its clones, without the untracked ones.
    pub fn statements(&self) -> u64 {
        self.shared.statements.load(Ordering::Relaxed)
    }

    /// Returns the database for background work: its statements are counted separately from those of requests.
    pub(crate) fn untracked(&self) -> Self {
        Self { untracked: true, ..self.clone() }
    }

    /// Returns the number of waits for a connection through this value and its clones, and their total duration.
    pub(crate) fn waits(&self) -> (u64, Duration) {
        let Waits { count, nanoseconds } = &self.shared.waits;
        (count.load(Ordering::Relaxed), Duration::from_nanos(nanoseconds.load(Ordering::Relaxed)))
    }

    /// Returns the present numbers of connections; on SQLite the sum of the readers and the writer.
    pub fn connections(&self) -> Connections {
        match &self.shared.pools {
            Pools::Sqlite { readers, writer, .. } => readers.connections() + writer.connections(),
            Pools::Postgres { pool, .. } => pool.connections(),
        }
    }

    /// Returns a session for read-only statements that need no common snapshot.
    pub async fn read(&self) -> Result<Session, DbErr> {
        let _wait = Wait::begin(&self.shared.waits);
        let connection = match &self.shared.pools {
            Pools::Sqlite { readers, .. } => Connection::sqlite(readers, self.tenant, &self.cutoff, None).await?,
            Pools::Postgres { pool, .. } => Connection::postgres(pool, self.tenant, &self.cutoff, None).await?,
        };
        Ok(Session::new(connection, self, false))
    }

    /// Runs read-only `work`.
    pub async fn read_in<T, E, Work>(&self, mode: ReadMode, work: impl FnOnce(Session) -> Work) -> Result<T, E>
    where
        E: From<DbErr>,
        Work: Future<Output = Result<T, E>>,
    {
        let session = self.read().await?;
        let begin = match &self.shared.pools {
            Pools::Sqlite { .. } => mode.snapshot.then(|| "BEGIN".to_owned()),
            Pools::Postgres { local, .. } => (mode.snapshot || mode.custom_plan).then(|| {
                let isolation = if mode.snapshot { " ISOLATION LEVEL REPEATABLE READ" } else { "" };
                let plan = if mode.custom_plan { "; SET LOCAL plan_cache_mode = force_custom_plan" } else { "" };
                let limit = self.cutoff.deadline.map(timeout).unwrap_or_default();
                format!("BEGIN{isolation} READ ONLY{local}{plan}{limit}")
            }),
        };
        let Some(begin) = begin else { return work(session).await };
        session.begin(&begin).await?;
        let outcome = work(session.clone()).await;
        session.roll_back().await;
        outcome
    }

    /// Runs `work` in one transaction. Commits if it succeeds, unless it called [`Session::set_rollback_only`], and
    /// rolls back if it fails. If it conflicted with another transaction, all of it is retried with backoff, later with
    /// an exclusive lock, so that the caller never sees a deadlock. The future has to be awaited to completion:
    /// dropping it closes the connection.
    pub async fn write<T, E, Work>(&self, lock: Lock, work: impl Fn(Session) -> Work) -> Result<T, E>
    where
        E: From<DbErr>,
        Work: Future<Output = Result<T, E>>,
    {
        let arrival = self.shared.write_queue.arrive();
        let (mut attempt, mut conflicts) = (0, 0);
        loop {
            let session = match self.begin(lock.escalate_if(conflicts > ATTEMPTS_BEFORE_EXCLUSIVE), arrival).await {
                Err(error) if DbErrorKind::of(&error) == DbErrorKind::Contention && attempt < MAX_RETRIES => {
                    attempt += 1;
                    conflicts += 1;
                    tokio::time::sleep(backoff(attempt)).await;
                    continue;
                }
                session => session?,
            };
            let outcome = match work(session.clone()).await {
                Ok(value) => self.finish(&session).await.map(|()| value).map_err(E::from),
                Err(error) => {
                    session.roll_back().await;
                    Err(error)
                }
            };
            match outcome {
                Err(_) if session.contended() && attempt < MAX_RETRIES => {
                    attempt += 1;
                    // An exclusive lock would not make another server release one of its locks sooner.
                    conflicts += u32::from(!session.lock_timed_out());
                    tracing::debug!(attempt, "transaction conflicted with another one, retrying");
                    tokio::time::sleep(backoff(attempt)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Ends a transaction whose work succeeded, and analyzes the tables whose size it may have doubled: on SQLite
    /// within the transaction, so that nothing is written after the response, on PostgreSQL in the background.
    async fn finish(&self, session: &Session) -> Result<(), DbErr> {
        let inserts = session.take_inserts();
        if self.backend() != DbBackend::Sqlite {
            session.finish().await?;
            self.analyze_in_background(&inserts);
            return Ok(());
        }
        let analyzed = self.analyze_in_transaction(session, &inserts).await;
        session.finish().await?;
        self.truncate_wal_in_background();
        if analyzed {
            self.reload_sqlite_statistics();
        }
        Ok(())
    }

    /// Begins a transaction. The wait for its turn, a connection or a lock ends when the client disconnects, if that
    /// stops the work.
    async fn begin(&self, lock: Lock, arrival: Arrival) -> Result<Session, DbErr> {
        tokio::select! {
            session = self.begin_before_deadline(lock, arrival) => session,
            () = self.cutoff.client_gone() => Err(error_kind::timeout()),
        }
    }

    /// Begins a transaction. If another server holds the lock, this gives the connection back after a while and queues
    /// again, so that writers of other memberbases can use it.
    async fn begin_before_deadline(&self, lock: Lock, arrival: Arrival) -> Result<Session, DbErr> {
        let latest = self.cutoff.deadline.unwrap_or_else(|| Instant::now() + self.shared.write_queue.max_wait);
        let mut max_lock_wait = MAX_LOCK_WAIT;
        loop {
            match self.try_begin(lock, arrival, latest, max_lock_wait).await {
                Err(error) if !error_kind::is_lock_timeout(&error) => return Err(error),
                Err(_) if latest <= Instant::now() => return Err(error_kind::timeout()),
                Err(_) if lock.is_exclusive() => max_lock_wait *= 2,
                Err(_) => {}
                begun => return begun,
            }
        }
    }

    async fn try_begin(
        &self,
        lock: Lock,
        arrival: Arrival,
        latest: Instant,
        max_lock_wait: Duration,
    ) -> Result<Session, DbErr> {
        let wait = Wait::begin(&self.shared.waits);
        let turn = self.shared.write_queue.turn(lock, arrival, self.cutoff.deadline).await?;
        let (connection, statement) = match &self.shared.pools {
            Pools::Sqlite { writer, .. } => {
                (Connection::sqlite(writer, self.tenant, &self.cutoff, Some(turn)).await?, "BEGIN IMMEDIATE".to_owned())
            }
            Pools::Postgres { pool, local, .. } => {
                let connection = Connection::postgres(pool, self.tenant, &self.cutoff, Some(turn)).await?;
                let (limit, lock) = (timeout(latest), lock.statements(max_lock_wait));
                (connection, format!("BEGIN{local}{limit}{lock}"))
            }
        };
        let session = Session::new(connection, self, lock.is_exclusive());
        drop(wait);
        let begun = session.begin(&statement).await;
        if begun.as_ref().is_err_and(error_kind::is_lock_timeout) {
            session.roll_back().await;
        }
        begun.map(|()| session)
    }

    /// Checks that the database responds to a statement.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read().await?.execute_unprepared("SELECT 1").await.map(drop)
    }

    /// Closes all connections, after running statements have finished.
    pub async fn close(&self) {
        self.shared.analyze_scheduler.stop();
        match &self.shared.pools {
            Pools::Sqlite { readers, writer, wal } => {
                wal.stop();
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres { pool, .. } => pool.close().await,
        }
    }
}

impl Add for Connections {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { idle: self.idle + other.idle, used: self.used + other.used, max: self.max + other.max }
    }
}

/// A wait for a connection. It is counted when it is dropped, so a cancelled wait is counted too.
struct Wait<'a> {
    waits: &'a Waits,
    began_at: Instant,
}

impl<'a> Wait<'a> {
    fn begin(waits: &'a Waits) -> Self {
        Self { waits, began_at: Instant::now() }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let nanoseconds = u64::try_from(self.began_at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.waits.count.fetch_add(1, Ordering::Relaxed);
        self.waits.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

/// Returns a statement that sets the time limit in the database itself, which then cancels statements without a waiting
/// client.
fn timeout(deadline: Instant) -> String {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
    format!("; SET LOCAL statement_timeout = {left}")
}

/// Returns the delay before a retry: exponential backoff with jitter, from at most 4 ms to at most 512 ms.
fn backoff(attempt: u32) -> Duration {
    let max_millis = 2_u64 << attempt.min(8);
    let jitter = Uuid::now_v7().as_u64_pair().1 % max_millis;
    Duration::from_millis(max_millis / 2 + jitter / 2)
}
