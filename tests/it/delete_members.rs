//! `deleteMembers`.

use memberbase::{
    db::Lock,
    domain::access::Access,
    types::{Id, MemberId},
};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{Caller, Database, Server, missing_memberbase_id};

/// Creates a memberbase with these members and returns their ids.
async fn base_of(server: &Server, refs: &[&str]) -> (String, Vec<String>) {
    let base = server.memberbase("b").await;
    let data = server.writer().await.upsert(&base, refs).await.data();
    let ids = data["bulkUpsertMembers"]["memberIds"].as_array().unwrap();
    (base, ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect())
}

/// Deletes members, asserts success and returns the payload.
async fn deleted(caller: &Caller, base: &str, mut input: Value) -> Value {
    input["memberbaseId"] = json!(base);
    caller.delete_with(input).await.data()["deleteMembers"].take()
}

/// Returns the refs of the remaining members.
async fn remaining_refs(server: &Server) -> Vec<String> {
    server.column("SELECT ref FROM member ORDER BY ref").await
}

/// Returns an id that no member has.
fn missing_member_id() -> String {
    missing_memberbase_id().replace("mb_", "m_")
}

#[rstest]
#[tokio::test]
async fn members_are_deleted_by_id_and_ref_and_listed_in_input_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b", "c", "d", "e"]).await;
    let input = json!({"memberIds": [ids[3], ids[0]], "refs": ["e", "b"]});
    let payload = deleted(&server.writer().await, &base, input).await;
    assert_eq!(payload["deletedMemberIds"], json!([ids[3], ids[0], ids[4], ids[1]]));
    assert_eq!((&payload["deleted"]["members"], remaining_refs(&server).await), (&json!(4), vec!["c".to_owned()]));
    assert_eq!((&payload["notFoundMemberIds"], &payload["notFoundRefs"]), (&json!([]), &json!([])));
}

#[rstest]
#[tokio::test]
async fn members_are_deleted_by_ids_only_or_refs_only(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b", "c"]).await;
    let writer = server.writer().await;
    let by_id = deleted(&writer, &base, json!({"memberIds": [ids[1]]})).await;
    let by_ref = deleted(&writer, &base, json!({"refs": ["a"]})).await;
    let by_nothing = deleted(&writer, &base, json!({})).await;
    assert_eq!(by_id["deletedMemberIds"], json!([ids[1]]));
    assert_eq!(by_ref["deletedMemberIds"], json!([ids[0]]));
    assert_eq!((&by_nothing["deletedMemberIds"], remaining_refs(&server).await), (&json!([]), vec!["c".to_owned()]));
}

#[rstest]
#[tokio::test]
async fn member_named_twice_is_deleted_and_counted_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b"]).await;
    let input = json!({"memberIds": [ids[0], ids[0]], "refs": ["a", "b", "a", "b", "x", "x"], "atMost": 2.0});
    let payload = deleted(&server.writer().await, &base, input).await;
    assert_eq!((&payload["deletedMemberIds"], &payload["deleted"]["members"]), (&json!(ids), &json!(2)));
    assert_eq!((&payload["notFoundMemberIds"], &payload["notFoundRefs"]), (&json!([]), &json!(["x"])));
}

#[rstest]
#[tokio::test]
async fn missing_members_are_reported_without_an_error(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b"]).await;
    let (missing_id, long) = (missing_member_id(), "x".repeat(1025));
    let refs = json!(["A", "", "a", "a ", long, "a\0", "\u{e9}"]);
    let payload =
        deleted(&server.writer().await, &base, json!({"memberIds": [missing_id, ids[1]], "refs": refs})).await;
    assert_eq!(payload["deletedMemberIds"], json!([ids[1], ids[0]]));
    assert_eq!(payload["notFoundMemberIds"], json!([missing_id]));
    assert_eq!(payload["notFoundRefs"], json!(["A", "", "a ", long, "a\0", "\u{e9}"]));
}

#[rstest]
#[tokio::test]
async fn repeated_deletion_succeeds(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b"]).await;
    let (writer, input) = (server.writer().await, json!({"memberIds": [ids[0]], "refs": ["b"]}));
    deleted(&writer, &base, input.clone()).await;
    let again = deleted(&writer, &base, input).await;
    let nothing = json!({"deletedMemberIds": [], "notFoundMemberIds": [ids[0]], "notFoundRefs": ["b"],
        "deleted": {"members": 0, "attributes": 0, "clips": 0, "stampCollections": 0, "transactions": 0}});
    assert_eq!(again, nothing);
}

#[rstest]
#[tokio::test]
async fn members_of_another_memberbase_are_not_found_and_not_deleted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (own, _) = base_of(&server, &["a"]).await;
    let (_, others) = base_of(&server, &["x", "y"]).await;
    let payload = deleted(&server.writer().await, &own, json!({"memberIds": others, "refs": ["x"]})).await;
    assert_eq!((&payload["notFoundMemberIds"], &payload["notFoundRefs"]), (&json!(others), &json!(["x"])));
    assert_eq!(remaining_refs(&server).await, ["a", "x", "y"]);
}

#[rstest]
#[tokio::test]
async fn deletion_of_more_than_at_most_members_is_rejected(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(false, true)] dry_run: bool,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b", "c"]).await;
    let writer = server.writer().await;
    let input = |at_most: u64| {
        let refs = json!(["b", "c", "nobody"]);
        json!({"memberbaseId": base, "memberIds": [ids[0]], "refs": refs, "atMost": at_most, "dryRun": dry_run})
    };
    for at_most in [0, 2] {
        assert_eq!(writer.delete_with(input(at_most)).await.code(), "LIMIT_EXCEEDED");
        assert_eq!(server.members().await, 3);
    }
    // Members that do not exist do not count.
    writer.delete_with(input(3)).await.data();
    assert_eq!(server.members().await, if dry_run { 3 } else { 0 });
}

#[rstest]
#[tokio::test]
async fn dry_run_returns_the_payload_of_the_real_call_and_deletes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b", "c"]).await;
    let writer = server.writer().await;
    let input = json!({"memberIds": [ids[2], missing_member_id()], "refs": ["a", "x", "c", ""]});
    let mut dry_input = input.clone();
    dry_input["dryRun"] = json!(true);
    let dry = deleted(&writer, &base, dry_input).await;
    let before = server.members().await;
    let real = deleted(&writer, &base, input).await;
    assert_eq!((before, &dry, server.members().await), (3, &real, 1));
}

#[rstest]
#[tokio::test]
async fn malformed_id_rejects_the_whole_list(
    #[values("", "a", "m_", "M_01h455vb4pex5vsknk084sn02q", "mb_01h455vb4pex5vsknk084sn02q")] malformed: &str,
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = base_of(&server, &["a", "b"]).await;
    let input = json!({"memberbaseId": base, "memberIds": [ids[0], malformed], "refs": ["b"]});
    let response = server.writer().await.delete_with(input).await;
    assert_eq!((response.code().as_str(), server.members().await), ("BAD_USER_INPUT", 2));
    let path = response.error()["extensions"]["path"].as_array().cloned().unwrap_or_default();
    assert!(path.ends_with(&[json!("memberIds"), json!(1)]), "{}", response.json());
    assert!(response.message().contains("m_"), "{}", response.message());
}

#[rstest]
#[tokio::test]
async fn deletion_requires_write_access_to_the_memberbase(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, _) = base_of(&server, &["a"]).await;
    let (other, never) = (server.memberbase("other").await, missing_memberbase_id());
    let bound = server.bound(Access::Write, &other).await;
    let input = |base: &str| json!({"memberbaseId": base, "refs": ["a"]});
    let form =
        |response: crate::support::ApiResponse, base: &str| (response.code(), response.message().replace(base, "<id>"));
    assert_eq!(server.reader().await.delete_with(input(&base)).await.code(), "FORBIDDEN");
    let elsewhere = form(bound.delete_with(input(&base)).await, &base);
    let absent = form(server.writer().await.delete_with(input(&never)).await, &never);
    assert_eq!((elsewhere.0.as_str(), &elsewhere, server.members().await), ("NOT_FOUND", &absent, 1));
}

#[rstest]
#[tokio::test]
async fn deletion_of_a_thousand_members_takes_as_many_statements_as_of_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let refs: Vec<_> = (0..2_000).map(|n| format!("ref-{n}")).collect();
    let refs: Vec<_> = refs.iter().map(String::as_str).collect();
    let (base, ids) = base_of(&server, &refs).await;
    let writer = server.writer().await;
    let mut statements = Vec::new();
    for (ids, refs) in [(&ids[..1], &refs[1000..1001]), (&ids[1..1000], &refs[1001..])] {
        let before = server.app.db.statements();
        deleted(&writer, &base, json!({"memberIds": ids, "refs": refs})).await;
        statements.push(server.app.db.statements() - before);
    }
    assert_eq!((statements[0], server.members().await), (statements[1], 0));
}

/// Sets the attributes of every member by SQL.
async fn with_attributes(server: &Server, attributes: &str) {
    let cast = if server.app.db.backend() == sea_orm::DbBackend::Postgres { "::jsonb" } else { "" };
    let sql = format!("UPDATE member SET attributes = '{attributes}'{cast}");
    let update = async |session: memberbase::db::Session| session.execute_unprepared(&sql).await;
    server.app.db.write::<_, sea_orm::DbErr, _>(Lock::None, update).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn member_is_deleted_with_its_children_and_all_are_counted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = server.base_of(4).await;
    let (other, others) = server.base_of(2).await;
    with_attributes(&server, r#"{"a": 1, "b": "x", "c": [1, 2]}"#).await;
    server.insert_children(&base, &ids[..3], [2, 3, 5]).await;
    server.insert_children(&other, &others, [1, 1, 1]).await;
    let writer = server.writer().await;
    let counts = json!({"members": 3, "attributes": 9, "clips": 4, "stampCollections": 6, "transactions": 10});
    let input = json!({"memberIds": [ids[0], ids[3], others[0]], "refs": ["ref-0001"]});
    let mut dry_input = input.clone();
    dry_input["dryRun"] = json!(true);
    let dry = deleted(&writer, &base, dry_input).await;
    assert_eq!((&dry["deleted"], server.members().await, server.member_children().await), (&counts, 6, [8, 11, 17]));
    assert_eq!(deleted(&writer, &base, input).await, dry);
    assert_eq!((server.members().await, server.member_children().await), (3, [4, 5, 7]));
    let owners: Vec<uuid::Uuid> = server
        .column("SELECT member_id FROM clip UNION SELECT member_id FROM stamp_collection UNION SELECT member_id FROM \"transaction\"")
        .await;
    let mut expected: Vec<_> =
        [&ids[2], &others[0], &others[1]].iter().map(|id| MemberId::parse(id).unwrap().uuid()).collect();
    expected.sort_unstable();
    assert_eq!(
        {
            let mut owners = owners;
            owners.sort_unstable();
            owners
        },
        expected
    );
}

#[rstest]
#[tokio::test]
async fn memberbase_is_deleted_with_all_children_of_its_members(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = server.base_of(3).await;
    let (other, others) = server.base_of(2).await;
    with_attributes(&server, r#"{"a": 1, "b": null}"#).await;
    server.insert_children(&base, &ids, [2, 3, 5]).await;
    server.insert_children(&other, &others, [1, 1, 1]).await;
    let admin = server.admin().await;
    let query = "mutation($b: ID!, $dry: Boolean!) { deleteMemberbase(input: {memberbaseId: $b, dryRun: $dry}) { \
        deleted { members attributes clips stampCollections transactions } } }";
    let counts = json!({"members": 3, "attributes": 6, "clips": 6, "stampCollections": 9, "transactions": 15});
    for (dry, remaining) in [(true, [8, 11, 17]), (false, [2, 2, 2])] {
        let data = admin.graphql(query, json!({"b": base, "dry": dry})).await.data();
        assert_eq!((&data["deleteMemberbase"]["deleted"], server.member_children().await), (&counts, remaining));
    }
    assert_eq!(server.members().await, 2);
}
