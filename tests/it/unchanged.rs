//! Unchanged rows cause no writes on either database.

use std::path::Path;

use serde_json::json;
use sqlx::{Connection, SqliteConnection};

use crate::support::{Database, Server};

const ROWS: usize = 20_000;

/// Upserts the same refs, in another order each time.
async fn upsert(server: &Server, base: &str, step: usize, outcome: &str) {
    let refs: Vec<_> = (0..ROWS).map(|n| format!("ref-{}", n * step % ROWS)).collect();
    let refs: Vec<_> = refs.iter().map(String::as_str).collect();
    let data = server.writer().await.upsert(base, &refs).await.data();
    assert_eq!(data["bulkUpsertMembers"]["summary"][outcome], ROWS);
}

#[tokio::test]
async fn unchanged_rows_are_not_moved_in_postgres() {
    // The physical position of each row, its writer and its locker.
    const STATE: &str =
        "SELECT md5(string_agg(concat_ws(' ', ctid, xmin, xmax, updated_at), ',' ORDER BY id)) FROM member";
    let server = Server::start(Database::Postgres).await;
    let base = server.memberbase("b").await;
    upsert(&server, &base, 1, "created").await;
    let before = server.column::<String>(STATE).await;
    upsert(&server, &base, 7, "unchanged").await;
    assert_eq!(server.column::<String>(STATE).await, before);
}

#[tokio::test]
async fn postgres_counts_no_write_and_no_dead_row() {
    let server = Server::start(Database::Postgres).await;
    let base = server.memberbase("b").await;
    upsert(&server, &base, 1, "created").await;
    upsert(&server, &base, 7, "unchanged").await;
    upsert(&server, &base, 11, "unchanged").await;
    let counts = "SELECT n_tup_ins, n_tup_upd, n_tup_del, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'member'";
    assert_eq!(server.postgres_statistics(counts).await, [i64::try_from(ROWS).unwrap(), 0, 0, 0]);
}

#[tokio::test]
async fn sqlite_writes_neither_its_file_nor_its_wal() {
    let server = Server::start(Database::Sqlite).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let refs: Vec<_> = (0..ROWS).map(|n| json!({"ref": format!("ref-{n}")})).collect();
    let input = json!({"memberbaseId": base, "members": refs});
    writer.upsert_with(input.clone()).await.data();
    let path = server.settings.url.strip_prefix("sqlite://").unwrap().to_owned();
    let mut connection = SqliteConnection::connect(&server.settings.url).await.unwrap();
    let before = (files(&path), version(&mut connection).await);
    let again = writer.upsert_with(input).await.data();
    assert_eq!(again["bulkUpsertMembers"]["summary"]["unchanged"], ROWS);
    assert!((files(&path), version(&mut connection).await) == before, "the unchanged call wrote");
}

/// The bytes of the database file and of its write-ahead log.
fn files(path: &str) -> [Vec<u8>; 2] {
    [path.to_owned(), format!("{path}-wal")].map(|path| std::fs::read(Path::new(&path)).unwrap())
}

/// Returns a number that changes whenever another connection commits a change (`PRAGMA data_version`).
async fn version(connection: &mut SqliteConnection) -> i64 {
    sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn unchanged_rows_keep_updated_at() {
    for database in [Database::Sqlite, Database::Postgres] {
        let server = Server::start(database).await;
        let base = server.memberbase_of(&["a", "b"]).await;
        let times = || server.column::<i64>("SELECT updated_at FROM member ORDER BY ref");
        let before = times().await;
        server.writer().await.upsert(&base, &["b", "a", "b"]).await.data();
        assert_eq!(times().await, before, "{database:?}");
    }
}
