//! Connections that are used again at once.
//!
//! sqlx's pool asks the database for an answer whenever a connection comes back to it, and hands out the one that was idle
//! longest: a round trip more for every request, and caches that are cold. So those that come back from work that went well
//! are kept in front of it for a moment, and the last is the first to be used again. Opening them, judging those that were
//! idle or failed, and closing them is the pool's.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use sqlx::{ConnectOptions, Database, Pool, pool::PoolConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{
    Connections,
    connect::{CHECK_AFTER_IDLE, CHECK_TIMEOUT},
    deadline::Deadline,
    error_kind,
};

/// Time limit of the connection attempt that finds out why the pool has none.
const PROBE: Duration = Duration::from_millis(200);

/// A pool with those of its connections that were at work a moment ago.
pub(super) struct LifoPool<DB: Database> {
    pool: Pool<DB>,
    /// One for each connection that may be open: whoever has one finds a connection here or in the pool.
    permits: Arc<Semaphore>,
    /// The last to come back is the last.
    idle: Mutex<Vec<IdleConnection<DB>>>,
    lifetime: Lifetime,
}

/// The lifetime of connections.
///
/// sqlx's pool closes connections that are too old when they come back to it, or while they are idle in it. One that is
/// always at work never does: it is given back here after a while, so that none lives longer than the limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Lifetime {
    /// The limit; none for connections that live as long as the process.
    max: Option<Duration>,
    /// Connections that were opened before are not used any more.
    retired_at: Arc<Mutex<Option<Instant>>>,
}

impl Lifetime {
    pub(super) fn new(max: Option<Duration>) -> Self {
        Self { max, retired_at: Arc::default() }
    }

    /// Returns the age from which the pool closes a connection.
    pub(super) fn in_pool(&self) -> Option<Duration> {
        self.max.map(|max| max * 3 / 8)
    }

    /// Returns how long a connection from the pool is used before it is given back: a different time for each, so that
    /// they are not all replaced at once. With [`Lifetime::in_pool`] that is at most 7/8 of the limit.
    fn in_use(&self) -> Option<Duration> {
        let spread = Uuid::now_v7().as_u64_pair().1 % 1_000;
        self.max.map(|max| max * 3 / 8 + (max / 8).mul_f64(spread as f64 / 1_000.0))
    }

    fn retired_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.retired_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether a connection of this age may be used.
    pub(super) fn allows(&self, age: Duration) -> bool {
        let retired = self.retired_at().is_some_and(|retired_at| age > retired_at.elapsed());
        !retired
    }
}

/// While the database takes no writes, all connections are closed this often at most.
const RETIRE_INTERVAL: Duration = Duration::from_millis(250);

struct IdleConnection<DB: Database> {
    connection: PoolConnection<DB>,
    deadline: Option<Deadline>,
    lease: Lease,
    /// When it came back.
    idle_since: Instant,
}

/// For how long a connection from the pool is used.
#[derive(Clone, Copy, Debug)]
struct Lease {
    begun: Instant,
    end: Option<Instant>,
}

/// A connection in use.
pub(super) struct PooledConnection<DB: Database> {
    /// None once it is given back.
    connection: Option<PoolConnection<DB>>,
    /// What it watches, where it was made to.
    pub(super) deadline: Option<Deadline>,
    lease: Lease,
    from: Arc<LifoPool<DB>>,
    /// Given back after the connection.
    _permit: OwnedSemaphorePermit,
}

impl<DB: Database> LifoPool<DB> {
    pub(super) fn new(pool: Pool<DB>, lifetime: Lifetime) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(pool.options().get_max_connections() as usize));
        Arc::new(Self { pool, permits: permits, idle: Mutex::default(), lifetime })
    }

    /// The pool, with all connections that nobody uses.
    pub(super) fn pool(&self) -> &Pool<DB> {
        self.evict_idle(|_| true);
        &self.pool
    }

    /// A connection, before the deadline and within the pool's time for it.
    pub(super) async fn acquire(self: &Arc<Self>, deadline: Option<Instant>) -> Result<PooledConnection<DB>, DbErr> {
        let latest = Instant::now() + self.pool.options().get_acquire_timeout();
        let in_time = deadline.filter(|deadline| *deadline < latest);
        match tokio::time::timeout_at(in_time.unwrap_or(latest).into(), self.acquire_unbounded()).await {
            Err(_) if in_time.is_some() => Err(error_kind::timeout()),
            Err(_) | Ok(Err(sqlx::Error::PoolTimedOut)) => Err(error_kind::connection(self.reason().await)),
            Ok(lent) => lent.map_err(error_kind::connection),
        }
    }

    /// Returns why the pool has no connection: it retries a refused one until its time limit, and then reports a timeout.
    async fn reason(&self) -> sqlx::Error {
        let is_full = self.pool.size() >= self.pool.options().get_max_connections();
        if !is_full && let Ok(Err(cause)) = tokio::time::timeout(PROBE, self.pool.connect_options().connect()).await {
            return cause;
        }
        sqlx::Error::PoolTimedOut
    }

    async fn acquire_unbounded(self: &Arc<Self>) -> Result<PooledConnection<DB>, sqlx::Error> {
        let turn = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        self.evict_idle(|since| since.elapsed() > CHECK_AFTER_IDLE);
        let kept = self.idle().pop();
        let (connection, deadline, lease) = match kept {
            Some(IdleConnection { connection, deadline, lease, .. }) => (connection, deadline, lease),
            None => {
                let begun = Instant::now();
                // On the heap: it holds all that opening a connection takes, and would be a part of every future that asks
                // the database for anything.
                let connection = Box::pin(self.pool.acquire()).await?;
                (connection, None, Lease { begun, end: self.lifetime.in_use().map(|time| begun + time) })
            }
        };
        Ok(PooledConnection { connection: Some(connection), deadline, lease, from: Arc::clone(self), _permit: turn })
    }

    /// Returns an idle connection; `None` if all are in use.
    pub(super) async fn acquire_if_idle(
        self: &Arc<Self>,
        deadline: Option<Instant>,
    ) -> Result<Option<PooledConnection<DB>>, DbErr> {
        if self.permits.available_permits() == 0 { Ok(None) } else { self.acquire(deadline).await.map(Some) }
    }

    /// Closes all connections that are open now: the idle ones at once, those in use when they come back.
    pub(super) fn retire(&self) {
        let mut kept = self.idle();
        *self.lifetime.retired_at() = Some(Instant::now());
        for IdleConnection { mut connection, .. } in kept.drain(..) {
            connection.close_on_drop();
        }
    }

    /// Gives to the pool what came back at such a time, the earliest first.
    fn evict_idle(&self, old: impl Fn(Instant) -> bool) {
        let mut kept = self.idle();
        let count = kept.iter().take_while(|kept| old(kept.idle_since)).count();
        for IdleConnection { connection, .. } in kept.drain(..count) {
            return_to_pool(connection);
        }
    }

    /// What the connections are now.
    pub(super) fn connections(&self) -> Connections {
        let idle = self.pool.num_idle() + self.idle().len();
        let idle = u32::try_from(idle).unwrap_or(u32::MAX);
        // One after the other: a connection may have come back in between.
        let used = self.pool.size().saturating_sub(idle);
        Connections { idle, used, max: self.pool.options().get_max_connections() }
    }

    /// Closes all connections, once what runs has ended.
    pub(super) async fn close(&self) {
        self.permits.close();
        let closed = self.pool.close();
        self.evict_idle(|_| true);
        closed.await;
    }

    fn idle(&self) -> MutexGuard<'_, Vec<IdleConnection<DB>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> PooledConnection<DB> {
    /// Closes it: it is in the middle of something.
    pub(super) fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
    }

    /// Closes it, and with it all others that are open now.
    pub(super) fn close_all(&mut self) {
        let recent = |retired_at: Instant| retired_at.elapsed() < RETIRE_INTERVAL;
        let retired_at = *self.from.lifetime.retired_at();
        if !retired_at.is_some_and(recent) {
            self.from.retire();
        }
        self.close();
    }

    /// Gives it to the pool, which judges it.
    pub(super) fn return_for_check(&mut self) {
        if let Some(connection) = self.connection.take() {
            return_to_pool(connection);
        }
    }
}

/// The pool asks the database for an answer by it. Where none comes, it is closed: nobody would be let in meanwhile.
fn return_to_pool<DB: Database>(mut connection: PoolConnection<DB>) {
    tokio::spawn(tokio::time::timeout(CHECK_TIMEOUT, connection.return_to_pool()));
}

impl<DB: Database> Drop for PooledConnection<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let Lease { begun, end } = self.lease;
        if end.is_some_and(|end| end <= Instant::now()) {
            return return_to_pool(connection);
        }
        let mut kept = self.from.idle();
        if !self.from.lifetime.allows(begun.elapsed()) {
            connection.close_on_drop();
        } else if !self.from.pool.is_closed() {
            // Asked while nobody can empty the list in between: what is closed would wait for it.
            kept.push(IdleConnection {
                connection,
                deadline: self.deadline.take(),
                lease: self.lease,
                idle_since: Instant::now(),
            });
        }
    }
}

impl<DB: Database> Deref for PooledConnection<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        self.connection.as_ref().expect("it is given back at its end")
    }
}

impl<DB: Database> DerefMut for PooledConnection<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("it is given back at its end")
    }
}

impl<DB: Database> fmt::Debug for LifoPool<DB> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Warm").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<DB: Database> fmt::Debug for PooledConnection<DB> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lent").finish_non_exhaustive()
    }
}
