//! Admission of requests: rate limits, concurrency, persisted and trusted documents, batches, and origins.

use std::{num::NonZero, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use memberbase::{
    graphql::execute::Trusted,
    http::Options,
    types::{DocumentLimits, Limits, MemoryLimits, TrafficLimits},
};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{ApiResponse, Caller, Database, Server};

fn traffic(traffic: TrafficLimits) -> Limits {
    Limits { traffic, ..Limits::default() }
}

async fn send_query(caller: &Caller) -> ApiResponse {
    caller.graphql("{ currentApiToken { id } }", json!({})).await
}

fn hash(document: &str) -> String {
    Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn token_over_its_rate_limit_gets_retry_after() {
    let limits = TrafficLimits { requests_per_second: NonZero::new(5), ..TrafficLimits::default() };
    let server = Server::with(Database::Sqlite, traffic(limits)).await;
    let (hasty, other) = (server.reader().await, server.reader().await);
    let mut refused = None;
    for _ in 0..50 {
        let response = send_query(&hasty).await;
        if response.status != StatusCode::OK {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("fifty at once are more than five a second");
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "RATE_LIMITED".to_owned()));
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    assert!(refused.message().contains("MEMBERBASE_MAX_REQUESTS_PER_SECOND"), "{}", refused.message());
    let mut plain = hasty.call("member-base/list", json!({})).await;
    for _ in 0..50 {
        if plain.status != StatusCode::OK {
            break;
        }
        plain = hasty.call("member-base/list", json!({})).await;
    }
    assert_eq!((plain.status.as_u16(), &plain.json()["error"]["code"]), (429, &json!("rate_limited")));
    assert_eq!(plain.headers[header::RETRY_AFTER], "1");
    send_query(&other).await.data();
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    send_query(&hasty).await.data();
}

/// A body that never ends, so that its request stays in flight.
fn endless() -> Request<Body> {
    let body = Body::from_stream(futures_util::stream::pending::<Result<&[u8], std::convert::Infallible>>());
    Request::post("/graphql").header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}

/// Repeats a request until the server responds with this status.
async fn retry_until(caller: &Caller, status: StatusCode) -> ApiResponse {
    for _ in 0..500 {
        let response = send_query(caller).await;
        if response.status == status {
            return response;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the status {status} does not come");
}

#[rstest]
#[case::in_all(TrafficLimits { requests: 2, ..TrafficLimits::default() }, "MEMBERBASE_MAX_REQUESTS)", false)]
#[case::by_token(TrafficLimits { requests_per_token: 2, ..TrafficLimits::default() }, "MEMBERBASE_MAX_REQUESTS_PER_TOKEN)", true)]
#[tokio::test]
async fn requests_over_the_concurrency_limit_get_retry_after(
    #[case] limits: TrafficLimits,
    #[case] setting: &str,
    #[case] others_pass: bool,
) {
    let server = Server::with(Database::Sqlite, traffic(limits)).await;
    let (busy, other) = (server.reader().await, server.reader().await);
    let running: Vec<_> = (0..2)
        .map(|_| {
            let busy = busy.clone();
            // A request that is rejected, because another one holds the permit, is retried.
            tokio::spawn(async move {
                while busy.send(endless()).await.status == StatusCode::SERVICE_UNAVAILABLE {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
            })
        })
        .collect();
    let refused = retry_until(&busy, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(refused.code(), "SERVICE_UNAVAILABLE");
    assert!(refused.message().ends_with(setting), "{}", refused.message());
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(send_query(&other).await.status.is_success(), others_pass);
    let health = server.anonymous().send(Request::get("/livez").body(Body::empty()).unwrap()).await;
    assert_eq!(health.status, StatusCode::OK);
    for task in running {
        task.abort();
    }
    retry_until(&busy, StatusCode::OK).await;
}

#[tokio::test]
async fn persisted_document_is_sent_once_and_then_named_by_its_hash() {
    let server = Server::start(Database::Sqlite).await;
    let (first, second) = (server.reader().await, server.reader().await);
    let document = "query Who { currentApiToken { access } }";
    let extensions = json!({"persistedQuery": {"version": 1, "sha256Hash": hash(document)}});
    let named = async |caller: &Caller| caller.post(json!({"extensions": extensions}).to_string()).await;
    let unknown = named(&first).await;
    assert_eq!(
        (unknown.code(), unknown.message()),
        ("PERSISTED_QUERY_NOT_FOUND".into(), "PersistedQueryNotFound".into())
    );
    first.post(json!({"query": document, "extensions": extensions}).to_string()).await.data();
    for caller in [&first, &second] {
        assert_eq!(named(caller).await.data(), json!({"currentApiToken": {"access": "READ"}}));
    }
    let by_id = json!({"documentId": format!("sha256:{}", hash(document))});
    assert_eq!(first.post(by_id.to_string()).await.data(), json!({"currentApiToken": {"access": "READ"}}));
    let uri = format!("/graphql?documentId=sha256:{}", hash(document));
    first.send(Request::get(uri).body(Body::empty()).unwrap()).await.data();
    let other = json!({"query": "{ __typename }", "extensions": extensions});
    assert_eq!(first.post(other.to_string()).await.code(), "BAD_REQUEST");
    for hash in ["", "zz", &hash(document)[1..], &format!("{}é", &hash(document)[2..])] {
        let body = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}}});
        assert_eq!(first.post(body.to_string()).await.code(), "PERSISTED_QUERY_NOT_FOUND", "{hash}");
    }
    let invalid = "{ nothing }";
    let extensions = json!({"persistedQuery": {"version": 1, "sha256Hash": hash(invalid)}});
    for body in
        [json!({"query": invalid, "extensions": extensions}), json!({"query": invalid, "extensions": extensions})]
    {
        assert_eq!(first.post(body.to_string()).await.code(), "GRAPHQL_VALIDATION_FAILED");
    }
    let body = json!({"extensions": extensions});
    assert_eq!(first.post(body.to_string()).await.code(), "PERSISTED_QUERY_NOT_FOUND", "what is invalid is not kept");
}

#[rstest]
#[case(json!({"who": "{ currentApiToken { access } }"}))]
#[case(json!({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
    {"id": "who", "name": "Who", "type": "query", "body": "{ currentApiToken { access } }"}
]}))]
#[tokio::test]
async fn only_trusted_documents_are_executed(#[case] manifest: Value) {
    let trusted = Trusted::from_json(&manifest.to_string()).unwrap();
    let (limits, options) = (Limits::default(), Options::default());
    let server = Server::with_options(Database::Sqlite, limits, |api| api.trusting(trusted), options).await;
    let reader = server.reader().await;
    let access = json!({"currentApiToken": {"access": "READ"}});
    assert_eq!(reader.post(json!({"documentId": "who"}).to_string()).await.data(), access);
    assert_eq!(reader.graphql("{ currentApiToken { access } }", json!({})).await.data(), access);
    let named = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "who"}}});
    assert_eq!(reader.post(named.to_string()).await.data(), access);
    for query in ["{ currentApiToken { id } }", "{ __typename }", "{ currentApiToken { access }  }"] {
        let response = reader.graphql(query, json!({})).await;
        assert_eq!(response.code(), "FORBIDDEN", "{query}");
        let extensions = json!({"persistedQuery": {"version": 1, "sha256Hash": hash(query)}});
        let body = json!({"query": query, "extensions": extensions});
        assert_eq!(reader.post(body.to_string()).await.code(), "PERSISTED_QUERY_NOT_FOUND", "{query}");
    }
    assert_eq!(reader.post(json!({"documentId": "other"}).to_string()).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(reader.post("{}").await.code(), "BAD_REQUEST");
}

#[test]
fn manifest_without_documents_is_rejected() {
    for manifest in ["", "[]", "{}", r#"{"a": 1}"#, r#"{"operations": []}"#, r#"{"operations": [{"id": "a"}]}"#] {
        assert!(Trusted::from_json(manifest).is_err(), "{manifest}");
    }
}

#[tokio::test]
async fn introspection_can_be_disabled() {
    let document = DocumentLimits { introspection: false, ..DocumentLimits::default() };
    let server = Server::with(Database::Sqlite, Limits { document, ..Limits::default() }).await;
    let reader = server.reader().await;
    for query in [
        "{ __schema { queryType { name } } }",
        "{ a: __type(name: \"Member\") { name } }",
        "{ ... { ...F } } fragment F on Query { __schema { queryType { name } } }",
    ] {
        let response = reader.graphql(query, json!({})).await;
        assert_eq!(response.code(), "GRAPHQL_VALIDATION_FAILED", "{query}");
        assert!(response.message().contains("MEMBERBASE_INTROSPECTION"), "{}", response.message());
    }
    assert_eq!(reader.graphql("{ __typename }", json!({})).await.data(), json!({"__typename": "Query"}));
}

#[rstest]
#[case("{ currentApiToken { id access } }", json!({}), 3)]
#[case("{ memberbases { nodes { id name } } }", json!({}), 1 + 100 * 3)]
#[case("{ memberbases(first: 10) { nodes { id } edges { node { id } cursor } pageInfo { endCursor } totalCount } }", json!({}), 1 + 10 * 2 + 10 * 4 + 2 + 1)]
#[case("query($n: Int = 7) { memberbases(first: $n) { nodes { id } } }", json!({}), 1 + 7 * 2)]
#[case("query($n: Int = 7) { memberbases(last: $n) { nodes { id } } }", json!({"n": 3}), 1 + 3 * 2)]
#[case("{ memberbases(first: 5) { nodes { members(first: 4) { nodes { ...M } } } } } fragment M on Member { id clips(first: 3) { nodes { dealId } } }", json!({}), 1 + 5 * (1 + 1 + 4 * (1 + 1 + 1 + 3 * 2)))]
#[case("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": ["m_01h455vb4pex5vsknk084sn02q", "m_01h455vb4pex5vsknk084sn02q"]}), 2 * 2)]
#[case("query($id: ID!) { nodes(ids: [$id, \"m_01h455vb4pex5vsknk084sn02q\", $id]) { id } }", json!({"id": "m_01h455vb4pex5vsknk084sn02q"}), 3 * 2)]
#[case("{ __typename }", json!({}), 1)]
#[tokio::test]
async fn cost_of_an_operation_is_returned_on_request(#[case] query: &str, #[case] variables: Value, #[case] cost: u64) {
    let server = Server::start(Database::Sqlite).await;
    let reader = server.reader().await;
    let body = json!({"query": query, "variables": variables}).to_string();
    let request =
        Request::post("/graphql").header(header::CONTENT_TYPE, "application/json").header("x-graphql-cost", "1");
    let response = reader.send(request.body(Body::from(body.clone())).unwrap()).await.json();
    assert_eq!(response["extensions"], json!({"cost": cost}), "{response}");
    assert!(reader.post(body).await.json().get("extensions").is_none());
}

#[tokio::test]
async fn operation_over_the_cost_limit_is_rejected_before_execution() {
    let document = DocumentLimits { complexity: 1_000, ..DocumentLimits::default() };
    let server = Server::with(Database::Sqlite, Limits { document, ..Limits::default() }).await;
    let reader = server.reader().await;
    let query = "query($n: Int) { memberbases(first: $n) { nodes { id } } }";
    reader.graphql(query, json!({"n": 499})).await.data();
    let response = reader.graphql(query, json!({"n": 500})).await;
    assert_eq!(response.code(), "LIMIT_EXCEEDED");
    assert!(response.message().contains("1001") && response.message().contains("1000"), "{}", response.message());
    let nested = "{ memberbases(first: 5000) { nodes { members(first: 5000) { nodes { clips(first: 5000) { nodes { id } } } } } } }";
    assert_eq!(server.reader().await.graphql(nested, json!({})).await.code(), "LIMIT_EXCEEDED");
}

#[rstest]
#[tokio::test]
async fn allowed_batch_gets_a_response_for_each_request(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let limits = TrafficLimits { batch: NonZero::new(3), ..TrafficLimits::default() };
    let server = Server::with(database, traffic(limits)).await;
    let admin = server.admin().await;
    let create = json!({"query": "mutation { createMemberbase(input: {name: \"a\"}) { memberbase { name } } }"});
    let count = json!({"query": "{ memberbases { totalCount } }"});
    let responses = admin.post(json!([create, {"query": "{ nothing }"}, count]).to_string()).await;
    assert_eq!(responses.status, StatusCode::OK);
    let responses = responses.json();
    assert_eq!(responses[0]["data"], json!({"createMemberbase": {"memberbase": {"name": "a"}}}));
    assert_eq!(responses[1]["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(responses[2]["data"], json!({"memberbases": {"totalCount": 1}}));
    for body in [json!([]), json!([count, count, count, count])] {
        let response = admin.post(body.to_string()).await;
        assert_eq!((response.status.as_u16(), response.code()), (400, "BAD_REQUEST".to_owned()));
        assert!(response.message().contains("MEMBERBASE_MAX_BATCH"), "{}", response.message());
    }
    let off = Server::start(database).await.admin().await.post(json!([count]).to_string()).await;
    assert_eq!((off.status.as_u16(), off.code()), (400, "BAD_REQUEST".to_owned()));
}

#[rstest]
#[tokio::test]
async fn mutation_after_a_query_in_a_batch_has_its_own_budget(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let limits = Limits {
        memory: MemoryLimits { query: 1 << 20, ..MemoryLimits::default() },
        ..traffic(TrafficLimits { batch: NonZero::new(2), ..TrafficLimits::default() })
    };
    let server = Server::with(database, limits).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let rows: Vec<_> = (0..20_000).map(|n| json!({"ref": format!("ref-{n}")})).collect();
    let upsert = "mutation($b: ID!, $m: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $b, members: $m}) \
        { summary { created } } }";
    let mutation = json!({"query": upsert, "variables": {"b": base, "m": rows}});
    let responses = writer.post(json!([{"query": "{ __typename }"}, mutation]).to_string()).await.json();
    assert_eq!(responses[0]["data"], json!({"__typename": "Query"}));
    assert_eq!(responses[1]["data"]["bulkUpsertMembers"]["summary"]["created"], 20_000, "{}", responses[1]);
}

/// A server that one origin may call.
async fn server_with_cors() -> Server {
    let options = Options { cors_origins: vec![ORIGIN.parse().unwrap()], ..Options::default() };
    Server::with_options(Database::Sqlite, Limits::default(), |api| api, options).await
}

const ORIGIN: &str = "https://admin.example.com";

async fn preflight(server: &Server, origin: &str, headers: &str) -> ApiResponse {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/graphql")
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, headers);
    server.anonymous().send(request.body(Body::empty()).unwrap()).await
}

async fn query_from(server: &Server, origin: &str) -> ApiResponse {
    let request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
    let body = Body::from(json!({"query": "{ __typename }"}).to_string());
    server.reader().await.send(request.header(header::ORIGIN, origin).body(body).unwrap()).await
}

fn cors_headers(response: &ApiResponse) -> Vec<&str> {
    response.headers.keys().map(header::HeaderName::as_str).filter(|name| name.starts_with("access-control")).collect()
}

#[tokio::test]
async fn preflight_of_an_allowed_origin_allows_every_requested_header() {
    let server = server_with_cors().await;
    for headers in [
        "authorization,content-type",
        "authorization,baggage,content-type,sentry-trace,traceparent,tracestate",
        "apollographql-client-name,apollographql-client-version,x-apollo-operation-name",
    ] {
        let response = preflight(&server, ORIGIN, headers).await;
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], ORIGIN);
        assert_eq!(response.headers[header::ACCESS_CONTROL_ALLOW_HEADERS], headers);
        assert_eq!(response.headers[header::ACCESS_CONTROL_ALLOW_METHODS], "GET,POST,PUT,DELETE");
        assert_eq!(response.headers[header::ACCESS_CONTROL_MAX_AGE], "3600");
        assert!(!response.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }
}

#[tokio::test]
async fn response_to_an_allowed_origin_exposes_its_headers() {
    let response = query_from(&server_with_cors().await, ORIGIN).await;
    assert_eq!(response.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], ORIGIN);
    assert!(response.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap().contains("x-trace-id"));
}

#[tokio::test]
async fn other_origin_gets_no_cors_headers() {
    let server = server_with_cors().await;
    for origin in
        ["https://evil.example.com", "http://admin.example.com", "https://admin.example.com.evil.example", "null"]
    {
        let response = preflight(&server, origin, "authorization,sentry-trace").await;
        assert_eq!(cors_headers(&response), [""; 0], "preflight from {origin}");
        let response = query_from(&server, origin).await;
        assert_eq!(cors_headers(&response), [""; 0], "query from {origin}");
    }
}

#[tokio::test]
async fn without_origins_a_preflight_is_rejected() {
    let response = preflight(&Server::start(Database::Sqlite).await, ORIGIN, "authorization").await;
    assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(cors_headers(&response), [""; 0]);
}
