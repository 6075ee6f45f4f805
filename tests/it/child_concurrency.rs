//! Concurrent writes of clips, stamp collections, transactions and attributes.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Caller, ChildType, Database, Server};

const MEMBERS: usize = 60;

fn refs() -> Vec<String> {
    (0..MEMBERS).map(|n| format!("ref-{n}")).collect()
}

/// Upserts children of all members repeatedly, in another order each time, and returns the number of created ones.
async fn write(caller: Caller, base: String, kind: ChildType, seed: usize, end: Instant) -> u64 {
    let (refs, mut created, mut round) = (refs(), 0, seed);
    while Instant::now() < end {
        round += 1;
        let index = |n: usize| (n * 7 + round * 13) % MEMBERS;
        let rows: Value = (0..MEMBERS)
            .map(|n| {
                kind.row(&refs[index(n)], &format!("key-{}-{}", index(n), round % 3), u32::try_from(round).unwrap())
            })
            .collect();
        let response = caller.upsert_children(kind, &base, rows, json!({"onError": "SKIP_FAILED"})).await;
        let payload = response.data().as_object_mut().unwrap().values_mut().next().unwrap().take();
        for result in payload["results"].as_array().unwrap() {
            // After a member was deleted and created again, its transactions exist under other keys only, because they
            // were deleted with it.
            let code = &result["error"]["code"];
            assert!(code.is_null() || code == "UNKNOWN_MEMBER", "{result}");
            assert_eq!(result["nodeId"].is_null(), !code.is_null(), "{result}");
        }
        created += payload["summary"]["created"].as_u64().unwrap();
    }
    created
}

/// Deletes and recreates members, and returns the numbers of deleted rows of each kind.
async fn delete(caller: Caller, base: String, end: Instant) -> [u64; 4] {
    let (refs, mut gone) = (refs(), [0; 4]);
    let query = "mutation($input: DeleteMembersInput!) { deleteMembers(input: $input) { \
        deleted { members clips stampCollections transactions } } }";
    let mut round = 0;
    while Instant::now() < end {
        round += 1;
        let to_delete: Vec<_> = (0..20).map(|n| refs[(n * 11 + round * 17) % MEMBERS].as_str()).collect();
        let input = json!({"memberbaseId": base, "refs": to_delete});
        let data = caller.graphql(query, json!({"input": input})).await.data();
        for (kind, count) in ["members", "clips", "stampCollections", "transactions"].iter().zip(&mut gone) {
            *count += data["deleteMembers"]["deleted"][kind].as_u64().unwrap();
        }
        caller.upsert(&base, &to_delete).await.data();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    gone
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn children_written_during_a_deletion_are_deleted_and_counted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let refs = refs();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (writer, end) = (server.writer().await, Instant::now() + Duration::from_secs(3));
    let kinds = [ChildType::Clips, ChildType::StampCollections, ChildType::Transactions];
    let mut writers = JoinSet::new();
    for (index, kind) in kinds.into_iter().enumerate() {
        for seed in 0..2 {
            let call = write(writer.clone(), base.clone(), kind, seed, end);
            writers.spawn(async move { (index, call.await) });
        }
    }
    let mut deleters = JoinSet::new();
    for _ in 0..2 {
        deleters.spawn(delete(writer.clone(), base.clone(), end));
    }
    let mut created = [0; 3];
    for (index, count) in writers.join_all().await {
        created[index] += count;
    }
    let gone = deleters.join_all().await;
    let gone: Vec<u64> = (0..4).map(|kind| gone.iter().map(|gone| gone[kind]).sum()).collect();
    for (index, kind) in kinds.into_iter().enumerate() {
        let table = kind.table();
        let orphans = format!(
            "SELECT count(*) FROM {table} WHERE NOT EXISTS \
            (SELECT 1 FROM member WHERE member.memberbase_id = {table}.memberbase_id AND member.id = {table}.member_id)"
        );
        assert_eq!(server.column::<i64>(&orphans).await, [0], "{kind:?}");
        let remaining = server.column::<i64>(&format!("SELECT count(*) FROM {table}")).await[0].cast_unsigned();
        // The sum of the reported counts equals what is stored.
        assert_eq!(remaining + gone[index + 1], created[index], "{kind:?}");
        assert!(created[index] > 0 && gone[index + 1] > 0, "{kind:?}: nothing ran concurrently");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_upserts_of_the_same_children_create_each_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(ChildType::Clips, ChildType::StampCollections, ChildType::Transactions)] kind: ChildType,
) {
    let server = Server::start(database).await;
    let refs = refs();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let writer = server.writer().await;
    for round in 0..5 {
        let mut calls = JoinSet::new();
        for call in 0..4 {
            let rows: Value = (0..MEMBERS)
                .map(|n| (n * 7 + call * 13) % MEMBERS)
                .map(|n| kind.row(&refs[n], &format!("{round}-{n}"), 1))
                .collect();
            let (writer, base) = (writer.clone(), base.clone());
            calls.spawn(async move { writer.upserted_children(kind, &base, rows).await });
        }
        let created: u64 = calls.join_all().await.iter().map(|call| call["summary"]["created"].as_u64().unwrap()).sum();
        assert_eq!(created, MEMBERS as u64);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writes_of_different_attributes_are_all_stored(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    const KEYS: [&str; 4] = ["a", "b", "c", "d"];
    let server = Server::start(database).await;
    let (refs, base, writer) = (refs(), server.memberbase("b").await, server.writer().await);
    server.admin().await.set_schema(&base, &KEYS.map(|key| (key, "NUMBER"))).await.data();
    for round in 1..=10 {
        let mut calls = JoinSet::new();
        for (index, key) in KEYS.into_iter().enumerate() {
            let members: Vec<_> = (0..MEMBERS)
                .map(|n| (n * 7 + index * 13) % MEMBERS)
                .map(|n| json!({"ref": refs[n], "attributes": {key: round}}))
                .collect();
            let (writer, input) = (writer.clone(), json!({"memberbaseId": base, "members": members}));
            calls.spawn(async move { writer.upsert_with(input).await.data() });
        }
        let changed: u64 = calls
            .join_all()
            .await
            .iter()
            .map(|call| &call["bulkUpsertMembers"]["summary"])
            .map(|summary| summary["updated"].as_u64().unwrap() + summary["created"].as_u64().unwrap())
            .sum();
        assert_eq!(changed, (MEMBERS * KEYS.len()) as u64, "round {round}");
        let query = "query($b: ID!) { members(memberbaseId: $b) { nodes { attributes } } }";
        let data = writer.graphql(query, json!({"b": base})).await.data();
        for node in data["members"]["nodes"].as_array().unwrap() {
            assert_eq!(node["attributes"], json!({"a": round, "b": round, "c": round, "d": round}));
        }
    }
}
