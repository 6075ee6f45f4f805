//! HTTP responses and their headers, and the time limit of a request.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use memberbase::types::Limits;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::support::{Answer, Database, Server};

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[rstest]
#[tokio::test]
async fn the_trace_id_of_an_error_is_that_of_the_header(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let reader = server.reader().await;
    let query = "{ members(memberbaseId: \"mb_01h455vb4pex5vsknk084sn02q\") { nodes { id } } }";
    for answer in [reader.ask(query, json!({})).await, reader.post("{").await, server.anonymous().post("{}").await] {
        let trace = header(&answer, "x-trace-id");
        assert_eq!(trace.len(), 32);
        assert_eq!(answer.error()["extensions"]["traceId"], trace, "{}", answer.json());
    }
}

#[rstest]
#[tokio::test]
async fn whoever_is_not_known_is_refused_before_the_body_is_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    for caller in [server.anonymous(), server.with_secret("mbt_wrong")] {
        let body = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        let answer = caller.post(body).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED".to_owned()));
    }
}

#[rstest]
#[tokio::test]
async fn the_protocol_s_refusals_say_what_would_do(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let get = |query: &str| Request::get(format!("/graphql?query={query}")).body(Body::empty()).unwrap();
    let answer = admin.send(get("%7Bmemberbases%7BtotalCount%7D%7D")).await;
    assert_eq!(answer.data(), json!({"memberbases": {"totalCount": 0}}));
    let mutation = "mutation%7BcreateMemberbase(input:%7Bname:%22x%22%7D)%7Bmemberbase%7Bid%7D%7D%7D";
    let answer = admin.send(get(mutation)).await;
    assert_eq!((answer.status, header(&answer, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    assert_eq!(admin.ask("{ memberbases { totalCount } }", json!({})).await.data()["memberbases"]["totalCount"], 0);
    for (content_type, accept, status) in [("text/plain", "*/*", 415), ("application/json", "text/html", 406)] {
        let request = Request::post("/graphql").header("content-type", content_type).header("accept", accept);
        let answer = admin.send(request.body(Body::from("{\"query\":\"{__typename}\"}")).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, "BAD_REQUEST".to_owned()));
    }
    let answer = admin.post(json!({"query": "{ __typename }", "variables": {"x": "x".repeat(17 << 20)}}).to_string());
    let answer = answer.await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "PAYLOAD_TOO_LARGE".to_owned()));
    assert!(answer.message().contains("16777216") || answer.message().contains("16 MiB"), "{}", answer.message());
}

#[rstest]
#[tokio::test]
async fn a_query_that_takes_too_long_ends_in_the_database_too(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let mut limits = Limits::default();
    limits.time.query = Duration::from_millis(50);
    let server = Server::with(database, limits).await;
    let refs: Vec<String> = (0..200_000).map(|n| format!("{n:0>100}")).collect();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let reader = server.reader().await;
    let query = "query($b: ID!, $f: MemberFilter) { members(memberbaseId: $b, filter: $f, first: 0) { totalCount } }";
    let pattern = "((0|1)*(1|2)*(2|3)*(4|5)*){40}x";
    let start = Instant::now();
    let answer = reader.ask(query, json!({"b": base, "f": {"ref": {"regex": {"pattern": pattern}}}})).await;
    assert_eq!(answer.code(), "TIMEOUT", "{}", answer.json());
    assert_eq!(answer.error()["extensions"]["retryable"], true);
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
    let mut answered = Value::Null;
    for _ in 0..20 {
        answered = reader.ask(next, json!({"b": base})).await.json();
        if answered.get("errors").is_none() {
            break;
        }
    }
    assert_eq!(answered["data"]["members"]["nodes"][0]["ref"], refs[0], "{answered}");
}
