//! Statistics for SQLite's planner (`sqlite_stat1`, <https://www.sqlite.org/fileformat2.html#stat1tab>).
//!
//! Without statistics SQLite assumes that `memberbase_id` is as selective as `member_id`, and searches the transactions
//! of one member among all of the memberbase: deleting 100 members took 0.87 s instead of 0.0016 s. Every index
//! therefore has statistics from the start, and tables that have doubled are analyzed ([`super::auto_analyze`]).

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Db, Lock, Pools, Session};

/// Gives each index without statistics those of a large table: 1,000,000 rows in all, 100,000 per memberbase (or other
/// first column), 10 per member, and 1 per unique key.
const DEFAULTS: &str = "
    INSERT INTO sqlite_stat1 (tbl, idx, stat)
    SELECT
        tbl,
        idx,
        '1000000 ' || CASE WHEN columns > 1 THEN '100000 ' || replace(hex(zeroblob(columns - 2)), '00', '10 ') ELSE '' END
            || CASE WHEN is_unique THEN '1' ELSE '10' END
    FROM (
        SELECT
            t.name AS tbl,
            -- ANALYZE calls the primary key of a table without rowid by the table's name.
            iif(i.origin = 'pk', t.name, i.name) AS idx,
            i.\"unique\" AS is_unique,
            (SELECT count(*) FROM pragma_index_xinfo(i.name) AS c WHERE c.key) AS columns
        FROM sqlite_schema AS t CROSS JOIN pragma_index_list(t.name) AS i
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    ) AS indexes
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_stat1 AS s WHERE s.tbl = indexes.tbl AND s.idx = indexes.idx)";

/// Reads about 400 rows of each index at most, which takes milliseconds for any size of the table.
const ANALYZE: &str = "PRAGMA analysis_limit = 400; ANALYZE";

impl Db {
    /// Adds statistics to each index of a SQLite database that has none, and makes all connections of this process use
    /// them.
    pub(super) async fn complete_sqlite_statistics(&self) -> Result<(), DbErr> {
        if self.backend() == DbBackend::Sqlite
            && self.write(Lock::None, async |session| complete(&session).await).await? > 0
        {
            self.reload_sqlite_statistics();
        }
        Ok(())
    }

    /// Replaces the readers, because a connection reads the statistics only when it opens the database.
    pub(super) fn reload_sqlite_statistics(&self) {
        if let Pools::Sqlite { readers, .. } = &self.shared.pools {
            readers.retire();
        }
    }
}

/// Analyzes a table. Returns its approximate row count.
pub(super) async fn analyze(session: &Session, table: &str) -> Result<u64, DbErr> {
    session.execute_unprepared(&format!("{ANALYZE} \"{table}\"")).await?;
    // ANALYZE writes no statistics for an empty table.
    complete(session).await?;
    let sql = "SELECT CAST(stat AS integer) FROM sqlite_stat1 WHERE tbl = $1 AND idx = $1";
    let row = session.query_one_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, [table.into()])).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?.unsigned_abs())
}

/// Adds statistics to the indexes that have none. Returns their number.
async fn complete(session: &Session) -> Result<u64, DbErr> {
    let exists = Statement::from_string(DbBackend::Sqlite, "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'");
    if session.query_one_raw(exists).await?.is_none() {
        // Only ANALYZE can create `sqlite_stat1`.
        session.execute_unprepared("ANALYZE seaql_migrations").await?;
    }
    let added = session.execute_raw(Statement::from_string(DbBackend::Sqlite, DEFAULTS)).await?.rows_affected();
    if added > 0 {
        session.execute_unprepared("ANALYZE sqlite_schema").await?;
    }
    Ok(added)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Settings;

    async fn texts(db: &Db, sql: &str, column: &str) -> Vec<String> {
        let session = db.read().await.expect("a session");
        let rows = session.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.expect("rows");
        rows.iter().map(|row| row.try_get("", column).expect("a text")).collect()
    }

    #[tokio::test]
    async fn an_empty_database_finds_the_children_of_a_member_by_member_id() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings::small(format!("sqlite://{}/test.db", folder.path().display()));
        let db = Db::connect(&settings).await.expect("a database");
        let delete = "EXPLAIN QUERY PLAN DELETE FROM member WHERE memberbase_id = x'01' AND id = x'02'";
        db.migrate_up().await.expect("tables");
        let plan = texts(&db, delete, "detail").await;
        for table in ["clip", "stamp_collection", "transaction"] {
            let step = plan.iter().find(|step| step.contains(&format!("SEARCH {table} ")));
            assert!(step.is_some_and(|step| step.contains("memberbase_id=? AND member_id=?")), "{plan:?}");
        }
    }
}
