//! Memberbases: creating, renaming, deleting and listing.

use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server, missing_memberbase_id};

async fn create(caller: &Caller, name: &str) -> ApiResponse {
    let query = "mutation($input: CreateMemberbaseInput!) { createMemberbase(input: $input) { \
        memberbase { id name createdAt updatedAt } } }";
    caller.graphql(query, json!({"input": {"name": name}})).await
}

async fn rename(caller: &Caller, base: &str, name: &str) -> ApiResponse {
    let query = "mutation($input: UpdateMemberbaseInput!) { updateMemberbase(input: $input) { \
        memberbase { id name updatedAt } } }";
    caller.graphql(query, json!({"input": {"memberbaseId": base, "name": name}})).await
}

async fn delete(caller: &Caller, base: &str, options: Value) -> ApiResponse {
    let query = "mutation($input: DeleteMemberbaseInput!) { deleteMemberbase(input: $input) { \
        deletedMemberbaseId deleted { members } } }";
    let mut input = options;
    input["memberbaseId"] = json!(base);
    caller.graphql(query, json!({"input": input})).await
}

async fn names(server: &Server) -> Vec<String> {
    server.column("SELECT name FROM memberbase ORDER BY id").await
}

/// Returns the path of the error within the input.
fn path(response: &ApiResponse) -> Vec<Value> {
    response.error()["extensions"]["path"].as_array().cloned().unwrap_or_default()
}

#[rstest]
#[tokio::test]
async fn name_has_1_to_256_characters(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (admin, wide) = (server.admin().await, "\u{1f600}".repeat(256));
    let base = server.memberbase("x").await;
    for name in [&wide, " ", "a"] {
        let made = create(&admin, name).await.data();
        assert_eq!(made["createMemberbase"]["memberbase"]["name"], name);
    }
    for name in [&format!("{wide}x"), "", "a\0b"] {
        for response in [create(&admin, name).await, rename(&admin, &base, name).await] {
            assert_eq!(response.code(), "BAD_USER_INPUT", "{name:?}");
            assert_eq!(path(&response).last(), Some(&json!("name")), "{}", response.json());
        }
    }
    assert_eq!(names(&server).await, ["x", &wide, " ", "a"]);
}

#[rstest]
#[tokio::test]
async fn names_may_repeat(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (one, two) = (server.memberbase("same").await, server.memberbase("same").await);
    assert_ne!(one, two);
    assert_eq!(names(&server).await, ["same", "same"]);
}

#[rstest]
#[tokio::test]
async fn renaming_changes_updated_at_and_the_same_name_does_not(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let made = create(&admin, "old").await.data()["createMemberbase"]["memberbase"].take();
    let base = made["id"].as_str().unwrap();
    server.memberbase("bystander").await;
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let same = rename(&admin, base, "old").await.data()["updateMemberbase"]["memberbase"].take();
    let other = rename(&admin, base, "new").await.data()["updateMemberbase"]["memberbase"].take();
    assert_eq!((&same["updatedAt"], &same["name"]), (&made["updatedAt"], &json!("old")));
    assert_eq!((&other["id"], &other["name"]), (&made["id"], &json!("new")));
    assert!(other["updatedAt"].as_str() > made["updatedAt"].as_str(), "{other}");
    assert_eq!(names(&server).await, ["new", "bystander"]);
}

#[rstest]
#[tokio::test]
async fn memberbase_is_deleted_with_its_members_and_no_others(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, _other) = (server.memberbase_of(&["a", "b"]).await, server.memberbase_of(&["a", "x"]).await);
    let admin = server.admin().await;
    let data = delete(&admin, &base, json!({})).await.data();
    assert_eq!(data["deleteMemberbase"], json!({"deletedMemberbaseId": base, "deleted": {"members": 2}}));
    assert_eq!(server.column::<String>("SELECT ref FROM member ORDER BY ref").await, ["a", "x"]);
    assert_eq!(names(&server).await.len(), 1);
    assert_eq!(delete(&admin, &base, json!({})).await.code(), "NOT_FOUND");
    assert_eq!(server.writer().await.upsert(&base, &["a"]).await.code(), "NOT_FOUND");
}

#[rstest]
#[tokio::test]
async fn memberbase_with_more_than_at_most_members_is_not_deleted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(false, true)] dry_run: bool,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase_of(&["a", "b"]).await, server.admin().await);
    for most in [0, 1] {
        let response = delete(&admin, &base, json!({"atMostMembers": most, "dryRun": dry_run})).await;
        assert_eq!((response.code().as_str(), server.members().await), ("LIMIT_EXCEEDED", 2));
    }
    let data = delete(&admin, &base, json!({"atMostMembers": 2, "dryRun": dry_run})).await.data();
    assert_eq!(data["deleteMemberbase"], json!({"deletedMemberbaseId": base, "deleted": {"members": 2}}));
    let remaining = if dry_run { (2, 1) } else { (0, 0) };
    assert_eq!((server.members().await, names(&server).await.len()), remaining);
}

#[rstest]
#[tokio::test]
async fn tokens_are_rejected_as_soon_as_their_memberbase_is_deleted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase_of(&["a"]).await, server.admin().await);
    let bound = server.bound(Access::Write, &base).await;
    delete(&admin, &base, json!({"dryRun": true})).await.data();
    bound.upsert(&base, &["b"]).await.data();
    delete(&admin, &base, json!({})).await.data();
    let response = bound.upsert(&base, &["c"]).await;
    assert_eq!((response.status.as_u16(), response.code().as_str()), (401, "UNAUTHENTICATED"));
    let tokens = "SELECT count(*) FROM api_token WHERE memberbase_id IS NOT NULL";
    assert_eq!(server.column::<i64>(tokens).await, [0]);
}

#[rstest]
#[tokio::test]
async fn only_an_admin_with_the_memberbase_in_scope_changes_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, other) = (server.memberbase("base").await, server.memberbase("other").await);
    let callers = [
        (server.reader().await, ["FORBIDDEN", "FORBIDDEN", "FORBIDDEN"]),
        (server.writer().await, ["FORBIDDEN", "FORBIDDEN", "FORBIDDEN"]),
        (server.bound(Access::Write, &base).await, ["FORBIDDEN", "FORBIDDEN", "FORBIDDEN"]),
        (server.bound(Access::Admin, &other).await, ["FORBIDDEN", "NOT_FOUND", "NOT_FOUND"]),
    ];
    for (index, (caller, expected)) in callers.iter().enumerate() {
        let create = create(caller, "new").await.code();
        let rename = rename(caller, &base, "new").await.code();
        let delete = delete(caller, &base, json!({})).await.code();
        assert_eq!([create.as_str(), &rename, &delete], *expected, "caller {index}");
    }
    assert_eq!(names(&server).await, ["base", "other"]);
}

#[rstest]
#[tokio::test]
async fn bound_admin_changes_its_memberbase(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase("old").await;
    let bound = server.bound(Access::Admin, &base).await;
    rename(&bound, &base, "new").await.data();
    assert_eq!(names(&server).await, ["new"]);
    delete(&bound, &base, json!({})).await.data();
    assert_eq!(names(&server).await, [""; 0]);
}

#[rstest]
#[tokio::test]
async fn memberbase_outside_the_token_has_the_error_of_a_missing_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, other, never) =
        (server.memberbase("base").await, server.memberbase("other").await, missing_memberbase_id());
    let (admin, bound) = (server.admin().await, server.bound(Access::Admin, &other).await);
    let form = |response: ApiResponse, base: &str| (response.code(), response.message().replace(base, "<id>"));
    for options in [json!({}), json!({"dryRun": true}), json!({"atMostMembers": 0})] {
        let elsewhere = form(delete(&bound, &base, options.clone()).await, &base);
        assert_eq!(elsewhere, form(delete(&admin, &never, options).await, &never));
    }
    let elsewhere = form(rename(&bound, &base, "new").await, &base);
    assert_eq!(elsewhere, form(rename(&admin, &never, "new").await, &never));
    let query = "query($id: ID!) { memberbase(id: $id) { name } }";
    let looked_up = [
        bound.graphql(query, json!({"id": base})).await.data(),
        admin.graphql(query, json!({"id": never})).await.data(),
    ];
    assert_eq!(looked_up, [json!({"memberbase": null}), json!({"memberbase": null})]);
}

/// Returns a page of memberbases, ordered by name.
async fn listed(caller: &Caller, arguments: Value) -> Value {
    let query = "query($filter: MemberbaseFilter, $first: Int, $after: String, $last: Int, $before: String) { \
        memberbases(filter: $filter, first: $first, after: $after, last: $last, before: $before) { \
        nodes { name } edges { cursor } totalCount pageInfo { hasNextPage hasPreviousPage endCursor } } }";
    caller.graphql(query, arguments).await.data()["memberbases"].take()
}

fn listed_names(page: &Value) -> Vec<&str> {
    page["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect()
}

#[rstest]
#[tokio::test]
async fn memberbases_are_found_by_id_and_by_name(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let mut ids = Vec::new();
    for name in ["a", "b", "ab", "A"] {
        ids.push(server.memberbase(name).await);
    }
    let reader = server.reader().await;
    let found: [(Value, &[&str]); 7] = [
        (json!({"name": {"eq": "a"}}), &["a"]),
        (json!({"name": {"startsWith": "a"}}), &["a", "ab"]),
        (json!({"name": {"in": ["A", "b", "c"]}}), &["b", "A"]),
        (json!({"id": {"in": [ids[2], ids[0], missing_memberbase_id()]}}), &["a", "ab"]),
        (json!({"not": {"id": {"eq": ids[1]}}}), &["a", "ab", "A"]),
        (json!({"or": [{"id": {"eq": ids[1]}}, {"name": {"eq": "A"}}]}), &["b", "A"]),
        (json!({}), &["a", "b", "ab", "A"]),
    ];
    for (filter, expected) in found {
        let page = listed(&reader, json!({"filter": filter, "first": 1})).await;
        let all = listed(&reader, json!({"filter": filter})).await;
        assert_eq!((listed_names(&all), &page["totalCount"]), (expected.to_vec(), &json!(expected.len())), "{filter}");
    }
}

#[rstest]
#[tokio::test]
async fn walk_sees_every_memberbase_once(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let all = ["a", "b", "c", "d", "e"];
    for name in all {
        server.memberbase(name).await;
    }
    let reader = server.reader().await;
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let page = listed(&reader, json!({"first": 2, "after": cursor})).await;
        seen.extend(listed_names(&page).into_iter().map(str::to_owned));
        assert_eq!(page["pageInfo"]["hasNextPage"], seen.len() < all.len());
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !cursor.is_null());
        cursor = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen, all);
    let last = listed(&reader, json!({"last": 2, "before": cursor})).await;
    assert_eq!((listed_names(&last), &last["totalCount"]), (vec!["c", "d"], &json!(5)));
    assert_eq!(last["pageInfo"]["hasNextPage"], true);
}

#[rstest]
#[tokio::test]
async fn bound_token_lists_only_its_memberbase(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, other) = (server.memberbase("own").await, server.memberbase("other").await);
    let bound = server.bound(Access::Read, &base).await;
    let page = listed(&bound, json!({})).await;
    assert_eq!((listed_names(&page), &page["totalCount"]), (vec!["own"], &json!(1)));
    let page = listed(&bound, json!({"filter": {"id": {"eq": other}}})).await;
    assert_eq!((listed_names(&page), &page["totalCount"]), (vec![], &json!(0)));
}

#[rstest]
#[tokio::test]
async fn memberbases_of_many_members_cost_one_statement(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let refs: Vec<_> = (0..200).map(|n| format!("ref-{n}")).collect();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let reader = server.reader().await;
    let mut statements = Vec::new();
    for (fields, first) in
        [("id", 200), ("memberbase { name }", 1), ("memberbase { name }", 100), ("memberbase { name }", 200)]
    {
        let query = format!(
            "query($base: ID!, $first: Int) {{ members(memberbaseId: $base, first: $first) {{ nodes {{ {fields} }} }} }}"
        );
        let before = server.app.db.statements();
        let data = reader.graphql(&query, json!({"base": base, "first": first})).await.data();
        statements.push(server.app.db.statements() - before);
        assert_eq!(data["members"]["nodes"].as_array().unwrap().len(), first);
    }
    assert_eq!(statements[1..], [statements[0] + 1; 3]);
}
