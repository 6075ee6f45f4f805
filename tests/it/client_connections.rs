//! Connections of clients: their number, in total, without a token and per address, and their time without progress.

use std::{
    net::SocketAddr,
    num::NonZero,
    time::{Duration, Instant},
};

use memberbase::{
    domain::access::Access,
    http::{ConnectionOptions, Timeouts},
    types::{Limits, TrafficLimits},
};
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use crate::support::{ApiResponse, Database, Server, parse_response};

/// The time limit of a step, generous because the machine that runs the tests may be busy.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

/// A response of about 100 KB without a token.
const OPENAPI: &str = "GET /publisher.v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";

/// A client with one connection.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), received: Vec::new() }
    }

    /// Connects with a small receive buffer, so that the server notices soon that nothing is read.
    async fn open_with_buffer(address: SocketAddr, bytes: u32) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(bytes).unwrap();
        Self { stream: socket.connect(address).await.unwrap(), received: Vec::new() }
    }

    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Returns the next response, or `None` if the connection is closed.
    async fn response(&mut self) -> Option<ApiResponse> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some((response, length)) = parse_response(&self.received) {
                self.received.drain(..length);
                return Some(response);
            }
            match timeout(STEP_TIMEOUT, self.stream.read(&mut buffer)).await.expect("bytes in time") {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
            }
        }
    }

    /// Sends a request and returns the status of the response; 0 if the connection is closed.
    async fn status_of(&mut self, request: &str) -> u16 {
        if self.stream.write_all(request.as_bytes()).await.is_err() {
            return 0;
        }
        self.response().await.map_or(0, |response| response.status.as_u16())
    }

    /// Waits until the server closes the connection, and returns how long that took.
    async fn closed(&mut self) -> Duration {
        let start = Instant::now();
        assert!(self.response().await.is_none(), "a response");
        start.elapsed()
    }

    fn is_closed(&self) -> bool {
        let mut buffer = [0; 1];
        match self.stream.try_read(&mut buffer) {
            Ok(length) => length == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// A query with this secret.
fn query(secret: &str, more: &str) -> String {
    let body = json!({"query": "{ currentApiToken { id } }"}).to_string();
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {secret}\r\n\
        Content-Length: {length}\r\n{more}\r\n{body}"
    )
}

fn timeouts(head: u64, idle: u64, stall: u64) -> ConnectionOptions {
    let [head, idle, stall] = [head, idle, stall].map(Duration::from_millis);
    ConnectionOptions { timeouts: Timeouts { head, idle, stall }, ..ConnectionOptions::default() }
}

#[tokio::test]
async fn silent_connections_do_not_keep_others_out() {
    let server = Server::start(Database::Sqlite).await;
    let (_, secret) = server.token(Access::Read, None, None).await;
    let address = server.listen_with(ConnectionOptions { max: 100, ..ConnectionOptions::default() }).await;
    let mut known = Connection::open(address).await;
    assert_eq!(known.status_of(&query(&secret, "")).await, 200);
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(Connection::open(address).await);
    }
    let begun = Instant::now();
    let mut new = Connection::open(address).await;
    assert_eq!(new.status_of(LIVEZ).await, 200);
    assert_eq!(new.status_of(&query(&secret, "")).await, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(known.status_of(&query(&secret, "")).await, 200, "an authenticated connection stays open");
    for connection in &mut silent[..40] {
        connection.closed().await;
    }
    assert_eq!(silent[45..].iter().filter(|connection| connection.is_closed()).count(), 0);
}

#[tokio::test]
async fn authenticated_connections_are_limited() {
    let server = Server::start(Database::Sqlite).await;
    let (_, secret) = server.token(Access::Read, None, None).await;
    let address = server.listen_with(ConnectionOptions { max: 10, ..ConnectionOptions::default() }).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::open(address).await;
        assert_eq!(connection.status_of(&query(&secret, "")).await, 200);
        open.push(connection);
    }
    let mut third = Connection::open(address).await;
    third.send(&query(&secret, "")).await;
    let response = third.response().await.unwrap();
    assert_eq!((response.status.as_u16(), &*response.code()), (503, "SERVICE_UNAVAILABLE"));
    assert!(response.message().contains("2 authenticated connections"), "{}", response.message());
    assert!(response.message().contains("MEMBERBASE_MAX_CONNECTIONS"), "{}", response.message());
    drop(open);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(Connection::open(address).await.status_of(&query(&secret, "")).await, 200);
}

#[tokio::test]
async fn connection_over_the_limit_of_its_address_receives_the_reason() {
    let server = Server::start(Database::Sqlite).await;
    let options = ConnectionOptions { max_per_address: 2, ..ConnectionOptions::default() };
    let address = server.listen_with(options).await;
    let (first, mut second) = (Connection::open(address).await, Connection::open(address).await);
    assert_eq!(second.status_of(LIVEZ).await, 200);
    let mut third = Connection::open(address).await;
    let response = third.response().await.unwrap();
    assert_eq!((response.status.as_u16(), &*response.code()), (503, "SERVICE_UNAVAILABLE"));
    assert_eq!(response.headers["retry-after"], "1");
    assert!(response.message().contains("2 connections"), "{}", response.message());
    assert!(response.message().ends_with("(MEMBERBASE_MAX_CONNECTIONS_PER_ADDRESS)"), "{}", response.message());
    third.closed().await;
    drop(first);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(Connection::open(address).await.status_of(LIVEZ).await, 200);
}

#[tokio::test]
async fn client_behind_a_trusted_proxy_is_limited_by_its_own_address() {
    let server = Server::start(Database::Sqlite).await;
    let (_, secret) = server.token(Access::Read, None, None).await;
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let options = ConnectionOptions { max_per_address: 1, trusted_proxies, ..ConnectionOptions::default() };
    let address = server.listen_with(options).await;
    let from = |client: &str| query(&secret, &format!("X-Forwarded-For: {client}\r\n"));
    let busy = from("203.0.113.9, 192.0.2.7");
    let mut running = Connection::open(address).await;
    running.send(&busy[..busy.len() - 1]).await;
    sleep(Duration::from_millis(300)).await;

    let mut same = Connection::open(address).await;
    same.send(&from("198.51.100.1, 192.0.2.7")).await;
    let response = same.response().await.unwrap();
    assert_eq!((response.status.as_u16(), &*response.code()), (503, "SERVICE_UNAVAILABLE"));
    assert!(response.message().contains("MEMBERBASE_MAX_CONNECTIONS_PER_ADDRESS"), "{}", response.message());
    let mut other = Connection::open(address).await;
    assert_eq!(other.status_of(&from("192.0.2.7, 192.0.2.8")).await, 200);
    assert_eq!(other.status_of(&query(&secret, "")).await, 200, "a request of the proxy itself");
    running.send(&busy[busy.len() - 1..]).await;
    assert_eq!(running.response().await.unwrap().status, 200);
    assert_eq!(Connection::open(address).await.status_of(&from("192.0.2.7")).await, 200);
}

#[tokio::test]
async fn head_has_to_arrive_in_time() {
    let server = Server::start(Database::Sqlite).await;
    let address = server.listen_with(timeouts(500, 20_000, 20_000)).await;
    let mut silent = Connection::open(address).await;
    let mut slow = Connection::open(address).await;
    let trickle = async {
        let begun = Instant::now();
        for byte in LIVEZ.bytes().cycle() {
            if slow.stream.write_all(&[byte]).await.is_err() || slow.is_closed() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        begun.elapsed()
    };
    let (silent, trickled) = tokio::join!(silent.closed(), trickle);
    assert!((400..5_000).contains(&silent.as_millis()), "{silent:?}");
    assert!((400..5_000).contains(&trickled.as_millis()), "{trickled:?}");
}

#[tokio::test]
async fn idle_connection_has_a_time_limit_of_its_own() {
    let server = Server::start(Database::Sqlite).await;
    let address = server.listen_with(timeouts(300, 1_500, 300)).await;
    let mut idle = Connection::open(address).await;
    assert_eq!(idle.status_of(LIVEZ).await, 200);
    sleep(Duration::from_millis(800)).await;
    assert_eq!(idle.status_of(LIVEZ).await, 200);
    let closed = idle.closed().await;
    assert!((1_300..6_000).contains(&closed.as_millis()), "{closed:?}");
    // The head of a second request has the same limit as that of the first.
    let mut begun = Connection::open(address).await;
    assert_eq!(begun.status_of(LIVEZ).await, 200);
    begun.send("GET /li").await;
    let closed = begun.closed().await;
    assert!((200..1_300).contains(&closed.as_millis()), "{closed:?}");
}

#[tokio::test]
async fn client_that_does_not_read_is_disconnected() {
    const REQUESTS: usize = 300;
    let server = Server::start(Database::Sqlite).await;
    let address = server.listen_with(timeouts(20_000, 20_000, 500)).await;
    let mut stuck = Connection::open_with_buffer(address, 8 << 10).await;
    stuck.send(&OPENAPI.repeat(REQUESTS)).await;
    sleep(Duration::from_secs(2)).await;
    let mut received = 0;
    while stuck.response().await.is_some() {
        received += 1;
    }
    assert!(received < REQUESTS / 2, "{received} responses");
}

/// A large response is handed to the connection at once, so that the connection waits for the next request while most of
/// the response is still to be read.
#[tokio::test]
async fn client_that_reads_slowly_receives_everything() {
    const BYTES: usize = 8 << 20;
    let traffic = TrafficLimits { batch: NonZero::new(1_000), ..TrafficLimits::default() };
    let server = Server::with(Database::Sqlite, Limits { traffic, ..Limits::default() }).await;
    let (_, secret) = server.token(Access::Read, None, None).await;
    let address = server.listen_with(timeouts(20_000, 300, 2_000)).await;
    let introspection =
        "{ __schema { types { name description fields { name description args { name description } } } } }";
    let one = server.with_secret(&secret).graphql(introspection, json!({})).await.body.len();
    let batch = json!(vec![json!({"query": introspection}); BYTES / one + 1]).to_string();
    let mut slow = Connection::open_with_buffer(address, 128 << 10).await;
    let length = batch.len();
    slow.send(&format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {secret}\r\n\
        Content-Length: {length}\r\n\r\n{batch}"
    ))
    .await;
    let (mut received, mut buffer) = (0, vec![0; 128 << 10]);
    while received < BYTES {
        sleep(Duration::from_millis(25)).await;
        let read = timeout(STEP_TIMEOUT, slow.stream.read(&mut buffer)).await.expect("bytes in time").unwrap_or(0);
        assert!(read > 0, "the connection is closed after {received} bytes");
        received += read;
    }
}

#[tokio::test]
async fn body_that_makes_no_progress_is_cut_off() {
    let server = Server::start(Database::Sqlite).await;
    let (_, secret) = server.token(Access::Read, None, None).await;
    let address = server.listen_with(timeouts(20_000, 20_000, 600)).await;
    let request = query(&secret, "");
    let mut stuck = Connection::open(address).await;
    stuck.send(&request[..request.len() - 8]).await;
    let closed = stuck.closed().await;
    assert!((500..5_000).contains(&closed.as_millis()), "{closed:?}");
    let mut slow = Connection::open(address).await;
    slow.send(&request[..request.len() - 8]).await;
    for byte in &request.as_bytes()[request.len() - 8..] {
        sleep(Duration::from_millis(250)).await;
        slow.stream.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(slow.response().await.unwrap().status, 200);
}

#[rstest]
#[tokio::test]
async fn readiness_is_checked_once_a_second_for_all_clients(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let address = server.listen().await;
    let statements = || server.app.db.statements();
    let ready = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut client = Connection::open(address).await;
    let before = statements();
    assert_eq!(client.status_of(ready).await, 200);
    let once = statements() - before;
    assert!(once > 0);
    let (begun, before) = (Instant::now(), statements());
    let clients = (0..20).map(|_| async {
        let mut client = Connection::open(address).await;
        for _ in 0..10 {
            assert_eq!(client.status_of(ready).await, 200);
        }
    });
    futures_util::future::join_all(clients).await;
    let checks = (statements() - before) / once;
    assert!(checks <= begun.elapsed().as_secs() + 1, "{checks} checks in {:?}", begun.elapsed());

    assert_eq!(client.status_of(ready).await, 200);
    server.app.db.close().await;
    sleep(Duration::from_millis(1_050)).await;
    assert_eq!(client.status_of(ready).await, 503);
}

#[tokio::test]
async fn closed_connections_return_their_places() {
    let traffic = TrafficLimits { requests: 2, ..TrafficLimits::default() };
    let server = Server::with(Database::Sqlite, Limits { traffic, ..Limits::default() }).await;
    let (_, secret) = server.token(Access::Read, None, None).await;
    let options = ConnectionOptions { max: 20, max_per_address: 4, ..ConnectionOptions::default() };
    let address = server.listen_with(options).await;
    for n in 0..40 {
        let mut connection = Connection::open(address).await;
        assert_eq!(connection.status_of(&query(&secret, "Connection: close\r\n")).await, 200, "connection {n}");
        connection.closed().await;
        drop(connection);
        sleep(Duration::from_millis(5)).await;
    }
}
