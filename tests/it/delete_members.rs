//! `deleteMembers`.

use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Caller, Database, Server, nowhere};

/// A memberbase with these members, and their ids.
async fn base_of(server: &Server, refs: &[&str]) -> (String, Vec<String>) {
    let base = server.memberbase("b").await;
    let data = server.writer().await.upsert(&base, refs).await.data();
    let ids = data["bulkUpsertMembers"]["memberIds"].as_array().unwrap();
    (base, ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect())
}

/// The payload of a deletion that has to succeed.
async fn deleted(caller: &Caller, base: &str, mut input: Value) -> Value {
    input["memberbaseId"] = json!(base);
    caller.delete_with(input).await.data()["deleteMembers"].take()
}

/// The refs that are left.
async fn left(server: &Server) -> Vec<String> {
    server.column("SELECT ref FROM member ORDER BY ref").await
}

/// An id that no member has.
fn nobody() -> String {
    nowhere().replace("mb_", "m_")
}

#[rstest]
#[tokio::test]
async fn members_go_by_id_and_by_ref_in_the_order_of_the_input(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b", "c", "d", "e"]).await;
    let input = json!({"memberIds": [ids[3], ids[0]], "refs": ["e", "b"]});
    let payload = deleted(&server.writer().await, &base, input).await;
    assert_eq!(payload["deletedMemberIds"], json!([ids[3], ids[0], ids[4], ids[1]]));
    assert_eq!((&payload["deleted"]["members"], left(&server).await), (&json!(4), vec!["c".to_owned()]));
    assert_eq!((&payload["notFoundMemberIds"], &payload["notFoundRefs"]), (&json!([]), &json!([])));
}

#[rstest]
#[tokio::test]
async fn members_go_by_id_alone_or_by_ref_alone(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b", "c"]).await;
    let writer = server.writer().await;
    let by_id = deleted(&writer, &base, json!({"memberIds": [ids[1]]})).await;
    let by_ref = deleted(&writer, &base, json!({"refs": ["a"]})).await;
    let by_nothing = deleted(&writer, &base, json!({})).await;
    assert_eq!(by_id["deletedMemberIds"], json!([ids[1]]));
    assert_eq!(by_ref["deletedMemberIds"], json!([ids[0]]));
    assert_eq!((&by_nothing["deletedMemberIds"], left(&server).await), (&json!([]), vec!["c".to_owned()]));
}

#[rstest]
#[tokio::test]
async fn a_member_that_is_named_often_goes_and_counts_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b"]).await;
    let input = json!({"memberIds": [ids[0], ids[0]], "refs": ["a", "b", "a", "b", "x", "x"], "atMost": 2});
    let payload = deleted(&server.writer().await, &base, input).await;
    assert_eq!((&payload["deletedMemberIds"], &payload["deleted"]["members"]), (&json!(ids), &json!(2)));
    assert_eq!((&payload["notFoundMemberIds"], &payload["notFoundRefs"]), (&json!([]), &json!(["x"])));
}

#[rstest]
#[tokio::test]
async fn what_names_nobody_is_told_and_is_no_error(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b"]).await;
    let (nobody, long) = (nobody(), "x".repeat(1025));
    let refs = json!(["A", "", "a", "a ", long, "a\0", "\u{e9}"]);
    let payload =
        deleted(&server.writer().await, &base, json!({"memberIds": [nobody, ids[1]], "refs": refs})).await;
    assert_eq!(payload["deletedMemberIds"], json!([ids[1], ids[0]]));
    assert_eq!(payload["notFoundMemberIds"], json!([nobody]));
    assert_eq!(payload["notFoundRefs"], json!(["A", "", "a ", long, "a\0", "\u{e9}"]));
}

#[rstest]
#[tokio::test]
async fn a_retry_of_a_deletion_succeeds(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b"]).await;
    let (writer, input) = (server.writer().await, json!({"memberIds": [ids[0]], "refs": ["b"]}));
    deleted(&writer, &base, input.clone()).await;
    let again = deleted(&writer, &base, input).await;
    let nothing = json!({"deletedMemberIds": [], "notFoundMemberIds": [ids[0]], "notFoundRefs": ["b"],
        "deleted": {"members": 0}});
    assert_eq!(again, nothing);
}

#[rstest]
#[tokio::test]
async fn members_of_another_memberbase_are_not_found_and_stay(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (own, _) = base_of(&server, &["a"]).await;
    let (_, others) = base_of(&server, &["x", "y"]).await;
    let payload = deleted(&server.writer().await, &own, json!({"memberIds": others, "refs": ["x"]})).await;
    assert_eq!((&payload["notFoundMemberIds"], &payload["notFoundRefs"]), (&json!(others), &json!(["x"])));
    assert_eq!(left(&server).await, ["a", "x", "y"]);
}
