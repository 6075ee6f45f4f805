//! Graceful shutdown on SIGTERM.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;
use tokio::{net::TcpStream, task::JoinSet, time::sleep};

use super::{UPSERT, refs, upsert};
use crate::support::{Client, Database, Site, read_response};

/// Sends calls until the server accepts no more connections, and returns the number of acknowledged calls.
async fn work(admin: Client, base: String, client: usize) -> usize {
    for call in 0.. {
        let rows = refs(&format!("{client}-{call}-"), 500);
        match admin.upsert(&base, &rows, None).await {
            Ok(response) => drop(response.data()),
            Err(_) => return call,
        }
    }
    unreachable!()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_completes_running_calls_and_loses_no_acknowledged_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let site = Site::new(database).await;
    let mut server = site.start().await;
    let base = server.admin.memberbase().await;
    let mut clients = JoinSet::new();
    for client in 0..4 {
        clients.spawn(work(server.admin.clone(), base.clone(), client));
    }
    // A call that takes a while, with a client that waits for the response.
    let body = json!({"query": UPSERT, "variables": {"input": upsert(&base, &refs("long-", 30_000), None)}});
    let request = server.admin.request("/graphql", &body.to_string());
    sleep(Duration::from_millis(700)).await;
    let mut long = server.admin.upload(request.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    server.terminate();
    let status = server.ended(Duration::from_secs(10)).await;
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", server.log());
    assert!(TcpStream::connect(&server.address).await.is_err(), "the server still listens");
    let response = read_response(&mut long).await.expect("the running call gets a response");
    assert_eq!(response.data()["bulkUpsertMembers"]["memberIds"].as_array().unwrap().len(), 30_000);
    let acknowledged: usize = clients.join_all().await.iter().sum();
    println!("{database:?}: {acknowledged} calls, stopped in {:?}", start.elapsed());
    let server = site.start().await;
    let found = server.admin.count(&base, json!({})).await;
    // The last call of each client may or may not be stored.
    let known = 30_000 + acknowledged * 500;
    assert!(found.is_multiple_of(500) && (known..=known + 4 * 500).contains(&found), "{found} of {known}");
    assert!(acknowledged > 0);
}
