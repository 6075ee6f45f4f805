//! The database: pools, sessions and what a failure means. The only module that names sqlx.
//!
//! [`Db::read`] and [`Db::write`] name the intent. On SQLite there is one connection that writes and a pool of those
//! that read; on PostgreSQL one pool serves both.

mod array_binds;
mod auto_analyze;
mod coalesce;
mod columnar;
mod connect;
mod connection;
mod cutoff;
mod deadline;
mod error_kind;
mod migrate;
mod notify;
mod open;
mod pool;
mod readiness;
mod session;
mod sqlite_statistics;

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
use tokio::sync::Semaphore;

pub use array_binds::{ArrayColumn, ArrayTable, ScalarBind, json, list};
pub use coalesce::LookupBatcher;
pub use columnar::{ColumnSpec, ColumnValues, ColumnarRows, FromColumn, TextColumn};
pub use connect::Settings;
pub use cutoff::{Cutoff, Steps};
pub use error_kind::DbErrorKind;
pub use migrate::Migration;
pub use notify::Listener;
pub use open::OpenError;
pub use session::Session;

use auto_analyze::AnalyzeScheduler;
use connection::Connection;
use pool::LifoPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often a transaction that others stood in the way of is tried again.
const MAX_RETRIES: u32 = 20;

/// After so many of them it keeps the others from its memberbases meanwhile, or those who delete what it finds, again and
/// again, would stand in its way without end.
const ATTEMPTS_BEFORE_EXCLUSIVE: u32 = 3;

/// The database, with the deadline of the request that it serves and a count of what was done. A clone shares the pools
/// and the count.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Arc<Pools>,
    cutoff: Cutoff,
    /// Cancelled once the client of the request has gone.
    client: Option<CancellationToken>,
    statements: Arc<AtomicU64>,
    /// Those of [`Db::aside`].
    untracked_statements: Arc<AtomicU64>,
    waits: Arc<Waits>,
    analyze_scheduler: Arc<AnalyzeScheduler>,
}

/// The waits for a connection, those in vain too.
#[derive(Debug, Default)]
struct Waits {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What a database's connections are at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open, and nobody's.
    pub idle: u32,
    /// Open, and at work.
    pub used: u32,
    /// How many there may be.
    pub max: u32,
}

#[derive(Debug)]
enum Pools {
    Sqlite {
        readers: Arc<LifoPool<Sqlite>>,
        writer: Arc<LifoPool<Sqlite>>,
    },
    Postgres {
        pool: Arc<LifoPool<Postgres>>,
        /// A place for each of those who may write at a time.
        writers: Arc<Semaphore>,
        /// The settings that a transaction makes for itself, behind its `BEGIN`.
        local: String,
        /// How long a statement of one may take that has no deadline.
        longest: Duration,
        /// Whether a pooler in transaction mode stands in front.
        pooler: bool,
    },
}

/// What a write keeps others from meanwhile. SQLite has one writer anyway.
#[derive(Clone, Copy, Debug)]
pub enum Lock {
    /// Nothing.
    None,
    /// Deleting this memberbase. Others may write in it.
    Shared(Uuid),
    /// Writing in this memberbase.
    Exclusive(Uuid),
}

impl Lock {
    /// The same, or without anybody else who writes in the memberbase.
    fn escalate_if(self, alone: bool) -> Self {
        match self {
            Self::Shared(memberbase) if alone => Self::Exclusive(memberbase),
            lock => lock,
        }
    }
}

impl Db {
    /// The same database for one request: no statement of it runs past the deadline.
    #[must_use]
    pub fn with_deadline(&self, deadline: impl Into<Option<Instant>>) -> Self {
        let cutoff = Cutoff { deadline: deadline.into(), ..self.cutoff.clone() };
        Self { cutoff, ..self.clone() }
    }

    /// Returns the database for the request of a client; the token is cancelled when the client goes. That alone stops
    /// nothing: see [`Db::stopping_with_client`].
    #[must_use]
    pub fn with_client(&self, client: CancellationToken) -> Self {
        Self { client: Some(client), ..self.clone() }
    }

    /// Returns the database for work that only the client needs: it is stopped and rolled back when the client goes.
    #[must_use]
    pub fn stopping_with_client(&self) -> Self {
        let cutoff = Cutoff { client: self.client.clone(), ..self.cutoff.clone() };
        Self { cutoff, ..self.clone() }
    }

    /// When the last statement has to have ended.
    pub fn deadline(&self) -> Option<Instant> {
        self.cutoff.deadline
    }

    /// Counts the steps of a loop over rows, outside of a transaction.
    pub fn steps(&self) -> Steps<'_> {
        self.cutoff.steps()
    }

    /// Which database this is.
    pub fn backend(&self) -> DbBackend {
        match *self.pools {
            Pools::Sqlite { .. } => DbBackend::Sqlite,
            Pools::Postgres { .. } => DbBackend::Postgres,
        }
    }

    /// How many statements were sent through this and its clones, but for those that were sent aside.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// The same, for what no request asks for itself: its statements are counted apart.
    pub fn untracked(&self) -> Self {
        Self { statements: Arc::clone(&self.untracked_statements), ..self.clone() }
    }

    /// How often a connection was waited for through this and its clones, and how long in all.
    pub fn waits(&self) -> (u64, Duration) {
        let Waits { count, nanoseconds } = &*self.waits;
        (count.load(Ordering::Relaxed), Duration::from_nanos(nanoseconds.load(Ordering::Relaxed)))
    }

    /// What the connections are now; on SQLite those that read and the one that writes together.
    pub fn connections(&self) -> Connections {
        match &*self.pools {
            Pools::Sqlite { readers, writer } => readers.connections() + writer.connections(),
            Pools::Postgres { pool, .. } => pool.connections(),
        }
    }

    /// A session for statements that write nothing, each for itself.
    pub async fn read(&self) -> Result<Session, DbErr> {
        let _wait = Wait::begin(&self.waits);
        let connection = match &*self.pools {
            Pools::Sqlite { readers, .. } => Connection::sqlite(readers, &self.cutoff).await?,
            Pools::Postgres { pool, .. } => Connection::postgres(pool, &self.cutoff, None).await?,
        };
        Ok(Session::new(connection, self, false))
    }

    /// Does `work`, which writes nothing, with statements that PostgreSQL plans by the values that they bind. Others it
    /// plans once for all values; that is wrong where a value decides whether an index is worth its while.
    pub async fn read_with_custom_plan<T, E, Work>(&self, work: impl FnOnce(Session) -> Work) -> Result<T, E>
    where
        E: From<DbErr>,
        Work: Future<Output = Result<T, E>>,
    {
        let session = self.read().await?;
        let Pools::Postgres { local, .. } = &*self.pools else { return work(session).await };
        let limit = self.cutoff.deadline.map(timeout).unwrap_or_default();
        session.begin(&format!("BEGIN READ ONLY{local}; SET LOCAL plan_cache_mode = force_custom_plan{limit}")).await?;
        let outcome = work(session.clone()).await;
        session.roll_back().await;
        outcome
    }

    /// Does `work` in one transaction: commits it where it succeeds (and did not call [`Session::discard`]), rolls it
    /// back where it fails. Where another transaction stood in the way, all of it is done again, and in the end with its
    /// memberbases to itself, so that the caller never sees a deadlock. To be awaited to its end: a transaction whose future is dropped costs its connection.
    pub async fn write<T, E, Work>(&self, lock: Lock, work: impl Fn(Session) -> Work) -> Result<T, E>
    where
        E: From<DbErr>,
        Work: Future<Output = Result<T, E>>,
    {
        let mut attempt = 0;
        loop {
            let session = match self.begin(lock, attempt > ATTEMPTS_BEFORE_EXCLUSIVE).await {
                Err(error) if DbErrorKind::of(&error) == DbErrorKind::Contention && attempt < MAX_RETRIES => {
                    attempt += 1;
                    tokio::time::sleep(pause(attempt)).await;
                    continue;
                }
                begun => begun?,
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
                    tracing::debug!(attempt, "another transaction stood in the way, once more");
                    tokio::time::sleep(pause(attempt)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Ends a transaction whose work succeeded, and has the tables analyzed that it may have made twice as large: on SQLite
    /// as a part of it, so that nothing is written after the answer, on PostgreSQL in the background.
    async fn finish(&self, session: &Session) -> Result<(), DbErr> {
        let inserts = session.take_inserts();
        if self.backend() != DbBackend::Sqlite {
            session.finish().await?;
            self.analyze_in_background(&inserts);
            return Ok(());
        }
        let analyzed = self.analyze_in_transaction(session, &inserts).await;
        session.finish().await?;
        if analyzed {
            self.reload_sqlite_statistics();
        }
        Ok(())
    }

    /// Begins a transaction. While it waits for a connection or a lock, the client may go.
    async fn begin(&self, lock: Lock, alone: bool) -> Result<Session, DbErr> {
        tokio::select! {
            begun = self.begin_before_deadline(lock, alone) => begun,
            () = self.cutoff.client_gone() => Err(error_kind::timeout()),
        }
    }

    async fn begin_before_deadline(&self, lock: Lock, alone: bool) -> Result<Session, DbErr> {
        let wait = Wait::begin(&self.waits);
        let (connection, statement) = match &*self.pools {
            Pools::Sqlite { writer, .. } => {
                (Connection::sqlite(writer, &self.cutoff).await?, "BEGIN IMMEDIATE".to_owned())
            }
            Pools::Postgres { pool, writers, local, longest, .. } => {
                let permit = connect::write_permit(writers, self.cutoff.deadline).await?;
                let connection = Connection::postgres(pool, &self.cutoff, Some(permit)).await?;
                let limit = timeout(self.cutoff.deadline.unwrap_or_else(|| Instant::now() + *longest));
                (connection, format!("BEGIN{local}{limit}{}", advisory(lock.escalate_if(alone))))
            }
        };
        let session = Session::new(connection, self, alone);
        drop(wait);
        session.begin(&statement).await?;
        Ok(session)
    }

    /// Asks the database for an answer.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read().await?.execute_unprepared("SELECT 1").await.map(drop)
    }

    /// Closes all connections, once what runs has ended.
    pub async fn close(&self) {
        self.analyze_scheduler.stop();
        match &*self.pools {
            Pools::Sqlite { readers, writer } => {
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

/// A wait for a connection, which is counted where it ends, also because nobody waits any more.
struct Wait<'a> {
    waits: &'a Waits,
    begun: Instant,
}

impl<'a> Wait<'a> {
    fn begin(waits: &'a Waits) -> Self {
        Self { waits, begun: Instant::now() }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let nanoseconds = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.waits.count.fetch_add(1, Ordering::Relaxed);
        self.waits.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

/// The statement's own time limit, so that the database ends what nobody waits for any more.
fn timeout(deadline: Instant) -> String {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
    format!("; SET LOCAL statement_timeout = {left}")
}

fn advisory(lock: Lock) -> String {
    // The last 64 bits of a UUIDv7 are random but for two.
    match lock {
        Lock::None => String::new(),
        Lock::Shared(id) => format!("; SELECT pg_advisory_xact_lock_shared({})", id.as_u64_pair().1.cast_signed()),
        Lock::Exclusive(id) => format!("; SELECT pg_advisory_xact_lock({})", id.as_u64_pair().1.cast_signed()),
    }
}

/// Doubles from 2 ms to half a second, and differs between those who wait at the same time.
fn pause(attempt: u32) -> Duration {
    let most = 2_u64 << attempt.min(8);
    let spread = Uuid::now_v7().as_u64_pair().1 % most;
    Duration::from_millis(most / 2 + spread / 2)
}
