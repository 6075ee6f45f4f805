//! The connection pool: its limit, the health of its connections, and no state left by an earlier request.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use memberbase::db::{Db, DbErrorKind, Lock, ReadMode, Session, Settings};
use rstest::rstest;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::support::Database;

const CUSTOM_PLAN: ReadMode = ReadMode { custom_plan: true, snapshot: false };

/// A query in which SQLite works for longer than the interval between two checks of the deadline.
const LONG_QUERY: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT count(*) FROM n";

async fn query_number(session: &Session, sql: &str) -> Result<i64, DbErr> {
    let statement = Statement::from_string(session.get_database_backend(), sql);
    session.query_one_raw(statement).await?.unwrap().try_get_by_index(0)
}

/// A database with a single read connection.
async fn single_connection_db(database: Database) -> (Db, Settings, impl Sized) {
    let (settings, storage) = database.make().await;
    let settings = Settings { max_connections: 1, acquire_timeout: Duration::from_millis(300), ..settings };
    (Db::connect(&settings).await.unwrap(), settings, storage)
}

#[rstest]
#[tokio::test]
async fn pool_opens_no_more_connections_than_configured(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (db, _, _storage) = single_connection_db(database).await;
    let session = db.read().await.unwrap();
    assert_eq!(DbErrorKind::of(&db.read().await.unwrap_err()), DbErrorKind::Unavailable);
    let hurried = db.with_deadline(Instant::now() + Duration::from_millis(50));
    assert_eq!(DbErrorKind::of(&hurried.read().await.unwrap_err()), DbErrorKind::Timeout);
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { query_number(&db.read().await?, "SELECT CAST(7 AS bigint)").await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(session);
    assert_eq!(waiting.await.unwrap().unwrap(), 7);
    assert_eq!(db.connections().used, 0);
    assert!(db.connections().idle > 0);
    tokio::time::timeout(Duration::from_secs(5), db.close()).await.expect("all connections are returned");
    assert_eq!(DbErrorKind::of(&db.read().await.unwrap_err()), DbErrorKind::Unavailable);
}

#[rstest]
#[tokio::test]
async fn deadline_of_a_request_does_not_apply_to_the_next(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (db, _, _storage) = single_connection_db(database).await;
    let hurried = db.with_deadline(Instant::now() + Duration::from_millis(100));
    assert_eq!(query_number(&hurried.read().await.unwrap(), "SELECT CAST(1 AS bigint)").await.unwrap(), 1);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(query_number(&db.read().await.unwrap(), LONG_QUERY).await.unwrap(), 100_000);
}

/// PostgreSQL begins a transaction and waits for its lock in one message: if that times out, the transaction is still
/// open.
#[tokio::test]
async fn lock_timeout_leaves_no_open_transaction() {
    let (db, settings, _storage) = single_connection_db(Database::Postgres).await;
    let memberbase = Uuid::now_v7();
    let mut other = PgConnection::connect(&settings.url).await.unwrap();
    let lock = format!("SELECT pg_advisory_lock({})", memberbase.as_u64_pair().1.cast_signed());
    other.execute(AssertSqlSafe(lock)).await.unwrap();
    let hurried = db.with_deadline(Instant::now() + Duration::from_millis(200));
    let work = async |session: Session| query_number(&session, "SELECT CAST(1 AS bigint)").await;
    assert_eq!(
        DbErrorKind::of(&hurried.write(Lock::Shared(memberbase), work).await.unwrap_err()),
        DbErrorKind::Timeout
    );
    assert_eq!(query_number(&db.read().await.unwrap(), "SELECT CAST(2 AS bigint)").await.unwrap(), 2);
    other.close().await.unwrap();
    assert_eq!(db.write(Lock::Shared(memberbase), work).await.unwrap(), 1);
}

#[tokio::test]
async fn single_statement_has_the_query_timeout_and_a_transaction_the_mutation_timeout() {
    let (settings, _storage) = Database::Postgres.make().await;
    let settings = Settings { query_timeout: Duration::from_millis(300), ..settings };
    let db = Db::connect(&settings).await.unwrap();
    let slow = async |session: Session| query_number(&session, "SELECT 1::bigint FROM pg_sleep(0.6)").await;
    assert_eq!(DbErrorKind::of(&slow(db.read().await.unwrap()).await.unwrap_err()), DbErrorKind::Timeout);
    assert_eq!(db.write(Lock::None, slow).await.unwrap(), 1);
    let hurried = db.with_deadline(Instant::now() + Duration::from_millis(200));
    assert_eq!(DbErrorKind::of(&hurried.read_in(CUSTOM_PLAN, slow).await.unwrap_err()), DbErrorKind::Timeout);
    assert_eq!(query_number(&db.read().await.unwrap(), "SELECT 2::bigint").await.unwrap(), 2);
}

#[tokio::test]
async fn abandoned_statement_is_cancelled_in_postgres() {
    let (settings, _storage) = Database::Postgres.make().await;
    let settings = Settings { query_timeout: Duration::from_secs(60), ..settings };
    let db = Db::connect(&settings).await.unwrap();
    let mut other = PgConnection::connect(&settings.url).await.unwrap();
    let known = "SELECT count(*) FROM pg_settings WHERE name = 'client_connection_check_interval'";
    if sqlx::query_scalar::<_, i64>(known).fetch_one(&mut other).await.unwrap() == 0 {
        return println!("before version 14 PostgreSQL does not look");
    }
    let query =
        tokio::spawn(async move { query_number(&db.read().await?, "SELECT 1::bigint FROM pg_sleep(60)").await });
    let running = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    let mut until = async |count: i64| {
        let begun = Instant::now();
        while sqlx::query_scalar::<_, i64>(running).fetch_one(&mut other).await.unwrap() != count {
            assert!(begun.elapsed() < Duration::from_secs(20), "it is not to be {count}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until(1).await;
    query.abort();
    until(0).await;
}

#[tokio::test]
async fn postgres_uses_generic_plans_unless_a_custom_plan_is_forced() {
    let (db, _, _storage) = single_connection_db(Database::Postgres).await;
    let mode = async |session: Session| {
        let statement = Statement::from_string(session.get_database_backend(), "SHOW plan_cache_mode");
        session.query_one_raw(statement).await?.unwrap().try_get_by_index::<String>(0)
    };
    for _ in 0..2 {
        assert_eq!(mode(db.read().await.unwrap()).await.unwrap(), "force_generic_plan");
        assert_eq!(db.write(Lock::None, mode).await.unwrap(), "force_generic_plan");
        assert_eq!(db.read_in(CUSTOM_PLAN, mode).await.unwrap(), "force_custom_plan");
    }
}

#[tokio::test]
async fn postgres_uses_no_parallel_workers() {
    let (db, _, _storage) = single_connection_db(Database::Postgres).await;
    let workers = async |session: Session| {
        let show = "SHOW max_parallel_workers_per_gather";
        let statement = Statement::from_string(session.get_database_backend(), show);
        session.query_one_raw(statement).await?.unwrap().try_get_by_index::<String>(0)
    };
    assert_eq!(workers(db.read().await.unwrap()).await.unwrap(), "0");
    assert_eq!(db.write(Lock::None, workers).await.unwrap(), "0");
}

#[rstest]
#[tokio::test]
async fn no_statement_begins_in_a_transaction_after_its_deadline(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (db, _, _storage) = single_connection_db(database).await;
    let hurried = db.with_deadline(Instant::now() + Duration::from_millis(200));
    let work = async |session: Session| {
        query_number(&session, "SELECT CAST(1 AS bigint)").await?;
        tokio::time::sleep(Duration::from_millis(250)).await;
        query_number(&session, "SELECT CAST(2 AS bigint)").await
    };
    assert_eq!(DbErrorKind::of(&hurried.write(Lock::None, work).await.unwrap_err()), DbErrorKind::Timeout);
    assert_eq!(query_number(&db.read().await.unwrap(), "SELECT CAST(3 AS bigint)").await.unwrap(), 3);
}

/// PostgreSQL's time limit is for each statement. Behind a pooler nothing else ends a statement whose server has closed
/// its connection.
#[tokio::test]
async fn statement_that_begins_late_is_cancelled_at_the_deadline_in_postgres() {
    let (settings, _storage) = Database::Postgres.make().await;
    let db = Db::connect(&Settings { pooler: true, ..settings.clone() }).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(3);
    let work = async |session: Session| {
        query_number(&session, "SELECT 1::bigint FROM pg_sleep(2)").await?;
        query_number(&session, "SELECT 2::bigint FROM pg_sleep(60)").await
    };
    let late = db.with_deadline(deadline).write(Lock::None, work).await;
    assert_eq!(DbErrorKind::of(&late.unwrap_err()), DbErrorKind::Timeout);
    let mut other = PgConnection::connect(&settings.url).await.unwrap();
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
        AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    assert_eq!(sqlx::query_scalar::<_, i64>(running).fetch_one(&mut other).await.unwrap(), 0);
    assert!(deadline.elapsed() < Duration::from_secs(1), "{:?}", deadline.elapsed());
}

/// Returns the backend process of the read connection.
async fn backend_pid(db: &Db) -> i64 {
    query_number(&db.read().await.unwrap(), "SELECT CAST(pg_backend_pid() AS bigint)").await.unwrap()
}

async fn terminate_backend(settings: &Settings, backend_pid: i64) {
    let mut other = PgConnection::connect(&settings.url).await.unwrap();
    other.execute(AssertSqlSafe(format!("SELECT pg_terminate_backend({backend_pid}, 5000)"))).await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn terminated_connection_fails_one_request() {
    let (db, settings, _storage) = single_connection_db(Database::Postgres).await;
    let first = backend_pid(&db).await;
    assert_eq!(backend_pid(&db).await, first, "the same connection is used again");
    terminate_backend(&settings, first).await;
    let failed = query_number(&db.read().await.unwrap(), "SELECT CAST(1 AS bigint)").await.unwrap_err();
    assert_eq!(DbErrorKind::of(&failed), DbErrorKind::Unavailable);
    assert_ne!(backend_pid(&db).await, first);
}

#[tokio::test]
async fn connection_terminated_while_idle_fails_no_request() {
    let (db, settings, _storage) = single_connection_db(Database::Postgres).await;
    let first = backend_pid(&db).await;
    terminate_backend(&settings, first).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_ne!(backend_pid(&db).await, first);
}

#[tokio::test]
async fn repeatedly_conflicting_transaction_gets_the_exclusive_memberbase_lock() {
    let (db, _, _storage) = single_connection_db(Database::Postgres).await;
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' \
        AND pid = pg_backend_pid()";
    let attempts = AtomicUsize::new(0);
    let work = async |session: Session| {
        attempts.fetch_add(1, Ordering::Relaxed);
        session.lock_shared(Uuid::from_u128(8)).await?;
        if query_number(&session, held).await? == 2 {
            return Ok(());
        }
        session.mark_contended();
        Err(DbErr::Custom("disturbed".to_owned()))
    };
    db.write(Lock::Shared(Uuid::from_u128(7)), work).await.unwrap();
    assert!((2..10).contains(&attempts.load(Ordering::Relaxed)), "{attempts:?}");
}

#[tokio::test]
async fn abandoned_statement_is_cancelled_in_sqlite() {
    let (_, settings, _storage) = single_connection_db(Database::Sqlite).await;
    let db = Db::connect(&Settings { acquire_timeout: Duration::from_secs(20), ..settings }).await.unwrap();
    let session = db.read().await.unwrap();
    let endless = LONG_QUERY.replace("100000", "100000000000");
    tokio::time::timeout(Duration::from_millis(50), query_number(&session, &endless))
        .await
        .expect_err("it takes hours");
    drop(session);
    assert_eq!(query_number(&db.read().await.unwrap(), "SELECT 7").await.unwrap(), 7);
}

/// `.cargo/config.toml` configures this; without it every statement with a LIMIT is prepared again for each execution.
#[tokio::test]
async fn sqlite_prepares_no_statement_again_for_other_values() {
    let (db, _, _storage) = single_connection_db(Database::Sqlite).await;
    let count =
        |option: &str| format!("SELECT count(*) FROM pragma_compile_options WHERE compile_options = '{option}'");
    let session = db.read().await.unwrap();
    assert_eq!(query_number(&session, &count("ENABLE_QPSG")).await.unwrap(), 1);
    assert_eq!(query_number(&session, &count("DEFAULT_MEMSTATUS=0")).await.unwrap(), 1);
    assert_eq!(query_number(&session, &count("ENABLE_MEMORY_MANAGEMENT")).await.unwrap(), 0);
}
