//! Attribute schemas and the attributes of members.

use memberbase::{domain::access::Access, types::Limits};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server, missing_memberbase_id};

impl Caller {
    /// Sets the attribute schema from pairs of key and type.
    pub async fn set_schema(&self, base: &str, keys: &[(&str, &str)]) -> ApiResponse {
        let query = "mutation($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { \
            memberbase { updatedAt attributeSchema { key type } } } }";
        let keys: Vec<_> = keys.iter().map(|(key, ty)| json!({"key": key, "type": ty})).collect();
        self.graphql(query, json!({"input": {"memberbaseId": base, "attributes": keys}})).await
    }

    /// Upserts rows, asserts success and returns the payload.
    async fn rows(&self, base: &str, rows: Value) -> Value {
        let input = json!({"memberbaseId": base, "members": rows, "onError": "SKIP_FAILED"});
        self.upsert_with(input).await.data()["bulkUpsertMembers"].take()
    }

    async fn attributes(&self, base: &str, reference: &str) -> Value {
        let query = "query($b: ID!, $r: String!) { member(by: {ref: {memberbaseId: $b, ref: $r}}) { attributes } }";
        self.graphql(query, json!({"b": base, "r": reference})).await.data()["member"]["attributes"].take()
    }
}

fn outcomes(payload: &Value) -> Vec<&str> {
    payload["results"].as_array().unwrap().iter().map(|result| result["outcome"].as_str().unwrap()).collect()
}

const KEYS: [(&str, &str); 5] =
    [("plan", "STRING"), ("age", "NUMBER"), ("vip", "BOOLEAN"), ("born", "DATE"), ("tags", "STRING_LIST")];

async fn with_schema(database: Database) -> (Server, String, Caller) {
    let server = Server::start(database).await;
    let base = server.memberbase("b").await;
    server.admin().await.set_schema(&base, &KEYS).await.data();
    let writer = server.writer().await;
    (server, base, writer)
}

#[rstest]
#[tokio::test]
async fn schema_is_replaced_as_a_whole_and_read_in_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let set = async |keys: &[(&str, &str)]| {
        admin.set_schema(&base, keys).await.data()["setAttributeSchema"]["memberbase"].take()
    };
    let first = set(&[("z", "NUMBER"), ("a \"b\"", "STRING_LIST")]).await;
    let expected = json!([{"key": "z", "type": "NUMBER"}, {"key": "a \"b\"", "type": "STRING_LIST"}]);
    assert_eq!(first["attributeSchema"], expected);
    assert_eq!(set(&[("z", "NUMBER"), ("a \"b\"", "STRING_LIST")]).await, first);
    let query = "query($b: ID!) { memberbase(id: $b) { updatedAt attributeSchema { key type } } }";
    assert_eq!(server.reader().await.graphql(query, json!({"b": base})).await.data()["memberbase"], first);
    let other = set(&[("a \"b\"", "DATE")]).await;
    assert_eq!(other["attributeSchema"], json!([{"key": "a \"b\"", "type": "DATE"}]));
    assert!(other["updatedAt"].as_str() > first["updatedAt"].as_str(), "{other}");
    assert_eq!(set(&[]).await["attributeSchema"], json!([]));
}

#[rstest]
#[tokio::test]
async fn bad_schema_is_rejected_and_only_an_admin_sets_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    for keys in [&[("", "STRING")][..], &[("a\0", "STRING")], &[("a", "STRING"), ("a", "DATE")]] {
        let refused = admin.set_schema(&base, keys).await;
        assert_eq!(
            (refused.code().as_str(), &refused.error()["extensions"]["path"][0]),
            ("BAD_USER_INPUT", &json!("attributes"))
        );
    }
    let long = "é".repeat(65);
    assert_eq!(admin.set_schema(&base, &[(&long, "STRING")]).await.code(), "BAD_USER_INPUT");
    assert_eq!(admin.set_schema(&base, &[("a", "TEXT")]).await.code(), "BAD_USER_INPUT");
    assert_eq!(admin.set_schema(&missing_memberbase_id(), &KEYS).await.code(), "NOT_FOUND");
    assert_eq!(server.writer().await.set_schema(&base, &KEYS).await.code(), "FORBIDDEN");
    let other = server.memberbase("other").await;
    assert_eq!(server.bound(Access::Admin, &other).await.set_schema(&base, &KEYS).await.code(), "NOT_FOUND");
    server.bound(Access::Admin, &base).await.set_schema(&base, &KEYS).await.data();
}

#[rstest]
#[tokio::test]
async fn key_in_use_is_neither_removed_nor_retyped(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = with_schema(database).await;
    let admin = server.admin().await;
    let rows = json!([
        {"ref": "a", "attributes": {"plan": "x", "age": 1}}, {"ref": "b", "attributes": {"age": 2}}, {"ref": "c"},
    ]);
    writer.rows(&base, rows).await;
    let refused = admin.set_schema(&base, &[("plan", "STRING_LIST"), ("vip", "NUMBER")]).await;
    assert_eq!(refused.code(), "CONFLICT");
    assert!(refused.message().contains("\"plan\" (1 members), \"age\" (2 members)"), "{}", refused.message());
    // Unused keys may be removed, added, reordered and get another type.
    admin.set_schema(&base, &[("age", "NUMBER"), ("new", "DATE"), ("vip", "STRING"), ("plan", "STRING")]).await.data();
    writer.rows(&base, json!([{"ref": "b", "attributes": {"age": null}}, {"ref": "a", "attributes": null}])).await;
    admin.set_schema(&base, &[("age", "STRING")]).await.data();
}

#[rstest]
#[tokio::test]
async fn omitted_attributes_stay_and_equal_values_are_unchanged(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (_server, base, writer) = with_schema(database).await;
    let all = json!({
        "plan": "gold \"é\"\n", "age": 2.5, "vip": true, "born": "1999-12-31", "tags": ["b", "a", "b"],
    });
    let row = |attributes: Value| json!([{"ref": "a", "attributes": attributes}]);
    for (attributes, outcome, stored) in [
        (all.clone(), "CREATED", all.clone()),
        (all.clone(), "UNCHANGED", all.clone()),
        (json!({"vip": true, "plan": "gold \"é\"\n"}), "UNCHANGED", all.clone()),
        (json!({}), "UNCHANGED", all.clone()),
        (json!({"age": 2.50}), "UNCHANGED", all.clone()),
        (
            json!({"tags": ["a", "b", "b"], "plan": null, "vip": null, "born": null}),
            "UPDATED",
            json!({"age": 2.5, "tags": ["a", "b", "b"]}),
        ),
        (json!({"plan": null}), "UNCHANGED", json!({"age": 2.5, "tags": ["a", "b", "b"]})),
        (json!({"age": 2, "tags": null}), "UPDATED", json!({"age": 2})),
        (json!({"age": 2.0}), "UNCHANGED", json!({"age": 2})),
        (
            json!({"born": "2026-01-31T12:00:00.5+01:00"}),
            "UPDATED",
            json!({"age": 2, "born": "2026-01-31T11:00:00.500Z"}),
        ),
        (
            json!({"born": "2026-01-31T11:00:00.500000Z"}),
            "UNCHANGED",
            json!({"age": 2, "born": "2026-01-31T11:00:00.500Z"}),
        ),
        (Value::Null, "UPDATED", json!({})),
        (Value::Null, "UNCHANGED", json!({})),
        (json!({"age": -0.0}), "UPDATED", json!({"age": 0})),
    ] {
        let payload = writer.rows(&base, row(attributes.clone())).await;
        assert_eq!(outcomes(&payload), [outcome], "{attributes}");
        assert_eq!(writer.attributes(&base, "a").await, stored, "{attributes}");
    }
    // A row without `attributes` leaves them unchanged.
    assert_eq!(outcomes(&writer.rows(&base, json!([{"ref": "a"}])).await), ["UNCHANGED"]);
    assert_eq!(writer.attributes(&base, "a").await, json!({"age": 0}));
}

#[rstest]
#[tokio::test]
async fn attributes_are_the_same_bytes_on_both_databases(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (_server, base, writer) = with_schema(database).await;
    let all = json!({"tags": ["b", "\u{1}\""], "plan": "é", "age": 1e-7, "vip": true, "born": "1999-12-31"});
    writer.rows(&base, json!([{"ref": "a", "attributes": all}])).await;
    let query = "query($b: ID!) { members(memberbaseId: $b) { nodes { attributes } } }";
    let body = writer.graphql(query, json!({"b": base})).await.body;
    let form = r#"{"age": 0.0000001, "vip": true, "born": "1999-12-31", "plan": "é", "tags": ["b", "\u0001\""]}"#;
    assert_eq!(
        String::from_utf8_lossy(&body),
        format!(r#"{{"data":{{"members":{{"nodes":[{{"attributes":{form}}}]}}}}}}"#)
    );
}

#[rstest]
#[tokio::test]
async fn single_attribute_is_read_by_key(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (_server, base, writer) = with_schema(database).await;
    let all = json!({"plan": "x", "age": 2, "vip": false, "born": "1999-12-31", "tags": ["b"]});
    writer.rows(&base, json!([{"ref": "a", "attributes": all}])).await;
    let query = "query($b: ID!) { member(by: {ref: {memberbaseId: $b, ref: \"a\"}}) { \
        plan: attribute(key: \"plan\") age: attribute(key: \"age\") vip: attribute(key: \"vip\") \
        born: attribute(key: \"born\") tags: attribute(key: \"tags\") } }";
    assert_eq!(writer.graphql(query, json!({"b": base})).await.data()["member"], all);
    let query = "query($b: ID!) { member(by: {ref: {memberbaseId: $b, ref: \"a\"}}) { attribute(key: \"none\") } }";
    assert_eq!(writer.graphql(query, json!({"b": base})).await.data()["member"]["attribute"], Value::Null);
}

#[rstest]
#[tokio::test]
async fn an_error_echoes_the_start_of_a_long_key(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (_server, base, writer) = with_schema(database).await;
    let key = "k".repeat(1 << 20);
    for on_error in ["REJECT_BATCH", "SKIP_FAILED"] {
        let rows = json!([{"ref": "a", "attributes": {&key: 1}}]);
        let input = json!({"memberbaseId": base, "members": rows, "onError": on_error});
        let response = writer.upsert_with(input).await.json();
        let failed = if on_error == "REJECT_BATCH" {
            &response["errors"][0]["extensions"]["failures"][0]
        } else {
            &response["data"]["bulkUpsertMembers"]["results"][0]["error"]
        };
        assert_eq!(failed["code"], "UNKNOWN_ATTRIBUTE", "{failed}");
        assert_eq!(failed["path"], json!(["attributes", &key[..100]]));
        assert!(response.to_string().len() < 2_000, "{} bytes", response.to_string().len());
    }
}

#[rstest]
#[tokio::test]
async fn rows_with_a_bad_attribute_fail_and_name_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("UPSERT", "INSERT_ONLY", "UPDATE_ONLY")] mode: &str,
) {
    let (server, base, writer) = with_schema(database).await;
    let bad = [
        (json!({"nope": 1}), "UNKNOWN_ATTRIBUTE", "nope"),
        (json!({"nope": null}), "UNKNOWN_ATTRIBUTE", "nope"),
        (json!({"age": "1"}), "INVALID_ATTRIBUTE_TYPE", "age"),
        (json!({"age": 9_007_199_254_740_993_u64}), "INVALID_ATTRIBUTE_TYPE", "age"),
        (json!({"plan": 1}), "INVALID_ATTRIBUTE_TYPE", "plan"),
        (json!({"plan": "\u{0}"}), "INVALID_ATTRIBUTE_TYPE", "plan"),
        (json!({"plan": "x".repeat(16 * 1024 + 1)}), "INVALID_ATTRIBUTE_TYPE", "plan"),
        (json!({"vip": 1}), "INVALID_ATTRIBUTE_TYPE", "vip"),
        (json!({"born": "31.12.1999"}), "INVALID_ATTRIBUTE_TYPE", "born"),
        (json!({"tags": "a"}), "INVALID_ATTRIBUTE_TYPE", "tags"),
        (json!({"tags": [["a"]]}), "INVALID_ATTRIBUTE_TYPE", "tags"),
        (json!({"plan": {"a": 1}}), "INVALID_ATTRIBUTE_TYPE", "plan"),
    ];
    // An existing member, so that no mode skips all of the bad rows.
    writer.rows(&base, json!([{"ref": "0"}])).await;
    let rows: Vec<_> =
        bad.iter().enumerate().map(|(n, bad)| json!({"ref": n.to_string(), "attributes": bad.0})).collect();
    let input = |on_error: &str| json!({"memberbaseId": base, "members": rows, "onError": on_error, "mode": mode});
    let payload = writer.upsert_with(input("SKIP_FAILED")).await.data()["bulkUpsertMembers"].take();
    for (n, (attributes, code, key)) in bad.iter().enumerate() {
        let result = &payload["results"][n];
        assert_eq!(result["outcome"], "FAILED", "{attributes}");
        assert_eq!(
            (&result["error"]["code"], &result["error"]["path"]),
            (&json!(code), &json!(["attributes", key])),
            "{attributes}"
        );
    }
    assert_eq!(writer.upsert_with(input("REJECT_BATCH")).await.error()["extensions"]["failureCount"], bad.len());
    assert_eq!(server.members().await, 1);
}

#[rstest]
#[tokio::test]
async fn attributes_are_rejected_without_a_schema(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let payload =
        writer.rows(&base, json!([{"ref": "a", "attributes": {"a": 1}}, {"ref": "b", "attributes": {}}])).await;
    assert_eq!(outcomes(&payload), ["FAILED", "CREATED"]);
}

#[rstest]
#[case(json!([1]))]
#[case(json!("{}"))]
#[case(json!(1))]
#[tokio::test]
async fn request_is_rejected_if_attributes_is_not_an_object(#[case] attributes: Value) {
    let (_server, base, writer) = with_schema(Database::Sqlite).await;
    let input =
        json!({"memberbaseId": base, "members": [{"ref": "a", "attributes": attributes}], "onError": "SKIP_FAILED"});
    let refused = writer.upsert_with(input).await;
    assert_eq!(
        (refused.code().as_str(), &refused.error()["extensions"]["path"]),
        ("BAD_USER_INPUT", &json!(["input", "members", 0, "attributes"]))
    );
}

#[rstest]
#[tokio::test]
async fn attributes_are_accepted_as_literals(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (_server, base, writer) = with_schema(database).await;
    let mutation = |attributes: &str| {
        format!(
            "mutation {{ bulkUpsertMembers(input: {{memberbaseId: \"{base}\", members: [{{ref: \"a\", \
            attributes: {attributes}}}]}}) {{ summary {{ created }} }} }}"
        )
    };
    let refused = writer.graphql(&mutation("{plan: gold}"), json!({})).await;
    assert!(
        refused.code().starts_with("BAD_USER_INPUT") || refused.code() == "GRAPHQL_VALIDATION_FAILED",
        "{:?}",
        refused.json()
    );
    writer.graphql(&mutation("{plan: \"x\", age: 2.0, tags: [\"a\"], vip: true}"), json!({})).await.data();
    assert_eq!(writer.attributes(&base, "a").await, json!({"plan": "x", "age": 2, "tags": ["a"], "vip": true}));
}

#[rstest]
#[tokio::test]
async fn attributes_of_rows_with_the_same_ref_are_merged_by_key(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (_server, base, writer) = with_schema(database).await;
    let rows = json!([
        {"ref": "a", "attributes": {"plan": "x", "age": 1}},
        {"ref": "a", "attributes": {"nope": 1}},
        {"ref": "a", "attributes": {"age": null, "vip": true}},
    ]);
    let payload = writer.rows(&base, rows.clone()).await;
    assert_eq!(outcomes(&payload), ["CREATED", "FAILED", "UNCHANGED"]);
    assert_eq!((&payload["memberIds"][0], &payload["memberIds"][1]), (&payload["memberIds"][2], &Value::Null));
    assert_eq!(writer.attributes(&base, "a").await, json!({"plan": "x", "vip": true}));
    // The net result is the stored value.
    assert_eq!(outcomes(&writer.rows(&base, rows).await), ["UNCHANGED", "FAILED", "UNCHANGED"]);
    let rows = json!([{"ref": "b", "attributes": {"nope": 1}}, {"ref": "b", "attributes": {"age": 1}}]);
    assert_eq!(outcomes(&writer.rows(&base, rows).await), ["FAILED", "CREATED"]);
}

#[rstest]
#[tokio::test]
async fn attributes_follow_the_upsert_mode(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (_server, base, writer) = with_schema(database).await;
    writer.rows(&base, json!([{"ref": "a", "attributes": {"age": 1}}])).await;
    let upsert = async |mode: &str, rows: Value| {
        let input = json!({"memberbaseId": base, "members": rows, "mode": mode});
        let payload = writer.upsert_with(input).await.data()["bulkUpsertMembers"].take();
        outcomes(&payload).join(" ")
    };
    let rows = json!([{"ref": "a", "attributes": {"age": 2}}, {"ref": "b", "attributes": {"age": 2}}, {"ref": "b", "attributes": {"age": 3}}]);
    assert_eq!(upsert("INSERT_ONLY", rows).await, "SKIPPED CREATED UNCHANGED");
    assert_eq!(writer.attributes(&base, "a").await, json!({"age": 1}));
    assert_eq!(writer.attributes(&base, "b").await, json!({"age": 3}));
    let rows = json!([{"ref": "a", "attributes": {"age": 2}}, {"ref": "c", "attributes": {"age": 2}}]);
    assert_eq!(upsert("UPDATE_ONLY", rows).await, "UPDATED SKIPPED");
    assert_eq!(writer.attributes(&base, "a").await, json!({"age": 2}));
}

#[rstest]
#[tokio::test]
async fn older_row_is_stale_and_changes_nothing(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (_server, base, writer) = with_schema(database).await;
    let row = |age: u32, second: Value| {
        let mut row = json!({"ref": "a", "attributes": {"age": age}});
        match second {
            Value::Number(second) => {
                let second = second.to_string();
                row["sourceUpdatedAt"] = json!(format!("2026-01-01T00:00:{second:0>2}Z"));
            }
            Value::Null => row["sourceUpdatedAt"] = Value::Null,
            _ => {}
        }
        row
    };
    let query = "query($b: ID!) { member(by: {ref: {memberbaseId: $b, ref: \"a\"}}) { \
        attributes sourceUpdatedAt updatedAt } }";
    let state = async || writer.graphql(query, json!({"b": base})).await.data()["member"].take();
    let left_out = || json!(false);
    for (rows, expected, age, second) in [
        (vec![row(1, json!(10))], "CREATED", 1, Some(10)),
        (vec![row(2, json!(9))], "STALE", 1, Some(10)),
        (vec![row(2, json!(10))], "UPDATED", 2, Some(10)),
        (vec![row(3, left_out())], "UPDATED", 3, Some(10)),
        (vec![row(4, json!(12)), row(5, json!(11)), row(6, json!(12))], "UPDATED STALE UNCHANGED", 6, Some(12)),
        (vec![row(7, json!(11)), row(8, left_out())], "STALE UPDATED", 8, Some(12)),
        (vec![row(9, Value::Null)], "UPDATED", 9, None),
        (vec![row(10, json!(1))], "UPDATED", 10, Some(1)),
    ] {
        let payload = writer.rows(&base, json!(rows)).await;
        assert_eq!(outcomes(&payload).join(" "), expected, "{rows:?}");
        assert!(payload["memberIds"].as_array().unwrap().iter().all(|id| *id == payload["memberIds"][0]), "{payload}");
        let state = state().await;
        assert_eq!(
            (&state["attributes"]["age"], state["sourceUpdatedAt"].as_str().map(|time| time[17..19].parse().unwrap())),
            (&json!(age), second),
            "{rows:?}"
        );
    }
    // A newer `sourceUpdatedAt` is stored even if nothing else differs, and the row is UNCHANGED.
    let before = state().await;
    assert_eq!(outcomes(&writer.rows(&base, json!([row(10, json!(20))])).await), ["UNCHANGED"]);
    let after = state().await;
    assert_eq!(
        (&after["updatedAt"], &after["sourceUpdatedAt"]),
        (&before["updatedAt"], &json!("2026-01-01T00:00:20.000Z"))
    );
    let bad = writer.rows(&base, json!([{"ref": "a", "sourceUpdatedAt": "soon"}])).await;
    assert_eq!(
        (&bad["results"][0]["error"]["code"], &bad["results"][0]["error"]["path"]),
        (&json!("INVALID_VALUE"), &json!(["sourceUpdatedAt"]))
    );
}

#[rstest]
#[tokio::test]
async fn row_fails_if_its_attributes_are_too_large_in_total(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let mut limits = Limits::default();
    limits.row.attributes = 100;
    let server = Server::with(database, limits).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    server.admin().await.set_schema(&base, &[("a", "STRING"), ("b", "STRING")]).await.data();
    let row = |key: &str| json!([{"ref": "r", "attributes": {key: "x".repeat(60)}}]);
    assert_eq!(outcomes(&writer.rows(&base, row("a")).await), ["CREATED"]);
    let payload = writer.rows(&base, row("b")).await;
    let error = &payload["results"][0]["error"];
    assert_eq!((&error["code"], &error["path"]), (&json!("INVALID_VALUE"), &json!(["attributes"])));
    assert!(
        error["message"].as_str().unwrap().contains("at most 100 are allowed (MEMBERBASE_MAX_ATTRIBUTES)"),
        "{error}"
    );
    let both = json!([{"ref": "r", "attributes": {"a": null, "b": "x".repeat(60)}}]);
    assert_eq!(outcomes(&writer.rows(&base, both).await), ["UPDATED"]);
}
