//! Memberbases: made, renamed, deleted and listed.

use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Database, Server, nowhere};

async fn create(caller: &Caller, name: &str) -> Answer {
    let query = "mutation($input: CreateMemberbaseInput!) { createMemberbase(input: $input) { \
        memberbase { id name createdAt updatedAt } } }";
    caller.ask(query, json!({"input": {"name": name}})).await
}

async fn rename(caller: &Caller, base: &str, name: &str) -> Answer {
    let query = "mutation($input: UpdateMemberbaseInput!) { updateMemberbase(input: $input) { \
        memberbase { id name updatedAt } } }";
    caller.ask(query, json!({"input": {"memberbaseId": base, "name": name}})).await
}

async fn delete(caller: &Caller, base: &str, options: Value) -> Answer {
    let query = "mutation($input: DeleteMemberbaseInput!) { deleteMemberbase(input: $input) { \
        deletedMemberbaseId deleted { members } } }";
    let mut input = options;
    input["memberbaseId"] = json!(base);
    caller.ask(query, json!({"input": input})).await
}

async fn names(server: &Server) -> Vec<String> {
    server.column("SELECT name FROM memberbase ORDER BY id").await
}

/// The path of an error in the input.
fn path(answer: &Answer) -> Vec<Value> {
    answer.error()["extensions"]["path"].as_array().cloned().unwrap_or_default()
}

#[rstest]
#[tokio::test]
async fn a_name_has_1_to_256_characters(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (admin, wide) = (server.admin().await, "\u{1f600}".repeat(256));
    let base = server.memberbase("x").await;
    for name in [&wide, " ", "a"] {
        let made = create(&admin, name).await.data();
        assert_eq!(made["createMemberbase"]["memberbase"]["name"], name);
    }
    for name in [&format!("{wide}x"), "", "a\0b"] {
        for answer in [create(&admin, name).await, rename(&admin, &base, name).await] {
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{name:?}");
            assert_eq!(path(&answer).last(), Some(&json!("name")), "{}", answer.json());
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
async fn another_name_moves_the_time_and_the_same_name_leaves_it(
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
