//! The size of SQLite's write-ahead log, the file `-wal` (<https://www.sqlite.org/wal.html>).
//!
//! SQLite copies the log into the database after each commit of a certain size, and then begins it anew, but the file
//! keeps its size: a call that changed a gigabyte would leave a file of a gigabyte. And while a reader needs an old
//! page, the log is not begun anew, so it grows with each write. The server's own readers are single statements, which
//! end at their deadlines; a backup, or a shell with an open transaction, may read for hours.
//!
//! A commit that leaves a large log therefore starts a task that truncates it. As long as that fails, the task tries
//! again, and logs a warning if the log is very large.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use tokio::task::AbortHandle;

use super::{Connection, Db, Lock, Pools, Session, connect};

/// Maximum size of the log without running transactions. A log that is truncated and grows again costs a little at each
/// commit, so it is larger than what ordinary calls write: an upsert of 100,000 members writes about 40 MiB.
pub(super) const MAX_IDLE_BYTES: u64 = 64 << 20;

/// Size from which a log that can't be truncated is reported: it costs disk space, and slows down reads.
const WARN_BYTES: u64 = 4 * MAX_IDLE_BYTES;

const WARN_INTERVAL: Duration = Duration::from_secs(600);

/// Pause before an attempt to truncate the log: at first for the readers of the previous one, later up to the maximum
/// because a reader that has read for long will do so for longer.
const MIN_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The log of a database, and the task that truncates it.
#[derive(Debug)]
pub(super) struct Wal {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    truncating: bool,
    task: Option<AbortHandle>,
    warned_at: Option<Instant>,
}

impl Wal {
    /// Returns the log of this database file.
    pub(super) fn of(database: &Path) -> Arc<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Arc::new(Self { path: path.into(), state: Mutex::default() })
    }

    /// Returns the size of the file.
    fn bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Returns true if the log is too large and no task truncates it: the caller must then do it.
    fn begin_truncating(&self) -> bool {
        self.bytes() > MAX_IDLE_BYTES && !std::mem::replace(&mut self.state().truncating, true)
    }

    /// Ends the task, unless the log is too large. Returns whether it ended.
    fn end_truncating(&self) -> bool {
        let mut state = self.state();
        state.truncating = self.bytes() > MAX_IDLE_BYTES;
        !state.truncating
    }

    /// Logs a warning about a very large log, from time to time.
    fn warn(&self) {
        let (bytes, mut state) = (self.bytes(), self.state());
        let warned = state.warned_at.is_some_and(|warned_at| warned_at.elapsed() < WARN_INTERVAL);
        if bytes > WARN_BYTES && !warned {
            state.warned_at = Some(Instant::now());
            tracing::warn!(bytes, "SQLite's write-ahead log can't be truncated, because a reader is open for long");
        }
    }

    /// Aborts the task, because the database is being closed: the last connection removes the log.
    pub(super) fn stop(&self) {
        if let Some(task) = self.state().task.take() {
            task.abort();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Db {
    /// Returns the size of SQLite's write-ahead log in bytes; `None` on PostgreSQL.
    pub(crate) fn sqlite_wal_bytes(&self) -> Option<u64> {
        match &self.shared.pools {
            Pools::Sqlite { wal, .. } => Some(wal.bytes()),
            Pools::Postgres { .. } => None,
        }
    }

    /// Starts a task that truncates SQLite's write-ahead log if it is too large. Returns at once.
    pub(super) fn truncate_wal_in_background(&self) {
        let Pools::Sqlite { wal, .. } = &self.shared.pools else { return };
        if !wal.begin_truncating() {
            return;
        }
        let db = Self { cutoff: super::Cutoff::default(), client: None, ..self.untracked() };
        let (task_wal, mut pause) = (Arc::clone(wal), MIN_PAUSE);
        let truncate = async move {
            while !task_wal.end_truncating() {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
                match db.truncate_wal().await {
                    Ok(true) => {}
                    Ok(false) => task_wal.warn(),
                    Err(error) => tracing::warn!(%error, "truncating SQLite's write-ahead log failed"),
                }
            }
        };
        wal.state().task = Some(tokio::spawn(truncate).abort_handle());
    }

    /// Truncates the log. Returns false if a reader prevents that.
    async fn truncate_wal(&self) -> Result<bool, DbErr> {
        let Pools::Sqlite { writer, .. } = &self.shared.pools else { return Ok(true) };
        // Copies the pages while others write, so that the writer has little left to copy.
        checkpoint(&self.read().await?, "PASSIVE").await?;
        let turn = self.shared.write_queue.turn(Lock::None, self.shared.write_queue.arrive(), None).await?;
        let connection = Connection::sqlite(writer, self.tenant, &self.cutoff, Some(turn)).await?;
        let session = Session::new(connection, self, false);
        // Writers must not wait for the readers.
        session.execute_unprepared("PRAGMA busy_timeout = 0").await?;
        let truncated = checkpoint(&session, "TRUNCATE").await;
        session.execute_unprepared(&connect::restore_busy_timeout()).await?;
        truncated
    }
}

/// Returns false if a reader or a writer kept SQLite from completing the checkpoint.
async fn checkpoint(session: &Session, mode: &str) -> Result<bool, DbErr> {
    let statement = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA wal_checkpoint({mode})"));
    let Some(row) = session.query_one_raw(statement).await? else { return Ok(true) };
    Ok(row.try_get_by_index::<i32>(0)? == 0)
}
