//! A server with few file descriptors.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{net::TcpStream, time::timeout};

use crate::support::{Database, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_silent_connections_than_descriptors_keep_no_client_out() {
    let site = Site::new(Database::Sqlite).await.with_descriptor_limits(256, 1024);
    let server = site.start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().filter(|word| *word == "1024").count(), 2, "the soft limit is raised: {files}");

    let mut silent = Vec::new();
    for _ in 0..1_100 {
        silent.push(TcpStream::connect(&server.address).await.unwrap());
    }
    let begun = Instant::now();
    server.admin.data("{ memberbases { totalCount } }", json!({})).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let descriptors = server.descriptors();
    assert!(descriptors < 1024 / 10 + 60, "{descriptors} descriptors");
}

/// The system drops attempts to connect that it has no place for, and their clients repeat them after a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_wait_while_the_server_accepts_none() {
    let site = Site::new(Database::Sqlite).await;
    let server = site.start().await;
    let max: usize = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    server.signal("STOP");
    let mut waiting = Vec::new();
    for number in 0..max.min(500) {
        let connecting = timeout(Duration::from_secs(20), TcpStream::connect(&server.address));
        waiting.push(connecting.await.unwrap_or_else(|_| panic!("connection {number} has no place")).unwrap());
    }
    server.signal("CONT");
    server.admin.data("{ memberbases { totalCount } }", json!({})).await;
}
