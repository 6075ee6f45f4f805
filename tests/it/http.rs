//! HTTP responses and their headers, and the time limit of a request.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use memberbase::types::{Limits, MemoryLimits};
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::support::{ApiResponse, Database, Server};

fn header<'a>(response: &'a ApiResponse, name: &str) -> &'a str {
    response.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[rstest]
#[tokio::test]
async fn trace_id_of_an_error_equals_the_header(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let reader = server.reader().await;
    let query = "{ members(memberbaseId: \"mb_01h455vb4pex5vsknk084sn02q\") { nodes { id } } }";
    for response in
        [reader.graphql(query, json!({})).await, reader.post("{").await, server.anonymous().post("{}").await]
    {
        let trace = header(&response, "x-trace-id");
        assert_eq!(trace.len(), 32);
        assert_eq!(response.error()["extensions"]["traceId"], trace, "{}", response.json());
    }
}

#[rstest]
#[tokio::test]
async fn unauthenticated_request_is_rejected_before_its_body_is_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    for caller in [server.anonymous(), server.with_secret("mbt_wrong")] {
        let body = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        let response = caller.post(body).await;
        assert_eq!((response.status, response.code()), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED".to_owned()));
    }
}

#[rstest]
#[tokio::test]
async fn http_errors_have_their_status_and_code(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let get = |query: &str| Request::get(format!("/graphql?query={query}")).body(Body::empty()).unwrap();
    let response = admin.send(get("%7Bmemberbases%7BtotalCount%7D%7D")).await;
    assert_eq!(response.data(), json!({"memberbases": {"totalCount": 0}}));
    let mutation = "mutation%7BcreateMemberbase(input:%7Bname:%22x%22%7D)%7Bmemberbase%7Bid%7D%7D%7D";
    let response = admin.send(get(mutation)).await;
    assert_eq!((response.status, header(&response, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    assert_eq!(admin.graphql("{ memberbases { totalCount } }", json!({})).await.data()["memberbases"]["totalCount"], 0);
    for (content_type, accept, status) in [("text/plain", "*/*", 415), ("application/json", "text/html", 406)] {
        let request = Request::post("/graphql").header("content-type", content_type).header("accept", accept);
        let response = admin.send(request.body(Body::from("{\"query\":\"{__typename}\"}")).unwrap()).await;
        assert_eq!((response.status.as_u16(), response.code()), (status, "BAD_REQUEST".to_owned()));
    }
    let response = admin.post(json!({"query": "{ __typename }", "variables": {"x": "x".repeat(17 << 20)}}).to_string());
    let response = response.await;
    assert_eq!((response.status.as_u16(), response.code()), (413, "PAYLOAD_TOO_LARGE".to_owned()));
    assert!(response.message().contains("16777216") || response.message().contains("16 MiB"), "{}", response.message());
}

#[rstest]
#[tokio::test]
async fn timed_out_query_is_cancelled_in_the_database(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let patient = Server::start(database).await;
    let refs: Vec<String> = (0..200_000).map(|n| format!("{n:0>100}")).collect();
    let base = patient.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut limits = Limits::default();
    limits.time.query = Duration::from_millis(50);
    let server = patient.server_with_limits(limits).await;
    let reader = server.reader().await;
    let query = "query($b: ID!, $f: MemberFilter) { members(memberbaseId: $b, filter: $f, first: 0) { totalCount } }";
    let pattern = "((0|1)*(1|2)*(2|3)*(4|5)*){40}x";
    let start = Instant::now();
    let response = reader.graphql(query, json!({"b": base, "f": {"ref": {"regex": {"pattern": pattern}}}})).await;
    assert_eq!(response.code(), "TIMEOUT", "{}", response.json());
    assert_eq!(response.error()["extensions"]["retryable"], true);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    if database == Database::Postgres {
        // Cancellation may take a moment to reach the database.
        let mut running = 1;
        for _ in 0..40 {
            let sql = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                AND state = 'active' AND pid <> pg_backend_pid()";
            let session = server.app.db.read().await.unwrap();
            let row = session.query_one_raw(Statement::from_string(server.app.db.backend(), sql)).await.unwrap();
            running = row.unwrap().try_get::<i64>("", "n").unwrap();
            if running == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(running, 0);
    }
    let next = "query($b: ID!) { members(memberbaseId: $b, first: 1) { nodes { ref } } }";
    let mut body = Value::Null;
    for _ in 0..20 {
        body = reader.graphql(next, json!({"b": base})).await.json();
        if body.get("errors").is_none() {
            break;
        }
    }
    assert_eq!(body["data"]["members"]["nodes"][0]["ref"], refs[0], "{body}");
}

#[rstest]
#[tokio::test]
async fn body_of_a_mutation_may_be_larger_than_its_own_memory(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let memory = MemoryLimits { mutation: 2 << 20, ..MemoryLimits::default() };
    let server = Server::with(database, Limits { memory, ..Limits::default() }).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let rows: Vec<_> = (0..60_000)
        .map(|n| json!({"ref": format!("a ref that has sixty bytes, as if it were made by hand {n:07}")}))
        .collect();
    let upsert = "mutation($b: ID!, $m: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $b, members: $m}) \
        { summary { created } } }";
    let upserted = writer.graphql(upsert, json!({"b": base, "m": rows})).await.data();
    assert_eq!(upserted["bulkUpsertMembers"]["summary"]["created"], 60_000);
}
