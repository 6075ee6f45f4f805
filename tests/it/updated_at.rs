//! `updatedAt` never decreases, whatever the clock says, so that incremental copies find every change.

use futures_util::future::join_all;
use memberbase::types::Time;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Caller, ChildType, Database, Server};

/// A time that a server with a clock that runs ahead stored.
const AHEAD: &str = "2100-01-01T00:00:00Z";

/// Returns the time this many microseconds after [`AHEAD`].
fn ahead(micros: i64) -> i64 {
    Time::parse(AHEAD).unwrap().micros() + micros
}

impl Server {
    /// Sets `updated_at` of every row of a table to [`AHEAD`].
    async fn set_ahead(&self, table: &str) {
        self.execute(&format!("UPDATE {table} SET updated_at = {}", ahead(0))).await;
    }

    async fn updated_at(&self, table: &str) -> Vec<i64> {
        self.column(&format!("SELECT updated_at FROM {table} ORDER BY id")).await
    }
}

/// Creates a memberbase whose one member, `ann`, has the NUMBER attribute `n`; returns the member's id as well.
async fn base_of_ann(server: &Server, admin: &Caller) -> (String, Value) {
    let base = server.memberbase_with(&[("n", "NUMBER")], &[]).await;
    let ids = admin.upsert_with(set_n(&base, 0)).await.data()["bulkUpsertMembers"]["memberIds"].take();
    (base, ids[0].clone())
}

fn set_n(base: &str, n: usize) -> Value {
    json!({"memberbaseId": base, "members": [{"ref": "ann", "attributes": {"n": n}}]})
}

#[rstest]
#[tokio::test]
async fn updated_at_of_a_member_never_decreases(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let (base, id) = base_of_ann(&server, &admin).await;
    server.set_ahead("member").await;

    admin.upsert_with(set_n(&base, 1)).await.data();
    assert_eq!(server.updated_at("member").await, [ahead(1)], "by an upsert");
    admin.upsert_with(set_n(&base, 1)).await.data();
    assert_eq!(server.updated_at("member").await, [ahead(1)], "by an upsert that changes nothing");
    let newer = json!([{"ref": "ann", "sourceUpdatedAt": "2026-01-01T00:00:00Z"}]);
    admin.upsert_with(json!({"memberbaseId": base, "members": newer})).await.data();
    assert_eq!(server.updated_at("member").await, [ahead(1)], "by the time of the source alone");

    let value = json!([{"member_id": id, "attribute_key": "n", "value": 2}]);
    admin.called("member.attributes/set", json!({"member_base_id": base, "attributes": value})).await;
    assert_eq!(server.updated_at("member").await, [ahead(2)], "by member.attributes/set");
    admin.called("member.attributes/delete", json!({"member_base_id": base, "delete_all": true})).await;
    assert_eq!(server.updated_at("member").await, [ahead(3)], "by member.attributes/delete");

    server.execute("UPDATE member SET updated_at = 5").await;
    let before = Time::now().micros();
    admin.upsert_with(set_n(&base, 4)).await.data();
    assert!(server.updated_at("member").await[0] >= before, "the clock counts where it is ahead");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_of_a_member_have_different_times(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    const CALLS: usize = 8;
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let (base, _) = base_of_ann(&server, &admin).await;
    server.set_ahead("member").await;
    let upserts = join_all((1..=CALLS).map(|n| admin.upsert_with(set_n(&base, n)))).await;
    let updated =
        upserts.into_iter().map(|response| response.data()["bulkUpsertMembers"]["summary"]["updated"].clone());
    assert!(updated.into_iter().all(|updated| updated == 1));
    assert_eq!(server.updated_at("member").await, [ahead(i64::try_from(CALLS).unwrap())]);
}

#[rstest]
#[tokio::test]
async fn updated_at_of_a_child_never_decreases(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(ChildType::Clips, ChildType::StampCollections, ChildType::Transactions)] kind: ChildType,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["ann"]).await, server.writer().await);
    writer.upserted_children(kind, &base, json!([kind.row("ann", "k", 1), kind.row("ann", "other", 1)])).await;
    server.set_ahead(kind.table()).await;
    writer.upserted_children(kind, &base, json!([kind.row("ann", "k", 2), kind.row("ann", "other", 1)])).await;
    let mut times = server.updated_at(kind.table()).await;
    times.sort_unstable();
    assert_eq!(times, [ahead(0), ahead(1)]);
}

#[rstest]
#[tokio::test]
async fn updated_at_of_a_memberbase_never_decreases(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("old").await, server.admin().await);
    server.set_ahead("memberbase").await;
    let rename = "mutation($b: ID!, $name: String!) { updateMemberbase(input: {memberbaseId: $b, name: $name}) { \
        memberbase { updatedAt } } }";
    let data = admin.graphql(rename, json!({"b": base, "name": "new"})).await.data();
    let renamed = &data["updateMemberbase"]["memberbase"]["updatedAt"];
    assert_eq!(*renamed, json!(Time::from_micros(ahead(1)).to_string()));
    let declare = "mutation($b: ID!) { setAttributeSchema(input: {memberbaseId: $b, attributes: [{key: \"n\", \
        type: NUMBER}]}) { memberbase { updatedAt } } }";
    let data = admin.graphql(declare, json!({"b": base})).await.data();
    let declared = &data["setAttributeSchema"]["memberbase"]["updatedAt"];
    assert_eq!(*declared, json!(Time::from_micros(ahead(2)).to_string()));
    assert_eq!(server.updated_at("memberbase").await, [ahead(2)]);
}

#[rstest]
#[tokio::test]
async fn updates_of_one_call_have_one_time(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let base = server.memberbase_with(&[("n", "NUMBER")], &[]).await;
    // PostgreSQL writes this number of updates in several statements.
    let rows = |n: usize| (0..1_200).map(|row| json!({"ref": format!("{row}"), "attributes": {"n": n}})).collect();
    for n in 0..2 {
        let rows: Value = rows(n);
        admin.upsert_with(json!({"memberbaseId": base, "members": rows})).await.data();
    }
    let times = server.column::<i64>("SELECT count(DISTINCT updated_at) FROM member").await;
    assert_eq!(times, [1]);
}
