//! WebSockets with graphql-ws, the older subprotocol.

use super::{socket::Socket, *};

#[rstest]
#[tokio::test]
async fn older_subprotocol_is_served(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let live = LiveLimits { keep_alive: Duration::from_millis(500), ..LiveLimits::default() };
    let server = Server::with(database, Limits { live, ..Limits::default() }).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::older(address).await;
    socket.send(json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {secret}")}})).await;
    assert_eq!(socket.next_message().await, json!({"type": "connection_ack"}));
    assert_eq!(socket.next_message().await, json!({"type": "ka"}));
    let start = |id: &str, query: &str| json!({"id": id, "type": "start", "payload": {"query": query, "variables": {"id": base}}});
    socket.send(start("1", "query($id: ID!) { memberbase(id: $id) { name } }")).await;
    let data = json!({"data": {"memberbase": {"name": "b"}}});
    assert_eq!(socket.next_but_keep_alive().await, json!({"id": "1", "type": "data", "payload": data}));
    assert_eq!(socket.next_but_keep_alive().await, json!({"id": "1", "type": "complete"}));
    socket.send(start("1", "subscription { nothing }")).await;
    let error = socket.next_but_keep_alive().await;
    assert_eq!((&error["id"], &error["type"]), (&json!("1"), &json!("error")));
    assert_eq!(error["payload"]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");

    socket.send(start("2", CHANGED)).await;
    // This protocol has no ping that a pong would follow.
    while server.app.changes.counts().subscriptions == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    ids(&server.writer().await, &base, &["a"]).await;
    let event = socket.next_but_keep_alive().await;
    assert_eq!((&event["id"], &event["type"]), (&json!("2"), &json!("data")));
    assert_eq!(event["payload"]["data"]["memberbaseChanged"]["created"], 1);
    // Keep-alive messages come again and again.
    for _ in 0..2 {
        assert_eq!(socket.next_message().await, json!({"type": "ka"}));
    }
    socket.send(json!({"id": "2", "type": "stop"})).await;
    while server.app.changes.counts().subscriptions > 0 {
        sleep(Duration::from_millis(10)).await;
    }
    socket.send(json!({"type": "connection_terminate"})).await;
    assert_eq!(socket.closed().await.0, 1000);
}

#[tokio::test]
async fn older_subprotocol_is_refused_by_a_message_and_a_code() {
    let server = Server::start(Database::Sqlite).await;
    let address = server.listen().await;
    for (message, code) in [
        (json!({"type": "connection_init", "payload": {"authorization": "Bearer mbs_no"}}), 4401),
        (json!({"type": "connection_init"}), 4401),
        (json!({"type": "subscribe", "id": "1", "payload": {}}), 4400),
    ] {
        let mut socket = Socket::older(address).await;
        socket.send(message).await;
        let refusal = socket.next_message().await;
        assert_eq!(refusal["type"], "connection_error");
        assert!(refusal["payload"]["message"].is_string(), "{refusal}");
        assert_eq!(socket.closed().await.0, code);
    }
    // A client that speaks both gets the newer one.
    let both = [("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")];
    let mut socket = Socket::open(address, &both).await.unwrap();
    socket.send(json!({"type": "ping"})).await;
    assert_eq!(socket.next_message().await, json!({"type": "pong"}));
}
