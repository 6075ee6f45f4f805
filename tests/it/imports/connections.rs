//! Clients that send slowly, read late or disconnect, and a server that stops.

use std::{
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::body::Body;
use futures_util::{StreamExt, stream};
use memberbase::{
    domain::access::Access,
    http::{ConnectionOptions, Timeouts},
    types::{ImportLimits, Limits},
};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{Bench, Outcome, events};
use crate::support::{Caller, Database, Site};

/// The time limit of a step, generous because the machine that runs the tests may be busy.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// The media type that a client names if it reads events while it sends.
const EVENTS: &str = "application/x-ndjson";

/// Sends the head of an import whose body has this length.
async fn begin(address: &str, secret: &str, target: &str, length: usize, accepted: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\n\
        Accept: {accepted}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads the response, which has this status, to its end.
async fn read(stream: &mut TcpStream, status: u16) -> Vec<Value> {
    let mut received = Vec::new();
    timeout(STEP_TIMEOUT, stream.read_to_end(&mut received)).await.expect("a response in time").unwrap();
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    events(&unchunked(&received[end..]))
}

/// Decodes a chunked body, which has to be complete.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").expect("the length of a chunk");
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        let chunk = &rest[end + 2..][..length];
        rest = &rest[end + 2 + length + 2..];
        if length == 0 {
            return body;
        }
        body.extend_from_slice(chunk);
    }
}

async fn listen(bench: &Bench) -> (SocketAddr, String) {
    let timeouts = Timeouts { stall: Duration::from_millis(500), ..Timeouts::default() };
    let options = ConnectionOptions { timeouts, ..ConnectionOptions::default() };
    let address = bench.server.listen_with(options).await;
    (address, bench.server.token(Access::Write, None, None).await.1)
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_reads_nothing_before_it_has_sent_everything_gets_all_events(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("*/*", EVENTS)] accepted: &str,
) {
    let bench = Bench::new(database).await;
    let (address, secret) = listen(&bench).await;
    // The events are larger than what the sockets buffer, and the client pauses for longer than a connection may stall.
    let text = "x".repeat(3_000);
    let rows: String = (0..8_000).map(|number| format!("ref-{number},{text},no\n")).collect();
    let body = format!("ref,plan,age\n{rows}");
    let target = format!("/import?memberbase={}&format=csv&onError=skip", bench.base);
    let mut stream = begin(&address.to_string(), &secret, &target, body.len(), accepted).await;
    let (first, rest) = body.as_bytes().split_at(body.len() - 10_000);
    timeout(STEP_TIMEOUT, stream.write_all(first)).await.expect("the server takes it").unwrap();
    sleep(Duration::from_millis(1_500)).await;
    timeout(STEP_TIMEOUT, stream.write_all(rest)).await.expect("the server takes it").unwrap();
    let events = read(&mut stream, 200).await;
    assert_eq!(events.iter().filter(|event| event["event"] == "rejected").count(), 8_000);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["rejected"], &last["truncated"]),
        (&json!("summary"), &json!(8_000), &json!(false))
    );
}

#[rstest]
#[case::in_a_row("ref,age\n\\N,1\n", "line 2: it has no ref")]
#[case::in_the_header("ref,plna\n", "the column \"plna\" is not an attribute")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rest_of_the_body_is_discarded_after_a_failure(#[case] begin_of_file: &str, #[case] part: &str) {
    let bench = Bench::new(Database::Sqlite).await;
    let (address, secret) = listen(&bench).await;
    let body = begin_of_file.to_owned() + &"ann,1\n".repeat(3_000_000);
    let target = format!("/import?memberbase={}&format=csv", bench.base);
    let mut stream = begin(&address.to_string(), &secret, &target, body.len(), "*/*").await;
    timeout(STEP_TIMEOUT, stream.write_all(body.as_bytes())).await.expect("the server takes it").unwrap();
    let events = read(&mut stream, 400).await;
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["code"]), (&json!("failed"), &json!("BAD_USER_INPUT")), "{last}");
    assert!(last["message"].as_str().unwrap().starts_with(part), "{last}");
}

#[tokio::test]
async fn failure_does_not_wait_for_a_client_that_pauses() {
    let bench = Bench::new(Database::Sqlite).await;
    let paused = stream::iter(["ref,age\n", "\\N,1\n"]).map(Ok::<_, Infallible>).chain(stream::pending());
    let importing = bench.import("format=csv&mirror=true", Body::from_stream(paused));
    let outcome = timeout(Duration::from_secs(30), importing).await.expect("a response before the pause is too long");
    outcome.assert_failed(400, "BAD_USER_INPUT", "line 2: it has no ref");
    assert!(bench.syncs().await.iter().all(|state| state == "ABANDONED"));
}

#[tokio::test]
async fn client_that_pauses_for_too_long_gets_the_reason() {
    let import = ImportLimits { pause: Duration::from_millis(300), ..ImportLimits::default() };
    let bench = Bench::with_limits(Database::Sqlite, Limits { import, ..Limits::default() }).await;
    let paused = stream::iter(["ann\n", "ben\n"]).map(Ok::<_, Infallible>).chain(stream::pending());
    let outcome = bench.import("format=lines&mirror=true", Body::from_stream(paused)).await;
    outcome.assert_failed(504, "TIMEOUT", "no data was received for 300ms");
    assert_eq!((&outcome.last()["retryable"], bench.syncs().await), (&json!(true), vec!["ABANDONED".to_owned()]));
}

#[rstest]
#[tokio::test]
async fn revoked_token_ends_the_import(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let (id, secret) = bench.server.token(Access::Write, None, None).await;
    let (body, received) = mpsc::unbounded_channel::<String>();
    let stream = stream::unfold(received, |mut received| async { Some((received.recv().await?, received)) });
    let request = bench.request("format=lines", Body::from_stream(stream.map(Ok::<_, Infallible>)));
    body.send("ann\n".to_owned()).unwrap();
    let writer = bench.server.with_secret(&secret);
    let importing = tokio::spawn(async move { writer.send(request).await });
    sleep(Duration::from_millis(100)).await;
    let revoke = "mutation($id: ID!) { revokeApiToken(input: {apiTokenId: $id}) { apiToken { id } } }";
    bench.server.admin().await.graphql(revoke, json!({"id": id.to_string()})).await.data();
    drop(body);
    let outcome = Outcome::of(&importing.await.unwrap());
    outcome.assert_failed(401, "UNAUTHENTICATED", "a valid API token is required");
    assert_eq!(bench.server.members().await, 0);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_stops_fails_the_import(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let site = Site::new(database).await;
    let mut process = site.start().await;
    let admin = &process.admin;
    let create = "mutation { createMemberbase(input: {name: \"Readers\"}) { memberbase { id } } }";
    admin.data(create, json!({})).await;
    let target = "/import?memberbase=Readers&format=lines&mirror=true&maxDeletedPercent=100";
    let mut stream = begin(admin.address(), admin.secret(), target, 1_000_000, "*/*").await;
    stream.write_all(b"ann\nben\n").await.unwrap();
    sleep(Duration::from_millis(500)).await;
    let stopped = Instant::now();
    process.terminate();
    let events = read(&mut stream, 503).await;
    assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
    let last = events.last().unwrap();
    assert_eq!((&last["code"], &last["retryable"]), (&json!("SERVICE_UNAVAILABLE"), &json!(true)), "{last}");
    assert!(process.ended(STEP_TIMEOUT).await.is_some_and(|status| status.success()));
    let restarted = site.start().await;
    let query = "{ memberbases(first: 1) { nodes { syncs(first: 1) { nodes { state } } } } }";
    let data = restarted.admin.data(query, json!({})).await;
    assert_eq!(data["memberbases"]["nodes"][0]["syncs"]["nodes"][0]["state"], "ABANDONED");
}

#[rstest]
#[tokio::test]
async fn events_arrive_while_the_file_is_sent_if_the_client_reads_them(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let (body, received) = mpsc::unbounded_channel::<String>();
    let stream = stream::unfold(received, |mut received| async { Some((received.recv().await?, received)) });
    let mut request = bench.request("format=csv&onError=skip", Body::from_stream(stream.map(Ok::<_, Infallible>)));
    request.headers_mut().insert("accept", format!("{EVENTS}, */*;q=0.1").parse().unwrap());
    let rows: String = (0..40_000).map(|row| format!("ref-{row},x\n")).collect();
    body.send(format!("ref,age\n{rows}")).unwrap();
    let mut frames = bench.writer.open(request).await.into_body().into_data_stream();
    let mut received = Vec::new();
    while received.len() < 1 << 20 {
        let frame = timeout(STEP_TIMEOUT, frames.next()).await.expect("an event in time").unwrap();
        received.extend_from_slice(&frame.unwrap());
    }
    drop(body);
    while let Some(frame) = frames.next().await {
        received.extend_from_slice(&frame.unwrap());
    }
    let events = events(&received);
    assert_eq!((&events[0]["event"], &events[0]["rejected"]), (&json!("progress"), &json!(0)));
    assert_eq!(events.iter().filter(|event| event["event"] == "rejected").count(), 40_000);
    assert_eq!(events.last().unwrap()["rejected"], 40_000);
}

#[tokio::test]
async fn response_begins_at_the_end_for_other_clients() {
    let bench = Bench::new(Database::Sqlite).await;
    let (body, received) = mpsc::unbounded_channel::<String>();
    let stream = stream::unfold(received, |mut received| async { Some((received.recv().await?, received)) });
    let request = bench.request("format=lines", Body::from_stream(stream.map(Ok::<_, Infallible>)));
    body.send("ann\n".to_owned()).unwrap();
    let mut importing = Box::pin(bench.writer.send(request));
    assert!(timeout(Duration::from_millis(500), &mut importing).await.is_err(), "a proxy would stop to send the file");
    drop(body);
    let outcome = Outcome::of(&importing.await);
    assert_eq!((outcome.counts(), outcome.events.len()), ([1, 0, 0, 0, 0], 1));
}

#[tokio::test]
async fn concurrent_imports_are_limited() {
    let import = ImportLimits { imports: 3, imports_per_token: 2, ..ImportLimits::default() };
    let bench = Bench::with_limits(Database::Sqlite, Limits { import, ..Limits::default() }).await;
    let [other, third] = [bench.server.writer().await, bench.server.writer().await];
    let start = async |writer: &Caller| {
        let endless = stream::iter(["ann\n"]).map(Ok::<_, Infallible>).chain(stream::pending());
        let mut request = bench.request("format=lines", Body::from_stream(endless));
        request.headers_mut().insert("accept", EVENTS.parse().unwrap());
        let response = writer.open(request).await;
        assert_eq!(response.status(), 200);
        response
    };
    let refused = async |writer: &Caller, part: &str| {
        let response = writer.send(bench.request("format=lines", "ann\n")).await;
        Outcome::of(&response).assert_failed(503, "SERVICE_UNAVAILABLE", part);
    };
    let mut running = vec![start(&bench.writer).await, start(&bench.writer).await];
    refused(&bench.writer, "2 running imports (MEMBERBASE_MAX_IMPORTS_PER_TOKEN)").await;
    running.push(start(&other).await);
    refused(&third, "3 running imports (MEMBERBASE_MAX_IMPORTS)").await;
    drop(running);
}
