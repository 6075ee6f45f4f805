//! Memberbases on one server: the writers of one do not shut out those of another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use memberbase::{
    db::{DbErrorKind, Lock, Session},
    domain::access::Access,
    types::{Id, MemberbaseId},
};
use rstest::rstest;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::support::{Caller, Database, Server};

/// Far longer than any call here takes, and shorter than the locks that the tests hold.
const LONG: Duration = Duration::from_secs(20);

/// Time for calls to reach their queue. If one is late, the tests still pass.
const ARRIVAL: Duration = Duration::from_millis(400);

fn uuid(memberbase: &str) -> Uuid {
    MemberbaseId::parse(memberbase).unwrap().uuid()
}

/// Bulk calls in a memberbase, and the number of those that have ended.
struct Hostile {
    calls: JoinSet<Value>,
    ended: Arc<AtomicUsize>,
}

impl Hostile {
    fn start(writer: &Caller, base: &str, count: usize) -> Self {
        let mut hostile = Self { calls: JoinSet::new(), ended: Arc::default() };
        for call in 0..count {
            let (writer, base, ended) = (writer.clone(), base.to_owned(), Arc::clone(&hostile.ended));
            hostile.calls.spawn(async move {
                let refs: Vec<_> = (0..1_000).map(|n| format!("{call}-{n}")).collect();
                let data = writer.upsert(&base, &refs.iter().map(String::as_str).collect::<Vec<_>>()).await.data();
                ended.fetch_add(1, Ordering::SeqCst);
                data
            });
        }
        hostile
    }

    fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    async fn all_succeed(self) {
        timeout(LONG, self.calls.join_all()).await.expect("they all end");
    }
}

/// Another server on the same PostgreSQL database, which holds the advisory lock of a memberbase.
struct OtherServer(PgConnection);

impl OtherServer {
    async fn connect(server: &Server) -> Self {
        Self(PgConnection::connect(&server.settings.url).await.unwrap())
    }

    async fn call(&mut self, function: &str, memberbase: &str) {
        let key = uuid(memberbase).as_u64_pair().1.cast_signed();
        self.0.execute(AssertSqlSafe(format!("SELECT {function}({key})"))).await.unwrap();
    }

    /// Returns the number of connections that wait for an advisory lock.
    async fn waiting(&mut self) -> i64 {
        let sql = "SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database \
            WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted";
        sqlx::query_scalar(sql).fetch_one(&mut self.0).await.unwrap()
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn small_write_completes_before_the_queued_calls_of_another_memberbase(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (hostile_base, base, writer) =
        (server.memberbase("a").await, server.memberbase("b").await, server.writer().await);
    // The exclusive lock of the one, and SQLite's writer, are held until all calls are waiting.
    let mut calls = None;
    let hold = server.app.db.write(Lock::Exclusive(uuid(&hostile_base)), async |_: Session| {
        sleep(ARRIVAL * 2).await;
        Ok::<_, DbErr>(())
    });
    let small = async {
        sleep(ARRIVAL / 4).await;
        let hostile = calls.insert(Hostile::start(&writer, &hostile_base, 20));
        sleep(ARRIVAL).await;
        writer.upsert(&base, &["one"]).await.data();
        hostile.ended()
    };
    let (held, ended) = tokio::join!(hold, small);
    held.unwrap();
    let allowed = if database == Database::Sqlite { 2 } else { 0 };
    assert!(ended <= allowed, "{ended} calls of the other memberbase came first");
    calls.unwrap().all_succeed().await;
}

/// Calls that run, not only those that wait, leave a connection for the writers of other memberbases.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn running_calls_of_one_memberbase_leave_a_connection_to_another() {
    let server = Server::start(Database::Postgres).await;
    let (hostile_base, base, writer) =
        (server.memberbase("a").await, server.memberbase("b").await, server.writer().await);
    let mut running = JoinSet::new();
    for _ in 0..10 {
        let (db, lock) = (server.app.db.clone(), Lock::Shared(uuid(&hostile_base)));
        running.spawn(async move {
            let work = async |session: Session| session.execute_unprepared("SELECT pg_sleep(60)").await.map(drop);
            db.with_deadline(Instant::now() + LONG).write::<_, DbErr, _>(lock, work).await
        });
    }
    sleep(ARRIVAL).await;
    timeout(LONG / 2, writer.upsert(&base, &["one"])).await.expect("it does not wait for them").data();
    assert!(running.try_join_next().is_none(), "they are still running");
    running.shutdown().await;
}

/// Large operations run in a runtime of their own. They may wait for each other, but small ones do not wait for them.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_operations_leave_connections_to_small_ones(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let large = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for _ in 0..20 {
        let db = server.app.db.clone();
        large.spawn(async move {
            let _session = db.read().await.unwrap();
            sleep(LONG * 10).await;
        });
    }
    sleep(ARRIVAL).await;
    for _ in 0..3 {
        drop(timeout(LONG / 2, server.app.db.read()).await.expect("it does not wait for them").unwrap());
    }
    large.shutdown_background();
}

/// The server computes the responses of large reads, so that more of them than cores would only wait with their connections.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_reads_use_one_connection_for_each_core(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let large = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let reading = Arc::new(AtomicUsize::new(0));
    for number in 0..20 {
        let (db, reading) = (server.app.db.for_tenant(Some(Uuid::from_u128(number))), Arc::clone(&reading));
        large.spawn(async move {
            let _session = db.read().await.unwrap();
            reading.fetch_add(1, Ordering::Relaxed);
            sleep(LONG * 10).await;
        });
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let expected = cores.min((server.settings.max_connections as usize).div_ceil(2));
    let all = async {
        while reading.load(Ordering::Relaxed) < expected {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG / 2, all).await.expect("large reads begin");
    sleep(ARRIVAL).await;
    assert_eq!(reading.load(Ordering::Relaxed), expected);
    large.shutdown_background();
}

/// A tenant that reads on all connections it can get leaves one to the others.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_one_tenant_leave_a_connection_to_another(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let tenant = |number: u128| server.app.db.for_tenant(Some(Uuid::from_u128(number)));
    let mut hostile = JoinSet::new();
    for _ in 0..20 {
        let db = tenant(1);
        hostile.spawn(async move {
            let _session = db.read().await.unwrap();
            sleep(LONG * 10).await;
        });
    }
    sleep(ARRIVAL).await;
    for number in 2..5 {
        drop(timeout(LONG / 2, tenant(number).read()).await.expect("it does not wait for them").unwrap());
    }
    hostile.shutdown().await;
}

/// The tenants of requests are the memberbases of their tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slow_queries_in_one_memberbase_do_not_delay_those_in_another() {
    let server = Server::start(Database::Postgres).await;
    let (hostile_base, base, writer) =
        (server.memberbase("a").await, server.memberbase("b").await, server.writer().await);
    for memberbase in [&hostile_base, &base] {
        writer.upsert(memberbase, &["one"]).await.data();
    }
    let (hostile, other) = (server.bound(Access::Read, &hostile_base).await, server.bound(Access::Read, &base).await);
    let mut lock = PgConnection::connect(&server.settings.url).await.unwrap();
    lock.execute("BEGIN; LOCK TABLE clip IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let query = "query($b: ID!) { members(memberbaseId: $b) { nodes { clips { totalCount } } } }";
    let mut slow = JoinSet::new();
    for _ in 0..20 {
        let (hostile, base) = (hostile.clone(), hostile_base.clone());
        slow.spawn(async move { hostile.graphql(query, json!({"b": base})).await.data() });
    }
    sleep(ARRIVAL).await;
    let page = "query($b: ID!) { members(memberbaseId: $b) { nodes { ref } } }";
    for _ in 0..3 {
        let found = timeout(LONG / 2, other.graphql(page, json!({"b": base}))).await.expect("it does not wait").data();
        assert_eq!(found["members"]["nodes"][0]["ref"], "one");
    }
    assert!(slow.try_join_next().is_none(), "they wait for the lock");
    lock.close().await.unwrap();
    timeout(LONG, slow.join_all()).await.expect("they all end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lock_held_by_another_server_blocks_only_its_memberbase() {
    let server = Server::start(Database::Postgres).await;
    let (locked, base, writer) = (server.memberbase("a").await, server.memberbase("b").await, server.writer().await);
    let mut other = OtherServer::connect(&server).await;
    other.call("pg_advisory_lock", &locked).await;
    let hostile = Hostile::start(&writer, &locked, 20);
    for round in 0..20 {
        timeout(LONG, writer.upsert(&base, &[&format!("{round}")])).await.expect("it does not wait").data();
        // Three of four writers, so that one is left.
        assert!(other.waiting().await <= 3, "too many connections wait for the lock");
        sleep(ARRIVAL / 4).await;
    }
    assert_eq!(hostile.ended(), 0, "the lock is held");
    other.call("pg_advisory_unlock", &locked).await;
    hostile.all_succeed().await;
}

/// A wait for an exclusive lock ends after a while. If it never lasted longer than the shared locks that another server
/// holds in turns, it would never succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exclusive_lock_is_granted_although_another_server_always_holds_a_shared_one() {
    let server = Server::start(Database::Postgres).await;
    let base = server.memberbase("a").await;
    let mut holders = JoinSet::new();
    for holder in 0..2 {
        let (mut other, base) = (OtherServer::connect(&server).await, base.clone());
        holders.spawn(async move {
            sleep(Duration::from_millis(750) * holder).await;
            loop {
                other.call("pg_advisory_lock_shared", &base).await;
                sleep(Duration::from_millis(1_500)).await;
                other.call("pg_advisory_unlock_shared", &base).await;
            }
        });
    }
    sleep(Duration::from_millis(100)).await;
    let db = server.app.db.with_deadline(Instant::now() + LONG);
    db.write(Lock::Exclusive(uuid(&base)), async |_| Ok::<_, DbErr>(())).await.unwrap();
    holders.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transaction_that_waits_for_one_memberbase_does_not_keep_another_locked() {
    let server = Server::start(Database::Postgres).await;
    let (base, locked) = (server.memberbase("a").await, server.memberbase("b").await);
    let mut other = OtherServer::connect(&server).await;
    other.call("pg_advisory_lock", &locked).await;
    let (db, first, second) = (server.app.db.with_deadline(Instant::now() + LONG), uuid(&base), uuid(&locked));
    let both = tokio::spawn(async move {
        db.write(Lock::Shared(first), async |session: Session| session.lock_shared(second).await).await
    });
    for _ in 0..6 {
        sleep(ARRIVAL).await;
        let exclusive = server.app.db.write(Lock::Exclusive(first), async |_| Ok::<_, DbErr>(()));
        timeout(LONG / 4, exclusive).await.expect("the other transaction gives its locks back").unwrap();
    }
    assert!(!both.is_finished(), "the lock is held");
    other.call("pg_advisory_unlock", &locked).await;
    both.await.unwrap().unwrap();
}

#[rstest]
#[tokio::test]
async fn wait_for_a_turn_ends_at_the_deadline(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let lock = Lock::Exclusive(uuid(&server.memberbase("a").await));
    let db = &server.app.db;
    let nothing = async |_: Session| Ok::<_, DbErr>(());
    let hold = async |_: Session| {
        let hurried = db.with_deadline(Instant::now() + ARRIVAL);
        let (outcome, used) = tokio::join!(hurried.write(lock, nothing), async {
            sleep(ARRIVAL / 2).await;
            db.connections().used
        });
        assert_eq!(DbErrorKind::of(&outcome.unwrap_err()), DbErrorKind::Timeout);
        assert_eq!(used, 1, "only the holder uses a connection");
        Ok::<_, DbErr>(())
    };
    db.write(lock, hold).await.unwrap();
    db.write(lock, nothing).await.unwrap();
}

/// A call that is too large for its time: its rows are read, sent and inserted for longer.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_call_past_its_deadline_releases_the_writer_soon(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(700, 1_500)] limit_millis: u64,
) {
    use memberbase::types::{Limits, TimeLimits};
    let mutation = Duration::from_millis(limit_millis);
    let time = TimeLimits { mutation, ..Limits::default().time };
    let server = Server::with(database, Limits { time, ..Limits::default() }).await;
    let (base, writer) = (server.memberbase("a").await, server.writer().await);
    let members: Vec<_> = (0..400_000).map(|n| json!({"ref": format!("ref-{n}")})).collect();
    let query = "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { memberIds } }";
    let variables = json!({"input": {"memberbaseId": base, "members": members}});
    let body = json!({"query": query, "variables": variables}).to_string();
    let lock = Lock::Exclusive(uuid(&base));
    let began_at = Instant::now();
    let call = tokio::spawn(async move { writer.post(body).await.json() });
    sleep(mutation - Duration::from_millis(100)).await;
    let db = server.app.db.with_deadline(Instant::now() + LONG);
    db.write(lock, async |_| Ok::<_, DbErr>(())).await.unwrap();
    let released_after = began_at.elapsed();
    let response = call.await.unwrap();
    println!("{database:?}, limit {mutation:?}: released after {released_after:?}");
    assert_eq!(response["errors"][0]["extensions"]["code"], "TIMEOUT", "{}", response["errors"]);
    assert_eq!(server.members().await, 0);
    assert!(released_after < mutation + Duration::from_secs(2), "the writer was held for {released_after:?}");
}
