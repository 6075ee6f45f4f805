//! The requests that are exports, and the tokens that may send them.

use axum::{
    body::Body,
    http::{Method, Request},
};
use memberbase::{
    domain::access::Access,
    types::{ExportLimits, Limits},
};
use rstest::rstest;
use serde_json::json;

use super::{Bench, failure};
use crate::support::{Caller, Database, missing_memberbase_id};

fn encoded(json: &serde_json::Value) -> String {
    json.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[rstest]
#[tokio::test]
async fn filter_has_the_meaning_that_it_has_in_graphql(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of_pages(database, 30).await;
    bench
        .upsert(
            (0..20)
                .map(|n| json!({"ref": format!("p{n}"), "attributes": {"plan": format!("plan {n}"), "age": n}}))
                .collect(),
        )
        .await;
    for filter in [
        json!({}),
        json!(null),
        json!({"ref": {"startsWith": "member-000"}}),
        json!({"ref": {"in": ["p1", "p7", "member-0029", "no one"]}}),
        json!({"ref": {"nin": ["p1"], "regex": {"pattern": "^p1"}}}),
        json!({"attribute": {"key": "age", "gte": 5, "lt": 12}}),
        json!({"attribute": {"key": "plan", "in": ["plan 3", "plan 4"]}}),
        json!({"or": [{"attribute": {"key": "plan", "exists": false}}, {"not": {"attribute": {"key": "age", "gt": 2}}}]}),
        json!({"and": [{"createdAt": {"gt": "2020-01-01T00:00:00Z"}}, {"id": {"nin": []}}, {"ref": {"eq": "p5"}}]}),
        json!({"or": []}),
    ] {
        let query = "query($base: ID!, $filter: MemberFilter, $after: String) { \
            members(memberbaseId: $base, filter: $filter, first: 5, after: $after) { nodes { ref } pageInfo { endCursor hasNextPage } } }";
        let (mut expected, mut after) = (String::new(), json!(null));
        loop {
            let variables = json!({"base": bench.base, "filter": filter, "after": after});
            let data = bench.reader.graphql(query, variables).await.data();
            for node in data["members"]["nodes"].as_array().unwrap() {
                expected += node["ref"].as_str().unwrap();
                expected += "\n";
            }
            let info = &data["members"]["pageInfo"];
            if info["hasNextPage"] != true {
                break;
            }
            after = info["endCursor"].clone();
        }
        assert_eq!(bench.file(&format!("format=lines&filter={}", encoded(&filter))).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn invalid_parameters_are_rejected_with_their_reason() {
    let bench = Bench::new(Database::Sqlite).await;
    let refused = async |parameters: &str, code: &str, part: &str| {
        let message = failure(&bench.export(parameters).await, 400, code);
        assert!(message.contains(part), "{parameters}: {message}");
    };
    refused("", "BAD_REQUEST", "format is missing").await;
    refused("format=xlsx", "BAD_REQUEST", "expected one of csv, excel, ndjson, lines").await;
    refused("format=csv&fliter={}", "BAD_REQUEST", "\"fliter\" is unknown; they are memberbase, format, filter").await;
    refused("format=csv&columns=ref,plna", "BAD_REQUEST", "the column \"plna\" does not exist").await;
    refused("format=csv&columns=ref&columns=ref", "BAD_REQUEST", "\"ref\" is given twice").await;
    refused("format=lines&columns=ref", "BAD_REQUEST", "not for format=lines").await;
    refused("format=ndjson&bom=true", "BAD_REQUEST", "are for format=csv").await;
    refused("format=csv&filter=%7B", "BAD_REQUEST", "filter is not valid JSON").await;
    for (filter, part) in [
        (json!([]), "filter: "),
        (json!({"x": 1}), "filter.x: MemberFilter has no such field"),
        (json!({"ref": {"eq": 7}}), "filter.ref.eq: "),
        (json!({"ref": {}}), "a condition needs at least one operator"),
        (json!({"id": {"eq": "x"}}), "eq: "),
        (json!({"ref": {"regex": {"pattern": "("}}}), "regex"),
        (json!({"attribute": {"key": "plna", "eq": "x"}}), "plna"),
        (json!({"attribute": {"key": "age", "eq": "x"}}), "age"),
    ] {
        refused(&format!("format=csv&filter={}", encoded(&filter)), "BAD_USER_INPUT", part).await;
    }
    let deep = (0..20).fold(json!({}), |filter, _| json!({"not": filter}));
    let response = bench.export(&format!("format=csv&filter={}", encoded(&deep))).await;
    assert!(failure(&response, 409, "LIMIT_EXCEEDED").contains("MEMBERBASE_MAX_FILTER_DEPTH"));
}

#[rstest]
#[tokio::test]
async fn memberbase_is_given_by_its_id_or_its_name(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of_pages(database, 1).await;
    let export = async |memberbase: &str| {
        let uri = format!("/export?format=lines&memberbase={memberbase}");
        bench.reader.send(Request::get(uri).body(Body::empty()).unwrap()).await
    };
    assert_eq!(export("Readers").await.body, b"member-0000\n");
    assert_eq!(export(&bench.base).await.body, b"member-0000\n");
    assert!(failure(&export("readers").await, 404, "NOT_FOUND").contains("there is no memberbase \"readers\""));
    failure(&export(&missing_memberbase_id()).await, 404, "NOT_FOUND");
    bench.server.memberbase("Readers").await;
    failure(&export("Readers").await, 400, "BAD_USER_INPUT");
    let missing = Request::get("/export?format=lines").body(Body::empty()).unwrap();
    assert!(failure(&bench.reader.send(missing).await, 400, "BAD_REQUEST").contains("memberbase is missing"));
}

#[rstest]
#[tokio::test]
async fn export_needs_a_token_that_may_read_the_memberbase(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of_pages(database, 1).await;
    let server = &bench.server;
    let other = server.memberbase("Other").await;
    for (caller, status, code) in [
        (server.anonymous(), 401, "UNAUTHENTICATED"),
        (server.with_secret("mbs_wrong"), 401, "UNAUTHENTICATED"),
        (server.bound(Access::Admin, &other).await, 404, "NOT_FOUND"),
    ] {
        let response = caller.send(bench.request("format=lines")).await;
        failure(&response, status, code);
        assert_eq!(response.headers.contains_key("www-authenticate"), status == 401);
    }
    let bound = server.bound(Access::Read, &bench.base).await;
    assert_eq!(bound.send(bench.request("format=lines")).await.body, b"member-0000\n");
}

#[tokio::test]
async fn response_names_the_file_and_its_type() {
    let bench = Bench::new(Database::Sqlite).await;
    let rename =
        "mutation($id: ID!) { updateMemberbase(input: {memberbaseId: $id, name: \"Köln/Süd\"}) { memberbase { id } } }";
    bench.server.admin().await.graphql(rename, json!({"id": bench.base})).await.data();
    for (parameters, kind, extension) in [
        ("format=csv", "text/csv; charset=utf-8; header=present", "csv"),
        ("format=excel", "text/csv; charset=utf-8; header=present", "csv"),
        ("format=ndjson", "application/x-ndjson", "ndjson"),
        ("format=lines", "text/plain; charset=utf-8", "txt"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let mut request = bench.request(parameters);
            *request.method_mut() = method.clone();
            let response = bench.reader.send(request).await;
            let expected = format!(
                "attachment; filename=\"K_ln_S_d.{extension}\"; filename*=UTF-8''K%C3%B6ln_S%C3%BCd.{extension}"
            );
            assert_eq!(response.headers["content-disposition"], expected, "{method} {parameters}");
            assert_eq!(response.headers["content-type"], kind);
            assert_eq!(
                (response.status.as_u16(), &response.headers["cache-control"]),
                (200, &"no-store".parse().unwrap())
            );
            assert!(!response.headers.contains_key("content-length"));
            assert!(method == Method::GET || response.body.is_empty());
        }
    }
}

#[tokio::test]
async fn other_methods_are_rejected() {
    let bench = Bench::new(Database::Sqlite).await;
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let mut request = bench.request("format=csv");
        *request.method_mut() = method;
        let response = bench.reader.send(request).await;
        failure(&response, 405, "BAD_REQUEST");
        assert_eq!(response.headers["allow"], "GET, HEAD");
    }
}

#[tokio::test]
async fn export_is_counted_when_it_ends() {
    let bench = Bench::of_pages(Database::Sqlite, 12).await;
    bench.file("format=csv").await;
    bench.export("format=nothing").await;
    for (code, count) in [("OK", 1.0), ("BAD_REQUEST", 1.0)] {
        let labels = format!("{{api=\"export\",operation=\"export\",type=\"query\",code=\"{code}\"}}");
        assert_eq!(bench.metric(&format!("memberbase_requests_total{labels}")).await, count, "{code}");
    }
    assert_eq!(bench.metric("memberbase_requests_in_flight{api=\"export\"}").await, 0.0);
}

#[tokio::test]
async fn concurrent_exports_are_limited() {
    let export = ExportLimits { exports: 3, exports_per_token: 2 };
    let page = memberbase::types::PageLimits { max: 5, ..Default::default() };
    let bench = Bench::with_limits(Database::Sqlite, Limits { export, page, ..Limits::default() }).await;
    bench.upsert((0..60).map(|number| json!({"ref": format!("member-{number}")})).collect()).await;
    let [other, third] = [bench.server.reader().await, bench.server.reader().await];
    let start = async |reader: &Caller| {
        let response = reader.open(bench.request("format=lines")).await;
        assert_eq!(response.status(), 200);
        response
    };
    let refused = async |reader: &Caller, part: &str| {
        let response = reader.send(bench.request("format=lines")).await;
        let message = failure(&response, 503, "SERVICE_UNAVAILABLE");
        assert!(message.contains(part) && response.headers.contains_key("retry-after"), "{message}");
    };
    let mut running = vec![start(&bench.reader).await, start(&bench.reader).await];
    refused(&bench.reader, "2 running exports (MEMBERBASE_MAX_EXPORTS_PER_TOKEN)").await;
    running.push(start(&other).await);
    refused(&third, "3 running exports (MEMBERBASE_MAX_EXPORTS)").await;
    // A client that disconnects ends its export.
    drop(running);
    while bench.metric("memberbase_requests_in_flight{api=\"export\"}").await > 0.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.file("format=lines").await.lines().count(), 60);
}
