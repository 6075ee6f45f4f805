//! SQL statements of bulk upserts for any table. Each reads its rows from the table expression `{rows}`
//! ([`ArrayTable`](crate::db::ArrayTable)), and `$1` is the memberbase's id.

use sea_orm::DbBackend;

use crate::{db::ColumnSpec, domain::updated_at};

/// Selects the rows whose keys are stored: the index `n` of the input row, the id and `columns`.
pub(super) fn lookup(table: &str, key: &[&str], columns: &[ColumnSpec], lock: &str) -> String {
    let select = |column: &ColumnSpec| match *column {
        ColumnSpec::Document(name) => format!(", CAST(stored.{name} AS text) AS {name}"),
        column => format!(", stored.{}", column.name()),
    };
    let selected: String = columns.iter().map(select).collect();
    let matches: String = key.iter().map(|column| format!(" AND stored.{column} = input.{column}")).collect();
    format!(
        "SELECT input.n, stored.id{selected} FROM {{rows}} AS input CROSS JOIN \"{table}\" AS stored \
        WHERE stored.memberbase_id = $1{matches} {lock}"
    )
}

/// Inserts the rows whose keys are not stored, with the time `$2`; on PostgreSQL in the order of `{rows}`.
pub(super) fn insert(backend: DbBackend, table: &str, key: &[&str], state: &[&str]) -> String {
    let names: String = key.iter().chain(state).map(|column| format!(", {column}")).collect();
    let values: String = key.iter().chain(state).map(|column| format!(", input.{column}")).collect();
    let key = key.join(", ");
    let order = if backend == DbBackend::Sqlite { "" } else { "ORDER BY input.i" };
    format!(
        "INSERT INTO \"{table}\" (memberbase_id, updated_at, id{names}) \
        SELECT $1, $2, input.id{values} FROM {{rows}} AS input WHERE true {order} \
        ON CONFLICT (memberbase_id, {key}) DO NOTHING"
    )
}

/// Updates the stored rows whose ids are in the column `id` of `{rows}`. A null `updated_at` keeps the stored time; any
/// other value never sets it back.
pub(in crate::domain) fn update(backend: DbBackend, table: &str, columns: &[&str]) -> String {
    let set: String = columns.iter().map(|column| format!("{column} = input.{column}, ")).collect();
    // SQLite would scan the memberbase and search `{rows}` for each stored row. An expression that depends on the input
    // row forces it to look up each input row in the table instead.
    let memberbase = match backend {
        DbBackend::Sqlite => "iif(input.n IS NULL, NULL, $1)",
        _ => "$1",
    };
    let stored = format!("\"{table}\".updated_at");
    let next = updated_at::next_sql("input.updated_at", &stored);
    format!(
        "UPDATE \"{table}\" SET {set} updated_at = CASE WHEN input.updated_at IS NULL THEN {stored} ELSE {next} END \
        FROM {{rows}} AS input WHERE \"{table}\".memberbase_id = {memberbase} AND \"{table}\".id = input.id"
    )
}

#[cfg(test)]
mod tests {
    use sea_orm::QueryResult;
    use uuid::Uuid;

    use super::*;
    use crate::db::{ArrayColumn, ArrayTable, Db, ScalarBind, Settings};

    #[tokio::test]
    async fn sqlite_updates_by_primary_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings::small(format!("sqlite://{}/test.db", folder.path().display()));
        let db = Db::connect(&settings).await.expect("a database");
        db.migrate_up().await.expect("tables");
        for (table, column) in [("member", "source_updated_at"), ("clip", "redeemed_at"), ("transaction", "amount")] {
            let sql = format!("EXPLAIN QUERY PLAN {}", update(DbBackend::Sqlite, table, &[column]));
            let ids = ("id", ArrayColumn::Uuids(vec![Uuid::nil()]));
            let rows = ArrayTable::new([
                ids,
                ("updated_at", ArrayColumn::Ints(vec![1])),
                (column, ArrayColumn::Ints(vec![1])),
            ]);
            let mut plan = Vec::new();
            let take = |row: QueryResult| {
                plan.push(row.try_get::<String>("", "detail")?);
                Ok(())
            };
            let session = db.read().await.expect("a session");
            session.bulk_each(&sql, &[ScalarBind::Uuid(Uuid::nil())], &rows, take).await.expect("a plan");
            let expected = format!("SEARCH {table} USING PRIMARY KEY (memberbase_id=? AND id=?)");
            assert_eq!(plan.last(), Some(&expected), "{plan:?}");
        }
    }
}
