//! ANALYZE of tables that have grown, on both databases.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::{Database, Server};

/// Well below autovacuum's interval of one minute.
const SOON: Duration = Duration::from_secs(10);

/// Returns the row count in PostgreSQL's planner statistics, once it is at least `at_least` or after a timeout.
async fn postgres_row_estimate(server: &Server, table: &str, at_least: i64) -> i64 {
    let begun = Instant::now();
    loop {
        let sql = format!("SELECT reltuples::bigint FROM pg_class WHERE oid = '\"{table}\"'::regclass");
        let estimate = server.column::<i64>(&sql).await[0];
        if estimate >= at_least || begun.elapsed() > SOON {
            return estimate;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn postgres_statistics_are_updated_when_a_table_doubles() {
    let server = Server::start(Database::Postgres).await;
    let caller = server.admin().await;
    let base = server.memberbase("fast").await;
    let upsert = async |from: usize, to: usize| {
        let refs: Vec<_> = (from..to).map(|n| format!("member-{n:09}")).collect();
        let refs: Vec<_> = refs.iter().map(String::as_str).collect();
        caller.upsert(&base, &refs).await.data();
    };
    upsert(0, 1_500).await;
    assert_eq!(postgres_row_estimate(&server, "member", 1_500).await, 1_500);
    upsert(0, 1_500).await;
    upsert(1_500, 5_000).await;
    assert_eq!(postgres_row_estimate(&server, "member", 5_000).await, 5_000);
}

/// Returns the row count in SQLite's planner statistics.
async fn sqlite_row_estimate(server: &Server, table: &str, at_least: i64) -> i64 {
    let begun = Instant::now();
    loop {
        let sql = format!("SELECT CAST(stat AS integer) FROM sqlite_stat1 WHERE tbl = '{table}' AND idx = '{table}'");
        let estimate = server.column::<i64>(&sql).await[0];
        if (at_least..10 * at_least).contains(&estimate) || begun.elapsed() > SOON {
            return estimate;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn sqlite_statistics_are_updated_when_a_table_doubles() {
    let server = Server::start(Database::Sqlite).await;
    let (base, members) = server.base_of(3_000).await;
    // An estimate from the depth of the tree.
    assert!((2_000..20_000).contains(&sqlite_row_estimate(&server, "member", 2_000).await));
    let (admin, more) = (server.admin().await, 3_000..40_000);
    let refs: Vec<_> = more.map(|n| format!("more-{n:06}")).collect();
    admin.upsert(&base, &refs.iter().map(String::as_str).collect::<Vec<_>>()).await.data();
    assert!((20_000..200_000).contains(&sqlite_row_estimate(&server, "member", 20_000).await));
    // An empty table keeps its first statistics.
    assert_eq!(sqlite_row_estimate(&server, "clip", 1_000_000).await, 1_000_000);
    drop(members);
}

/// Without statistics SQLite scans all children of the memberbase for each deleted member: deleting 5,000 of 50,000
/// members would take minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fresh_sqlite_file_deletes_members_with_children_by_index() {
    let server = Server::start(Database::Sqlite).await;
    let (base, members) = server.base_of(50_000).await;
    server.insert_children(&base, &members, [1; 3]).await;
    let deleted = server.writer().await.delete_with(json!({"memberbaseId": base, "memberIds": members[..5_000]})).await;
    let counts =
        json!({"members": 5_000, "attributes": 0, "clips": 5_000, "stampCollections": 5_000, "transactions": 5_000});
    assert_eq!(deleted.data()["deleteMembers"]["deleted"], counts);
    for table in ["clip", "stamp_collection", "\"transaction\""] {
        let plan = server.plan(&format!("DELETE FROM {table} WHERE memberbase_id = x'01' AND member_id = x'02'")).await;
        assert!(plan.contains("(memberbase_id=? AND member_id=?)"), "{plan}");
    }
    let plan = server.plan("DELETE FROM member WHERE memberbase_id = x'01' AND id = x'02'").await;
    assert_eq!(plan.matches("(memberbase_id=? AND member_id=?)").count(), 3, "{plan}");
}
