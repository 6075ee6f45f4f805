//! Filters of `members` by attribute: every operator with every type.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server, missing_memberbase_id};

const SCHEMA: [(&str, &str); 5] =
    [("s", "STRING"), ("n", "NUMBER"), ("b", "BOOLEAN"), ("d", "DATE"), ("l", "STRING_LIST")];

async fn query_members(caller: &Caller, base: &str, filter: &Value) -> ApiResponse {
    let query = "query($b: ID!, $f: MemberFilter) { \
        members(memberbaseId: $b, filter: $f, orderBy: {field: REF}, first: 1000) { nodes { ref } totalCount } }";
    caller.graphql(query, json!({"b": base, "f": filter})).await
}

/// Returns the refs of the members that match a filter, joined by spaces.
async fn matching_refs(caller: &Caller, base: &str, filter: &Value) -> String {
    let data = query_members(caller, base, filter).await.data();
    let nodes = data["members"]["nodes"].as_array().unwrap();
    assert_eq!(data["members"]["totalCount"], nodes.len());
    nodes.iter().map(|node| node["ref"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// Creates seven members: the sixth has other attributes only, the seventh has none.
async fn seven_members(server: &Server) -> String {
    // A memberbase that declares the same keys with other types does not matter.
    let other = [("s", "NUMBER"), ("n", "STRING"), ("b", "DATE"), ("d", "STRING_LIST"), ("l", "STRING")];
    let others = [
        ("x1", json!({"s": 9, "n": "[", "b": "2026-01-31", "d": ["x"], "l": "x"})),
        ("x2", json!({"s": 1e-7, "n": "9", "d": [], "l": "{\""})),
    ];
    server.memberbase_with(&other, &others).await;
    let day = "2026-01-31";
    let at = |fraction: &str| format!("{day}T00:00:00.{fraction}Z");
    let members = [
        ("1", json!({"s": "B", "n": 9, "b": true, "d": day, "l": ["x", "y"]})),
        ("2", json!({"s": "a", "n": 10, "b": false, "d": at("001"), "l": ["y", "x"]})),
        ("3", json!({"s": "é", "n": -0.1, "d": at("000"), "l": []})),
        ("4", json!({"s": "e\u{301}", "n": 2, "d": at("000001"), "l": ["x"]})),
        ("5", json!({"s": "", "n": 0.1, "l": [""]})),
        ("6", json!({"other": "B"})),
        ("7", Value::Null),
    ];
    server.memberbase_with(&SCHEMA, &members).await
}

fn strings() -> Vec<(&'static str, Value, &'static str)> {
    let many: Vec<_> = (0..99).map(|n| n.to_string()).chain(["a".to_owned()]).collect();
    vec![
        ("eq", json!("a"), "2"),
        ("eq", json!("A"), ""),
        ("eq", json!(""), "5"),
        ("eq", json!("é"), "3"),
        ("in", json!(["a", "B", "z"]), "1 2"),
        ("in", json!([]), ""),
        ("in", json!(many), "2"),
        ("nin", json!([]), "1 2 3 4 5 6 7"),
        ("nin", json!(["a"]), "1 3 4 5 6 7"),
        ("nin", json!(many), "1 3 4 5 6 7"),
        ("gt", json!("B"), "2 3 4"),
        ("gte", json!("B"), "1 2 3 4"),
        ("lt", json!("a"), "1 5"),
        ("lte", json!("a"), "1 2 5"),
        ("lt", json!("é"), "1 2 4 5"),
        ("startsWith", json!(""), "1 2 3 4 5"),
        ("startsWith", json!("e"), "4"),
        ("startsWith", json!("é"), "3"),
        ("startsWith", json!("%"), ""),
        ("exists", json!(true), "1 2 3 4 5"),
        ("exists", json!(false), "6 7"),
    ]
}

fn numbers() -> Vec<(&'static str, Value, &'static str)> {
    let many: Vec<_> = (0..100).collect();
    vec![
        ("eq", json!(10), "2"),
        ("eq", json!(2.0), "4"),
        ("eq", json!(0.1), "5"),
        ("eq", json!(0), ""),
        ("in", json!([2, 9.0, 3]), "1 4"),
        ("in", json!([]), ""),
        ("in", json!(many), "1 2 4"),
        ("nin", json!([]), "1 2 3 4 5 6 7"),
        ("nin", json!([2, 9]), "2 3 5 6 7"),
        ("nin", json!(many), "3 5 6 7"),
        ("gt", json!(9), "2"),
        ("gt", json!(0.1), "1 2 4"),
        ("gt", json!(-1e15), "1 2 3 4 5"),
        ("gte", json!(9), "1 2"),
        ("gte", json!(0.1), "1 2 4 5"),
        ("lt", json!(2), "3 5"),
        ("lt", json!(-0.1), ""),
        ("lte", json!(2.0), "3 4 5"),
        ("lte", json!(-0.1), "3"),
        ("exists", json!(true), "1 2 3 4 5"),
        ("exists", json!(false), "6 7"),
    ]
}

fn dates() -> Vec<(&'static str, Value, &'static str)> {
    let day = "2026-01-31";
    let at = |fraction: &str| format!("{day}T00:00:00.{fraction}Z");
    let many: Vec<_> = (0..100).map(|n| at(&format!("{n:03}"))).collect();
    vec![
        ("eq", json!(day), "1 3"),
        ("eq", json!("2026-01-31T00:00:00Z"), "1 3"),
        ("eq", json!("2026-01-31T01:00:00+01:00"), "1 3"),
        ("eq", json!(at("001")), "2"),
        ("eq", json!(at("000001")), "4"),
        ("in", json!([day, at("001"), "2026-02-01"]), "1 2 3"),
        ("in", json!([]), ""),
        ("in", json!(many), "1 2 3"),
        ("nin", json!([]), "1 2 3 4 5 6 7"),
        ("nin", json!([day]), "2 4 5 6 7"),
        ("nin", json!(many), "4 5 6 7"),
        ("gt", json!(day), "2 4"),
        ("gt", json!("2026-01-30"), "1 2 3 4"),
        ("gte", json!(day), "1 2 3 4"),
        ("gte", json!(at("000001")), "2 4"),
        ("lt", json!(day), ""),
        ("lt", json!(at("001")), "1 3 4"),
        ("lte", json!(at("000")), "1 3"),
        ("lte", json!(at("000001")), "1 3 4"),
        ("exists", json!(false), "5 6 7"),
    ]
}

fn booleans() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("eq", json!(true), "1"),
        ("eq", json!(false), "2"),
        ("in", json!([true, false]), "1 2"),
        ("in", json!([]), ""),
        ("in", json!(vec![false; 100]), "2"),
        ("nin", json!([]), "1 2 3 4 5 6 7"),
        ("nin", json!([true]), "2 3 4 5 6 7"),
        ("exists", json!(true), "1 2"),
    ]
}

fn lists() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("eq", json!(["x", "y"]), "1"),
        ("eq", json!(["y", "x"]), "2"),
        ("eq", json!([]), "3"),
        ("eq", json!(["x"]), "4"),
        ("eq", json!([""]), "5"),
        ("eq", json!(["x", "x"]), ""),
        ("contains", json!("x"), "1 2 4"),
        ("contains", json!(""), "5"),
        ("contains", json!("X"), ""),
        ("exists", json!(true), "1 2 3 4 5"),
    ]
}

#[rstest]
#[tokio::test]
async fn attribute_filters_compare_by_type(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = seven_members(&server).await;
    let reader = server.reader().await;
    for (key, cases) in [("s", strings()), ("n", numbers()), ("d", dates()), ("b", booleans()), ("l", lists())] {
        for (operator, value, expected) in cases {
            let filter = json!({"attribute": {"key": key, operator: value}});
            assert_eq!(matching_refs(&reader, &base, &filter).await, expected, "{filter}");
            let negated = json!({"not": filter});
            let others = ["1", "2", "3", "4", "5", "6", "7"].into_iter().filter(|text| !expected.contains(text));
            assert_eq!(
                matching_refs(&reader, &base, &negated).await,
                others.collect::<Vec<_>>().join(" "),
                "{negated}"
            );
        }
    }
    for (filter, expected) in [
        (json!({"attribute": {"key": "n", "gt": 2, "lte": 9, "eq": null}}), "1"),
        (json!({"or": [{"attribute": {"key": "b", "eq": true}}, {"attribute": {"key": "l", "eq": []}}]}), "1 3"),
        (json!({"attribute": {"key": "s", "gte": "a"}, "not": {"attribute": {"key": "n", "lt": 2}}}), "2 4"),
        (json!({"attribute": null}), "1 2 3 4 5 6 7"),
    ] {
        assert_eq!(matching_refs(&reader, &base, &filter).await, expected, "{filter}");
    }
}

#[rstest]
#[tokio::test]
async fn unusual_attribute_keys_work_in_filters(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    const KEYS: [&str; 22] = [
        "a\"b", "a\\b", "a.b", "$", "$.a", "$[0]", "[0]", "1", "007", "-1", "😀", "é", "a b", " ", "a'b", "?", "$1",
        "%", "#-1", "*", "\n", "\\u0061",
    ];
    let server = Server::start(database).await;
    let reader = server.reader().await;
    let refs: Vec<_> = (10..10 + KEYS.len()).map(|n| n.to_string()).collect();
    for (kind, value, tests) in [
        ("STRING", json!("v"), json!({"eq": "v", "in": ["v", "w"], "gt": "u", "startsWith": "v", "exists": true})),
        ("STRING_LIST", json!(["v"]), json!({"eq": ["v"], "contains": "v", "exists": true})),
        ("DATE", json!("2026-01-31"), json!({"eq": "2026-01-31", "lt": "2026-02-01"})),
        ("NUMBER", json!(7), json!({"in": vec![7; 20], "gte": 7})),
    ] {
        let schema = KEYS.map(|key| (key, kind));
        let members: Vec<_> =
            refs.iter().zip(KEYS).map(|(reference, key)| (reference.as_str(), json!({key: value}))).collect();
        let base = server.memberbase_with(&schema, &members).await;
        for (reference, key) in refs.iter().zip(KEYS) {
            for (operator, operand) in tests.as_object().unwrap() {
                let filter = json!({"attribute": {"key": key, operator: operand}});
                assert_eq!(matching_refs(&reader, &base, &filter).await, *reference, "{kind} {filter}");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn predicate_that_does_not_fit_the_attribute_type_is_rejected(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = seven_members(&server).await;
    let reader = server.reader().await;
    for (test, expected) in [
        (json!({"key": "nope", "eq": "a"}), "attribute \"nope\" is not in the schema"),
        (json!({"key": "other", "exists": true}), "attribute \"other\" is not in the schema"),
        (json!({"key": "n", "eq": "1"}), "attribute \"n\" is of type NUMBER: expected a number"),
        (json!({"key": "n", "eq": 9_007_199_254_740_993_u64}), "attribute \"n\" is of type NUMBER: expected"),
        (json!({"key": "n", "startsWith": "1"}), "attribute \"n\" is of type NUMBER: expected one of eq, in,"),
        (json!({"key": "s", "contains": "a"}), "attribute \"s\" is of type STRING: expected one of"),
        (json!({"key": "s", "eq": "a\0"}), "attribute \"s\" is of type STRING: expected text without NUL"),
        (json!({"key": "s", "startsWith": "\0"}), "attribute \"s\" is of type STRING: expected text without NUL"),
        (json!({"key": "s", "in": ["a", 1]}), "attribute \"s\" is of type STRING: expected a string"),
        (json!({"key": "s", "nin": [true]}), "attribute \"s\" is of type STRING: expected a string"),
        (json!({"key": "b", "gt": true}), "attribute \"b\" is of type BOOLEAN: expected one of eq, in, nin, exists"),
        (json!({"key": "b", "eq": 1}), "attribute \"b\" is of type BOOLEAN: expected true or false"),
        (json!({"key": "d", "eq": "yesterday"}), "attribute \"d\" is of type DATE: expected a date"),
        (json!({"key": "d", "lt": 2026}), "attribute \"d\" is of type DATE: expected a date"),
        (json!({"key": "l", "in": [["x"]]}), "attribute \"l\" is of type STRING_LIST: expected one of"),
        (json!({"key": "l", "eq": "x"}), "attribute \"l\" is of type STRING_LIST: expected a list of strings"),
        (json!({"key": "l", "eq": ["x", null]}), "expected a string, a number, a boolean or a list of strings"),
        (json!({"key": "l", "contains": "\0"}), "attribute \"l\" is of type STRING_LIST: expected text without NUL"),
        (json!({"key": "s"}), "needs at least one operator"),
        (json!({"key": "s", "eq": null}), "needs at least one operator"),
        (json!({"eq": "a"}), ""),
        (json!({"key": "s", "eq": {"a": 1}}), ""),
        (json!({"key": "l", "eq": [{"a": 1}]}), ""),
        (json!({"key": "s", "in": [null]}), ""),
    ] {
        for filter in [json!({"attribute": test}), json!({"or": [{}, {"not": {"attribute": test}}]})] {
            let response = query_members(&reader, &base, &filter).await;
            assert_eq!(response.code(), "BAD_USER_INPUT", "{filter}");
            assert!(response.message().contains(expected), "{filter}: {}", response.message());
        }
    }
    let long = json!({"attribute": {"key": "s", "in": vec!["a"; 100_001]}});
    assert_eq!(query_members(&reader, &base, &long).await.code(), "LIMIT_EXCEEDED");
    let absent = query_members(&reader, &missing_memberbase_id(), &json!({"attribute": {"key": "s", "eq": "a"}})).await;
    assert_eq!(absent.code(), "NOT_FOUND");
}

#[tokio::test]
async fn equality_filter_on_an_attribute_uses_the_index() {
    let server = Server::start(Database::Postgres).await;
    let refs: Vec<String> = (0..20_000).map(|n| format!("r{n}")).collect();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    server.execute("UPDATE member SET attributes = jsonb_build_object('plan', ref)").await;
    server.execute("UPDATE memberbase SET attribute_schema = '[[\"plan\", \"STRING\"]]'").await;
    server.execute("ANALYZE member").await;
    let (reader, query) = (
        server.reader().await,
        "query($b: ID!, $f: MemberFilter) { \
        members(memberbaseId: $b, filter: $f, first: 10) { nodes { ref } } }",
    );
    for filter in [json!({"eq": "r7"}), json!({"in": ["r7", "r8"]})] {
        let mut attribute = filter.clone();
        attribute["key"] = json!("plan");
        let data = reader.graphql(query, json!({"b": base, "f": {"attribute": attribute}})).await.data();
        assert_eq!(data["members"]["nodes"][0]["ref"], "r7", "{filter}");
    }
    let scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'member_attributes'";
    // Once for the first filter, and once for each value of the second.
    assert_eq!(server.postgres_statistics(scans).await, [3]);
}
