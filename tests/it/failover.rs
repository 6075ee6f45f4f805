//! Connections to a server that has become a standby, and locks of a server that has vanished.

use std::time::{Duration, Instant};

use memberbase::db::{Db, DbErrorKind, Lock, Session, Settings};
use rstest::rstest;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::support::{Database, Server};

async fn text(session: &Session, sql: &str) -> Result<String, DbErr> {
    let statement = Statement::from_string(session.get_database_backend(), sql);
    session.query_one_raw(statement).await?.unwrap().try_get_by_index(0)
}

/// Presents the primary as a standby by making its connections read-only: those that are opened later, or all.
struct Switch {
    connection: PgConnection,
    name: String,
}

impl Switch {
    async fn new(settings: &Settings) -> Self {
        let name = settings.url.rsplit_once('/').unwrap().1.to_owned();
        Self { connection: PgConnection::connect(&settings.url).await.unwrap(), name }
    }

    /// Makes connections that are opened from now on read-only, and terminates the open ones.
    async fn switch_to_standby(&mut self) {
        let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.default_read_only("on").await;
        self.connection.execute(cut).await.unwrap();
    }

    /// Presents the primary to new connections again. Those to the standby stay open.
    async fn switch_to_primary(&mut self) {
        self.default_read_only("off").await;
    }

    async fn default_read_only(&mut self, value: &str) {
        let sql = format!("ALTER DATABASE {} SET default_transaction_read_only = {value}", self.name);
        self.connection.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

/// Opens all connections of the pool and returns for each whether it is read-only.
async fn read_only_connections(db: &Db, count: usize) -> Vec<String> {
    let mut sessions = Vec::new();
    while sessions.len() < count {
        // A terminated connection returns an error once.
        let session = db.read().await.unwrap();
        if let Ok(read_only) = text(&session, "SHOW transaction_read_only").await {
            sessions.push((session, read_only));
        }
    }
    sessions.into_iter().map(|(_, read_only)| read_only).collect()
}

#[tokio::test]
async fn failed_write_on_a_standby_replaces_all_connections() {
    let (settings, _storage) = Database::Postgres.make().await;
    let settings = Settings { max_connections: 3, ..settings };
    let db = Db::connect(&settings).await.unwrap();
    db.migrate_up().await.unwrap();
    let mut switch = Switch::new(&settings).await;
    let write = async |session: Session| session.execute_unprepared("DELETE FROM member").await.map(drop);
    switch.switch_to_standby().await;
    assert_eq!(read_only_connections(&db, 3).await, ["on"; 3]);
    switch.switch_to_primary().await;
    assert_eq!(DbErrorKind::of(&db.write(Lock::None, write).await.unwrap_err()), DbErrorKind::Unavailable);
    db.write(Lock::None, write).await.unwrap();
    assert_eq!(read_only_connections(&db, 3).await, ["off"; 3]);
}

/// A little more than the time for which the result of a readiness check is used.
const READINESS_LIFETIME: Duration = Duration::from_millis(1_050);

#[tokio::test]
async fn server_is_not_ready_while_its_database_is_read_only() {
    let server = Server::start(Database::Postgres).await;
    let mut switch = Switch::new(&server.settings).await;
    let ready = async || {
        tokio::time::sleep(READINESS_LIFETIME).await;
        let request = axum::http::Request::get("/readyz").body(axum::body::Body::empty()).unwrap();
        let response = server.anonymous().send(request).await;
        (response.status.as_u16(), String::from_utf8_lossy(&response.body).into_owned())
    };
    assert_eq!(ready().await, (200, "ok".to_owned()));
    switch.switch_to_standby().await;
    // Each terminated connection fails once.
    for _ in 0..server.settings.max_connections {
        ready().await;
    }
    let (status, body) = ready().await;
    assert_eq!(status, 503);
    assert!(body.contains("the database is read-only (default_transaction_read_only)"), "{body}");
    switch.switch_to_primary().await;
    assert_eq!(ready().await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn busy_connection_is_replaced_within_its_lifetime() {
    let (settings, _storage) = Database::Postgres.make().await;
    let settings = Settings { max_connections: 1, max_lifetime: Duration::from_millis(800), ..settings };
    let db = Db::connect(&settings).await.unwrap();
    let process =
        async || text(&db.read().await.unwrap(), "SELECT pg_backend_pid()::text FROM pg_sleep(0.01)").await.unwrap();
    let first = process().await;
    let begun = Instant::now();
    while process().await == first {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is still the first connection");
    }
}

/// A server frozen in a transaction, like one whose machine has vanished: others wait for its lock.
async fn lock_of_a_silent_server_is_freed(pooler: bool) {
    let (settings, _storage) = Database::Postgres.make().await;
    let settings = Settings { pooler, mutation_timeout: Duration::from_secs(60), ..settings };
    let (silent, other) = (Db::connect(&settings).await.unwrap(), Db::connect(&settings).await.unwrap());
    let memberbase = Uuid::now_v7();
    let frozen = tokio::spawn(async move {
        let work = async |session: Session| {
            tokio::time::sleep(Duration::from_secs(25)).await;
            text(&session, "SELECT 'thawed'").await
        };
        silent.write(Lock::Exclusive(memberbase), work).await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let patient = other.with_deadline(Instant::now() + Duration::from_secs(15));
    patient.write(Lock::Exclusive(memberbase), async |_| Ok::<_, DbErr>(())).await.expect("the lock is free");
    assert_eq!(DbErrorKind::of(&frozen.await.unwrap().unwrap_err()), DbErrorKind::Unavailable);
}

/// A call that computes for longer than the idle timeout, in steps.
async fn lock_of_a_computing_call_is_kept(pooler: bool) {
    let (settings, _storage) = Database::Postgres.make().await;
    let settings = Settings { pooler, mutation_timeout: Duration::from_secs(60), ..settings };
    let db = Db::connect(&settings).await.unwrap();
    let work = async |session: Session| {
        let (begun, mut steps) = (Instant::now(), session.steps());
        while begun.elapsed() < Duration::from_secs(13) {
            std::thread::sleep(Duration::from_micros(100));
            steps.step().await?;
        }
        text(&session, "SELECT 'computed'").await
    };
    assert_eq!(db.write(Lock::Exclusive(Uuid::now_v7()), work).await.unwrap(), "computed");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_of_a_vanished_server_are_released_and_those_of_a_computing_server_are_kept(
    #[values(false, true)] pooler: bool,
) {
    tokio::join!(lock_of_a_silent_server_is_freed(pooler), lock_of_a_computing_call_is_kept(pooler));
}
