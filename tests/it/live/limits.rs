//! Limits of subscriptions and their metrics.

use std::time::Duration;

use memberbase::http::{ConnectionOptions, Timeouts};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use super::{socket::Socket, *};

fn limits(live: LiveLimits) -> Limits {
    Limits { live, ..Limits::default() }
}

#[tokio::test]
async fn connections_are_limited_in_total_and_per_token() {
    let live = LiveLimits { connections: 3, connections_per_token: 2, ..LiveLimits::default() };
    let server = Server::with(Database::Sqlite, limits(live)).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let one = server.with_secret(&secret);
    let events = one.subscribe_to(&base).await;
    let _socket = Socket::of(address, &secret).await;
    let refused = one.subscribe(CHANGED, json!({"id": base})).await.err().unwrap();
    assert_eq!((refused.status.as_u16(), &*refused.code()), (503, "SERVICE_UNAVAILABLE"));
    assert!(
        refused.message().contains("2 connections")
            && refused.message().contains("MEMBERBASE_MAX_LIVE_CONNECTIONS_PER_TOKEN")
    );
    let mut third = Socket::new(address).await;
    third.send(json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {secret}")}})).await;
    let (code, reason) = third.closed().await;
    assert!(code == 1013 && reason.contains("MEMBERBASE_MAX_LIVE_CONNECTIONS_PER_TOKEN"), "{code} {reason}");
    // The permit is released once both sides have closed the connection.
    drop(third);
    sleep(Duration::from_millis(300)).await;

    let other = server.reader().await;
    let _more = other.subscribe_to(&base).await;
    let refused = other.subscribe(CHANGED, json!({"id": base})).await.err().unwrap();
    assert!(
        refused.message().contains("3 connections") && refused.message().contains("MEMBERBASE_MAX_LIVE_CONNECTIONS)")
    );
    let authorization = format!("Bearer {}", server.token(Access::Read, None, None).await.1);
    let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("authorization", &*authorization)];
    assert_eq!(Socket::open(address, &headers).await.err(), Some(503));
    let mut by_message = Socket::new(address).await;
    by_message.send(json!({"type": "connection_init", "payload": {"authorization": authorization}})).await;
    let (code, reason) = by_message.closed().await;
    assert!(code == 1013 && reason.contains("(MEMBERBASE_MAX_LIVE_CONNECTIONS)"), "{code} {reason}");
    drop(events);
    sleep(Duration::from_millis(300)).await;
    one.subscribe_to(&base).await;
}

#[tokio::test]
async fn stream_holds_no_request_permit() {
    let traffic = memberbase::types::TrafficLimits { requests: 2, requests_per_token: 2, ..Default::default() };
    let server = Server::with(Database::Sqlite, Limits { traffic, ..Limits::default() }).await;
    let (base, address) = (server.memberbase("b").await, server.listen().await);
    let (_, secret) = server.token(Access::Write, None, None).await;
    let writer = server.with_secret(&secret);
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(writer.subscribe_to(&base).await);
    }
    let mut socket = Socket::of(address, &secret).await;
    for id in ["1", "2", "3"] {
        socket.subscribe(id, &base).await;
    }
    ids(&writer, &base, &["a"]).await;
    for events in &mut all {
        assert_eq!(events.change().await["created"], 1);
    }
}

#[tokio::test]
async fn stream_outlives_the_query_timeout() {
    let time = memberbase::types::TimeLimits { query: Duration::from_millis(500), mutation: Duration::from_secs(20) };
    let server = Server::with(Database::Sqlite, Limits { time, ..Limits::default() }).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let mut events = writer.subscribe_to(&base).await;
    sleep(Duration::from_millis(1_200)).await;
    ids(&writer, &base, &["a"]).await;
    assert_eq!(events.change().await["created"], 1);
}

#[tokio::test]
async fn subscriptions_and_messages_of_a_connection_are_limited() {
    let live =
        LiveLimits { subscriptions: 2, message: 2_000, init: Duration::from_millis(300), ..LiveLimits::default() };
    let server = Server::with(Database::Sqlite, limits(live)).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    socket.subscribe("1", &base).await;
    socket.subscribe("2", &base).await;
    socket.request("3", CHANGED, json!({"id": base})).await;
    let refused = socket.next_message().await;
    assert_eq!((&refused["id"], &refused["type"]), (&json!("3"), &json!("error")));
    let error = &refused["payload"][0];
    assert_eq!(error["extensions"]["code"], "LIMIT_EXCEEDED");
    assert!(error["message"].as_str().unwrap().contains("2 operations (MEMBERBASE_MAX_SUBSCRIPTIONS)"), "{error}");
    socket.send(json!({"id": "1", "type": "complete"})).await;
    socket.subscribe("3", &base).await;

    socket.send_raw(Message::text("x".repeat(2_001))).await;
    let (code, reason) = socket.closed().await;
    assert!(code == 1009 && reason.contains("2000 bytes (MEMBERBASE_MAX_LIVE_MESSAGE)"), "{code} {reason}");
    let mut silent = Socket::new(address).await;
    assert_eq!(silent.closed().await, (4408, "Connection initialisation timeout".to_owned()));
}

#[tokio::test]
async fn silent_sockets_take_no_connection_of_others() {
    let live = LiveLimits { connections: 10, ..LiveLimits::default() };
    let server = Server::with(Database::Sqlite, limits(live)).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(Socket::new(address).await);
    }
    let mut sockets = Vec::new();
    for _ in 0..9 {
        sockets.push(Socket::of(address, &secret).await);
    }
    sockets[8].subscribe("1", &base).await;
    server.with_secret(&secret).subscribe_to(&base).await;
    let (code, reason) = silent[0].closed().await;
    assert!(code == 1013 && reason.contains("without a token"), "{code} {reason}");
}

#[tokio::test]
async fn subscriptions_can_be_disabled() {
    let live = LiveLimits { connections: 0, ..LiveLimits::default() };
    let server = Server::with(Database::Sqlite, limits(live)).await;
    let address = server.listen().await;
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    assert_eq!(Socket::open(address, &[protocol]).await.err(), Some(503));
}

#[tokio::test]
async fn message_before_authentication_is_limited_to_4_kib() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let init = |bytes: usize| {
        let start = format!(r#"{{"type":"connection_init","payload":{{"authorization":"Bearer {secret}"}},"x":""#);
        Message::text(format!(r#"{start}{}"}}"#, "x".repeat(bytes - start.len() - 2)))
    };
    let mut fits = Socket::new(address).await;
    fits.send_raw(init(4_096)).await;
    assert_eq!(fits.next_message().await, json!({"type": "connection_ack"}));
    fits.subscribe("1", &base).await;
    // Once authenticated, a message may be larger.
    let query = format!("{CHANGED} #{}", "x".repeat(20_000));
    fits.request("2", &query, json!({"id": base})).await;
    fits.subscribe("3", &base).await;
    for bytes in [4_097, 9_000, 400_000] {
        let mut large = Socket::new(address).await;
        large.send_raw(init(bytes)).await;
        let (code, reason) = large.closed().await;
        assert!(code == 1009 && reason.contains("4096 bytes (before authentication)"), "{code} {reason}");
    }
}

#[tokio::test]
async fn unfinished_message_before_authentication_is_not_received() {
    let server = Server::start(Database::Sqlite).await;
    let address = server.listen().await;
    let mut socket = Socket::new(address).await;
    // The head of a text frame of 400,000 bytes, masked with zeros, and a part of its payload.
    let mut frame = vec![0x81, 0xff];
    frame.extend(400_000u64.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend([b'x'; 20_000]);
    socket.send_bytes(&frame).await;
    assert_eq!(socket.closed().await.0, 1009);
}

#[tokio::test]
async fn id_of_a_subscription_is_limited_to_256_bytes() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    socket.subscribe(&"x".repeat(256), &base).await;
    socket.request(&"y".repeat(257), CHANGED, json!({"id": base})).await;
    assert_eq!(socket.closed().await, (4400, "an id is limited to 256 bytes".to_owned()));
}

#[tokio::test]
async fn idle_subscription_outlives_the_time_limits_of_its_connection() {
    let server = Server::start(Database::Sqlite).await;
    let short = Duration::from_millis(200);
    let timeouts = Timeouts { head: short, idle: short, stall: short };
    let address = server.listen_with(ConnectionOptions { timeouts, ..ConnectionOptions::default() }).await;
    let (_, secret) = server.token(Access::Write, None, None).await;
    let base = server.memberbase("b").await;
    let mut socket = Socket::of(address, &secret).await;
    socket.subscribe("1", &base).await;
    sleep(Duration::from_secs(1)).await;
    ids(&server.with_secret(&secret), &base, &["a"]).await;
    assert_eq!(socket.next_message().await["type"], "next");
}

#[tokio::test]
async fn operations_over_a_socket_are_rate_limited_like_requests() {
    let traffic =
        memberbase::types::TrafficLimits { requests_per_second: std::num::NonZero::new(5), ..Default::default() };
    let server = Server::with(Database::Sqlite, Limits { traffic, ..Limits::default() }).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    for id in 0..20 {
        socket.request(&id.to_string(), CHANGED, json!({"id": base})).await;
    }
    let refused = socket.next_message().await;
    assert_eq!(refused["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{refused}");
}

#[tokio::test]
async fn idle_stream_gets_comments() {
    let live = LiveLimits { keep_alive: Duration::from_millis(100), ..LiveLimits::default() };
    let server = Server::with(Database::Sqlite, limits(live)).await;
    let base = server.memberbase("b").await;
    let mut events = server.reader().await.subscribe_to(&base).await;
    for _ in 0..3 {
        assert_eq!(events.first().await, None);
    }
}

#[tokio::test]
async fn subscriptions_are_counted_in_metrics() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Write, None, None).await;
    let writer = server.with_secret(&secret);
    let mut socket = Socket::of(address, &secret).await;
    socket.subscribe("1", &base).await;
    socket.subscribe("2", &base).await;
    let mut events = writer.subscribe_to(&base).await;
    ids(&writer, &base, &["a"]).await;
    events.change().await;
    for _ in 0..2 {
        socket.next_message().await;
    }
    let metrics = writer.send(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    let text = String::from_utf8(metrics.body).unwrap();
    for line in [
        "memberbase_live_connections{transport=\"sse\"} 1",
        "memberbase_live_connections{transport=\"websocket\"} 1",
        "memberbase_live_subscriptions 3",
        "memberbase_live_events_total 3",
        "memberbase_live_events_missed_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let subscribed = "operation=\"memberbaseChanged\",type=\"subscription\",code=\"OK\"} 3";
    assert!(text.contains(subscribed), "{text}");
}
