//! A LIFO pool in front of sqlx's pool.
//!
//! sqlx's pool checks each returned connection with a round trip, and hands out the connection that was idle longest:
//! one more round trip per request, and cold caches. This pool keeps connections that return from successful work for a
//! moment, without a check, and reuses the most recent one first. sqlx's pool still opens connections, checks those
//! that were idle or failed, and closes them.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use sqlx::{ConnectOptions, Database, Pool, pool::PoolConnection};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{
    Connections,
    deadline::Deadline,
    error_kind,
    shares::{Closed, SharePermit, Shares, Tenant},
};

/// A connection that was idle for longer is checked with a round trip before it is used.
pub(super) const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);

/// Time limit of that check. A connection that fails it is closed without a Terminate message: if the database has
/// vanished silently, other requests wait behind the checks.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Time limit of the connection attempt that determines why the pool has no connection.
const PROBE_TIMEOUT: Duration = Duration::from_millis(200);

/// sqlx's pool, and those of its connections that were in use a moment ago.
pub(super) struct LifoPool<DB: Database> {
    pool: Pool<DB>,
    /// One permit per connection that may be open: its holder gets a connection from here or from sqlx's pool.
    permits: Arc<Shares>,
    /// One permit per connection that large operations may use, which run in other runtimes. They leave the rest to small
    /// ones, which would otherwise wait for seconds, as would the readiness check.
    large_permits: Arc<Shares>,
    /// One permit per connection that large operations may read with: one for each core. The database computes their rows
    /// and this server their responses, so more of them would only delay others.
    large_read_permits: Arc<Shares>,
    /// The most recently returned connection is the last element.
    idle: Mutex<Vec<IdleConnection<DB>>>,
    lifetime: Lifetime,
    runtime: Handle,
}

/// The lifetime of connections.
///
/// sqlx's pool closes connections that are too old when they are returned to it, or while they are idle in it. A busy
/// connection would stay in the LIFO pool, so it is returned to sqlx's pool after a while, and none exceeds the limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Lifetime {
    /// The limit; `None` for connections that live as long as the process.
    max: Option<Duration>,
    /// Connections that were opened before this time are not used any more.
    retired_at: Arc<Mutex<Option<Instant>>>,
}

impl Lifetime {
    pub(super) fn new(max: Option<Duration>) -> Self {
        Self { max, retired_at: Arc::default() }
    }

    /// Returns the age at which sqlx's pool closes a connection.
    pub(super) fn in_pool(&self) -> Option<Duration> {
        self.max.map(|max| max * 3 / 8)
    }

    /// Returns how long a connection from sqlx's pool is used before it is returned: a random time, so that connections
    /// are not all replaced at once. Together with [`Lifetime::in_pool`] that is at most 7/8 of the limit.
    fn in_use(&self) -> Option<Duration> {
        let jitter = Uuid::now_v7().as_u64_pair().1 % 1_000;
        self.max.map(|max| max * 3 / 8 + (max / 8).mul_f64(jitter as f64 / 1_000.0))
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

/// Minimum time between two closures of all connections while the database accepts no writes.
const RETIRE_INTERVAL: Duration = Duration::from_millis(250);

struct IdleConnection<DB: Database> {
    connection: PoolConnection<DB>,
    deadline: Option<Deadline>,
    lease: Lease,
    idle_since: Instant,
}

/// The time for which a connection from sqlx's pool is used.
#[derive(Clone, Copy, Debug)]
struct Lease {
    began_at: Instant,
    ends_at: Option<Instant>,
}

/// The purpose of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    Read,
    Write,
}

pub(super) struct PooledConnection<DB: Database> {
    /// `None` after it was returned.
    connection: Option<PoolConnection<DB>>,
    /// The deadline of its progress handler, if one is installed (SQLite).
    pub(super) deadline: Option<Deadline>,
    lease: Lease,
    pool: Arc<LifoPool<DB>>,
    /// Released after the connection is returned.
    _permit: SharePermit,
    _large_permits: [Option<SharePermit>; 2],
}

impl<DB: Database> LifoPool<DB> {
    pub(super) fn new(pool: Pool<DB>, lifetime: Lifetime) -> Arc<Self> {
        let max = pool.options().get_max_connections() as usize;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let [permits, large_permits, large_read_permits] = [max, max.div_ceil(2), cores].map(Shares::new);
        let (idle, runtime) = (Mutex::default(), Handle::current());
        Arc::new(Self { pool, permits, large_permits, large_read_permits, idle, lifetime, runtime })
    }

    /// Returns sqlx's pool, after returning all idle connections to it.
    pub(super) fn pool(&self) -> &Pool<DB> {
        self.evict_idle(|_| true);
        &self.pool
    }

    /// Returns a connection to read or to write for a tenant, waiting for it until the deadline and at most for the pool's acquire
    /// timeout.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        usage: Usage,
        tenant: Tenant,
        deadline: Option<Instant>,
    ) -> Result<PooledConnection<DB>, DbErr> {
        let latest = Instant::now() + self.pool.options().get_acquire_timeout();
        let in_time = deadline.filter(|deadline| *deadline < latest);
        match tokio::time::timeout_at(in_time.unwrap_or(latest).into(), self.acquire_unbounded(usage, tenant)).await {
            Err(_) if in_time.is_some() => Err(error_kind::timeout()),
            Err(_) | Ok(Err(sqlx::Error::PoolTimedOut)) => Err(error_kind::connection(self.reason().await)),
            Ok(acquired) => acquired.map_err(error_kind::connection),
        }
    }

    /// Returns why there is no connection: sqlx's pool retries a refused one until its time limit, and then reports a
    /// timeout.
    async fn reason(&self) -> sqlx::Error {
        let is_full = self.pool.size() >= self.pool.options().get_max_connections();
        if !is_full
            && let Ok(Err(cause)) = tokio::time::timeout(PROBE_TIMEOUT, self.pool.connect_options().connect()).await
        {
            return cause;
        }
        sqlx::Error::PoolTimedOut
    }

    async fn acquire_unbounded(
        self: &Arc<Self>,
        usage: Usage,
        tenant: Tenant,
    ) -> Result<PooledConnection<DB>, sqlx::Error> {
        let is_large = Handle::current().id() != self.runtime.id();
        let large_read_permit = if is_large && usage == Usage::Read {
            Some(acquire(&self.large_read_permits, tenant).await?)
        } else {
            None
        };
        let large_permit = if is_large { Some(acquire(&self.large_permits, tenant).await?) } else { None };
        let permit = acquire(&self.permits, tenant).await?;
        self.evict_idle(|since| since.elapsed() > CHECK_AFTER_IDLE);
        let idle = self.idle().pop();
        let (connection, deadline, lease) = match idle {
            Some(IdleConnection { connection, deadline, lease, .. }) => (connection, deadline, lease),
            None => {
                let began_at = Instant::now();
                // In a task of the runtime that serves requests: a socket belongs to the runtime in which it was opened,
                // and one of the runtime for large operations would wake that up for every statement. The future of
                // opening a connection is large besides.
                let pool = self.pool.clone();
                let opening = AbortOnDropHandle::new(self.runtime.spawn(async move { pool.acquire().await }));
                let connection = opening.await.map_err(|_| sqlx::Error::PoolClosed)??;
                (connection, None, Lease { began_at, ends_at: self.lifetime.in_use().map(|time| began_at + time) })
            }
        };
        Ok(PooledConnection {
            connection: Some(connection),
            deadline,
            lease,
            pool: Arc::clone(self),
            _permit: permit,
            _large_permits: [large_permit, large_read_permit],
        })
    }

    /// Returns an idle connection to read; `None` if all are in use.
    pub(super) async fn acquire_if_idle(
        self: &Arc<Self>,
        tenant: Tenant,
        deadline: Option<Instant>,
    ) -> Result<Option<PooledConnection<DB>>, DbErr> {
        if self.permits.is_exhausted() { Ok(None) } else { self.acquire(Usage::Read, tenant, deadline).await.map(Some) }
    }

    /// Closes all connections that are open now: idle ones at once, those in use when they are returned.
    pub(super) fn retire(&self) {
        let mut idle = self.idle();
        *self.lifetime.retired_at() = Some(Instant::now());
        for IdleConnection { mut connection, .. } in idle.drain(..) {
            connection.close_on_drop();
        }
    }

    /// Returns idle connections to sqlx's pool, the oldest first, as long as `is_old` accepts the time of their return.
    fn evict_idle(&self, is_old: impl Fn(Instant) -> bool) {
        let mut idle = self.idle();
        let count = idle.iter().take_while(|connection| is_old(connection.idle_since)).count();
        for IdleConnection { connection, .. } in idle.drain(..count) {
            return_to_pool(connection);
        }
    }

    pub(super) fn connections(&self) -> Connections {
        // All numbers are read one after the other, and a connection may have been taken or returned in between. sqlx's
        // counter of idle connections is even below zero for a moment, which is the largest number.
        let size = self.pool.size();
        let in_pool = u32::try_from(self.pool.num_idle()).unwrap_or(0);
        let recent = u32::try_from(self.idle().len()).unwrap_or(0);
        let idle = in_pool.saturating_add(recent).min(size);
        let used = size - idle;
        Connections { idle, used, max: self.pool.options().get_max_connections() }
    }

    /// Closes all connections, after running statements have finished.
    pub(super) async fn close(&self) {
        self.permits.close();
        self.large_permits.close();
        self.large_read_permits.close();
        let closed = self.pool.close();
        self.evict_idle(|_| true);
        closed.await;
    }

    fn idle(&self) -> MutexGuard<'_, Vec<IdleConnection<DB>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> PooledConnection<DB> {
    /// Closes the connection, because a statement or a transaction is open on it.
    pub(super) fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
    }

    /// Closes this connection and all others that are open now.
    pub(super) fn close_all(&mut self) {
        let recent = |retired_at: Instant| retired_at.elapsed() < RETIRE_INTERVAL;
        let retired_at = *self.pool.lifetime.retired_at();
        if !retired_at.is_some_and(recent) {
            self.pool.retire();
        }
        self.close();
    }

    /// Returns the connection to sqlx's pool, which checks it.
    pub(super) fn return_for_check(&mut self) {
        if let Some(connection) = self.connection.take() {
            return_to_pool(connection);
        }
    }
}

async fn acquire(permits: &Arc<Shares>, tenant: Tenant) -> Result<SharePermit, sqlx::Error> {
    permits.acquire(tenant).await.map_err(|Closed| sqlx::Error::PoolClosed)
}

/// Returns a connection to sqlx's pool, which checks it with a round trip. Without a response in time it is closed,
/// because its slot in the pool stays occupied until then.
fn return_to_pool<DB: Database>(mut connection: PoolConnection<DB>) {
    tokio::spawn(tokio::time::timeout(CHECK_TIMEOUT, connection.return_to_pool()));
}

impl<DB: Database> Drop for PooledConnection<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let Lease { began_at, ends_at } = self.lease;
        if ends_at.is_some_and(|end| end <= Instant::now()) {
            return return_to_pool(connection);
        }
        let mut idle = self.pool.idle();
        if !self.pool.lifetime.allows(began_at.elapsed()) {
            connection.close_on_drop();
        } else if !self.pool.pool.is_closed() {
            // Checked under the lock of the list: a connection added after `close` emptied it would keep the pool from
            // closing.
            idle.push(IdleConnection {
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
        self.connection.as_ref().expect("the connection was already returned")
    }
}

impl<DB: Database> DerefMut for PooledConnection<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("the connection was already returned")
    }
}

impl<DB: Database> fmt::Debug for LifoPool<DB> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LifoPool").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<DB: Database> fmt::Debug for PooledConnection<DB> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PooledConnection").finish_non_exhaustive()
    }
}
