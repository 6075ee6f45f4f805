//! What the RPC API reads from a body: numbers, defaults, repeated keys.

use axum::{
    body::Body,
    http::{Request, header},
};
use rstest::rstest;
use serde_json::{Value, json};

use super::failure;
use crate::support::{ApiResponse, Caller, Database, Server};

async fn send(caller: &Caller, path: &str, body: &str) -> ApiResponse {
    let request = Request::post(format!("/publisher.v1/{path}")).header(header::CONTENT_TYPE, "application/json");
    caller.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

fn message(response: &ApiResponse) -> String {
    response.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[rstest]
#[tokio::test]
async fn sort_without_a_direction_ascends(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, reader) = (server.memberbase_of(&["c", "a", "b"]).await, server.reader().await);
    let refs = async |sort: Value| -> Vec<String> {
        let list = reader.called("member/list", json!({"member_base_id": base, "sorts": [sort]})).await;
        list["data"].as_array().unwrap().iter().map(|member| member["ref"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(refs(json!({"key": "ref"})).await, ["a", "b", "c"]);
    assert_eq!(refs(json!({"key": "ref", "direction": null})).await, ["a", "b", "c"]);
    assert_eq!(refs(json!({"key": "ref", "direction": "desc"})).await, ["c", "b", "a"]);
}

#[rstest]
#[tokio::test]
async fn whole_number_may_be_written_with_a_fraction(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a", "b", "c", "d"]).await, server.writer().await);
    let list = async |pagination: &str| {
        let body = format!(r#"{{"member_base_id": "{base}", "pagination": {pagination}}}"#);
        send(&writer, "member/list", &body).await
    };
    let page = list(r#"{"limit": 2.0, "skip": 1e0}"#).await.json();
    let refs: Vec<_> = page["data"].as_array().unwrap().iter().map(|member| &member["ref"]).collect();
    assert_eq!(refs, ["b", "c"]);
    assert_eq!(page["page"]["page_size"], 2);
    for bad in [r#"{"limit": 2.5}"#, r#"{"limit": -2.0}"#, r#"{"limit": -0.0}"#, r#"{"skip": 1e16}"#] {
        assert_eq!(failure(&list(bad).await), (400, "bad_request".to_owned()), "{bad}");
    }
    let fraction = message(&list(r#"{"limit": 2.5}"#).await);
    let expected = "pagination.limit: invalid value: floating point `2.5`, expected a whole number of at least 0";
    assert_eq!(fraction, expected);
    let member = page["data"][0]["id"].as_str().unwrap();
    let event = format!(
        r#"{{"events": [{{"member_id": "{member}", "external_id": "e", "auth_code": "a", "network": "visa",
        "bin": "400000", "merchant_id": "m", "authed_at": "2026-01-31T12:00:00Z", "amount": 350.0, "currency": "GBP"}}]}}"#
    );
    assert_eq!(send(&writer, "transaction/ingest", &event).await.json(), json!({"status": "ok"}));
    assert_eq!(server.column::<i64>("SELECT amount FROM \"transaction\"").await, [350]);
}

#[rstest]
#[case("member/bulk-upsert", r#""members": [{"ref": "a", "ref": "b"}]"#, "members[0]: duplicate field `ref`")]
#[case(
    "member/bulk-upsert",
    r#""members": [{"ref": "a", "attributes": {}, "attributes": {}}]"#,
    "duplicate field `attributes`"
)]
#[case("member/bulk-upsert", r#""members": [], "members": []"#, "duplicate field `members`")]
#[case(
    "attribute.schema/set",
    r#""schema": {"a": {"type": "date"}, "a": {"type": "date"}}"#,
    "schema: duplicate field `a`"
)]
#[case("member/list", r#""filters": [{"key": "ref", "eq": "a", "eq": "b"}]"#, "filters[0]: duplicate field `eq`")]
#[case("member/list", r#""filters": [{"and": [{"or": [], "\u006fr": []}]}]"#, "duplicate field `or`")]
#[case(
    "member/list",
    r#""filters": [{"key": "ref", "regex": {"pattern": "a", "pattern": "b"}}]"#,
    "duplicate field `pattern`"
)]
#[tokio::test]
async fn repeated_key_is_a_bad_request(#[case] path: &str, #[case] fields: &str, #[case] expected: &str) {
    let server = Server::start(Database::Sqlite).await;
    let base = server.memberbase("b").await;
    let body = format!(r#"{{"member_base_id": "{base}", {fields}}}"#);
    let response = send(&server.admin().await, path, &body).await;
    assert_eq!(failure(&response), (400, "bad_request".to_owned()));
    assert!(message(&response).contains(expected), "{}", message(&response));
}

#[rstest]
#[tokio::test]
async fn row_with_a_repeated_attribute_key_fails(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let schema = json!({"member_base_id": base, "schema": {"age": {"type": "number"}}});
    admin.called("attribute.schema/set", schema).await;
    let row = r#"{"ref": "a", "attributes": {"age": 1, "age": 1}}"#;
    let body = format!(r#"{{"member_base_id": "{base}", "members": [{row}]}}"#);
    let response = send(&admin, "member/bulk-upsert", &body).await;
    assert_eq!(failure(&response), (400, "bad_request".to_owned()));
    let failed = &response.json()["error"]["data"]["failures"][0];
    let message = "attributes: key \"age\" is given twice";
    let expected = json!({"index": 0, "code": "invalid_value", "message": message, "path": ["attributes", "age"]});
    assert_eq!(*failed, expected);
    assert_eq!(server.members().await, 0);
}

#[tokio::test]
async fn list_of_a_filter_is_rejected_at_its_limit() {
    let server = Server::start(Database::Sqlite).await;
    let (base, reader) = (server.memberbase_of(&["a"]).await, server.reader().await);
    let list = async |values: &str| {
        let filters = format!(r#"[{{"key": "ref", "in": {values}}}]"#);
        send(&reader, "member/list", &format!(r#"{{"member_base_id": "{base}", "filters": {filters}}}"#)).await
    };
    let refs = |count| json!(vec!["a"; count]).to_string();
    assert_eq!(list(&refs(100_000)).await.json()["data"][0]["ref"], "a");
    let long = list(&refs(100_001)).await;
    assert_eq!(failure(&long), (400, "bad_request".to_owned()));
    let expected = "filters[0].in: the list has more than 100000 values (MEMBERBASE_MAX_FILTER_VALUES)";
    assert_eq!(message(&long), expected);
    let nested = list("[[], []]").await;
    assert_eq!(message(&nested), "filters[0].in[0]: invalid type: sequence, expected a string or a filter");
}

#[rstest]
#[case(json!({"filters": [{"key": "k".repeat(1_000), "eq": "a"}]}))]
#[case(json!({"filters": [{"key": "ref", "k".repeat(1_000): "a"}]}))]
#[case(json!({"filters": [{"key": "ref", "regex": {"k".repeat(1_000): "a"}}]}))]
#[case(json!({"filters": [{"key": "ref", "regex": "k".repeat(1_000)}]}))]
#[case(json!({"filters": "k".repeat(1_000)}))]
#[case(json!({"sorts": [{"key": "k".repeat(1_000)}]}))]
#[case(json!({"pagination": {"limit": "k".repeat(1_000)}}))]
#[tokio::test]
async fn message_echoes_at_most_100_characters_of_input(#[case] fields: Value) {
    let server = Server::start(Database::Sqlite).await;
    let mut body = fields;
    body["member_base_id"] = json!(server.memberbase("b").await);
    let response = server.reader().await.call("member/list", body).await;
    assert_eq!(failure(&response), (400, "bad_request".to_owned()));
    let message = message(&response);
    assert!(message.matches('k').count() <= 110 && message.contains("kkk"), "{message}");
}
