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

use super::{
    Connections,
    connect::{CHECK, IDLE},
    deadline::Deadline,
    fault,
};

/// Time limit of the connection attempt that finds out why the pool has none.
const PROBE: Duration = Duration::from_millis(200);

/// A pool with those of its connections that were at work a moment ago.
pub(super) struct Warm<DB: Database> {
    pool: Pool<DB>,
    /// One for each connection that may be open: whoever has one finds a connection here or in the pool.
    turns: Arc<Semaphore>,
    /// The last to come back is the last.
    kept: Mutex<Vec<Kept<DB>>>,
}

struct Kept<DB: Database> {
    connection: PoolConnection<DB>,
    deadline: Option<Deadline>,
    /// When it came back.
    since: Instant,
}

/// A connection in use.
pub(super) struct Lent<DB: Database> {
    /// None once it is given back.
    connection: Option<PoolConnection<DB>>,
    /// What it watches, where it was made to.
    pub(super) deadline: Option<Deadline>,
    from: Arc<Warm<DB>>,
    /// Given back after the connection.
    _turn: OwnedSemaphorePermit,
}

impl<DB: Database> Warm<DB> {
    pub(super) fn new(pool: Pool<DB>) -> Arc<Self> {
        let turns = Arc::new(Semaphore::new(pool.options().get_max_connections() as usize));
        Arc::new(Self { pool, turns, kept: Mutex::default() })
    }

    /// The pool, with all connections that nobody uses.
    pub(super) fn pool(&self) -> &Pool<DB> {
        self.cool(|_| true);
        &self.pool
    }

    /// A connection, before the deadline and within the pool's time for it.
    pub(super) async fn lend(self: &Arc<Self>, deadline: Option<Instant>) -> Result<Lent<DB>, DbErr> {
        let latest = Instant::now() + self.pool.options().get_acquire_timeout();
        let in_time = deadline.filter(|deadline| *deadline < latest);
        match tokio::time::timeout_at(in_time.unwrap_or(latest).into(), self.wait()).await {
            Err(_) if in_time.is_some() => Err(fault::timeout()),
            Err(_) | Ok(Err(sqlx::Error::PoolTimedOut)) => Err(fault::connection(self.reason().await)),
            Ok(lent) => lent.map_err(fault::connection),
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

    async fn wait(self: &Arc<Self>) -> Result<Lent<DB>, sqlx::Error> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        self.cool(|since| since.elapsed() > IDLE);
        let kept = self.kept().pop();
        let (connection, deadline) = match kept {
            Some(Kept { connection, deadline, .. }) => (connection, deadline),
            // On the heap: it holds all that opening a connection takes, and would be a part of every future that asks
            // the database for anything.
            None => (Box::pin(self.pool.acquire()).await?, None),
        };
        Ok(Lent { connection: Some(connection), deadline, from: Arc::clone(self), _turn: turn })
    }

    /// Gives to the pool what came back at such a time, the earliest first.
    fn cool(&self, old: impl Fn(Instant) -> bool) {
        let mut kept = self.kept();
        let count = kept.iter().take_while(|kept| old(kept.since)).count();
        for Kept { connection, .. } in kept.drain(..count) {
            give_back(connection);
        }
    }

    /// What the connections are now.
    pub(super) fn connections(&self) -> Connections {
        let idle = self.pool.num_idle() + self.kept().len();
        let idle = u32::try_from(idle).unwrap_or(u32::MAX);
        // One after the other: a connection may have come back in between.
        let used = self.pool.size().saturating_sub(idle);
        Connections { idle, used, max: self.pool.options().get_max_connections() }
    }

    /// Closes all connections, once what runs has ended.
    pub(super) async fn close(&self) {
        self.turns.close();
        let closed = self.pool.close();
        self.cool(|_| true);
        closed.await;
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept<DB>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> Lent<DB> {
    /// Closes it: it is in the middle of something.
    pub(super) fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
    }

    /// Gives it to the pool, which judges it.
    pub(super) fn doubt(&mut self) {
        if let Some(connection) = self.connection.take() {
            give_back(connection);
        }
    }
}

/// The pool asks the database for an answer by it. Where none comes, it is closed: nobody would be let in meanwhile.
fn give_back<DB: Database>(mut connection: PoolConnection<DB>) {
    tokio::spawn(tokio::time::timeout(CHECK, connection.return_to_pool()));
}

impl<DB: Database> Drop for Lent<DB> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let mut kept = self.from.kept();
        // Asked while nobody can empty the list in between: what is closed would wait for it.
        if !self.from.pool.is_closed() {
            kept.push(Kept { connection, deadline: self.deadline.take(), since: Instant::now() });
        }
    }
}

impl<DB: Database> Deref for Lent<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        self.connection.as_ref().expect("it is given back at its end")
    }
}

impl<DB: Database> DerefMut for Lent<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("it is given back at its end")
    }
}

impl<DB: Database> fmt::Debug for Warm<DB> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Warm").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<DB: Database> fmt::Debug for Lent<DB> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lent").finish_non_exhaustive()
    }
}
