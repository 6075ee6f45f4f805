//! API tokens over GraphQL.

use memberbase::{
    app::App,
    db::Db,
    domain::{access::Access, api_token},
    types::{ApiTokenId, Id},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server, missing_memberbase_id};

const FIELDS: &str = "id description access memberbaseId createdAt expiresAt lastUsedAt revokedAt";

impl Caller {
    async fn create_token(&self, input: Value) -> ApiResponse {
        let query = format!(
            "mutation($input: CreateApiTokenInput!) {{ createApiToken(input: $input) {{ secret apiToken {{ {FIELDS} }} }} }}"
        );
        self.graphql(&query, json!({"input": input})).await
    }

    async fn current_token(&self) -> ApiResponse {
        self.graphql(&format!("{{ currentApiToken {{ {FIELDS} }} }}"), json!({})).await
    }

    async fn revoke_token(&self, id: &Value) -> ApiResponse {
        let query = "mutation($id: ID!) { revokeApiToken(input: {apiTokenId: $id}) { apiToken { id revokedAt } } }";
        self.graphql(query, json!({"id": id})).await
    }
}

#[rstest]
#[tokio::test]
async fn token_is_created_used_listed_and_revoked(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let input = json!({"description": "nightly", "access": "WRITE", "expiresAt": "2100-01-01T01:00:00+01:00"});
    let made = admin.create_token(input).await.data()["createApiToken"].take();
    let token = &made["apiToken"];
    assert_eq!((&token["description"], &token["access"]), (&json!("nightly"), &json!("WRITE")));
    assert_eq!((&token["expiresAt"], &token["memberbaseId"]), (&json!("2100-01-01T00:00:00.000Z"), &Value::Null));
    assert_eq!((&token["lastUsedAt"], &token["revokedAt"]), (&Value::Null, &Value::Null));
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("mbs_") && secret.len() == 47, "{}", secret.len());
    let user = server.with_secret(secret);
    assert_eq!(user.current_token().await.data()["currentApiToken"]["id"], token["id"]);
    assert_eq!(user.create_token(json!({"description": "x", "access": "READ"})).await.code(), "FORBIDDEN");
    let list = admin.graphql(&format!("{{ apiTokens {{ totalCount nodes {{ {FIELDS} }} }} }}"), json!({})).await;
    assert!(!String::from_utf8_lossy(&list.body).contains(secret));
    let list = list.data()["apiTokens"].take();
    assert_eq!((&list["totalCount"], &list["nodes"][1]["id"]), (&json!(2), &token["id"]));
    let revoked = admin.revoke_token(&token["id"]).await.data()["revokeApiToken"]["apiToken"]["revokedAt"].take();
    assert!(revoked.is_string());
    assert_eq!(user.current_token().await.code(), "UNAUTHENTICATED");
    let again = admin.revoke_token(&token["id"]).await.data()["revokeApiToken"]["apiToken"]["revokedAt"].take();
    assert_eq!(again, revoked, "the first time counts");
}

#[rstest]
#[tokio::test]
async fn bound_admin_manages_tokens_of_its_memberbase(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, other) = (server.memberbase("a").await, server.memberbase("b").await);
    let (bound, theirs) = (server.bound(Access::Admin, &base).await, server.bound(Access::Read, &other).await);
    for memberbase in [Value::Null, json!(base)] {
        let input = json!({"description": "x", "access": "ADMIN", "memberbaseId": memberbase});
        let made = bound.create_token(input).await.data();
        assert_eq!(made["createApiToken"]["apiToken"]["memberbaseId"], json!(base));
    }
    for memberbase in [other, missing_memberbase_id()] {
        let input = json!({"description": "x", "access": "READ", "memberbaseId": memberbase});
        assert_eq!(bound.create_token(input).await.code(), "NOT_FOUND");
    }
    let unbound = json!({"description": "x", "access": "READ", "memberbaseId": missing_memberbase_id()});
    assert_eq!(server.admin().await.create_token(unbound).await.code(), "NOT_FOUND");
    let seen = bound.graphql("{ apiTokens { totalCount nodes { memberbaseId } } }", json!({})).await.data();
    assert_eq!(seen["apiTokens"]["totalCount"], 3);
    assert!(seen["apiTokens"]["nodes"].as_array().unwrap().iter().all(|token| token["memberbaseId"] == json!(base)));
    let theirs_id = theirs.current_token().await.data()["currentApiToken"]["id"].take();
    assert_eq!(bound.revoke_token(&theirs_id).await.code(), "NOT_FOUND");
    theirs.current_token().await.data();
    let mut own = bound.graphql("{ currentApiToken { id } }", json!({})).await.data();
    bound.revoke_token(&own["currentApiToken"]["id"].take()).await.data();
    assert_eq!(bound.current_token().await.code(), "UNAUTHENTICATED");
}

#[rstest]
#[tokio::test]
async fn tokens_are_paged_in_both_directions(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    for n in 0..4 {
        admin.create_token(json!({"description": n.to_string(), "access": "READ"})).await.data();
    }
    let query = "query($first: Int, $after: String, $last: Int, $before: String) { \
        apiTokens(first: $first, after: $after, last: $last, before: $before) { \
        edges { cursor node { description } } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }";
    let page = async |variables: Value| {
        let page = admin.graphql(query, variables).await.data()["apiTokens"].take();
        let names: Vec<_> =
            page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["description"].clone()).collect();
        (names, page["pageInfo"].clone())
    };
    let (names, first) = page(json!({"first": 2})).await;
    assert_eq!(
        (names, &first["hasNextPage"], &first["hasPreviousPage"]),
        (vec![json!("a test"), json!("0")], &json!(true), &json!(false))
    );
    let (names, next) = page(json!({"first": 3, "after": first["endCursor"]})).await;
    assert_eq!(
        (names, &next["hasNextPage"], &next["hasPreviousPage"]),
        (vec![json!("1"), json!("2"), json!("3")], &json!(false), &json!(true))
    );
    let (names, back) = page(json!({"last": 2, "before": next["startCursor"]})).await;
    assert_eq!(
        (names, &back["hasNextPage"], &back["hasPreviousPage"]),
        (vec![json!("a test"), json!("0")], &json!(true), &json!(false))
    );
    assert_eq!(admin.graphql(query, json!({"first": 1, "after": "AQ"})).await.code(), "BAD_USER_INPUT");
}

#[rstest]
#[tokio::test]
async fn last_use_is_recorded_at_most_once_a_minute(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (id, secret) = server.token(Access::Read, None, None).await;
    let user = server.with_secret(&secret);
    user.current_token().await.data();
    let noted = async || {
        for _ in 0..200 {
            let times = server.column::<Option<i64>>("SELECT last_used_at FROM api_token").await;
            if let [Some(time)] = times[..] {
                return time;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the use of {id} was not noted");
    };
    let first = noted().await;
    let now = memberbase::types::Time::now().micros();
    assert!((now - 5_000_000..=now).contains(&first), "{first}");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert!(user.current_token().await.data()["currentApiToken"]["lastUsedAt"].is_string());
    assert_eq!(noted().await, first, "noted again within the minute");
    api_token::update_last_used(&server.app, id).await.unwrap();
    assert_eq!(noted().await, first);
    let earlier = format!("UPDATE api_token SET last_used_at = {}", first - 61_000_000);
    server.execute(&earlier).await;
    api_token::update_last_used(&server.app, id).await.unwrap();
    assert!(noted().await >= first);
}

#[rstest]
#[tokio::test]
async fn token_revoked_on_another_server_is_rejected_within_a_second(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let elsewhere = App::new(Db::connect(&server.settings).await.unwrap(), server.app.limits.clone());
    let user = server.bound(Access::Read, &base).await;
    let id = user.current_token().await.data()["currentApiToken"]["id"].take();
    let id = ApiTokenId::parse(id.as_str().unwrap()).unwrap();
    api_token::revoke(&elsewhere, &memberbase::domain::access::Caller::operator(), id).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(user.current_token().await.code(), "UNAUTHENTICATED");
    let other = server.bound(Access::Admin, &base).await;
    other.current_token().await.data();
    let delete = "mutation($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deletedMemberbaseId } }";
    admin.graphql(delete, json!({"id": base})).await.data();
    assert_eq!(other.current_token().await.code(), "UNAUTHENTICATED", "a token outlived its memberbase here");
}
