//! Statistics that keep up with tables that grow fast.
//!
//! PostgreSQL plans a statement once for a connection, and again when it has analyzed a table of it. What was planned while
//! a table was small reads all of it, however large it has become; autovacuum looks once a minute whether there is
//! anything to analyze, in which time a table grows by millions of rows. So whoever lets a table grow has it analyzed as
//! often as it doubles.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::Db;

/// So few rows are read at once, whatever the plan.
const FEW: u64 = 1_000;

/// After so many new rows at most the statistics are looked at: others may have emptied the table meanwhile.
const MANY: u64 = 50_000;

/// How tables have grown by this process.
#[derive(Debug, Default)]
pub(super) struct Growth(Mutex<HashMap<&'static str, Table>>);

#[derive(Clone, Copy, Debug)]
struct Table {
    /// Rows that were added since it was analyzed for them.
    added: u64,
    /// With so many of them its statistics are looked at.
    due: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self { added: 0, due: FEW }
    }
}

impl Growth {
    /// Counts rows; answers how many there are now, where it is time to look at the statistics, which the next ones then
    /// leave to whoever is told so.
    fn add(&self, table: &'static str, rows: u64) -> Option<u64> {
        self.change(table, |table| {
            table.added += rows;
            let due = table.added >= table.due;
            if due {
                table.due = table.added + MANY;
            }
            due.then_some(table.added)
        })
    }

    /// Of so many added rows the statistics knew so many; where that was too few, the table was analyzed.
    fn looked(&self, table: &'static str, added: u64, known: u64) {
        self.change(table, |table| {
            let (counted, next) = if added > known { (added, added + known) } else { (0, known - added) };
            table.added = table.added.saturating_sub(counted);
            table.due = added - counted + next.clamp(FEW, MANY);
        });
    }

    fn change<T>(&self, table: &'static str, change: impl FnOnce(&mut Table) -> T) -> T {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(table).or_default())
    }
}

impl Db {
    /// To be told how many rows were added to a table. Returns at once.
    pub fn grew(&self, table: &'static str, rows: u64) {
        if self.backend() == DbBackend::Sqlite {
            return;
        }
        let Some(added) = self.growth.add(table, rows) else { return };
        let db = self.aside().with_deadline(None);
        tokio::spawn(async move {
            match db.keep_up(table, added).await {
                Ok(known) => db.growth.looked(table, added, known),
                Err(error) => tracing::debug!(%error, table, "the statistics are left to autovacuum"),
            }
        });
    }

    /// Analyzes a table where it has so many more rows than its statistics know of. Answers how many they knew.
    async fn keep_up(&self, table: &str, added: u64) -> Result<u64, DbErr> {
        // Only its owner may analyze it, of whom there is a warning otherwise.
        let sql = "SELECT greatest(reltuples, 0)::bigint AS rows FROM pg_class \
            WHERE oid = to_regclass(quote_ident($1)) AND pg_has_role(relowner, 'USAGE')";
        let session = self.read().await?;
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [table.into()]);
        let Some(row) = session.query_one_raw(statement).await? else { return Ok(u64::MAX) };
        let known = row.try_get::<i64>("", "rows")?.cast_unsigned();
        if added > known {
            session.execute_unprepared(&format!("ANALYZE (SKIP_LOCKED) \"{table}\"")).await?;
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_looked_at_as_often_as_a_table_doubles() {
        let growth = Growth::default();
        let mut analyzed = Vec::new();
        let mut known = 0;
        for calls in 1..=200 {
            if let Some(added) = growth.add("member", 5_000) {
                growth.looked("member", added, known);
                if added > known {
                    known = calls * 5_000;
                    analyzed.push(known);
                }
            }
        }
        assert!(analyzed.starts_with(&[5_000, 15_000]), "{analyzed:?}");
        assert!(analyzed.windows(2).all(|pair| pair[1] >= pair[0] * 2), "{analyzed:?}");
        assert!((5..10).contains(&analyzed.len()), "{analyzed:?}");
    }

    #[test]
    fn a_table_that_was_emptied_is_noticed() {
        let growth = Growth::default();
        assert_eq!(growth.add("member", 10), None);
        assert_eq!(growth.add("clip", FEW), Some(FEW), "each table for itself");
        let added = growth.add("member", FEW).expect("due");
        growth.looked("member", added, 10_000_000);
        assert_eq!(growth.add("member", MANY - 1), None);
        let added = growth.add("member", 1).expect("due");
        growth.looked("member", added, 0);
        assert_eq!(growth.add("member", MANY - 1), None);
        assert_eq!(growth.add("member", 1), Some(MANY), "counted anew");
    }

    #[test]
    fn one_looks_at_a_time() {
        let growth = Growth::default();
        assert_eq!(growth.add("member", 5_000), Some(5_000));
        assert_eq!(growth.add("member", 5_000), None);
        growth.looked("member", 5_000, 0);
        assert_eq!(growth.add("member", 0), Some(5_000));
    }
}
