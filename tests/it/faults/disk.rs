//! A database that can't be written to.

use std::process::Command;

use serde_json::json;

use super::{assert_retryable_error, refs};
use crate::support::{Client, Database, Site};

/// Upserts until a call is rejected, and returns the number of acknowledged members.
async fn fill(admin: &Client, base: &str) -> usize {
    for call in 0..200 {
        let response = admin.upsert(base, &refs(&format!("{call}-{}", "x".repeat(200)), 2_000), None).await.unwrap();
        if response.status != 200 {
            assert_retryable_error(&response, &["SERVICE_UNAVAILABLE"]);
            return call * 2_000;
        }
        response.data();
    }
    panic!("there is room for everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_rejects_writes_and_serves_reads() {
    let site = Site::new(Database::Sqlite).await.with_file_limit(12 * 1024);
    let mut server = site.start().await;
    let base = server.admin.memberbase().await;
    let stored = fill(&server.admin, &base).await;
    // The failed call stored nothing, and it fails again while the disk is full.
    for _ in 0..3 {
        assert_eq!(server.admin.count(&base, json!({})).await, stored);
        let response = server.admin.upsert(&base, &refs(&"y".repeat(200), 20_000), None).await.unwrap();
        assert_retryable_error(&response, &["SERVICE_UNAVAILABLE"]);
    }
    assert!(server.is_running() && stored > 0);
    // With free space the same server accepts writes again.
    let more = Command::new("prlimit").args(["--pid", &server.id().to_string(), "--fsize=unlimited"]).status();
    assert!(more.unwrap().success());
    server.admin.upsert(&base, &refs("z", 20_000), None).await.unwrap().data();
    assert_eq!(server.admin.count(&base, json!({})).await, stored + 20_000);
    // The writes survive a restart.
    server.kill();
    let server = site.start().await;
    assert_eq!(server.admin.count(&base, json!({})).await, stored + 20_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_file_rejects_writes_and_serves_reads() {
    let site = Site::new(Database::Sqlite).await;
    let mut server = site.start().await;
    let base = server.admin.memberbase().await;
    server.admin.upsert(&base, &refs("a", 10), None).await.unwrap().data();
    server.kill();
    let site = site.with_read_only_file();
    let server = site.start().await;
    assert_reads_but_no_writes(&server.admin, &base).await;
    let ready = server.admin.ready().await;
    assert_eq!(ready.status, 503);
    assert!(ready.message().contains("the database file is read-only"), "{}", ready.message());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_that_becomes_read_only_rejects_writes_and_serves_reads() {
    let site = Site::new(Database::Postgres).await;
    let server = site.start().await;
    let base = server.admin.memberbase().await;
    server.admin.upsert(&base, &refs("a", 10), None).await.unwrap().data();
    assert_eq!(server.admin.ready().await.status, 200);
    site.read_only(true).await;
    site.terminate_connections().await;
    // Each terminated connection fails once.
    for _ in 0..10 {
        server.admin.graphql("{ memberbases { totalCount } }", json!({})).await.unwrap();
    }
    assert_reads_but_no_writes(&server.admin, &base).await;
    assert_eq!(server.admin.ready().await.status, 503);
    site.read_only(false).await;
    // Connections that were opened while the database was read-only stay so; at most one write fails on them.
    let mut stored = false;
    for _ in 0..2 {
        stored |= server.admin.upsert(&base, &refs("b", 10), None).await.unwrap().status == 200;
    }
    assert!(stored);
    assert_eq!(server.admin.ready().await.status, 200);
    assert_eq!(server.admin.count(&base, json!({})).await, 20);
}

/// Asserts that a write into a memberbase of ten members fails and that a read succeeds.
async fn assert_reads_but_no_writes(admin: &Client, base: &str) {
    for _ in 0..20 {
        let response = admin.upsert(base, &refs("b", 10), None).await.unwrap();
        assert_retryable_error(&response, &["SERVICE_UNAVAILABLE"]);
        assert_eq!(admin.count(base, json!({})).await, 10);
    }
}
