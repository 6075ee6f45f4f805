//! A server that is killed (`kill -9`).

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use super::{refs, seed, setting};
use crate::support::{Client, Database, Random, Site};

const CLIENTS: usize = 4;

/// Members that one call creates.
const NEW: usize = 2_000;

/// Members that every call of one client changes.
const SAME: usize = 500;

/// The sequential calls of one client, each sent after the acknowledgement of the previous one.
#[derive(Default)]
struct Calls {
    /// The number of calls that were sent.
    sent: usize,
    /// The number of calls that were found stored.
    stored: usize,
    /// The last call that was found stored.
    last: usize,
}

fn created_by(client: usize, call: usize) -> String {
    format!("new-{client}-{call}-")
}

fn changed_by(client: usize) -> String {
    format!("same-{client}-")
}

/// Sends calls until one fails, and returns the acknowledged ones.
async fn work(admin: Client, base: String, client: usize, from: usize) -> (usize, Vec<usize>) {
    let mut acknowledged = Vec::new();
    for call in from.. {
        let rows = [refs(&created_by(client, call), NEW), refs(&changed_by(client), SAME)].concat();
        // Without a complete response the outcome is unknown; every complete response must be a success.
        let Ok(response) = admin.upsert(&base, &rows, Some(call)).await else { break };
        assert_eq!(response.data()["bulkUpsertMembers"]["memberIds"].as_array().unwrap().len(), NEW + SAME);
        acknowledged.push(call);
    }
    (client, acknowledged)
}

impl Calls {
    /// Compares the stored members with the calls that were sent since the last check.
    async fn check(&mut self, admin: &Client, base: &str, client: usize, acknowledged: &[usize]) {
        let from = self.sent;
        self.sent = acknowledged.last().map_or(from, |last| last + 1) + 1;
        for call in from..self.sent {
            let found = admin.count(base, json!({"ref": {"startsWith": created_by(client, call)}})).await;
            assert!(found == NEW || found == 0, "call {call} of client {client} is stored partially: {found}");
            assert!(found == NEW || !acknowledged.contains(&call), "call {call} of client {client} is lost");
            if found == NEW {
                self.stored += 1;
                self.last = call;
            }
        }
        let last = self.last;
        let of_last = json!({"ref": {"startsWith": changed_by(client)}, "attribute": {"key": "call", "eq": last}});
        assert_eq!(admin.count(base, of_last).await, SAME, "what call {last} of client {client} changed");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_server_leaves_calls_atomic_and_loses_no_acknowledged_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let site = Site::new(database).await;
    let (mut server, mut random) = (site.start().await, Random(seed()));
    let base = server.admin.memberbase().await;
    let mut all: Vec<Calls> = (0..CLIENTS).map(|_| Calls::default()).collect();
    for (client, calls) in all.iter_mut().enumerate() {
        // At least one call is acknowledged, however slow the machine is.
        let rows = [refs(&created_by(client, 0), NEW), refs(&changed_by(client), SAME)].concat();
        server.admin.upsert(&base, &rows, Some(0)).await.unwrap().data();
        *calls = Calls { sent: 1, stored: 1, last: 0 };
    }
    let (kills, mut sure) = (setting("MEMBERBASE_TEST_KILLS", 5), CLIENTS);
    for _ in 0..kills {
        let mut clients = JoinSet::new();
        for (client, calls) in all.iter().enumerate() {
            clients.spawn(work(server.admin.clone(), base.clone(), client, calls.sent));
        }
        sleep(Duration::from_millis(u64::try_from(random.below(2_500)).unwrap())).await;
        server.kill();
        site.wait_for_sessions_to_end().await;
        server = site.start().await;
        for (client, acknowledged) in clients.join_all().await {
            sure += acknowledged.len();
            all[client].check(&server.admin, &base, client, &acknowledged).await;
        }
    }
    let stored: usize = all.iter().map(|calls| calls.stored).sum();
    let sent: usize = all.iter().map(|calls| calls.sent).sum();
    // Members that were stored before an earlier kill are still there.
    assert_eq!(server.admin.count(&base, json!({})).await, stored * NEW + CLIENTS * SAME);
    assert!(sure < sent);
    println!("{database:?}: {kills} kills, {sent} calls sent, {stored} stored, {sure} acknowledged");
}
