//! Syncs with concurrent upserts, deletions and servers.

use memberbase::{
    domain::access::Access,
    types::{Id, Limits},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    support::{Caller, Database, Server},
    syncs::{base_of, delete_all, marks, refs, sync_counts},
};

/// The acknowledged upserts: the round in which each began, and its refs.
type Acknowledged = std::sync::Arc<tokio::sync::Mutex<Vec<(usize, Vec<String>)>>>;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_upserted_after_the_start_are_not_deleted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };
    const REFS: u64 = 5_000;
    const ROUNDS: usize = 8;
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let (round, acknowledged, mut tasks) =
        (Arc::new(AtomicUsize::new(0)), Acknowledged::default(), tokio::task::JoinSet::new());
    for task in 0..6_u64 {
        let (base, writer, round, acknowledged) = (base.clone(), writer.clone(), round.clone(), acknowledged.clone());
        tasks.spawn(async move {
            let (mut seed, mut failed) = (task, 0);
            loop {
                let began = round.load(SeqCst);
                if began > ROUNDS {
                    return failed;
                }
                let refs: Vec<String> = std::iter::repeat_with(|| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    format!("ref-{}", (seed >> 33) % REFS)
                })
                .take(60)
                .collect();
                if task == 5 {
                    // Concurrent deletions of members that no upsert names.
                    writer.upsert(&base, &["gone-1", "gone-2"]).await.data();
                    writer
                        .delete_with(json!({"memberbaseId": base, "refs": ["gone-2", "gone-1", "gone-3"]}))
                        .await
                        .data();
                    continue;
                }
                let mut rows: Vec<Value> = refs.iter().map(|reference| json!({"ref": reference})).collect();
                let mut input = json!({"memberbaseId": base});
                if task == 4 {
                    rows.push(json!({"ref": "bad", "attributes": {"unknown": 1}}));
                }
                input["members"] = json!(rows);
                let response = writer.upsert_with(input).await.json();
                if task == 4 {
                    assert_eq!(response["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{response}");
                    failed += 1;
                } else {
                    assert!(response.get("errors").is_none(), "{response}");
                    acknowledged.lock().await.push((began, refs));
                }
            }
        });
    }
    let mut deleted = 0;
    for number in 1..=ROUNDS {
        let sync = writer.start(&base).await;
        round.store(number, SeqCst);
        // Waits for the first upserts; without any the commit would be rejected.
        while !acknowledged.lock().await.iter().any(|(began, _)| *began == number) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let committed = writer.commit(&sync, delete_all()).await;
        deleted += committed["deleted"]["members"].as_i64().unwrap();
        assert_eq!(committed["missing"], committed["deleted"]["members"]);
        let acknowledged = acknowledged.lock().await;
        let there: std::collections::HashSet<_> = refs(&server).await.into_iter().collect();
        for (_, refs) in acknowledged.iter().filter(|(began, _)| *began == number) {
            assert!(refs.iter().all(|reference| there.contains(reference)), "one was deleted in round {number}");
        }
    }
    round.store(ROUNDS + 1, SeqCst);
    let failed: i32 = tasks.join_all().await.into_iter().sum();
    assert!(deleted > 0 && failed > 0, "nothing ran concurrently: {deleted} deleted, {failed} rejected");
    assert_eq!(marks(&server).await, 0);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn start_and_end_wait_for_upserts_in_flight(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    use memberbase::db::{Lock, Session};
    use sea_orm::{ConnectionTrait, DbErr};
    use tokio::time::{Duration, sleep, timeout};
    let (server, base, writer) = base_of(database, &["a", "b"]).await;
    let uuid = server.scope(&base).memberbase().uuid();
    let hold = |millis: u64| {
        let db = server.app.db.clone();
        tokio::spawn(async move {
            let hold = async |session: Session| {
                session.execute_unprepared("SELECT 1").await?;
                sleep(Duration::from_millis(millis)).await;
                Ok::<_, DbErr>(())
            };
            db.write(Lock::Shared(uuid), hold).await.unwrap();
        })
    };
    let upsert = hold(800);
    sleep(Duration::from_millis(200)).await;
    let start = writer.try_start(&base, false);
    tokio::pin!(start);
    assert!(timeout(Duration::from_millis(200), &mut start).await.is_err(), "it did not wait");
    let started = start.await.data()["startSync"]["sync"].take();
    assert!(upsert.is_finished() || timeout(Duration::from_millis(100), upsert).await.is_ok());
    let sync = started["id"].as_str().unwrap();
    writer.upsert(&base, &["a"]).await.data();
    let upsert = hold(800);
    sleep(Duration::from_millis(200)).await;
    let commit = writer.try_commit(sync, delete_all());
    tokio::pin!(commit);
    assert!(timeout(Duration::from_millis(200), &mut commit).await.is_err(), "it did not wait");
    assert_eq!(commit.await.data()["commitSync"]["sync"]["deleted"]["members"], 1);
    upsert.await.unwrap();
}

/// Starts another server on the same database, which accepts the same tokens.
async fn callers_of_second_server(server: &Server) -> impl Fn(&str) -> Caller {
    use memberbase::{app::App, db::Db, graphql, http};
    let app = App::new(Db::connect(&server.settings).await.unwrap(), Limits::default());
    let api = graphql::api(&app.limits);
    let router = http::router(http::Service::new(app, api, http::Options::default()));
    move |secret| Caller::new(router.clone(), Some(secret.to_owned()))
}

#[rstest]
#[tokio::test]
async fn servers_on_one_database_behave_as_one(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(&["a", "b", "c", "d"]).await;
    let (_, secret) = server.token(Access::Write, None, None).await;
    // A restarted server behaves the same: it has no state of a sync in memory.
    let (one, two) = (server.with_secret(&secret), callers_of_second_server(&server).await(&secret));
    let sync = one.start(&base).await;
    let second = two.try_start(&base, false).await;
    assert!(second.code() == "CONFLICT" && second.message().contains(&sync), "{}", second.json());
    two.upsert(&base, &["a"]).await.data();
    one.upsert(&base, &["b"]).await.data();
    let input = json!({"memberbaseId": base, "members": [{"ref": "e"}], "syncId": sync});
    two.upsert_with(input.clone()).await.data();
    assert_eq!((sync_counts(&one.sync(&sync).await), sync_counts(&two.sync(&sync).await)), ((3, 2), (3, 2)));
    let committed = two.commit(&sync, delete_all()).await;
    assert_eq!((&committed["deleted"]["members"], one.commit(&sync, json!({})).await), (&json!(2), committed.clone()));
    assert_eq!((one.upsert_with(input).await.code().as_str(), server.members().await), ("CONFLICT", 3));
}

#[rstest]
#[tokio::test]
async fn upsert_has_extra_statements_only_while_a_sync_is_open(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    use memberbase::domain::{
        access::Caller,
        bulk::{Mode, OnError, Options},
        member::bulk_upsert::{Row, bulk_upsert},
    };
    let refs: Vec<_> = (0..1_000).map(|n| format!("ref-{n}")).collect();
    let all: Vec<_> = refs.iter().map(String::as_str).collect();
    let (server, base, writer) = base_of(database, &all).await;
    let scope = Caller::operator().authorize(server.scope(&base).memberbase(), Access::Write).unwrap();
    let options = Options { on_error: OnError::RejectBatch, mode: Mode::Upsert, dry_run: false };
    let statements = async |rows: usize| {
        let rows: Vec<_> = refs[..rows].iter().map(|reference| Row::new(reference.clone(), None, None)).collect();
        let before = server.app.db.statements();
        bulk_upsert(&server.app, scope, &rows, options, None).await.unwrap();
        server.app.db.statements() - before
    };
    // The begin, the memberbase with its sync, the members, and the end; large calls add a probe before.
    assert_eq!((statements(1).await, statements(1_000).await), (4, 5));
    let sync = writer.start(&base).await;
    // The savepoint and the marks.
    assert_eq!((statements(1).await, statements(1_000).await, statements(1_000).await), (6, 7, 7));
    writer.commit(&sync, json!({})).await;
    assert_eq!(statements(1_000).await, 5);
}
