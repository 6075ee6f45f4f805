//! `attribute.schema/...` and `member.attributes/...`.

use axum::{
    body::Body,
    http::{Request, header},
};
use memberbase::types::{Id, MemberId};
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

use super::failure;
use crate::support::{Caller, Database, Server, missing_memberbase_id};

#[rstest]
#[tokio::test]
async fn schema_is_set_and_read_and_protects_keys_in_use(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let schema = r#"{"z":{"type":"number"},"a":{"type":"array"},"b":{"type":"boolean"},"d":{"type":"date"}}"#;
    let body = format!(r#"{{"member_base_id": "{base}", "schema": {schema}}}"#);
    let request = Request::post("/publisher.v1/attribute.schema/set").header(header::CONTENT_TYPE, "application/json");
    let created = admin.send(request.body(Body::from(body)).unwrap()).await.json();
    assert_eq!((&created["id"], &created["member_base_id"]), (&json!(base), &json!(base)));
    let get = admin.call("attribute.schema/get", json!({"member_base_id": base})).await;
    assert_eq!(get.json(), created);
    // The keys keep the order in which they were set.
    let text = String::from_utf8(get.body).unwrap();
    assert!(text.contains(schema), "{text}");
    let members = json!([{"ref": "a", "attributes": {"z": 1, "a": ["x"]}}]);
    let id = admin.called("member/bulk-upsert", json!({"member_base_id": base, "members": members})).await[0].take();
    assert_eq!(admin.called("member/get", json!({"id": id})).await["attributes"], json!({"z": 1, "a": ["x"]}));
    let response =
        admin.call("attribute.schema/set", json!({"member_base_id": base, "schema": {"z": {"type": "date"}}})).await;
    assert_eq!(failure(&response), (400, "invalid_schema_modification".to_owned()));
    let bad =
        admin.call("attribute.schema/set", json!({"member_base_id": base, "schema": {"z": {"type": "text"}}})).await;
    assert!(bad.json()["error"]["message"].as_str().unwrap().contains("schema.z.type"), "{}", bad.json());
    let absent = admin.call("attribute.schema/get", json!({"member_base_id": missing_memberbase_id()})).await;
    assert_eq!(failure(&absent), (404, "not_found".to_owned()));
}

/// Returns the attributes of a member as `member/list` shows them.
async fn attributes_of(caller: &Caller, member: &Value) -> Value {
    let list = caller.called("member.attributes/list", json!({"member_id": member})).await;
    assert_eq!((&list["page"]["cursor"], &list["page"]["more"]), (&Value::Null, &json!(false)));
    list["data"].clone()
}

#[rstest]
#[tokio::test]
async fn attributes_are_set_by_key_atomically(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let schema =
        json!({"n": {"type": "number"}, "s": {"type": "string"}, "l": {"type": "array"}, "b": {"type": "boolean"}});
    admin.called("attribute.schema/set", json!({"member_base_id": base, "schema": schema})).await;
    let members = json!([{"ref": "a", "attributes": {"s": "x"}}, {"ref": "b"}]);
    let ids = admin.called("member/bulk-upsert", json!({"member_base_id": base, "members": members})).await;
    let set = async |values: Value| {
        let attributes: Vec<_> = values
            .as_array()
            .unwrap()
            .iter()
            .map(|value| json!({"member_id": value[0], "attribute_key": value[1], "value": value[2]}))
            .collect();
        admin.call("member.attributes/set", json!({"member_base_id": base, "attributes": attributes})).await
    };
    let (a, b) = (&ids[0], &ids[1]);
    let done = set(json!([[a, "n", 1], [b, "l", ["y", "z"]], [a, "n", 2.5], [a, "s", null], [b, "b", true]])).await;
    assert_eq!((done.status.as_u16(), done.json()), (200, json!({})));
    assert_eq!(attributes_of(&admin, a).await, json!([{"attribute_key": "n", "value": 2.5}]));
    let of_b = json!([{"attribute_key": "b", "value": true}, {"attribute_key": "l", "value": ["y", "z"]}]);
    assert_eq!(attributes_of(&admin, b).await, of_b);
    let before = admin.called("member/get", json!({"id": b})).await["updated_at"].clone();
    set(json!([[b, "l", ["y", "z"]], [a, "n", 3]])).await;
    assert_eq!(admin.called("member/get", json!({"id": b})).await["updated_at"], before, "nothing of b changed");
    let missing_id = MemberId::from_uuid(Uuid::now_v7()).to_string();
    let bad = set(json!([[a, "n", 9], [a, "n", "9"], [missing_id, "n", 9], ["m_1", "n", 9], [a, "zz", 9]])).await;
    assert_eq!(failure(&bad), (400, "bad_request".to_owned()));
    let data = &bad.json()["error"]["data"];
    let failures = data["failures"].as_array().unwrap().iter();
    let failures: Vec<_> =
        failures.map(|failure| json!([failure["index"], failure["code"], failure["path"][0]])).collect();
    assert_eq!(
        json!(failures),
        json!([
            [1, "invalid_attribute_type", "value"],
            [2, "unknown_member", "member_id"],
            [3, "invalid_value", "member_id"],
            [4, "unknown_attribute", "attribute_key"]
        ])
    );
    let unknown = set(json!([[a, "n", 9], [a, "zz", 9]])).await;
    assert_eq!(failure(&unknown), (400, "invalid_attribute_key".to_owned()));
    assert_eq!(attributes_of(&admin, a).await, json!([{"attribute_key": "n", "value": 3}]), "none of them was set");
    let entry = json!({"member_id": a, "attribute_key": "n"});
    let missing = admin.call("member.attributes/set", json!({"member_base_id": base, "attributes": [entry]})).await;
    assert!(missing.json()["error"]["message"].as_str().unwrap().contains("value"), "{}", missing.json());
}

#[rstest]
#[tokio::test]
async fn attributes_are_deleted_by_member_by_key_or_all(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let schema = json!({"n": {"type": "number"}, "k \"]$": {"type": "string"}, "b": {"type": "boolean"}});
    admin.called("attribute.schema/set", json!({"member_base_id": base, "schema": schema})).await;
    let all = json!({"n": 0.1, "k \"]$": "x", "b": true});
    let members: Vec<_> = ["a", "b", "c"].map(|name| json!({"ref": name, "attributes": all})).to_vec();
    let members = json!([members[0], members[1], members[2], {"ref": "d"}]);
    let upsert = json!({"member_base_id": base, "members": members});
    let ids = admin.called("member/bulk-upsert", upsert.clone()).await;
    let delete = async |body: Value| {
        let mut body = body;
        body["member_base_id"] = json!(base);
        admin.call("member.attributes/delete", body).await
    };
    let has = async |index: usize| admin.called("member/get", json!({"id": ids[index]})).await;
    let before = has(1).await["updated_at"].clone();
    let missing_id = MemberId::from_uuid(Uuid::now_v7()).to_string();
    let one = delete(json!({"member_ids": [ids[0], ids[0], missing_id], "attribute_keys": ["n", "n"]})).await;
    assert_eq!(one.json(), json!({"deleted": 1}));
    assert_eq!(has(0).await["attributes"], json!({"k \"]$": "x", "b": true}));
    assert_eq!(has(1).await["updated_at"], before, "b lost nothing");
    assert_eq!(delete(json!({"attribute_keys": ["n", "k \"]$"]})).await.json(), json!({"deleted": 5}));
    assert_eq!(has(1).await["attributes"], json!({"b": true}));
    assert_ne!(has(1).await["updated_at"], before);
    assert_eq!(delete(json!({"member_ids": [ids[1], ids[3]]})).await.json(), json!({"deleted": 1}));
    assert_eq!(has(1).await["attributes"], json!({}));
    assert_eq!(delete(json!({"delete_all": true})).await.json(), json!({"deleted": 2}));
    assert_eq!(delete(json!({"delete_all": true})).await.json(), json!({"deleted": 0}));
    admin.called("member/bulk-upsert", upsert).await;
    for (body, code) in [
        (json!({}), "bad_request"),
        (json!({"delete_all": false}), "bad_request"),
        (json!({"delete_all": true, "member_ids": [ids[0]]}), "bad_request"),
        (json!({"member_ids": ["m_1"]}), "bad_request"),
        (json!({"attribute_keys": ["n", "zz"]}), "invalid_attribute_key"),
    ] {
        assert_eq!(failure(&delete(body.clone()).await), (400, code.to_owned()), "{body}");
    }
    assert_eq!(delete(json!({"member_ids": []})).await.json(), json!({"deleted": 0}));
    assert_eq!(delete(json!({"attribute_keys": []})).await.json(), json!({"deleted": 0}));
    assert_eq!(delete(json!({"delete_all": true})).await.json(), json!({"deleted": 9}), "something was deleted before");
}

/// Deletion works in chunks of 2,000 members.
#[rstest]
#[tokio::test]
async fn attributes_of_many_members_are_deleted_and_no_others(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase_with(&[("n", "NUMBER"), ("s", "STRING")], &[]).await, server.admin().await);
    let attributes =
        |number: usize| if number.is_multiple_of(5) { json!({"s": "x"}) } else { json!({"n": 1, "s": "x"}) };
    let member = |number| json!({"ref": format!("{number:04}"), "attributes": attributes(number)});
    let members: Vec<_> = (0..5_100).map(member).collect();
    admin.called("member/bulk-upsert", json!({"member_base_id": base, "members": members})).await;
    let body = json!({"member_base_id": base, "attribute_keys": ["n"]});
    let deleted = admin.call("member.attributes/delete", body.clone()).await.json();
    assert_eq!(deleted, json!({"deleted": 5_100 * 4 / 5}));
    assert_eq!(admin.call("member.attributes/delete", body).await.json(), json!({"deleted": 0}));
    let others = json!({"member_base_id": base, "attribute_keys": ["s"]});
    assert_eq!(admin.call("member.attributes/delete", others).await.json(), json!({"deleted": 5_100}));
}
