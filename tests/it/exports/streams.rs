//! Exports that take long: changes while they run, and how they break off.

use std::{io, time::Duration};

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use memberbase::{
    domain::access::Access,
    types::{Limits, MemoryLimits},
};
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::Bench;
use crate::support::{Database, Site};

/// The time limit of a step, generous because the machine that runs the tests may be busy.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a body to its end. Returns what was received, and whether that is the proper end.
async fn rest(mut body: BodyDataStream) -> (String, bool) {
    let mut text = Vec::new();
    while let Some(piece) = timeout(STEP_TIMEOUT, body.next()).await.expect("a piece in time") {
        match piece {
            Ok(piece) => text.extend_from_slice(&piece),
            Err(_) => return (String::from_utf8(text).unwrap(), false),
        }
    }
    (String::from_utf8(text).unwrap(), true)
}

async fn revoke(bench: &Bench, id: &impl ToString) {
    let query = "mutation($id: ID!) { revokeApiToken(input: {apiTokenId: $id}) { apiToken { id } } }";
    bench.server.admin().await.graphql(query, json!({"id": id.to_string()})).await.data();
}

#[rstest]
#[tokio::test]
async fn members_that_exist_all_the_time_are_included_exactly_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("format=lines", "format=csv&columns=ref")] parameters: &str,
) {
    let bench = Bench::of_pages(database, 200).await;
    let response = bench.reader.open(bench.request(parameters)).await;
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    let writer = bench.server.writer().await;
    let refs: Vec<_> = (0..20).map(|number| format!("new-{number}")).collect();
    writer.upsert(&bench.base, &refs.iter().map(String::as_str).collect::<Vec<_>>()).await.data();
    let gone = ["member-0001", "member-0100", "member-0101", "member-0199"];
    writer.delete_with(json!({"memberbaseId": bench.base, "refs": gone})).await.data();
    bench
        .upsert((90..110).map(|n| json!({"ref": format!("member-{n:04}"), "attributes": {"plan": "x"}})).collect())
        .await;
    let (others, is_complete) = rest(body).await;
    assert!(is_complete);
    let text = String::from_utf8(first.to_vec()).unwrap() + &others;
    let mut found: Vec<_> = text.lines().filter(|line| line.starts_with("member-")).collect();
    // A member that was read before its deletion may be included.
    found.retain(|line| !gone.contains(line) || *line == "member-0001");
    let expected: Vec<_> = (0..200).map(|number| format!("member-{number:04}")).collect();
    let again = ["member-0100", "member-0101"];
    let expected: Vec<_> =
        expected.iter().map(String::as_str).filter(|line| !gone.contains(line) || *line == "member-0001").collect();
    assert_eq!(found, expected);
    // The upsert has created these again, at the end.
    for line in again {
        assert_eq!(text.lines().filter(|other| *other == line).count(), 1, "{line}");
    }
}

#[rstest]
#[tokio::test]
async fn export_breaks_off_when_its_token_is_revoked(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of_pages(database, 200).await;
    let (id, secret) = bench.server.token(Access::Read, None, None).await;
    let response = bench.server.with_secret(&secret).open(bench.request("format=lines")).await;
    assert_eq!(response.status(), 200);
    revoke(&bench, &id).await;
    let (text, is_complete) = rest(response.into_body().into_data_stream()).await;
    assert!(!is_complete && text.starts_with("member-0000\n") && text.lines().count() < 100, "{text}");
    let labels = "{api=\"export\",operation=\"export\",type=\"query\",code=\"UNAUTHENTICATED\"}";
    assert_eq!(bench.metric(&format!("memberbase_requests_total{labels}")).await, 1.0);
}

#[rstest]
#[tokio::test]
async fn export_breaks_off_when_its_memberbase_is_deleted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of_pages(database, 200).await;
    let response = bench.reader.open(bench.request("format=lines")).await;
    let delete = "mutation($id: ID!) { deleteMemberbase(input: {memberbaseId: $id, atMostMembers: 1000}) { deletedMemberbaseId } }";
    bench.server.admin().await.graphql(delete, json!({"id": bench.base})).await.data();
    let (_, is_complete) = rest(response.into_body().into_data_stream()).await;
    assert!(!is_complete);
}

#[tokio::test]
async fn line_break_in_a_later_ref_breaks_the_export_off() {
    let bench = Bench::of_pages(Database::Sqlite, 40).await;
    bench.upsert(vec![json!({"ref": "two\nlines"})]).await;
    let response = bench.reader.open(bench.request("format=lines")).await;
    let (text, is_complete) = rest(response.into_body().into_data_stream()).await;
    assert_eq!((is_complete, text.lines().count()), (false, 40));
}

/// Connects and sends a request.
async fn connect(address: &str, (version, coding): (&str, &str), target: &str, secret: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET {target} HTTP/{version}\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: {coding}\r\n\
        Authorization: Bearer {secret}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads to the end of a connection.
async fn read(stream: &mut TcpStream) -> (Vec<u8>, io::Result<usize>) {
    let mut received = Vec::new();
    let outcome = timeout(STEP_TIMEOUT, stream.read_to_end(&mut received)).await.expect("an end in time");
    (received, outcome)
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_export_does_not_look_complete_to_a_client(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("1.0", "1.1")] version: &str,
    #[values("identity", "gzip")] coding: &str,
) {
    let bench = Bench::of_large_members(database, Limits::default()).await;
    let address = bench.server.listen().await.to_string();
    let target = format!("/export?memberbase={}&format=ndjson", bench.base);
    let (id, secret) = bench.server.token(Access::Read, None, None).await;
    let mut complete = connect(&address, (version, coding), &target, &secret).await;
    let (received, outcome) = read(&mut complete).await;
    outcome.unwrap();
    let length = received.len();
    assert!(length > if coding == "gzip" { 8 << 20 } else { 400 * 45_000 }, "{length}");
    assert!(version == "1.0" || received.ends_with(b"\r\n0\r\n\r\n"));
    let mut broken = connect(&address, (version, coding), &target, &secret).await;
    broken.read_exact(&mut [0; 1000]).await.unwrap();
    revoke(&bench, &id).await;
    let (received, outcome) = read(&mut broken).await;
    assert!(received.len() < length, "{}", received.len());
    assert!(outcome.is_err() || version == "1.1", "the connection has ended without a reset");
    assert!(!received.ends_with(b"\r\n0\r\n\r\n"));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_the_file(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let memory = MemoryLimits { query: 12 << 20, ..MemoryLimits::default() };
    let bench = Bench::of_large_members(database, Limits { memory, ..Limits::default() }).await;
    let address = bench.server.listen().await.to_string();
    let target = format!("/export?memberbase={}&format=csv", bench.base);
    let (_, secret) = bench.server.token(Access::Read, None, None).await;
    let mut stream = connect(&address, ("1.1", "identity"), &target, &secret).await;
    stream.read_exact(&mut [0; 1000]).await.unwrap();
    // The client does not read, so the export gets as far ahead as it can.
    let mut used = Vec::new();
    for _ in 0..20 {
        sleep(Duration::from_millis(50)).await;
        used.push(bench.metric("memberbase_requests_memory_bytes").await);
    }
    assert_eq!(bench.metric("memberbase_requests_in_flight{api=\"export\"}").await, 1.0);
    assert!(used.iter().all(|bytes| *bytes < f64::from(16 << 20)), "{used:?}");
    let (received, outcome) = read(&mut stream).await;
    outcome.unwrap();
    assert!(received.len() > 400 * 45_000 && received.ends_with(b"\r\n0\r\n\r\n"));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_stops_breaks_exports_off(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let site = Site::new(database).await;
    let mut process = site.start().await;
    let admin = &process.admin;
    let create = "mutation { createMemberbase(input: {name: \"Readers\"}) { memberbase { id } } }";
    let base = admin.data(create, json!({})).await["createMemberbase"]["memberbase"]["id"].clone();
    let upsert =
        "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { summary { created } } }";
    // More than sockets buffer.
    for batch in 0..4 {
        let reference = |number| json!({"ref": format!("{batch}-{number:05}-{}", "x".repeat(1_000))});
        let members: Vec<_> = (0..5_000).map(reference).collect();
        admin.data(upsert, json!({"input": {"memberbaseId": base, "members": members}})).await;
    }
    let mut stream =
        connect(admin.address(), ("1.1", "identity"), "/export?memberbase=Readers&format=csv", admin.secret()).await;
    stream.read_exact(&mut [0; 1000]).await.unwrap();
    process.terminate();
    // The client does not read while the server stops.
    assert!(process.ended(STEP_TIMEOUT).await.is_some_and(|status| status.success()));
    assert!(!process.log().contains("did not finish in time"), "{}", process.log());
    let (received, _) = read(&mut stream).await;
    assert!(!received.ends_with(b"\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn body_of_the_request_is_not_read() {
    let bench = Bench::of_pages(Database::Sqlite, 1).await;
    let mut request = bench.request("format=lines");
    *request.body_mut() = Body::from("not read");
    let response = bench.reader.send(request).await;
    assert_eq!((response.status.as_u16(), &*response.body), (200, &b"member-0000\n"[..]));
    assert_eq!(response.headers["connection"], "close");
}
