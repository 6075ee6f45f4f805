//! Many concurrent clients over sockets.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{UPSERT, refs, seed, setting, upsert};
use crate::support::{Client, Database, Random, Site};

/// Members that are never deleted; all clients change them, including those that disconnect.
const KEPT: usize = 400;

/// Members that are created and deleted.
const FREE: usize = 400;

/// The behaviour of a client.
#[derive(Clone, Copy)]
enum Role {
    Upserts,
    Deletes,
    HangsUp,
}

/// Returns the members that a client created less those that it deleted, and its number of calls.
async fn work(admin: Client, base: String, role: Role, seed: u64, end: Instant) -> (i64, usize) {
    let (kept, free) = (refs("kept-", KEPT), refs("free-", FREE));
    let all = [kept.clone(), free.clone()].concat();
    let (mut random, mut balance, mut calls) = (Random(seed), 0, 0);
    let texts = |refs: Vec<&str>| refs.into_iter().map(str::to_owned).collect::<Vec<_>>();
    while Instant::now() < end {
        calls += 1;
        match role {
            Role::Upserts => {
                let rows = texts(random.pick(&all, 400));
                let data = admin.upsert(&base, &rows, Some(random.below(1_000))).await.unwrap().data();
                let ids = data["bulkUpsertMembers"]["memberIds"].as_array().unwrap();
                assert!(ids.len() == rows.len() && ids.iter().all(Value::is_string), "{ids:?}");
                balance += data["bulkUpsertMembers"]["summary"]["created"].as_i64().unwrap();
            }
            Role::Deletes => {
                let query = "mutation($b: ID!, $r: [String!]!) { deleteMembers(input: {memberbaseId: $b, refs: $r}) \
                    { deleted { members } } }";
                let data = admin.data(query, json!({"b": base, "r": random.pick(&free, 200)})).await;
                balance -= data["deleteMembers"]["deleted"]["members"].as_i64().unwrap();
            }
            Role::HangsUp => {
                let rows = texts(random.pick(&kept, 300));
                let input = upsert(&base, &rows, Some(random.below(1_000)));
                let body = json!({"query": UPSERT, "variables": {"input": input}}).to_string();
                let after = Duration::from_millis(u64::try_from(random.below(60)).unwrap());
                admin.abandon(&body, after).await;
                // The next call waits behind the abandoned ones, so that they do not pile up.
                let data = admin.upsert(&base, &rows, Some(random.below(1_000))).await.unwrap().data();
                assert_eq!(data["bulkUpsertMembers"]["summary"]["created"], 0, "they are never deleted");
                calls += 1;
            }
        }
    }
    (balance, calls)
}

/// Returns the id of every member by ref, from a page walk.
async fn walk(admin: &Client, base: &str) -> HashMap<String, String> {
    let query = "query($b: ID!, $a: String) { members(memberbaseId: $b, first: 300, after: $a) { nodes { id ref } \
        pageInfo { hasNextPage endCursor } } }";
    let (mut found, mut after) = (HashMap::new(), Value::Null);
    loop {
        let page = admin.data(query, json!({"b": base, "a": after})).await["members"].take();
        for node in page["nodes"].as_array().unwrap() {
            let text = |name: &str| node[name].as_str().unwrap().to_owned();
            assert!(found.insert(text("ref"), text("id")).is_none(), "{node} twice");
        }
        if page["pageInfo"]["hasNextPage"] == false {
            return found;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_conflicting_clients_meet_no_error(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    // Abandoned calls may still be running.
    let options = ["--max-requests-per-token", "100000", "--max-requests", "100000"];
    let site = Site::new(database).await.with_options(&options);
    let mut server = site.start().await;
    let base = server.admin.memberbase().await;
    server.admin.upsert(&base, &refs("kept-", KEPT), None).await.unwrap().data();
    let before = walk(&server.admin, &base).await;
    let roles = [[Role::Upserts; 10].as_slice(), &[Role::Deletes; 3], &[Role::HangsUp; 3]].concat();
    let (seed, seconds) = (seed(), setting("MEMBERBASE_TEST_LOAD_SECONDS", 5));
    let (end, mut clients) = (Instant::now() + Duration::from_secs(seconds), JoinSet::new());
    for (client, role) in roles.into_iter().enumerate() {
        clients.spawn(work(server.admin.clone(), base.clone(), role, seed + client as u64, end));
    }
    let (mut balance, mut calls) = (0, 0);
    for (of_one, made) in clients.join_all().await {
        balance += of_one;
        calls += made;
    }
    // The server completes abandoned calls before it stops.
    assert!(server.is_running());
    server.terminate();
    assert_eq!(server.ended(Duration::from_secs(10)).await.and_then(|status| status.code()), Some(0));
    let server = site.start().await;
    let after = walk(&server.admin, &base).await;
    assert_eq!(i64::try_from(after.len()).unwrap(), i64::try_from(KEPT).unwrap() + balance);
    assert_eq!(server.admin.count(&base, json!({})).await, after.len());
    assert!(before.iter().all(|(reference, id)| after.get(reference) == Some(id)), "a member has another id");
    println!("{database:?}: {calls} calls in {seconds} s, {} members", after.len());
}
