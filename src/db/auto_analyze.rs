//! Statistics that keep up with tables that grow fast.
//!
//! PostgreSQL plans a statement once for a connection, and again when it has analyzed a table of it. What was planned while
//! a table was small reads all of it, however large it has become; autovacuum looks once a minute whether there is
//! anything to analyze, in which time a table grows by millions of rows. So whoever adds rows looks now and then, and has
//! a table analyzed that is twice as large as PostgreSQL knows.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use tokio::task::AbortHandle;

use super::{Db, Lock, Session, sqlite_statistics};

/// So few rows are read at once, whatever the plan.
const MIN_ROWS: u64 = 1_000;

/// Maximum number of new rows between two looks at a PostgreSQL table, which other servers may have emptied. A SQLite table
/// is looked at only once it may have doubled, because each look analyzes it.
const MAX_ROWS_BETWEEN_CHECKS: u64 = 50_000;

/// How long a look may take, with what it leads to: a sample of 30,000 pages.
const ANALYZE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long nobody looks after a look that failed: one that took too long would do so again.
const BACKOFF: Duration = Duration::from_secs(600);

/// How tables have grown by this process since somebody looked.
#[derive(Debug, Default)]
pub(super) struct AnalyzeScheduler(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    tables: HashMap<&'static str, Table>,
    /// Whether somebody looks, at one table after the other.
    analyzing: bool,
    /// Until when nobody is to look.
    backoff_until: Option<Instant>,
    task: Option<AbortHandle>,
}

#[derive(Clone, Copy, Debug)]
struct Table {
    /// Rows that were added since somebody looked.
    added: u64,
    /// With so many of them it is time to look again.
    due: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self { added: 0, due: MIN_ROWS }
    }
}

impl State {
    fn backing_off(&self) -> bool {
        self.backoff_until.is_some_and(|rest| Instant::now() < rest)
    }
}

impl AnalyzeScheduler {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts rows. Answers whether the caller is to look at what is due, as nobody else does.
    fn count_inserts(&self, table: &'static str, rows: u64) -> bool {
        let mut state = self.state();
        let counted = state.tables.entry(table).or_default();
        counted.added += rows;
        let due = counted.added >= counted.due;
        due && !state.backing_off() && !std::mem::replace(&mut state.analyzing, true)
    }

    /// A table to look at; none where the caller is done.
    fn next(&self) -> Option<&'static str> {
        let mut state = self.state();
        let rests = state.backing_off();
        let mut due = state.tables.iter_mut().filter(|(_, table)| table.added >= table.due && !rests);
        let Some((name, table)) = due.next() else {
            state.analyzing = false;
            return None;
        };
        table.added = 0;
        Some(name)
    }

    /// Sets after how many new rows the next look is due.
    fn analyzed(&self, table: &'static str, due: u64) {
        self.state().tables.entry(table).or_default().due = due;
    }

    /// Takes the result of a look: after how many new rows the next one is due, or why it failed.
    fn finished(&self, table: &'static str, outcome: Result<u64, DbErr>) {
        match outcome {
            Ok(due) => self.analyzed(table, due),
            Err(error) => {
                tracing::warn!(%error, table, "a table was not analyzed; the next attempt is in ten minutes");
                self.failed();
            }
        }
    }

    /// A look failed: for a while the statistics are left to autovacuum.
    fn failed(&self) {
        self.state().backoff_until = Some(Instant::now() + BACKOFF);
    }

    /// Ends a look, for the database is closed.
    pub(super) fn stop(&self) {
        if let Some(task) = self.state().task.take() {
            task.abort();
        }
    }
}

impl Db {
    /// Counts new rows, and starts a task that analyzes tables that have doubled, if none is running. Returns at once.
    pub(super) fn analyze_in_background(&self, inserts: &[(&'static str, u64)]) {
        let due = inserts.iter().filter(|(table, rows)| self.analyze_scheduler.count_inserts(table, *rows)).count();
        if due == 0 {
            return;
        }
        let db = self.untracked();
        let look = async move {
            while let Some(table) = db.analyze_scheduler.next() {
                let outcome = db.with_deadline(Instant::now() + ANALYZE_TIMEOUT).analyze_if_doubled(table).await;
                db.analyze_scheduler.finished(table, outcome.map(|rows| rows.clamp(MIN_ROWS, MAX_ROWS_BETWEEN_CHECKS)));
            }
        };
        self.analyze_scheduler.state().task = Some(tokio::spawn(look).abort_handle());
    }

    /// Counts new rows, and analyzes SQLite tables that may have doubled. Returns whether it analyzed any.
    pub(super) async fn analyze_in_transaction(&self, session: &Session, inserts: &[(&'static str, u64)]) -> bool {
        let due = inserts.iter().filter(|(table, rows)| self.analyze_scheduler.count_inserts(table, *rows)).count();
        if due == 0 {
            return false;
        }
        while let Some(table) = self.analyze_scheduler.next() {
            let outcome = session.untracked(sqlite_statistics::analyze(session, table)).await;
            self.analyze_scheduler.finished(table, outcome.map(|rows| rows.max(MIN_ROWS)));
        }
        true
    }

    /// Analyzes a table that is twice as large as PostgreSQL knows. Returns how many rows it has.
    async fn analyze_if_doubled(&self, table: &str) -> Result<u64, DbErr> {
        self.write(Lock::None, async |session| {
            let (rows, doubled) = known_rows(&session, table).await?;
            if !doubled {
                return Ok(rows);
            }
            // One that is locked is skipped with a warning, which is nobody's concern: the next look finds it again.
            let analyze = format!("SET LOCAL client_min_messages = error; ANALYZE (SKIP_LOCKED) \"{table}\"");
            session.execute_unprepared(&analyze).await?;
            Ok::<_, DbErr>(known_rows(&session, table).await?.0)
        })
        .await
    }
}

/// How many rows PostgreSQL knows a table to have, and whether it is to be analyzed. Its pages are counted in the file, and
/// so what other servers added is too. Only its owner may analyze it.
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
    fn somebody_looks_before_a_table_can_have_doubled() {
        let growth = AnalyzeScheduler::default();
        assert!(!growth.count_inserts("member", MIN_ROWS - 1));
        assert!(growth.count_inserts("member", 1));
        assert_eq!(growth.next(), Some("member"));
        growth.analyzed("member", 5_000);
        assert_eq!(growth.next(), None);
        assert!(!growth.count_inserts("member", 4_999));
        assert!(growth.count_inserts("member", 1));
    }

    #[test]
    fn somebody_looks_after_many_rows_at_the_latest() {
        let growth = AnalyzeScheduler::default();
        assert!(growth.count_inserts("member", MIN_ROWS));
        assert_eq!(growth.next(), Some("member"));
        growth.analyzed("member", MAX_ROWS_BETWEEN_CHECKS);
        assert_eq!(growth.next(), None);
        assert!(!growth.count_inserts("member", MAX_ROWS_BETWEEN_CHECKS - 1));
        assert!(growth.count_inserts("member", 1));
    }

    #[test]
    fn one_looks_at_a_time_and_leaves_nothing_that_came_meanwhile() {
        let growth = AnalyzeScheduler::default();
        assert!(growth.count_inserts("member", 5_000));
        assert_eq!(growth.next(), Some("member"));
        assert!(!growth.count_inserts("member", 5_000) && !growth.count_inserts("clip", 5_000), "somebody looks");
        growth.analyzed("member", 5_000);
        let (first, second) = (growth.next(), growth.next());
        assert!(first.is_some() && second.is_some() && first != second, "both tables: {first:?}, {second:?}");
        assert_eq!(growth.next(), None);
        assert!(growth.count_inserts("clip", 5_000), "nobody looks any more");
    }

    #[test]
    fn nobody_looks_for_a_while_after_a_look_that_failed() {
        let growth = AnalyzeScheduler::default();
        assert!(growth.count_inserts("member", MIN_ROWS) && !growth.count_inserts("clip", MIN_ROWS));
        assert!(growth.next().is_some());
        growth.failed();
        assert_eq!(growth.next(), None, "the other table waits too");
        assert!(!growth.count_inserts("member", MAX_ROWS_BETWEEN_CHECKS));
        growth.state().backoff_until = Some(Instant::now());
        assert!(growth.count_inserts("member", 1), "the while is over");
    }
}
