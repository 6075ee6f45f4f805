//! Tables that grow fast, and what PostgreSQL knows of them.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::support::{Database, Server};

/// Long before autovacuum comes by, which does so once a minute.
const SOON: Duration = Duration::from_secs(10);

/// The rows that PostgreSQL plans with, once there are so many; or after a while.
async fn known(server: &Server, table: &str, at_least: i64) -> i64 {
    let begun = Instant::now();
    loop {
        let sql = format!("SELECT reltuples::bigint FROM pg_class WHERE oid = '\"{table}\"'::regclass");
        let known = server.column::<i64>(&sql).await[0];
        if known >= at_least || begun.elapsed() > SOON {
            return known;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn postgres_knows_of_a_table_that_has_doubled() {
    let server = Server::start(Database::Postgres).await;
    let caller = server.admin().await;
    let base = server.memberbase("fast").await;
    let upsert = async |from: usize, to: usize| {
        let refs: Vec<_> = (from..to).map(|n| format!("member-{n:09}")).collect();
        let refs: Vec<_> = refs.iter().map(String::as_str).collect();
        caller.upsert(&base, &refs).await.data();
    };
    upsert(0, 1_500).await;
    assert_eq!(known(&server, "member", 1_500).await, 1_500);
    upsert(0, 1_500).await;
    upsert(1_500, 5_000).await;
    assert_eq!(known(&server, "member", 5_000).await, 5_000);
}
