//! Sessions: one connection in use. A session counts its statements, stops them at the deadline, and never returns a
//! connection to its pool in the middle of a statement or transaction.

mod connection_trait;

use std::{
    mem,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{Stream, TryStreamExt};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{AssertSqlSafe, Connection as _, Executor, Postgres};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::{
    ArrayTable, Cutoff, Db, DbErrorKind, Lock, ScalarBind, Shared, Steps,
    connection::{Connection, Driver, Status},
    error_kind,
    lock::MAX_LOCK_WAIT,
    pool::PooledConnection,
    statement_memory::{self, HeldBinds},
};
use crate::budget;

/// The database stops a statement at the deadline by itself. If it does not respond at all, the session gives up this
/// much later.
const GRACE: Duration = Duration::from_millis(500);

/// Maximum time between two statements of a transaction. After it PostgreSQL assumes that this server has vanished, and
/// frees its locks (`idle_in_transaction_session_timeout`). Loops over rows send a statement in time
/// ([`Session::keep_alive`]).
pub(super) const MAX_SILENCE: Duration = Duration::from_secs(10);

/// After a statement with more rows, the buffers that it enlarged are shrunk.
const LARGE_STATEMENT_ROWS: usize = 10_000;

/// After a result with more bytes, the buffers that it enlarged are shrunk.
const LARGE_RESULT_BYTES: usize = 1 << 20;

/// A connection in use. Clones share it.
#[derive(Clone, Debug)]
pub struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: DbBackend,
    /// `None` after the end of the transaction.
    connection: Mutex<Option<Connection>>,
    cutoff: Cutoff,
    shared: Arc<Shared>,
    /// True while statements count as untracked.
    untracked: AtomicBool,
    rollback_only: AtomicBool,
    contended: AtomicBool,
    /// True if another transaction kept a lock of [`Session::lock_shared`] for too long.
    lock_timed_out: AtomicBool,
    /// Rows that the transaction inserted, by table.
    inserts: std::sync::Mutex<Vec<(&'static str, u64)>>,
    /// True if the transaction locks its memberbases exclusively.
    exclusive: bool,
    /// True if a statement had more than [`LARGE_STATEMENT_ROWS`] rows.
    large: AtomicBool,
}

impl Session {
    pub(super) fn new(connection: Connection, db: &Db, exclusive: bool) -> Self {
        let backend = match connection.driver {
            Driver::Sqlite(_) => DbBackend::Sqlite,
            Driver::Postgres(_) => DbBackend::Postgres,
        };
        Self(Arc::new(Inner {
            backend,
            connection: Mutex::new(Some(connection)),
            cutoff: db.cutoff.clone(),
            shared: Arc::clone(&db.shared),
            untracked: AtomicBool::new(db.untracked),
            rollback_only: AtomicBool::new(false),
            contended: AtomicBool::new(false),
            lock_timed_out: AtomicBool::new(false),
            inserts: std::sync::Mutex::default(),
            exclusive,
            large: AtomicBool::new(false),
        }))
    }

    /// Makes the transaction roll back at its end even if the work succeeds, for a dry run.
    pub(crate) fn set_rollback_only(&self) {
        self.0.rollback_only.store(true, Ordering::Relaxed);
    }

    /// Prevents the deletion of one more memberbase until the end of the transaction. To avoid deadlocks, several
    /// memberbases have to be locked in the order of their ids.
    pub async fn lock_shared(&self, memberbase: Uuid) -> Result<(), DbErr> {
        match self.0.backend {
            DbBackend::Sqlite => Ok(()),
            _ => {
                let lock = Lock::Shared(memberbase).escalate_if(self.0.exclusive);
                let locked = self.execute_unprepared(&lock.statements(MAX_LOCK_WAIT)).await;
                let timed_out = locked.as_ref().is_err_and(error_kind::is_lock_timeout);
                self.0.lock_timed_out.fetch_or(timed_out, Ordering::Relaxed);
                locked.map(drop)
            }
        }
    }

    /// Makes PostgreSQL use custom plans for the statements of this transaction, which depend on the bound values and
    /// on the present sizes of tables. A generic plan is kept, even if a table was empty when it was made.
    pub(crate) async fn force_custom_plan(&self) -> Result<(), DbErr> {
        match self.0.backend {
            DbBackend::Sqlite => Ok(()),
            _ => self.execute_unprepared("SET LOCAL plan_cache_mode = force_custom_plan").await.map(drop),
        }
    }

    /// Returns a step counter for a loop over rows within this transaction.
    pub fn steps(&self) -> Steps<'_> {
        Steps::new(&self.0.cutoff, Some(self))
    }

    /// Sends a statement if none was sent for a while. PostgreSQL ends a transaction that is idle for [`MAX_SILENCE`],
    /// which must not happen during a loop that computes.
    pub(super) async fn keep_alive(&self) -> Result<(), DbErr> {
        if self.0.backend == DbBackend::Sqlite {
            return Ok(());
        }
        let used_at = self.0.connection.lock().await.as_ref().map(|connection| connection.status.used_at);
        if used_at.is_some_and(|used_at| used_at.elapsed() < MAX_SILENCE / 4) {
            return Ok(());
        }
        self.execute_unprepared("SELECT 1").await.map(drop)
    }

    /// Makes the pool close this and all other open connections: they may lead to a server that accepts no writes.
    pub(super) async fn mark_read_only(&self) {
        if let Some(connection) = self.0.connection.lock().await.as_mut() {
            connection.status.read_only = true;
        }
    }

    /// Records a conflict with other transactions although no statement failed: if the work then fails, it is retried.
    pub fn mark_contended(&self) {
        self.0.contended.store(true, Ordering::Relaxed);
    }

    /// Records rows that the transaction inserted into a table, so that the table's statistics are kept up to date.
    pub(crate) fn record_inserts(&self, table: &'static str, rows: u64) {
        self.0.inserts.lock().unwrap_or_else(PoisonError::into_inner).push((table, rows));
    }

    /// Takes the recorded inserts; none if the transaction will be rolled back.
    pub(super) fn take_inserts(&self) -> Vec<(&'static str, u64)> {
        let inserts = mem::take(&mut *self.0.inserts.lock().unwrap_or_else(PoisonError::into_inner));
        if self.0.rollback_only.load(Ordering::Relaxed) { Vec::new() } else { inserts }
    }

    pub(super) fn lock_timed_out(&self) -> bool {
        self.0.lock_timed_out.load(Ordering::Relaxed)
    }

    pub(super) fn contended(&self) -> bool {
        self.0.contended.load(Ordering::Relaxed)
    }

    /// Runs a bulk statement. Its `{rows}` is replaced by a table of the rows, with their columns by name and `n`, the
    /// row number from 0; the scalars are `$1`, `$2` and so on. Returns the number of affected rows.
    pub async fn bulk(&self, sql: &str, scalars: &[ScalarBind], rows: &ArrayTable<'_>) -> Result<u64, DbErr> {
        let sql = rows.insert_into(sql, self.0.backend, scalars.len());
        self.0.large.fetch_or(rows.len() > LARGE_STATEMENT_ROWS, Ordering::Relaxed);
        let mut connection = self.connection().await?;
        let Connection { driver, status, .. } = self.open(&mut connection)?;
        self.limited(status, async {
            match driver {
                Driver::Sqlite(connection) => {
                    let (binds, _held) = HeldBinds::make(|| rows.sqlite(scalars))?;
                    let query = sqlx::query_with(AssertSqlSafe(sql), binds);
                    Ok(query.execute(&mut **connection).await?.rows_affected())
                }
                Driver::Postgres(connection) => {
                    let query = sqlx::query_with(AssertSqlSafe(sql), rows.postgres(scalars)?);
                    let touched = query.execute(&mut **connection).await?.rows_affected();
                    shrink_buffers(connection, rows.len() > LARGE_STATEMENT_ROWS);
                    Ok(touched)
                }
            }
        })
        .await
    }

    /// Runs a bulk statement (see [`Session::bulk`]), and passes each row of its result to `take`.
    pub async fn bulk_each(
        &self,
        sql: &str,
        scalars: &[ScalarBind],
        rows: &ArrayTable<'_>,
        take: impl FnMut(QueryResult) -> Result<(), DbErr> + Send,
    ) -> Result<(), DbErr> {
        let sql = rows.insert_into(sql, self.0.backend, scalars.len());
        self.0.large.fetch_or(rows.len() > LARGE_STATEMENT_ROWS, Ordering::Relaxed);
        let mut connection = self.connection().await?;
        let Connection { driver, status, .. } = self.open(&mut connection)?;
        self.limited(status, async {
            match driver {
                Driver::Sqlite(connection) => {
                    let (binds, _held) = HeldBinds::make(|| rows.sqlite(scalars))?;
                    let query = sqlx::query_with(AssertSqlSafe(sql), binds);
                    each_row(query.fetch(&mut **connection), statement_memory::receive_sqlite, take).await
                }
                Driver::Postgres(connection) => {
                    let query = sqlx::query_with(AssertSqlSafe(sql), rows.postgres(scalars)?);
                    let mut received = 0;
                    each_row(
                        query.fetch(&mut **connection),
                        |row| received += statement_memory::postgres_bytes(row),
                        take,
                    )
                    .await?;
                    shrink_buffers(connection, rows.len() > LARGE_STATEMENT_ROWS || received > LARGE_RESULT_BYTES);
                    Ok(())
                }
            }
        })
        .await
    }

    /// Runs a statement, and passes each row of its result to `take`.
    pub(crate) async fn each(
        &self,
        statement: Statement,
        take: impl FnMut(QueryResult) -> Result<(), DbErr> + Send,
    ) -> Result<(), DbErr> {
        let (sql, values) = parts(statement);
        let mut connection = self.connection().await?;
        let Connection { driver, status, .. } = self.open(&mut connection)?;
        self.limited(status, async {
            match driver {
                Driver::Sqlite(connection) => {
                    let _held = HeldBinds::of(&values)?;
                    each_row(
                        sqlx::query_with(sql, values).fetch(&mut **connection),
                        statement_memory::receive_sqlite,
                        take,
                    )
                    .await
                }
                Driver::Postgres(connection) => {
                    let mut received = 0;
                    let rows = sqlx::query_with(sql, values).fetch(&mut **connection);
                    each_row(rows, |row| received += statement_memory::postgres_bytes(row), take).await?;
                    shrink_buffers(connection, received > LARGE_RESULT_BYTES);
                    Ok(())
                }
            }
        })
        .await
    }

    pub(super) async fn begin(&self, statement: &str) -> Result<(), DbErr> {
        let mut connection = self.connection().await?;
        self.run(self.open(&mut connection)?, statement, true).await
    }

    /// Runs background work, whose statements are counted separately from those of requests.
    pub(super) async fn untracked<T>(&self, work: impl Future<Output = T>) -> T {
        let before = self.0.untracked.swap(true, Ordering::Relaxed);
        let outcome = work.await;
        self.0.untracked.store(before, Ordering::Relaxed);
        outcome
    }

    /// Commits the transaction, or rolls it back if it is set to. Later statements of this session fail.
    pub(super) async fn finish(&self) -> Result<(), DbErr> {
        let end = if self.0.rollback_only.load(Ordering::Relaxed) { "ROLLBACK" } else { "COMMIT" };
        let connection = self.connection().await?.take().ok_or_else(ended)?;
        self.end(connection, end).await
    }

    /// Rolls the transaction back. If that fails, or a statement was abandoned before its end, the connection is
    /// closed, which has the same effect.
    pub(super) async fn roll_back(&self) {
        let connection = self.0.connection.lock().await.take();
        if let Some(connection) = connection.filter(|connection| !connection.status.interrupted) {
            let _ = self.end(connection, "ROLLBACK").await;
        }
    }

    async fn end(&self, mut connection: Connection, sql: &str) -> Result<(), DbErr> {
        connection.status.ending = true;
        self.run(&mut connection, sql, false).await?;
        if self.0.backend == DbBackend::Sqlite && self.0.large.load(Ordering::Relaxed) {
            // Frees SQLite's page cache. The transaction has ended, so an error does not matter.
            let _ = self.run(&mut connection, "PRAGMA shrink_memory", false).await;
        }
        Ok(())
    }

    /// Runs statements that begin or end a transaction. `busy_after` is the status of the connection if they succeed.
    async fn run(&self, connection: &mut Connection, sql: &str, busy_after: bool) -> Result<(), DbErr> {
        let Connection { driver, status, .. } = connection;
        let outcome = self
            .limited(status, async {
                match driver {
                    Driver::Sqlite(connection) => connection.execute(AssertSqlSafe(sql)).await.map(drop),
                    Driver::Postgres(connection) => connection.execute(AssertSqlSafe(sql)).await.map(drop),
                }
            })
            .await;
        // PostgreSQL's BEGIN is sent together with other statements, such as a lock that may time out: if they fail, the
        // transaction may have begun all the same. SQLite's is sent alone.
        status.busy = if outcome.is_ok() { busy_after } else { status.busy || self.0.backend != DbBackend::Sqlite };
        outcome
    }

    async fn connection(&self) -> Result<MutexGuard<'_, Option<Connection>>, DbErr> {
        let untracked = self.0.untracked.load(Ordering::Relaxed);
        let Shared { statements, untracked_statements, .. } = &*self.0.shared;
        let statements = if untracked { untracked_statements } else { statements };
        statements.fetch_add(1, Ordering::Relaxed);
        let mut connection = self.0.connection.lock().await;
        if let Some(connection) = connection.as_mut() {
            connection.keep_to_deadline(self.0.cutoff.deadline).await?;
        }
        Ok(connection)
    }

    /// Returns the connection for another statement. After the cutoff no statement begins, except the end of a
    /// transaction.
    fn open<'c>(&self, connection: &'c mut Option<Connection>) -> Result<&'c mut Connection, DbErr> {
        self.0.cutoff.check()?;
        connection.as_mut().ok_or_else(ended)
    }

    /// Runs a statement until the cutoff. The connection is marked as busy while it runs.
    async fn limited<T>(
        &self,
        status: &mut Status,
        statement: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, DbErr> {
        let busy_before = mem::replace(&mut status.busy, true);
        // A transaction that has missed its deadline still has to be ended.
        let latest = self.0.cutoff.deadline.map(|deadline| deadline.max(Instant::now()) + GRACE);
        let too_late = async {
            match latest {
                Some(latest) => tokio::time::sleep_until(latest.into()).await,
                None => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = statement => Some(outcome.map_err(error_kind::statement)),
            () = too_late => None,
            () = self.0.cutoff.client_gone(), if !status.ending => None,
        };
        let Some(outcome) = outcome else {
            status.interrupted = true;
            return Err(error_kind::timeout());
        };
        if let Err(error) = &outcome {
            status.doubtful = true;
            status.read_only |= error_kind::is_read_only(error);
            if DbErrorKind::of(error) == DbErrorKind::Contention {
                self.0.contended.store(true, Ordering::Relaxed);
            }
        }
        status.busy = busy_before;
        status.used_at = Instant::now();
        outcome
    }
}

/// Shrinks the buffers of a connection after a large statement or result: they never shrink by themselves.
fn shrink_buffers(connection: &mut PooledConnection<Postgres>, is_large: bool) {
    if is_large {
        connection.shrink_buffers();
    }
}

/// Passes each row of a result to `take`, within the budget of the request. `receive` is called with each row before.
async fn each_row<Row: Into<QueryResult>>(
    mut rows: impl Stream<Item = Result<Row, sqlx::Error>> + Unpin,
    mut receive: impl FnMut(&Row),
    mut take: impl FnMut(QueryResult) -> Result<(), DbErr>,
) -> Result<(), sqlx::Error> {
    while let Some(row) = rows.try_next().await? {
        receive(&row);
        budget::check().map_err(error_kind::over_budget)?;
        take(row.into()).map_err(undecodable)?;
    }
    Ok(())
}

fn ended() -> DbErr {
    DbErr::Custom("the transaction has ended".to_owned())
}

fn undecodable(error: DbErr) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}

fn parts(statement: Statement) -> (AssertSqlSafe<String>, SqlxValues) {
    (AssertSqlSafe(statement.sql), SqlxValues(statement.values.unwrap_or(Values(Vec::new()))))
}
