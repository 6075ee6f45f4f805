//! `startSync`, `commitSync`, `abandonSync`, and what upserts do while a sync is open.

use memberbase::{
    domain::access::Access,
    types::{Id, Limits, SyncId, SyncLimits},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Database, Server, nowhere};

const FIELDS: &str = "id state startedAt endedAt seen missing memberbase { id } \
    deleted { members attributes clips stampCollections transactions }";

impl Caller {
    async fn try_start(&self, base: &str, abandon_open: bool) -> Answer {
        let query = format!("mutation($i: StartSyncInput!) {{ startSync(input: $i) {{ sync {{ {FIELDS} }} }} }}");
        self.ask(&query, json!({"i": {"memberbaseId": base, "abandonOpen": abandon_open}})).await
    }

    /// The id of a new sync.
    async fn start(&self, base: &str) -> String {
        let data = self.try_start(base, false).await.data();
        data["startSync"]["sync"]["id"].as_str().unwrap().to_owned()
    }

    async fn try_commit(&self, sync: &str, mut options: Value) -> Answer {
        options["syncId"] = json!(sync);
        let query = format!("mutation($i: CommitSyncInput!) {{ commitSync(input: $i) {{ sync {{ {FIELDS} }} }} }}");
        self.ask(&query, json!({"i": options})).await
    }

    async fn commit(&self, sync: &str, options: Value) -> Value {
        self.try_commit(sync, options).await.data()["commitSync"]["sync"].take()
    }

    async fn try_abandon(&self, sync: &str) -> Answer {
        let query = format!("mutation($i: AbandonSyncInput!) {{ abandonSync(input: $i) {{ sync {{ {FIELDS} }} }} }}");
        self.ask(&query, json!({"i": {"syncId": sync}})).await
    }

    async fn abandon(&self, sync: &str) -> Value {
        self.try_abandon(sync).await.data()["abandonSync"]["sync"].take()
    }

    async fn sync(&self, sync: &str) -> Value {
        let query = format!("query($id: ID!) {{ sync(id: $id) {{ {FIELDS} }} }}");
        self.ask(&query, json!({"id": sync})).await.data()["sync"].take()
    }
}

/// Deletes whoever is missing, however many.
fn delete_all() -> Value {
    json!({"onMissing": "DELETE", "maxDeletedPercent": 100})
}

/// A server with a memberbase of these members, and someone who writes there.
async fn base_of(database: Database, refs: &[&str]) -> (Server, String, Caller) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(refs).await;
    let writer = server.writer().await;
    (server, base, writer)
}

async fn refs(server: &Server) -> Vec<String> {
    server.column("SELECT ref FROM member ORDER BY ref").await
}

async fn marks(server: &Server) -> i64 {
    server.column("SELECT count(*) FROM sync_seen").await[0]
}

fn figures(sync: &Value) -> (i64, i64) {
    (sync["seen"].as_i64().unwrap(), sync["missing"].as_i64().unwrap())
}

#[rstest]
#[tokio::test]
async fn a_commit_deletes_whom_nobody_upserted(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = base_of(database, &["a", "b", "c", "d"]).await;
    let started = writer.try_start(&base, false).await.data()["startSync"]["sync"].take();
    assert_eq!(
        (&started["state"], &started["endedAt"], &started["deleted"]),
        (&json!("OPEN"), &json!(null), &json!(null))
    );
    assert_eq!((figures(&started), &started["memberbase"]["id"]), ((0, 4), &json!(base)));
    let sync = started["id"].as_str().unwrap();
    let input = json!({"memberbaseId": base, "members": [{"ref": "a"}, {"ref": "e"}, {"ref": "a"}], "syncId": sync});
    writer.upsert_with(input).await.data();
    writer.upsert(&base, &["c"]).await.data();
    assert_eq!(figures(&writer.sync(sync).await), (3, 2));
    let committed = writer.commit(sync, json!({"onMissing": "DELETE", "maxDeletedPercent": 40})).await;
    assert_eq!((figures(&committed), &committed["state"]), ((3, 2), &json!("COMMITTED")));
    assert_eq!(committed["deleted"]["members"], 2);
    assert!(committed["endedAt"].as_str().unwrap() >= committed["startedAt"].as_str().unwrap(), "{committed}");
    assert_eq!((refs(&server).await, marks(&server).await), (vec!["a".to_owned(), "c".to_owned(), "e".to_owned()], 0));
    // What it found stays.
    writer.upsert(&base, &["x", "y"]).await.data();
    assert_eq!(writer.sync(sync).await, committed);
}
