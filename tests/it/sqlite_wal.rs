//! SQLite's write-ahead log: its size after large writes, and reports of a reader that keeps it large.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use memberbase::config::LogFormat;
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::time::sleep;

use crate::{
    logs::CapturedLog,
    support::{Database, Server},
};

const MIB: u64 = 1 << 20;

impl Server {
    fn wal(&self) -> PathBuf {
        format!("{}-wal", self.settings.url.trim_start_matches("sqlite://")).into()
    }

    fn wal_bytes(&self) -> u64 {
        fs::metadata(self.wal()).unwrap().len()
    }

    /// Waits until the log is truncated.
    async fn wal_is_truncated(&self) {
        let began_at = Instant::now();
        while self.wal_bytes() > 64 * MIB {
            assert!(began_at.elapsed() < Duration::from_secs(60), "{} MiB are left", self.wal_bytes() / MIB);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Writes this number of pages in one transaction.
    async fn write_mebibytes(&self, count: u64) {
        self.execute(&format!(
            "CREATE TABLE IF NOT EXISTS filler (bytes BLOB); \
            INSERT INTO filler WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
            SELECT zeroblob({MIB}) FROM n"
        ))
        .await;
    }

    async fn wal_metric(&self) -> String {
        let request = axum::http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
        let text = String::from_utf8(self.reader().await.send(request).await.body).unwrap();
        let line = text.lines().find(|line| line.starts_with("memberbase_database_wal_bytes ")).unwrap();
        line.split_once(' ').unwrap().1.to_owned()
    }
}

#[tokio::test]
async fn log_is_truncated_after_a_large_transaction() {
    let server = Server::start(Database::Sqlite).await;
    server.write_mebibytes(70).await;
    server.wal_is_truncated().await;
    // And again, by the same task.
    server.write_mebibytes(70).await;
    server.wal_is_truncated().await;
    server.memberbase("b").await;
}

/// SQLite's own limit applies when the log is begun anew, which happens under load as well.
#[tokio::test]
async fn writer_has_a_limit_for_the_log() {
    use sea_orm::{ConnectionTrait, DbErr, Statement};
    let server = Server::start(Database::Sqlite).await;
    let limit = async |session: memberbase::db::Session| {
        let statement = Statement::from_string(session.get_database_backend(), "PRAGMA journal_size_limit");
        session.query_one_raw(statement).await?.unwrap().try_get_by_index::<i64>(0)
    };
    let limit = server.app.db.write::<_, DbErr, _>(memberbase::db::Lock::None, limit).await.unwrap();
    assert_eq!(limit.unsigned_abs(), 64 * MIB);
}

#[tokio::test]
async fn reader_that_keeps_the_log_large_is_reported_and_stops_no_writer() {
    let (log, _guard) = CapturedLog::capture(LogFormat::Json);
    let server = Server::start(Database::Sqlite).await;
    server.write_mebibytes(1).await;
    let mut reader = SqliteConnection::connect(&server.settings.url).await.unwrap();
    reader.execute("BEGIN; SELECT count(*) FROM filler").await.unwrap();
    server.write_mebibytes(260).await;
    let began_at = Instant::now();
    while !log.text().contains("write-ahead log can't be truncated") {
        assert!(began_at.elapsed() < Duration::from_secs(30), "{}", log.text());
        server.memberbase("b").await;
        sleep(Duration::from_millis(20)).await;
    }
    assert!(server.wal_metric().await.parse::<u64>().unwrap() > 256 * MIB);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(log.text().matches("write-ahead log can't be truncated").count(), 1, "{}", log.text());
    reader.execute("COMMIT").await.unwrap();
    server.wal_is_truncated().await;
}
