//! The end of a sync: commit, abandonment and expiry.

use memberbase::types::{Limits, SyncLimits};
use rstest::rstest;
use serde_json::json;

use super::{base_of, delete_all, marks, sync_counts};
use crate::support::{Database, Server};

#[rstest]
#[tokio::test]
async fn repeated_end_returns_the_same_result(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = base_of(database, &["a", "b"]).await;
    let sync = writer.start(&base).await;
    writer.upsert(&base, &["a"]).await.data();
    let committed = writer.commit(&sync, delete_all()).await;
    writer.upsert(&base, &["c", "d"]).await.data();
    for options in [delete_all(), json!({}), json!({"onMissing": "DELETE", "maxDeletedPercent": 0})] {
        assert_eq!(writer.commit(&sync, options).await, committed);
    }
    let late = writer.try_abandon(&sync).await;
    assert_eq!((late.code().as_str(), server.members().await), ("CONFLICT", 3));
    let sync = writer.start(&base).await;
    let abandoned = writer.abandon(&sync).await;
    assert_eq!((&abandoned["state"], sync_counts(&abandoned)), (&json!("ABANDONED"), (0, 3)));
    writer.upsert(&base, &["e"]).await.data();
    assert_eq!(writer.abandon(&sync).await, abandoned);
    let late = writer.try_commit(&sync, delete_all()).await;
    assert_eq!((late.code().as_str(), server.members().await), ("CONFLICT", 4));
    assert_eq!(writer.sync(&sync).await, abandoned);
}

#[rstest]
#[tokio::test]
async fn expired_sync_does_not_block_a_new_one(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = base_of(database, &["a", "b", "c"]).await;
    let expired = async || {
        let sync = writer.start(&base).await;
        writer.upsert(&base, &["a"]).await.data();
        server.execute("UPDATE sync SET expires_at = 1000000 WHERE ended_at IS NULL").await;
        let found = writer.sync(&sync).await;
        assert_eq!((&found["state"], sync_counts(&found).0), (&json!("EXPIRED"), 1));
        assert_eq!((&found["endedAt"], &found["deleted"]), (&json!("1970-01-01T00:00:01.000Z"), &json!(null)));
        assert_eq!(marks(&server).await, 1);
        found
    };
    // The first end is final, and the counts stay as they were.
    let found = expired().await;
    let sync = found["id"].as_str().unwrap();
    assert_eq!(writer.try_commit(sync, delete_all()).await.code(), "CONFLICT");
    writer.upsert(&base, &["b", "d"]).await.data();
    assert_eq!((writer.sync(sync).await, marks(&server).await, server.members().await), (found.clone(), 0, 4));
    let by_deletion = expired().await;
    writer.delete_with(json!({"memberbaseId": base, "refs": ["a", "d"]})).await.data();
    assert_eq!((writer.sync(by_deletion["id"].as_str().unwrap()).await, marks(&server).await), (by_deletion, 0));
    let by_start = expired().await;
    let next = writer.start(&base).await;
    assert_eq!((writer.sync(by_start["id"].as_str().unwrap()).await, marks(&server).await), (by_start, 0));
    writer.abandon(&next).await;
    let by_abandon = expired().await;
    for _ in 0..2 {
        assert_eq!(writer.abandon(by_abandon["id"].as_str().unwrap()).await, by_abandon);
    }
    assert_eq!((marks(&server).await, server.members().await), (0, 3));
}

#[rstest]
#[tokio::test]
async fn sync_lifetime_is_configurable(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let expiry = std::time::Duration::from_millis(400);
    let limits = Limits { sync: SyncLimits { expiry }, ..Limits::default() };
    let server = Server::with(database, limits).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let sync = writer.start(&base).await;
    tokio::time::sleep(expiry).await;
    assert_eq!(writer.sync(&sync).await["state"], "EXPIRED");
    let input = json!({"memberbaseId": base, "members": [{"ref": "a"}], "syncId": sync});
    assert_eq!(writer.upsert_with(input).await.code(), "CONFLICT");
    writer.start(&base).await;
    let default = SyncLimits::default().expiry;
    assert_eq!(default, std::time::Duration::from_hours(24));
}
