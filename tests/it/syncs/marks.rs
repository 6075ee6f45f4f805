//! The members that an upsert marks as seen.

use rstest::rstest;
use serde_json::{Value, json};

use super::{base_of, marks, refs, sync_counts};
use crate::support::{Database, Server};

#[rstest]
#[tokio::test]
async fn every_row_that_names_a_member_marks_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("REJECT_BATCH", "SKIP_FAILED")] on_error: &str,
) {
    let server = Server::start(database).await;
    let base = server.memberbase_with(&[("n", "NUMBER")], &[]).await;
    let writer = server.writer().await;
    let refs = ["failed", "stale", "skipped", "unchanged", "updated", "twice", "unnamed"];
    let members: Vec<_> = refs.iter().map(|r| json!({"ref": r, "sourceUpdatedAt": "2026-01-02T00:00:00Z"})).collect();
    writer.upsert_with(json!({"memberbaseId": base, "members": members})).await.data();
    let sync = writer.start(&base).await;
    let upsert = async |rows: Value, mode: &str| {
        let input = json!({"memberbaseId": base, "members": rows, "mode": mode, "onError": on_error});
        writer.upsert_with(input).await.json()
    };
    let bad = json!({"n": "no number"});
    let rows = json!([
        {"ref": "failed", "attributes": bad},
        {"ref": "nobody", "attributes": bad},
        {"ref": "", "attributes": {}},
        {"ref": "stale", "sourceUpdatedAt": "2026-01-01T00:00:00Z"},
        {"ref": "unchanged"},
        {"ref": "updated", "attributes": {"n": 1}},
        {"ref": "twice", "attributes": {"n": 1}},
        {"ref": "twice", "attributes": bad},
    ]);
    let response = upsert(rows, "UPSERT").await;
    assert_eq!(response["errors"].is_array(), on_error == "REJECT_BATCH", "{response}");
    upsert(json!([{"ref": "skipped"}]), "INSERT_ONLY").await;
    upsert(json!([{"ref": "nobody"}]), "UPDATE_ONLY").await;
    assert_eq!(sync_counts(&writer.sync(&sync).await), (6, 1));
    // The rejected call stored nothing but the marks.
    let changed = if server.app.db.backend() == sea_orm::DbBackend::Sqlite { "attributes" } else { "attributes::text" };
    let changed = format!("SELECT count(*) FROM member WHERE {changed} IS NOT NULL");
    let expected = if on_error == "REJECT_BATCH" { 0 } else { 2 };
    assert_eq!(server.column::<i64>(&changed).await, [expected]);
    writer.commit(&sync, json!({"onMissing": "DELETE", "maxDeletedPercent": 20})).await;
    assert_eq!(self::refs(&server).await, ["failed", "skipped", "stale", "twice", "unchanged", "updated"]);
}

#[rstest]
#[tokio::test]
async fn rejected_call_of_a_sync_marks_existing_members_and_creates_none(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, base, writer) = base_of(database, &["a", "b"]).await;
    let sync = writer.start(&base).await;
    let rows = json!([{"ref": "a"}, {"ref": "new"}, {"ref": "b", "attributes": {"unknown": 1}}]);
    let input = json!({"memberbaseId": base, "members": rows, "syncId": sync});
    let response = writer.upsert_with(input).await;
    assert_eq!(
        (response.code().as_str(), &response.error()["extensions"]["failureCount"]),
        ("BAD_USER_INPUT", &json!(1))
    );
    assert_eq!((sync_counts(&writer.sync(&sync).await), server.members().await), ((2, 0), 2));
}

/// In large calls a few refs are looked up first, to probe whether all are new.
#[rstest]
#[tokio::test]
async fn rejected_call_after_an_all_new_probe_marks_existing_members(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(false, true)] dry_run: bool,
) {
    let (server, base, writer) = base_of(database, &["r001"]).await;
    let sync = writer.start(&base).await;
    let mut rows: Vec<_> = (0..300).map(|number| json!({"ref": format!("r{number:03}")})).collect();
    rows.push(json!({"ref": ""}));
    let input = json!({"memberbaseId": base, "members": rows, "syncId": sync, "dryRun": dry_run});
    let response = writer.upsert_with(input).await;
    assert_eq!(
        (response.code().as_str(), &response.error()["extensions"]["failureCount"]),
        ("BAD_USER_INPUT", &json!(1))
    );
    assert_eq!((sync_counts(&writer.sync(&sync).await), server.members().await), ((1, 0), 1));
}

#[rstest]
#[tokio::test]
async fn dry_run_marks_members_only_if_it_names_the_sync(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, base, writer) = base_of(database, &["a", "b", "c"]).await;
    let sync = writer.start(&base).await;
    let rows = json!([{"ref": "a"}, {"ref": "new"}, {"ref": "b", "sourceUpdatedAt": "2026-01-01T00:00:00Z"}]);
    let input = |sync: Value| json!({"memberbaseId": base, "members": rows, "syncId": sync, "dryRun": true});
    let unnamed = writer.upsert_with(input(json!(null))).await.data();
    assert_eq!((sync_counts(&writer.sync(&sync).await), marks(&server).await), ((0, 3), 0));
    let named = writer.upsert_with(input(json!(sync))).await.data();
    assert_eq!((sync_counts(&writer.sync(&sync).await), marks(&server).await), ((2, 1), 2));
    assert_eq!((&named, &named["bulkUpsertMembers"]["memberIds"][1]), (&unnamed, &json!(null)));
    let times = server.column::<i64>("SELECT count(*) FROM member WHERE source_updated_at IS NOT NULL").await;
    assert_eq!((times[0], server.members().await), (0, 3));
    assert_eq!(writer.abandon(&sync).await["missing"], 1);
}

#[rstest]
#[tokio::test]
async fn rpc_upserts_mark_members(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (_server, base, writer) = base_of(database, &["a", "b"]).await;
    let sync = writer.start(&base).await;
    let body = json!({"member_base_id": base, "members": [{"ref": "b"}, {"ref": "c"}]}).to_string();
    let request = axum::http::Request::post("/publisher.v1/member/bulk-upsert")
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap();
    assert_eq!(writer.send(request).await.status, 200);
    assert_eq!(sync_counts(&writer.sync(&sync).await), (2, 1));
}
