//! The RPC API: `/publisher.v1/...`.

mod attributes;
mod input;

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use memberbase::{
    db::Lock,
    domain::access::Access,
    types::{Id, Limits, MemberbaseId},
};
use rstest::rstest;
use sea_orm::DbErr;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server, missing_memberbase_id};

impl Caller {
    /// Calls an endpoint.
    pub async fn call(&self, path: &str, body: Value) -> ApiResponse {
        let request = Request::post(format!("/publisher.v1/{path}")).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Calls an endpoint, asserts success and returns the body.
    pub async fn called(&self, path: &str, body: Value) -> Value {
        let response = self.call(path, body).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.json());
        response.json()
    }
}

/// Returns the status and the code of a failed call.
fn failure(response: &ApiResponse) -> (u16, String) {
    let json = response.json();
    assert_eq!(json["error"]["trace_id"], response.headers["x-trace-id"].to_str().unwrap(), "{json}");
    assert!(json["error"]["data"].is_object(), "{json}");
    (response.status.as_u16(), json["error"]["code"].as_str().unwrap().to_owned())
}

#[rstest]
#[tokio::test]
async fn members_are_upserted_found_listed_and_deleted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let base = admin.called("member-base/create", json!({"name": "b"})).await["id"].take();
    let members = json!([{"ref": "user_001"}, {"ref": "user_002"}, {"ref": "user_003"}, {"ref": "user_001"}]);
    let ids = admin.called("member/bulk-upsert", json!({"member_base_id": base, "members": members, "new": 1})).await;
    assert_eq!((ids.as_array().unwrap().len(), &ids[0]), (4, &ids[3]));
    let by_ref = admin.called("member/get", json!({"member_base_id": base, "ref": "user_002"})).await;
    assert_eq!((&by_ref["id"], &by_ref["attributes"], &by_ref["member_base_id"]), (&ids[1], &json!({}), &base));
    assert_eq!(admin.called("member/get", json!({"id": ids[1]})).await, by_ref);
    let filters = json!([{"key": "ref", "in": ["user_001", "user_002"]}]);
    let list = admin
        .called("member/list", json!({"member_base_id": base, "pagination": {"limit": 100}, "filters": filters}))
        .await;
    let refs: Vec<_> = list["data"].as_array().unwrap().iter().map(|member| &member["ref"]).collect();
    assert_eq!(refs, ["user_001", "user_002"]);
    assert_eq!(list["page"], json!({"page_size": 100, "cursor": null, "more": false}));
    let gone = json!({"member_base_id": base, "member_ids": [ids[0], ids[1], ids[0]]});
    assert_eq!(admin.called("member/bulk-delete", gone.clone()).await, json!({"deleted": 2}));
    assert_eq!(admin.called("member/bulk-delete", gone).await, json!({"deleted": 0}));
    assert_eq!(failure(&admin.call("member/get", json!({"id": ids[0]})).await), (404, "not_found".to_owned()));
}

#[rstest]
#[case(json!([{"key": "ref", "eq": "b"}]), &["b"])]
#[case(json!([{"key": "ref", "in": ["a", "c", "x"]}]), &["a", "c"])]
#[case(json!([{"key": "ref", "nin": ["a", "c"]}]), &["b", "bb"])]
#[case(json!([{"key": "ref", "exists": true}]), &["a", "b", "bb", "c"])]
#[case(json!([{"key": "ref", "exists": false}]), &[])]
#[case(json!([{"key": "ref", "regex": {"pattern": "^B+$", "case_insensitive": true}}]), &["b", "bb"])]
#[case(json!([{"key": "ref", "regex": {"pattern": "^B+$"}}]), &[])]
#[case(json!([{"or": [{"key": "ref", "eq": "a"}, {"and": [{"key": "ref", "regex": {"pattern": "b"}}, {"key": "ref", "nin": ["b"]}]}]}]), &["a", "bb"])]
#[case(json!([{"key": "ref", "nin": ["a"]}, {"key": "ref", "nin": ["b"]}]), &["bb", "c"])]
#[case(json!([{"or": []}]), &[])]
#[case(json!([{"and": []}]), &["a", "b", "bb", "c"])]
#[case(json!([]), &["a", "b", "bb", "c"])]
#[case(json!(null), &["a", "b", "bb", "c"])]
#[tokio::test]
async fn filters_follow_the_publisher_v1_contract(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] filters: Value,
    #[case] expected: &[&str],
) {
    let server = Server::start(database).await;
    let (base, reader) = (server.memberbase_of(&["a", "b", "bb", "c"]).await, server.reader().await);
    let list = reader.called("member/list", json!({"member_base_id": base, "filters": filters})).await;
    let refs: Vec<_> = list["data"].as_array().unwrap().iter().map(|member| member["ref"].as_str().unwrap()).collect();
    assert_eq!(refs, expected);
}

#[rstest]
#[case(json!([{"key": "ref"}]))]
#[case(json!([{"eq": "a"}]))]
#[case(json!([{"key": "ref", "eq": "a", "in": ["a"]}]))]
#[case(json!([{"key": "ref", "like": "a"}]))]
#[case(json!([{"key": "ref", "eq": 1}]))]
#[case(json!([{"key": "ref", "in": "a"}]))]
#[case(json!([{"key": "ref", "exists": "yes"}]))]
#[case(json!([{"key": "ref", "regex": "a"}]))]
#[case(json!([{"key": "ref", "regex": {"pattern": "("}}]))]
#[case(json!([{"key": "id", "regex": {"pattern": "a"}}]))]
#[case(json!([{"key": "id", "eq": "a"}]))]
#[case(json!([{"key": "created_at", "eq": "today"}]))]
#[case(json!([{"key": "name", "eq": "a"}]))]
#[case(json!([{"and": {}}]))]
#[case(json!([{"and": [], "or": []}]))]
#[case(json!([{"and": [], "key": "ref", "eq": "a"}]))]
#[case(json!(["a"]))]
#[case(json!({"key": "ref", "eq": "a"}))]
#[case((0..100).fold(json!([]), |inner, _| json!([{"and": inner}])))]
#[tokio::test]
async fn unknown_filter_is_a_bad_request(#[case] filters: Value) {
    let server = Server::start(Database::Sqlite).await;
    let (base, reader) = (server.memberbase_of(&["a"]).await, server.reader().await);
    let response = reader.call("member/list", json!({"member_base_id": base, "filters": filters})).await;
    assert_eq!(failure(&response), (400, "bad_request".to_owned()));
}

#[rstest]
#[tokio::test]
async fn walk_by_cursor_or_skip_sees_each_member_once_in_every_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("created_at", "updated_at", "ref", "id")] key: &str,
    #[values("asc", "desc")] direction: &str,
) {
    let server = Server::start(database).await;
    let refs: Vec<_> = (0..25).map(|n| format!("ref-{:02}", n * 7 % 25)).collect();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let reader = server.reader().await;
    let sorts = json!([{"key": key, "direction": direction}]);
    let list = async |pagination: Value| {
        reader.called("member/list", json!({"member_base_id": base, "pagination": pagination, "sorts": sorts})).await
    };
    let of = |list: &Value| -> Vec<String> {
        list["data"].as_array().unwrap().iter().map(|member| member["ref"].as_str().unwrap().to_owned()).collect()
    };
    let whole = of(&list(json!(null)).await);
    let (mut walked, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = list(json!({"limit": 10, "cursor": cursor})).await;
        walked.extend(of(&page));
        cursor = page["page"]["cursor"].clone();
        assert_eq!(page["page"]["more"], !cursor.is_null());
        if cursor.is_null() {
            break;
        }
    }
    let skipped = [of(&list(json!({"limit": 10})).await), of(&list(json!({"skip": 10})).await)].concat();
    let mut sorted = refs.clone();
    sorted.sort();
    if direction == "desc" {
        sorted.reverse();
    }
    assert_eq!((&walked, &skipped), (&whole, &whole));
    if key == "ref" {
        assert_eq!(whole, sorted);
    }
    assert_eq!(whole.len(), 25);
}

#[rstest]
#[tokio::test]
async fn bad_row_rejects_the_call_and_is_reported(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let members = json!([{"ref": "a"}, {"ref": ""}, {"ref": "c", "attributes": {"x": 1}}]);
    let response = writer.call("member/bulk-upsert", json!({"member_base_id": base, "members": members})).await;
    assert_eq!(failure(&response), (400, "bad_request".to_owned()));
    let data = &response.json()["error"]["data"];
    assert_eq!((&data["failure_count"], &data["failures"][0]["index"]), (&json!(2), &json!(1)));
    assert_eq!(
        (&data["failures"][0]["code"], &data["failures"][1]["code"]),
        (&json!("invalid_ref"), &json!("unknown_attribute"))
    );
    assert_eq!(server.members().await, 0);
}

#[rstest]
#[case("member/bulk-upsert", json!({"members": []}), "member_base_id")]
#[case("member/bulk-upsert", json!({"member_base_id": missing_memberbase_id(), "members": [{"ref": "a"}, {}]}), "members[1]")]
#[case("member/bulk-upsert", json!({"member_base_id": missing_memberbase_id(), "members": [{"ref": 1}]}), "members[0].ref")]
#[case("member/bulk-upsert", json!({"member_base_id": missing_memberbase_id(), "members": [["a"]]}), "members[0]: ")]
#[case("member/bulk-upsert", json!({"member_base_id": "x", "members": []}), "member_base_id: expected mb_")]
#[case("member/get", json!({}), "id")]
#[case("member/get", json!({"id": "m_1"}), "id: expected m_")]
#[case("member/list", json!({"member_base_id": 5}), "member_base_id")]
#[case("member-base/create", json!({}), "name")]
#[case("member-base/create", json!({"name": ""}), "name")]
#[case("member-base/create", json!(["a"]), "expected an object")]
#[tokio::test]
async fn missing_or_mistyped_field_is_named(#[case] path: &str, #[case] body: Value, #[case] named: &str) {
    let server = Server::start(Database::Sqlite).await;
    let response = server.admin().await.call(path, body).await;
    assert_eq!(failure(&response), (400, "bad_request".to_owned()));
    let message = response.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(named), "{message}");
}

#[tokio::test]
async fn trailing_bytes_after_the_body_are_rejected() {
    let server = Server::start(Database::Sqlite).await;
    let body = r#"{"name": "b"} {"name": "c"}"#;
    let request = Request::post("/publisher.v1/member-base/create").header(header::CONTENT_TYPE, "application/json");
    let response = server.admin().await.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(failure(&response), (400, "bad_request".to_owned()));
}

/// The original API has no code for timeouts: `service_unavailable` is the one that its clients retry.
#[rstest]
#[tokio::test]
async fn call_past_its_deadline_is_service_unavailable(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let mut limits = Limits::default();
    limits.time.mutation = Duration::from_millis(300);
    let server = Server::with(database, limits).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let id = MemberbaseId::parse(&base).unwrap().uuid();
    let body = json!({"member_base_id": base, "members": [{"ref": "a"}]});
    let blocked = server
        .app
        .db
        .write(Lock::Exclusive(id), async |_| Ok::<_, DbErr>(admin.call("member/bulk-upsert", body.clone()).await));
    let response = blocked.await.unwrap();
    assert_eq!(failure(&response), (503, "service_unavailable".to_owned()));
    assert_eq!(response.headers[header::RETRY_AFTER], "1");
    let message = response.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("time limit"), "{message}");
}

#[tokio::test]
async fn call_whose_body_stalls_is_service_unavailable() {
    let mut limits = Limits::default();
    limits.time.query = Duration::from_millis(300);
    let server = Server::with(Database::Sqlite, limits).await;
    let body = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let request = Request::post("/publisher.v1/member/list").header(header::CONTENT_TYPE, "application/json");
    let response = server.admin().await.send(request.body(body).unwrap()).await;
    assert_eq!(failure(&response), (503, "service_unavailable".to_owned()));
    assert_eq!(response.headers[header::CONNECTION], "close");
}

#[tokio::test]
async fn openapi_description_needs_no_token() {
    let server = Server::start(Database::Sqlite).await;
    let request = Request::get("/publisher.v1/openapi.json").body(Body::empty()).unwrap();
    let response = server.anonymous().send(request).await;
    assert_eq!(response.json(), serde_json::from_str::<Value>(&memberbase::http::openapi()).unwrap());
    let request = Request::post("/publisher.v1/openapi.json").body(Body::empty()).unwrap();
    let refused = server.anonymous().send(request).await;
    assert_eq!(failure(&refused), (405, "method_not_allowed".to_owned()));
    assert_eq!(refused.headers["allow"], "GET, HEAD");
    for endpoint in memberbase::rpc::endpoints() {
        let operation = &response.json()["paths"][format!("/publisher.v1/{}", endpoint.path)]["post"];
        assert_eq!(operation["summary"], endpoint.summary);
    }
}

#[rstest]
#[tokio::test]
async fn memberbases_are_created_listed_and_deleted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let made = admin.called("member-base/create", json!({"name": name})).await;
        assert_eq!(admin.called("member-base/get", json!({"id": made["id"]})).await, made);
        ids.push(made["id"].clone());
    }
    let list = admin.called("member-base/list", json!({"pagination": {"limit": 2}})).await;
    assert_eq!((&list["data"][1]["id"], &list["page"]["more"]), (&ids[1], &json!(true)));
    let next = json!({"pagination": {"limit": 2, "cursor": list["page"]["cursor"]}});
    assert_eq!(admin.called("member-base/list", next).await["data"][0]["id"], ids[2]);
    let named = json!({"filters": [{"key": "name", "regex": {"pattern": "[AB]", "case_insensitive": true}}]});
    assert_eq!(admin.called("member-base/list", named).await["data"].as_array().unwrap().len(), 2);
    assert_eq!(admin.called("member-base/delete", json!({"id": ids[0]})).await, json!({}));
    assert_eq!(failure(&admin.call("member-base/get", json!({"id": ids[0]})).await), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn http_errors_have_the_rpc_envelope() {
    let server = Server::start(Database::Sqlite).await;
    let admin = server.admin().await;
    let request = |builder: axum::http::request::Builder| builder.body(Body::from("{}")).unwrap();
    let json = "application/json";
    for (response, expected) in [
        (admin.call("member/nothing", json!({})).await, (404, "not_found")),
        (server.anonymous().call("member/get", json!({})).await, (401, "authentication_error")),
        (server.reader().await.call("member-base/create", json!({"name": "a"})).await, (403, "authorization_error")),
        (admin.send(request(Request::post("/publisher.v1/member/get"))).await, (415, "unsupported_media_type")),
        (admin.send(request(Request::get("/publisher.v1/member/get"))).await, (405, "method_not_allowed")),
        (
            admin.send(request(Request::put("/publisher.v1/member/get").header("content-type", json))).await,
            (405, "method_not_allowed"),
        ),
    ] {
        assert_eq!(failure(&response), (expected.0, expected.1.to_owned()));
        assert_eq!(response.headers.get(header::ALLOW).is_some(), expected.0 == 405);
    }
}

#[rstest]
#[tokio::test]
async fn other_memberbase_looks_like_a_missing_one(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, other) = (server.memberbase_of(&["a"]).await, server.memberbase_of(&["a"]).await);
    let bound = server.bound(Access::Admin, &other).await;
    for (path, body) in [
        ("member/bulk-upsert", json!({"members": [{"ref": "a"}]})),
        ("member/get", json!({"ref": "a"})),
        ("member/list", json!({})),
        ("member/bulk-delete", json!({"member_ids": []})),
        ("attribute.schema/set", json!({"schema": {}})),
        ("attribute.schema/get", json!({})),
        ("member.attributes/set", json!({"attributes": []})),
        ("member.attributes/delete", json!({"delete_all": true})),
    ] {
        let of = |base: &str| {
            let mut body = body.clone();
            body["member_base_id"] = json!(base);
            body
        };
        let (theirs, none) = (bound.call(path, of(&base)).await, bound.call(path, of(&missing_memberbase_id())).await);
        assert_eq!(failure(&theirs), (404, "not_found".to_owned()), "{path}");
        assert_eq!(failure(&none), failure(&theirs), "{path}");
    }
}

#[rstest]
#[tokio::test]
async fn transactions_of_several_memberbases_are_stored_atomically(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let writer = server.writer().await;
    let mut members = Vec::new();
    for _ in 0..3 {
        let base = server.memberbase("b").await;
        let rows = json!({"member_base_id": base, "members": [{"ref": "a"}]});
        members.push((writer.called("member/bulk-upsert", rows).await[0].take(), base));
    }
    let event = |member: &Value, key: &str| {
        json!({
            "member_id": member, "external_id": key, "auth_code": "a", "network": "visa", "bin": "400000",
            "merchant_id": "m", "authed_at": "2026-01-31T12:00:00Z", "amount": 350, "currency": "GBP", "new": true,
        })
    };
    let count = async || server.column::<i64>("SELECT count(*) FROM \"transaction\"").await[0];
    let events: Vec<_> = members.iter().map(|(member, _)| event(member, "1")).collect();
    assert_eq!(writer.called("transaction/ingest", json!({"events": events})).await, json!({"status": "ok"}));
    assert_eq!(writer.called("transaction/ingest", json!({"events": events})).await, json!({"status": "ok"}));
    assert_eq!(count().await, 3);
    let mut bad = event(&members[1].0, "3");
    bad["bin"] = json!("1");
    let events = json!([event(&members[0].0, "2"), event(&json!("m_00000000000000000000000000"), "2"), bad]);
    let response = writer.call("transaction/ingest", json!({"events": events})).await;
    assert_eq!(failure(&response), (400, "bad_request".to_owned()));
    let failures = response.json()["error"]["data"]["failures"].take();
    let reported: Vec<_> = failures.as_array().unwrap().iter().map(|row| (&row["index"], &row["code"])).collect();
    assert_eq!(reported, [(&json!(1), &json!("unknown_member")), (&json!(2), &json!("invalid_value"))]);
    // A token of one memberbase can't see members of others.
    let bound = server.bound(Access::Write, &members[0].1).await;
    let events = json!([event(&members[0].0, "2"), event(&members[1].0, "2")]);
    let response = bound.call("transaction/ingest", json!({"events": events})).await;
    assert_eq!(response.json()["error"]["data"]["failures"][0]["code"], "unknown_member");
    assert_eq!(count().await, 3);
    assert_eq!(failure(&server.reader().await.call("transaction/ingest", json!({"events": []})).await).0, 403);
    assert_eq!(writer.called("transaction/ingest", json!({"events": []})).await, json!({"status": "ok"}));
    let mut other = event(&members[0].0, "4");
    other["network"] = json!("diners");
    let response = writer.call("transaction/ingest", json!({"events": [other]})).await;
    assert!(response.json()["error"]["message"].as_str().unwrap().contains("events[0].network"), "{}", response.json());
}

#[rstest]
#[tokio::test]
async fn tokens_are_created_listed_and_revoked(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let made = admin.called("api-token/create", json!({"access": "write", "description": "ours"})).await;
    let secret = made["token"].as_str().unwrap();
    assert_eq!(
        (&made["access"], &made["expires_at"], &made["revoked_at"]),
        (&json!("write"), &json!(null), &json!(null))
    );
    // In the RPC API, `write` access includes the creation of memberbases.
    server.with_secret(secret).called("member-base/create", json!({"name": "b"})).await;
    let new = json!({"access": "read", "description": "", "expires_at": "2999-01-01T00:00:00Z"});
    let reader = admin.called("api-token/create", new).await;
    let refused =
        server.with_secret(reader["token"].as_str().unwrap()).call("member-base/create", json!({"name": "b"})).await;
    assert_eq!(failure(&refused), (403, "authorization_error".to_owned()));
    let first = admin.called("api-token/list", json!({"pagination": {"limit": 2}})).await;
    let next = json!({"pagination": {"limit": 2, "cursor": first["page"]["cursor"]}});
    let rest = admin.called("api-token/list", next).await;
    let all = [first["data"].as_array().unwrap().clone(), rest["data"].as_array().unwrap().clone()].concat();
    let reported: Vec<_> = all.iter().map(|token| (&token["id"], token["access"].as_str().unwrap())).collect();
    assert_eq!(reported[reported.len() - 2..], [(&made["id"], "write"), (&reader["id"], "read")]);
    assert!(all.iter().all(|token| token.get("token").is_none()), "{all:?}");
    assert_eq!(admin.called("api-token/revoke", json!({"id": made["id"]})).await, json!({}));
    assert_eq!(failure(&server.with_secret(secret).call("member-base/list", json!({})).await).0, 401);
    let unknown = json!({"id": "atok_00000000000000000000000000"});
    assert_eq!(failure(&admin.call("api-token/revoke", unknown).await), (404, "not_found".to_owned()));
}
