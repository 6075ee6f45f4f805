//! Admission of requests: rate limits, concurrency, persisted and trusted documents, batches, and origins.

use std::{num::NonZero, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use memberbase::{
    domain::access::Access,
    graphql::execute::Trusted,
    http::Options,
    types::{DocumentLimits, Limits, TrafficLimits},
};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Answer, Caller, Database, Server};

fn traffic(traffic: TrafficLimits) -> Limits {
    Limits { traffic, ..Limits::default() }
}

async fn ask(caller: &Caller) -> Answer {
    caller.ask("{ currentApiToken { id } }", json!({})).await
}

fn hash(document: &str) -> String {
    Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_token_that_sends_too_much_a_second_is_told_when_to_come_again() {
    let limits = TrafficLimits { requests_per_second: NonZero::new(5), ..TrafficLimits::default() };
    let server = Server::with(Database::Sqlite, traffic(limits)).await;
    let (hasty, other) = (server.reader().await, server.reader().await);
    let mut refused = None;
    for _ in 0..50 {
        let answer = ask(&hasty).await;
        if answer.status != StatusCode::OK {
            refused = Some(answer);
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
    ask(&other).await.data();
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    ask(&hasty).await.data();
}

/// A body that never ends, so that its request stays in flight.
fn endless() -> Request<Body> {
    let body = Body::from_stream(futures_util::stream::pending::<Result<&[u8], std::convert::Infallible>>());
    Request::post("/graphql").header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}

/// Repeats a request until the server responds with this status.
async fn becomes(caller: &Caller, status: StatusCode) -> Answer {
    for _ in 0..500 {
        let answer = ask(caller).await;
        if answer.status == status {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the status {status} does not come");
}

#[rstest]
#[case::in_all(TrafficLimits { requests: 2, ..TrafficLimits::default() }, "MEMBERBASE_MAX_REQUESTS)", false)]
#[case::by_token(TrafficLimits { requests_per_token: 2, ..TrafficLimits::default() }, "MEMBERBASE_MAX_REQUESTS_PER_TOKEN)", true)]
#[tokio::test]
async fn too_many_at_a_time_are_told_to_come_again(
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
    let refused = becomes(&busy, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(refused.code(), "SERVICE_UNAVAILABLE");
    assert!(refused.message().ends_with(setting), "{}", refused.message());
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(ask(&other).await.status.is_success(), others_pass);
    let health = server.anonymous().send(Request::get("/livez").body(Body::empty()).unwrap()).await;
    assert_eq!(health.status, StatusCode::OK);
    for task in running {
        task.abort();
    }
    becomes(&busy, StatusCode::OK).await;
}

#[tokio::test]
async fn a_document_is_sent_once_and_then_named_by_its_hash() {
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
async fn trusted_documents_alone_run(#[case] manifest: Value) {
    let trusted = Trusted::from_json(&manifest.to_string()).unwrap();
    let (limits, options) = (Limits::default(), Options::default());
    let server = Server::with_options(Database::Sqlite, limits, |api| api.trusting(trusted), options).await;
    let reader = server.reader().await;
    let access = json!({"currentApiToken": {"access": "READ"}});
    assert_eq!(reader.post(json!({"documentId": "who"}).to_string()).await.data(), access);
    assert_eq!(reader.ask("{ currentApiToken { access } }", json!({})).await.data(), access);
    let named = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "who"}}});
    assert_eq!(reader.post(named.to_string()).await.data(), access);
    for query in ["{ currentApiToken { id } }", "{ __typename }", "{ currentApiToken { access }  }"] {
        let answer = reader.ask(query, json!({})).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{query}");
        let extensions = json!({"persistedQuery": {"version": 1, "sha256Hash": hash(query)}});
        let body = json!({"query": query, "extensions": extensions});
        assert_eq!(reader.post(body.to_string()).await.code(), "PERSISTED_QUERY_NOT_FOUND", "{query}");
    }
    assert_eq!(reader.post(json!({"documentId": "other"}).to_string()).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(reader.post("{}").await.code(), "BAD_REQUEST");
}

#[test]
fn a_manifest_without_documents_is_refused() {
    for manifest in ["", "[]", "{}", r#"{"a": 1}"#, r#"{"operations": []}"#, r#"{"operations": [{"id": "a"}]}"#] {
        assert!(Trusted::from_json(manifest).is_err(), "{manifest}");
    }
}

#[tokio::test]
async fn introspection_can_be_turned_off() {
    let document = DocumentLimits { introspection: false, ..DocumentLimits::default() };
    let server = Server::with(Database::Sqlite, Limits { document, ..Limits::default() }).await;
    let reader = server.reader().await;
    for query in [
        "{ __schema { queryType { name } } }",
        "{ a: __type(name: \"Member\") { name } }",
        "{ ... { ...F } } fragment F on Query { __schema { queryType { name } } }",
    ] {
        let answer = reader.ask(query, json!({})).await;
        assert_eq!(answer.code(), "GRAPHQL_VALIDATION_FAILED", "{query}");
        assert!(answer.message().contains("MEMBERBASE_INTROSPECTION"), "{}", answer.message());
    }
    assert_eq!(reader.ask("{ __typename }", json!({})).await.data(), json!({"__typename": "Query"}));
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
async fn what_an_operation_costs_is_told_when_asked(#[case] query: &str, #[case] variables: Value, #[case] cost: u64) {
    let server = Server::start(Database::Sqlite).await;
    let reader = server.reader().await;
    let body = json!({"query": query, "variables": variables}).to_string();
    let request =
        Request::post("/graphql").header(header::CONTENT_TYPE, "application/json").header("x-graphql-cost", "1");
    let answer = reader.send(request.body(Body::from(body.clone())).unwrap()).await.json();
    assert_eq!(answer["extensions"], json!({"cost": cost}), "{answer}");
    assert!(reader.post(body).await.json().get("extensions").is_none());
}

#[tokio::test]
async fn an_operation_that_costs_too_much_is_refused_before_it_runs() {
    let document = DocumentLimits { complexity: 1_000, ..DocumentLimits::default() };
    let server = Server::with(Database::Sqlite, Limits { document, ..Limits::default() }).await;
    let reader = server.reader().await;
    let query = "query($n: Int) { memberbases(first: $n) { nodes { id } } }";
    reader.ask(query, json!({"n": 499})).await.data();
    let answer = reader.ask(query, json!({"n": 500})).await;
    assert_eq!(answer.code(), "LIMIT_EXCEEDED");
    assert!(answer.message().contains("1001") && answer.message().contains("1000"), "{}", answer.message());
    let nested = "{ memberbases(first: 5000) { nodes { members(first: 5000) { nodes { clips(first: 5000) { nodes { id } } } } } } }";
    assert_eq!(server.reader().await.ask(nested, json!({})).await.code(), "LIMIT_EXCEEDED");
}

#[rstest]
#[tokio::test]
async fn a_batch_is_answered_request_by_request_where_it_is_allowed(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let limits = TrafficLimits { batch: NonZero::new(3), ..TrafficLimits::default() };
    let server = Server::with(database, traffic(limits)).await;
    let admin = server.admin().await;
    let create = json!({"query": "mutation { createMemberbase(input: {name: \"a\"}) { memberbase { name } } }"});
    let count = json!({"query": "{ memberbases { totalCount } }"});
    let answers = admin.post(json!([create, {"query": "{ nothing }"}, count]).to_string()).await;
    assert_eq!(answers.status, StatusCode::OK);
    let answers = answers.json();
    assert_eq!(answers[0]["data"], json!({"createMemberbase": {"memberbase": {"name": "a"}}}));
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(answers[2]["data"], json!({"memberbases": {"totalCount": 1}}));
    for body in [json!([]), json!([count, count, count, count])] {
        let answer = admin.post(body.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "BAD_REQUEST".to_owned()));
        assert!(answer.message().contains("MEMBERBASE_MAX_BATCH"), "{}", answer.message());
    }
    let off = Server::start(database).await.admin().await.post(json!([count]).to_string()).await;
    assert_eq!((off.status.as_u16(), off.code()), (400, "BAD_REQUEST".to_owned()));
}

#[tokio::test]
async fn pages_of_listed_origins_alone_may_call() {
    let options = Options { cors_origins: vec!["https://admin.example.com".parse().unwrap()], ..Options::default() };
    let server = Server::with_options(Database::Sqlite, Limits::default(), |api| api, options).await;
    let preflight = async |server: &Server, origin: &str| {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .uri("/graphql")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
        server.anonymous().send(request.body(Body::empty()).unwrap()).await
    };
    let allowed = preflight(&server, "https://admin.example.com").await;
    assert_eq!(allowed.status, StatusCode::OK);
    assert_eq!(allowed.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://admin.example.com");
    assert!(allowed.headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().contains("authorization"));
    assert!(!allowed.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
    for origin in
        ["https://evil.example.com", "http://admin.example.com", "https://admin.example.com.evil.example", "null"]
    {
        let refused = preflight(&server, origin).await;
        assert!(!refused.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{origin}");
    }
    let (_, secret) = server.token(Access::Read, None, None).await;
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ORIGIN, "https://admin.example.com");
    let body = Body::from(json!({"query": "{ __typename }"}).to_string());
    let answer = server.with_secret(&secret).send(request.body(body).unwrap()).await;
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://admin.example.com");
    assert!(answer.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap().contains("x-trace-id"));
    let closed = preflight(&Server::start(Database::Sqlite).await, "https://admin.example.com").await;
    assert_eq!(closed.status, StatusCode::METHOD_NOT_ALLOWED);
}
