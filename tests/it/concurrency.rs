//! Concurrent calls: writers, deleters, clients that disconnect, servers that start together.

use std::time::{Duration, Instant};

use memberbase::db::Db;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout};

use crate::support::{Caller, Database, Random, Server};

fn refs(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("ref-{n}")).collect()
}

/// Returns how many members a writer created, or a deleter deleted, until the deadline.
async fn work(caller: Caller, base: String, writes: bool, seed: u64, end: Instant) -> i64 {
    let (all, mut random, mut changed) = (refs(400), Random(seed), 0);
    while Instant::now() < end {
        let refs = random.pick(&all, 200);
        changed += if writes {
            let data = caller.upsert(&base, &refs).await.data();
            let ids = data["bulkUpsertMembers"]["memberIds"].as_array().unwrap();
            assert!(ids.len() == refs.len() && ids.iter().all(Value::is_string), "{ids:?}");
            data["bulkUpsertMembers"]["summary"]["created"].as_i64().unwrap()
        } else {
            let data = caller.delete_with(json!({"memberbaseId": base, "refs": refs})).await.data();
            data["deleteMembers"]["deleted"]["members"].as_i64().unwrap()
        };
    }
    changed
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_and_deleters_of_the_same_refs_all_succeed(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let end = Instant::now() + Duration::from_secs(3);
    let (mut writers, mut deleters) = (JoinSet::new(), JoinSet::new());
    for seed in 0..8 {
        writers.spawn(work(writer.clone(), base.clone(), true, seed, end));
    }
    for seed in 8..10 {
        deleters.spawn(work(writer.clone(), base.clone(), false, seed, end));
    }
    let created: i64 = writers.join_all().await.iter().sum();
    let deleted: i64 = deleters.join_all().await.iter().sum();
    // The sum of the reported counts equals what is stored.
    assert_eq!(server.members().await, created - deleted);
    assert!(deleted > 0, "nothing happened at the same time");
    let all = refs(400);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let (first, again) = (writer.upsert(&base, &all).await.data(), writer.upsert(&base, &all).await.data());
    assert_eq!(first["bulkUpsertMembers"]["memberIds"], again["bulkUpsertMembers"]["memberIds"]);
    let distinct = server.column::<i64>("SELECT count(DISTINCT ref) FROM member").await[0];
    assert_eq!((server.members().await, distinct), (400, 400));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_upserts_of_the_same_refs_create_each_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let mut writers = JoinSet::new();
    for seed in 0..8 {
        let (writer, base) = (writer.clone(), base.clone());
        writers.spawn(async move {
            let all = refs(1_000);
            writer.upsert(&base, &Random(seed).pick(&all, 1_000)).await.data()["bulkUpsertMembers"].take()
        });
    }
    let mut reported: Vec<Vec<_>> = Vec::new();
    let mut created = 0;
    for payload in writers.join_all().await {
        created += payload["summary"]["created"].as_i64().unwrap();
        let results = payload["results"].as_array().unwrap();
        let mut pairs: Vec<_> =
            results.iter().map(|row| (row["ref"].to_string(), row["memberId"].as_str().unwrap().to_owned())).collect();
        pairs.sort_unstable();
        reported.push(pairs);
    }
    assert!(reported.iter().all(|pairs| *pairs == reported[0]), "one ref has two ids");
    assert_eq!((created, server.members().await), (1_000, 1_000));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memberbase_deleted_during_upserts_leaves_no_members(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (admin, mut refused, mut stored) = (server.admin().await, 0, 0);
    for round in 0..30 {
        let base = server.memberbase("b").await;
        let mut writers = JoinSet::new();
        for seed in 0..4 {
            let (writer, base) = (admin.clone(), base.clone());
            writers.spawn(async move {
                let all = refs(300);
                writer.upsert(&base, &Random(seed).pick(&all, 300)).await.json()
            });
        }
        tokio::time::sleep(Duration::from_millis(round % 10)).await;
        let query = "mutation($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deletedMemberbaseId } }";
        admin.graphql(query, json!({"id": base})).await.data();
        for response in writers.join_all().await {
            match response["errors"][0]["extensions"]["code"].as_str() {
                None => stored += 1,
                Some("NOT_FOUND") => refused += 1,
                Some(_) => panic!("{response}"),
            }
        }
        assert_eq!(server.members().await, 0, "round {round}");
    }
    assert!(refused > 0 && stored > 0, "no race: {refused} rejected, {stored} stored");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn call_of_a_disconnected_client_is_stored_completely_or_not_at_all(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    const ROWS: usize = 3_000;
    let server = Server::start(database).await;
    let (writer, all) = (server.writer().await, refs(ROWS));
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let (mut bases, mut dropped) = (Vec::new(), 0);
    for round in 0..20_u64 {
        let base = server.memberbase("b").await;
        let upsert = writer.upsert(&base, &all);
        dropped += usize::from(timeout(Duration::from_millis(1 + round % 10), upsert).await.is_err());
        let read = writer.graphql("{ memberbases { nodes { members { totalCount } } } }", json!({}));
        let _ = timeout(Duration::from_millis(1), read).await;
        bases.push(base);
    }
    // If the client disconnects before the body is read, no call starts; a running call completes.
    server.tasks.close();
    timeout(Duration::from_secs(60), server.tasks.wait()).await.unwrap();
    let counts = "SELECT count(member.id) FROM memberbase LEFT JOIN member ON memberbase_id = memberbase.id \
        GROUP BY memberbase.id";
    let counts = server.column::<i64>(counts).await;
    let whole = i64::try_from(ROWS).unwrap();
    assert!(dropped > 0 && counts.iter().all(|count| [0, whole].contains(count)), "{dropped} dropped, {counts:?}");
    assert!(counts.contains(&whole), "no call went on: {counts:?}");
    // More concurrent calls than connections: no connection was leaked.
    let (mut calls, base) = (JoinSet::new(), bases[0].clone());
    for _ in 0..12 {
        let (writer, base) = (writer.clone(), base.clone());
        calls.spawn(async move { writer.upsert(&base, &["ref-0", "ref-1"]).await.data() });
    }
    assert_eq!(calls.join_all().await.len(), 12);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dropped_transaction_leaves_nothing(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    use memberbase::{
        domain::{
            access::{self, Access},
            bulk::{Mode, OnError, Options},
            member::bulk_upsert::{Row, bulk_upsert},
        },
        types::{Id, MemberbaseId},
    };
    let server = Server::start(database).await;
    let base = server.memberbase("b").await;
    let scope = access::Caller::operator().authorize(MemberbaseId::parse(&base).unwrap(), Access::Write).unwrap();
    let options = Options { on_error: OnError::RejectBatch, mode: Mode::Upsert, dry_run: false };
    let mut dropped = 0;
    for round in 0..30_u64 {
        let rows: Vec<_> =
            refs(3_000).into_iter().map(|reference| Row::new(format!("{round}-{reference}"), None, None)).collect();
        let call = bulk_upsert(&server.app, scope, &rows, options, None);
        dropped += usize::from(timeout(Duration::from_millis(1 + round % 15), call).await.is_err());
    }
    server.writer().await.upsert(&base, &["one more"]).await.data();
    assert!(dropped > 0 && server.members().await % 3_000 == 1, "{dropped} dropped, {} left", server.members().await);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_start_concurrently_migrate_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (settings, _storage) = database.make().await;
    // The file exists, as it does when a server restarts.
    let first = Db::connect(&settings).await.unwrap();
    let mut servers = JoinSet::new();
    for _ in 0..4 {
        let settings = settings.clone();
        servers.spawn(async move { Db::connect(&settings).await.unwrap().migrate_up().await.unwrap() });
    }
    let applied: Vec<_> = servers.join_all().await.into_iter().filter(|names| !names.is_empty()).collect();
    let known = first.migrations().await.unwrap();
    assert!(known.iter().all(|migration| migration.applied), "{known:?}");
    assert_eq!(applied, [known.into_iter().map(|migration| migration.name).collect::<Vec<_>>()]);
}

/// A trigger that discards inserted rows looks to the call like others that keep deleting them.
#[rstest]
#[tokio::test]
async fn contention_that_outlasts_the_retries_is_retryable(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    server
        .execute(match database {
            Database::Sqlite => "CREATE TRIGGER discard BEFORE INSERT ON member BEGIN SELECT RAISE(IGNORE); END",
            Database::Postgres => {
                "CREATE FUNCTION discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
                CREATE TRIGGER discard BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION discard()"
            }
        })
        .await;
    let rows = json!({"member_base_id": base, "members": [{"ref": "a"}]});
    let (upserted, called) = tokio::join!(writer.upsert(&base, &["a"]), writer.call("member/bulk-upsert", rows));
    let extensions = upserted.error()["extensions"].take();
    assert_eq!((&extensions["code"], &extensions["retryable"]), (&json!("SERVICE_UNAVAILABLE"), &json!(true)));
    assert!(upserted.headers.contains_key("retry-after"), "{:?}", upserted.headers);
    assert_eq!(upserted.message(), "the call keeps conflicting with other calls, try again later");
    assert_eq!((called.status.as_u16(), called.json()["error"]["code"].take()), (503, json!("service_unavailable")));
    assert!(called.headers.contains_key("retry-after"), "{:?}", called.headers);
}
