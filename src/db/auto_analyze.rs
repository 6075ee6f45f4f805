//! Keeps the planner's statistics up to date while tables grow fast.
//!
//! PostgreSQL keeps a generic plan per connection until one of the statement's tables is analyzed. A plan that was made
//! for a small table scans all of it, even after the table has grown; autovacuum checks only once a minute, during
//! which a first load adds millions of rows. Writers therefore count the rows they insert, and a background task
//! analyzes each table that is twice as large as PostgreSQL's statistics say. All statements that use the table are
//! then planned anew, on all connections.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use tokio::task::AbortHandle;

use super::{Db, Lock, Session, sqlite_statistics};

/// Tables with fewer rows are not analyzed: scanning them is cheap with any plan.
const MIN_ROWS: u64 = 1_000;

/// Maximum number of new rows between two checks of a PostgreSQL table, which other servers may have emptied. A SQLite
/// table is checked only once it may have doubled, because its check is an `ANALYZE`.
const MAX_ROWS_BETWEEN_CHECKS: u64 = 50_000;

/// Time limit of a check and the `ANALYZE` that may follow, which samples 30,000 pages.
const ANALYZE_TIMEOUT: Duration = Duration::from_secs(60);

/// Pause after a failed check: one that timed out would time out again.
const BACKOFF: Duration = Duration::from_secs(600);

/// Counts the rows that this process inserted, and decides when a table is due for a check.
#[derive(Debug, Default)]
pub(super) struct AnalyzeScheduler(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tables: HashMap<&'static str, Table>,
    /// True while a caller checks the due tables, one after the other.
    analyzing: bool,
    backoff_until: Option<Instant>,
    task: Option<AbortHandle>,
}

#[derive(Clone, Copy, Debug)]
struct Table {
    /// Rows inserted since the last check.
    added: u64,
    /// Number of inserted rows at which the next check is due.
    due: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self { added: 0, due: MIN_ROWS }
    }
}

impl State {
    fn backing_off(&self) -> bool {
        self.backoff_until.is_some_and(|end| Instant::now() < end)
    }
}

impl AnalyzeScheduler {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts inserted rows. Returns true if a check is due and no other caller is checking: this caller must then do
    /// it.
    fn count_inserts(&self, table: &'static str, rows: u64) -> bool {
        let mut state = self.state();
        let counted = state.tables.entry(table).or_default();
        counted.added += rows;
        let due = counted.added >= counted.due;
        due && !state.backing_off() && !std::mem::replace(&mut state.analyzing, true)
    }

    /// Returns the next table that is due; `None` ends the caller's check.
    fn next(&self) -> Option<&'static str> {
        let mut state = self.state();
        let backing_off = state.backing_off();
        let mut due = state.tables.iter_mut().filter(|(_, table)| table.added >= table.due && !backing_off);
        let Some((name, table)) = due.next() else {
            state.analyzing = false;
            return None;
        };
        table.added = 0;
        Some(name)
    }

    /// Sets the number of new rows after which the next check is due.
    fn analyzed(&self, table: &'static str, due: u64) {
        self.state().tables.entry(table).or_default().due = due;
    }

    /// Records the outcome of a check: the number of new rows after which the next one is due, or an error.
    fn finished(&self, table: &'static str, outcome: Result<u64, DbErr>) {
        match outcome {
            Ok(due) => self.analyzed(table, due),
            Err(error) => {
                tracing::warn!(%error, table, "analyzing a table failed; the next attempt is in ten minutes");
                self.start_backoff();
            }
        }
    }

    /// Starts the pause after a failure. Until its end only autovacuum updates the statistics.
    fn start_backoff(&self) {
        self.state().backoff_until = Some(Instant::now() + BACKOFF);
    }

    /// Aborts a running check, because the database is being closed.
    pub(super) fn stop(&self) {
        if let Some(task) = self.state().task.take() {
            task.abort();
        }
    }
}

impl Db {
    /// Counts new rows, and starts a task that analyzes tables that have doubled, if none is running. Returns at once.
    pub(super) fn analyze_in_background(&self, inserts: &[(&'static str, u64)]) {
        let due =
            inserts.iter().filter(|(table, rows)| self.shared.analyze_scheduler.count_inserts(table, *rows)).count();
        if due == 0 {
            return;
        }
        let db = self.untracked();
        let check = async move {
            while let Some(table) = db.shared.analyze_scheduler.next() {
                let outcome = db.with_deadline(Instant::now() + ANALYZE_TIMEOUT).analyze_if_doubled(table).await;
                db.shared
                    .analyze_scheduler
                    .finished(table, outcome.map(|rows| rows.clamp(MIN_ROWS, MAX_ROWS_BETWEEN_CHECKS)));
            }
        };
        self.shared.analyze_scheduler.state().task = Some(tokio::spawn(check).abort_handle());
    }

    /// Counts new rows, and analyzes SQLite tables that may have doubled. Returns whether it analyzed any.
    pub(super) async fn analyze_in_transaction(&self, session: &Session, inserts: &[(&'static str, u64)]) -> bool {
        let due =
            inserts.iter().filter(|(table, rows)| self.shared.analyze_scheduler.count_inserts(table, *rows)).count();
        if due == 0 {
            return false;
        }
        while let Some(table) = self.shared.analyze_scheduler.next() {
            let outcome = session.untracked(sqlite_statistics::analyze(session, table)).await;
            self.shared.analyze_scheduler.finished(table, outcome.map(|rows| rows.max(MIN_ROWS)));
        }
        true
    }

    /// Analyzes a table if it is at least twice as large as PostgreSQL's statistics say. Returns its estimated row
    /// count.
    async fn analyze_if_doubled(&self, table: &str) -> Result<u64, DbErr> {
        self.write(Lock::None, async |session| {
            let (rows, doubled) = known_rows(&session, table).await?;
            if !doubled {
                return Ok(rows);
            }
            // A locked table is skipped with a warning, which is not worth logging: the next check finds it again.
            let analyze = format!("SET LOCAL client_min_messages = error; ANALYZE (SKIP_LOCKED) \"{table}\"");
            session.execute_unprepared(&analyze).await?;
            Ok::<_, DbErr>(known_rows(&session, table).await?.0)
        })
        .await
    }
}

/// Returns PostgreSQL's row estimate of a table, and whether the table should be analyzed. The size comes from the
/// file, so it includes the inserts of other servers. Only the owner of a table may analyze it.
async fn known_rows(session: &Session, table: &str) -> Result<(u64, bool), DbErr> {
    let sql = "SELECT greatest(reltuples, 0)::bigint AS rows, \
        pg_relation_size(oid) >= 2 * greatest(relpages, 1) * current_setting('block_size')::bigint \
        AND pg_has_role(relowner, 'USAGE') AS doubled \
        FROM pg_class WHERE oid = to_regclass(quote_ident($1))";
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [table.into()]);
    let Some(row) = session.query_one_raw(statement).await? else { return Ok((0, false)) };
    Ok((row.try_get::<i64>("", "rows")?.unsigned_abs(), row.try_get("", "doubled")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_is_due_before_a_table_can_have_doubled() {
        let scheduler = AnalyzeScheduler::default();
        assert!(!scheduler.count_inserts("member", MIN_ROWS - 1));
        assert!(scheduler.count_inserts("member", 1));
        assert_eq!(scheduler.next(), Some("member"));
        scheduler.analyzed("member", 5_000);
        assert_eq!(scheduler.next(), None);
        assert!(!scheduler.count_inserts("member", 4_999));
        assert!(scheduler.count_inserts("member", 1));
    }

    #[test]
    fn check_is_due_after_max_rows_between_checks() {
        let scheduler = AnalyzeScheduler::default();
        assert!(scheduler.count_inserts("member", MIN_ROWS));
        assert_eq!(scheduler.next(), Some("member"));
        scheduler.analyzed("member", MAX_ROWS_BETWEEN_CHECKS);
        assert_eq!(scheduler.next(), None);
        assert!(!scheduler.count_inserts("member", MAX_ROWS_BETWEEN_CHECKS - 1));
        assert!(scheduler.count_inserts("member", 1));
    }

    #[test]
    fn checks_run_one_at_a_time_and_include_tables_that_became_due_concurrently() {
        let scheduler = AnalyzeScheduler::default();
        assert!(scheduler.count_inserts("member", 5_000));
        assert_eq!(scheduler.next(), Some("member"));
        assert!(
            !scheduler.count_inserts("member", 5_000) && !scheduler.count_inserts("clip", 5_000),
            "a check is running"
        );
        scheduler.analyzed("member", 5_000);
        let first = scheduler.next();
        let second = scheduler.next();
        assert!(first.is_some() && second.is_some() && first != second, "both tables are due: {first:?}, {second:?}");
        assert_eq!(scheduler.next(), None);
        assert!(scheduler.count_inserts("clip", 5_000), "the check has ended");
    }

    #[test]
    fn no_check_is_due_during_the_backoff_after_a_failure() {
        let scheduler = AnalyzeScheduler::default();
        assert!(scheduler.count_inserts("member", MIN_ROWS) && !scheduler.count_inserts("clip", MIN_ROWS));
        assert!(scheduler.next().is_some());
        scheduler.start_backoff();
        assert_eq!(scheduler.next(), None, "the other table backs off too");
        assert!(!scheduler.count_inserts("member", MAX_ROWS_BETWEEN_CHECKS));
        scheduler.state().backoff_until = Some(Instant::now());
        assert!(scheduler.count_inserts("member", 1), "the backoff is over");
    }
}
