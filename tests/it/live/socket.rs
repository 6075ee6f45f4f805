//! WebSockets: the graphql-transport-ws protocol, message by message.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use memberbase::{
    domain::access::Access,
    http::Options,
    types::{Limits, LiveLimits},
};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::{CHANGED, Database, Server, change, ids, missing_memberbase_id};

const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// A WebSocket client.
pub(super) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Connects with these headers; returns the status if the server rejects the upgrade.
    pub(super) async fn open(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            // The client requested a subprotocol and the server selected none.
            Err(other) => panic!("{other}"),
        }
    }

    /// Connects with the graphql-transport-ws subprotocol.
    pub(super) async fn new(address: SocketAddr) -> Self {
        Self::open(address, &[("sec-websocket-protocol", "graphql-transport-ws")]).await.unwrap()
    }

    /// Connects with the older subprotocol graphql-ws.
    async fn older(address: SocketAddr) -> Self {
        Self::open(address, &[("sec-websocket-protocol", "graphql-ws")]).await.unwrap()
    }

    /// Connects and authenticates with this secret.
    pub(super) async fn of(address: SocketAddr, secret: &str) -> Self {
        let mut socket = Self::new(address).await;
        let authorization = format!("Bearer {secret}");
        socket.send(json!({"type": "connection_init", "payload": {"Authorization": authorization}})).await;
        assert_eq!(socket.next_message().await, json!({"type": "connection_ack"}));
        socket
    }

    pub(super) async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub(super) async fn send_raw(&mut self, message: Message) {
        let _ = self.0.send(message).await;
    }

    /// Sends bytes that are not framed.
    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// Returns the next message.
    pub(super) async fn next_message(&mut self) -> Value {
        loop {
            match timeout(MESSAGE_TIMEOUT, self.0.next()).await.expect("a message in time").expect("a message").unwrap()
            {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Returns the next message that is not a keep-alive message.
    async fn next_but_keep_alive(&mut self) -> Value {
        loop {
            let message = self.next_message().await;
            if message["type"] != "ka" {
                return message;
            }
        }
    }

    /// Returns the code and the reason of the server's close frame.
    pub(super) async fn closed(&mut self) -> (u16, String) {
        // Pings do not extend the time.
        let closed = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => {
                        return (frame.code.into(), frame.reason.as_str().to_owned());
                    }
                    Some(Ok(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        timeout(MESSAGE_TIMEOUT, closed).await.expect("an end in time")
    }

    /// Subscribes, and waits until the subscription is active: the server handles messages in order.
    pub(super) async fn subscribe(&mut self, id: &str, base: &str) {
        self.request(id, CHANGED, json!({"id": base})).await;
        self.send(json!({"type": "ping"})).await;
        assert_eq!(self.next_message().await, json!({"type": "pong"}));
    }

    pub(super) async fn request(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.send(json!({"id": id, "type": "subscribe", "payload": payload})).await;
    }

    /// Returns the change in the next message.
    async fn change(&mut self, id: &str) -> Value {
        let mut message = self.next_message().await;
        assert_eq!((&message["id"], &message["type"]), (&json!(id), &json!("next")), "{message}");
        message["payload"]["data"]["memberbaseChanged"].take()
    }

    /// Returns the error code of a rejected operation.
    async fn error_code(&mut self, id: &str) -> String {
        let message = self.next_message().await;
        assert_eq!((&message["id"], &message["type"]), (&json!(id), &json!("error")), "{message}");
        assert!(message["payload"][0]["extensions"]["traceId"].is_string(), "{message}");
        message["payload"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }
}

#[rstest]
#[tokio::test]
async fn subscriptions_share_a_connection_and_end_separately(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let address = server.listen().await;
    let (one, two, writer) = (server.memberbase("1").await, server.memberbase("2").await, server.admin().await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    socket.subscribe("a", &one).await;
    socket.subscribe("b", &two).await;
    let first = ids(&writer, &one, &["x"]).await;
    assert_eq!(socket.change("a").await, change(&one, &[&first[0]], &[], &[]));
    let first = ids(&writer, &two, &["x"]).await;
    assert_eq!(socket.change("b").await, change(&two, &[&first[0]], &[], &[]));

    socket.send(json!({"id": "a", "type": "complete"})).await;
    socket.send(json!({"id": "a", "type": "complete"})).await;
    socket.send(json!({"type": "ping", "payload": {"any": 1}})).await;
    assert_eq!(socket.next_message().await, json!({"type": "pong"}));
    ids(&writer, &one, &["y"]).await;
    ids(&writer, &two, &["y"]).await;
    assert_eq!(socket.change("b").await["memberbaseId"], two);

    // The id can be used again.
    socket.subscribe("a", &one).await;
    ids(&writer, &one, &["z"]).await;
    assert_eq!(socket.change("a").await["created"], 1);
    let delete = "mutation($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deletedMemberbaseId } }";
    writer.graphql(delete, json!({"id": two})).await.data();
    assert_eq!(socket.change("b").await["deleted"], 2);
    assert_eq!(socket.next_message().await, json!({"id": "b", "type": "complete"}));
    assert_eq!(server.app.changes.counts().subscriptions, 1);
}

#[tokio::test]
async fn failed_operation_leaves_the_connection_open() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Admin, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    for (query, variables, code) in [
        ("subscription { nothing }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", json!({}), "GRAPHQL_PARSE_FAILED"),
        (CHANGED, json!({}), "BAD_USER_INPUT"),
        (CHANGED, json!({"id": "m_1"}), "BAD_USER_INPUT"),
        (CHANGED, json!({"id": missing_memberbase_id()}), "NOT_FOUND"),
        ("{ nothing }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
    ] {
        socket.request("1", query, variables).await;
        assert_eq!(socket.error_code("1").await, code, "{query}");
    }
    socket.send(json!({"id": "1", "type": "subscribe", "payload": {"query": 7}})).await;
    assert_eq!(socket.error_code("1").await, "BAD_REQUEST");
    socket.subscribe("1", &base).await;
    ids(&server.writer().await, &base, &["a"]).await;
    assert_eq!(socket.change("1").await["created"], 1);
}

#[rstest]
#[tokio::test]
async fn queries_and_mutations_run_as_over_http(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Write, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    socket.subscribe("changes", &base).await;
    let upsert = "mutation($b: ID!, $m: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $b, members: $m}) \
        { memberIds } }";
    socket.request("1", upsert, json!({"b": base, "m": [{"ref": "a"}]})).await;
    let mut received = Vec::new();
    for _ in 0..3 {
        received.push(socket.next_message().await);
    }
    // The event may come before the result.
    let event = received.remove(received.iter().position(|message| message["id"] == "changes").unwrap());
    let id = received[0]["payload"]["data"]["bulkUpsertMembers"]["memberIds"][0].clone();
    assert_eq!(event["payload"]["data"]["memberbaseChanged"]["createdMemberIds"], json!([id]));
    assert_eq!(received[1], json!({"id": "1", "type": "complete"}));

    socket.request("2", "query($i: ID!) { member(by: {id: $i}) { ref } }", json!({"i": id})).await;
    let data = json!({"member": {"ref": "a"}});
    assert_eq!(socket.next_message().await, json!({"id": "2", "type": "next", "payload": {"data": data}}));
    assert_eq!(socket.next_message().await, json!({"id": "2", "type": "complete"}));

    // A field error is part of a result.
    let forbidden = "mutation { createMemberbase(input: {name: \"x\"}) { memberbase { id } } }";
    socket.request("3", forbidden, json!({})).await;
    let failed = socket.next_message().await;
    assert_eq!(
        (&failed["type"], &failed["payload"]["data"]),
        (&json!("next"), &json!({"createMemberbase": null})),
        "{failed}"
    );
    assert_eq!(failed["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(socket.next_message().await, json!({"id": "3", "type": "complete"}));
}

#[tokio::test]
async fn id_can_be_used_again_at_once() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    for _ in 0..50 {
        socket.request("1", CHANGED, json!({"id": base})).await;
        socket.send(json!({"id": "1", "type": "complete"})).await;
    }
    socket.subscribe("1", &base).await;
    ids(&server.writer().await, &base, &["a"]).await;
    assert_eq!(socket.change("1").await["created"], 1);
    assert_eq!(server.app.changes.counts().subscriptions, 1);
}

#[tokio::test]
async fn each_of_many_failed_operations_gets_its_error() {
    let server = Server::start(Database::Sqlite).await;
    let address = server.listen().await;
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    // More than the connection keeps in its queues, and none is read meanwhile.
    for n in 0..200 {
        socket.request(&n.to_string(), "{ nothing }", json!({})).await;
    }
    let mut errors = std::collections::HashSet::new();
    for _ in 0..200 {
        let message = socket.next_message().await;
        assert_eq!(message["type"], "error", "{message}");
        errors.insert(message["id"].to_string());
    }
    assert_eq!(errors.len(), 200);
    socket.send(json!({"type": "ping"})).await;
    assert_eq!(socket.next_message().await, json!({"type": "pong"}));
}

#[tokio::test]
async fn protocol_violation_closes_the_connection() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let init = json!({"type": "connection_init", "payload": {"authorization": format!("bearer {secret}")}});
    for (before, message, code) in [
        (None, Message::text("nonsense"), 4400),
        (None, Message::text(r#"{"type":"start"}"#), 4400),
        (None, Message::binary(vec![1, 2, 3]), 4400),
        (None, Message::text(r#"{"type":"connection_init"}"#), 4401),
        (None, Message::text(r#"{"type":"connection_init","payload":{"authorization":"Bearer mbs_no"}}"#), 4401),
        (None, Message::text(r#"{"type":"connection_init","payload":{"authorization":7}}"#), 4401),
        (None, Message::text(r#"{"id":"1","type":"subscribe","payload":{"query":"{a}"}}"#), 4401),
        (Some(&init), Message::text(init.to_string()), 4429),
        (Some(&init), Message::text("[]"), 4400),
        (Some(&init), Message::text(r#"{"id":"1","type":"subscribe"}"#), 4400),
    ] {
        let mut socket = Socket::new(address).await;
        if let Some(init) = before {
            socket.send(init.clone()).await;
            assert_eq!(socket.next_message().await, json!({"type": "connection_ack"}));
        }
        socket.send_raw(message.clone()).await;
        assert_eq!(socket.closed().await.0, code, "{message:?}");
    }
    let mut twice = Socket::of(address, &secret).await;
    twice.subscribe("1", &base).await;
    twice.request("1", CHANGED, json!({"id": base})).await;
    assert_eq!(twice.closed().await, (4409, "Subscriber for 1 already exists".to_owned()));
    let mut other = Socket::open(address, &[]).await.unwrap();
    assert_eq!(other.closed().await.0, 4406);
}

#[tokio::test]
async fn token_in_the_upgrade_request_is_checked_before_the_upgrade() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    let bearer = format!("Bearer {secret}");
    let mut socket = Socket::open(address, &[protocol, ("authorization", &bearer)]).await.unwrap();
    socket.send(json!({"type": "connection_init"})).await;
    assert_eq!(socket.next_message().await, json!({"type": "connection_ack"}));
    socket.subscribe("1", &base).await;
    for wrong in ["Bearer mbs_nobody", "Basic x", ""] {
        assert_eq!(Socket::open(address, &[protocol, ("authorization", wrong)]).await.err(), Some(401), "{wrong}");
    }
}

#[tokio::test]
async fn connections_from_other_origins_are_rejected() {
    let options = Options { cors_origins: vec!["https://admin.example.com".parse().unwrap()], ..Options::default() };
    let server = Server::with_options(Database::Sqlite, Limits::default(), |api| api, options).await;
    let address = server.listen().await;
    let own = format!("http://{address}");
    for (origin, refused) in [
        (&*own, None),
        ("https://admin.example.com", None),
        ("https://evil.example.com", Some(403)),
        ("http://127.0.0.1", Some(403)),
        ("null", Some(403)),
    ] {
        let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("origin", origin)];
        assert_eq!(Socket::open(address, &headers).await.err(), refused, "{origin}");
    }
}

#[rstest]
#[tokio::test]
async fn revoked_token_closes_the_connection(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (address, base, admin) = (server.listen().await, server.memberbase("b").await, server.admin().await);
    let (id, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    socket.subscribe("1", &base).await;
    let revoke = "mutation($id: ID!) { revokeApiToken(input: {apiTokenId: $id}) { apiToken { id } } }";
    admin.graphql(revoke, json!({"id": id.to_string()})).await.data();
    assert_eq!(socket.closed().await, (4403, "Forbidden".to_owned()));
    let mut again = Socket::new(address).await;
    again.send(json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {secret}")}})).await;
    assert_eq!(again.closed().await, (4401, "Unauthorized".to_owned()));
}

#[tokio::test]
async fn stopping_server_closes_with_going_away() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let (mut new, mut known) = (Socket::new(address).await, Socket::of(address, &secret).await);
    known.subscribe("1", &base).await;
    server.stopping.cancel();
    assert_eq!(new.closed().await.0, 1001);
    assert_eq!(known.closed().await.0, 1001);
    server.tasks.close();
    timeout(MESSAGE_TIMEOUT, server.tasks.wait()).await.expect("all tasks end");
}

#[tokio::test]
async fn unresponsive_client_is_disconnected() {
    let live = LiveLimits { keep_alive: Duration::from_millis(300), ..LiveLimits::default() };
    let server = Server::with(Database::Sqlite, Limits { live, ..Limits::default() }).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let (mut responsive, mut dead) = (Socket::of(address, &secret).await, Socket::of(address, &secret).await);
    responsive.subscribe("1", &base).await;
    dead.subscribe("1", &base).await;
    assert_eq!(server.app.changes.counts().subscriptions, 2);
    let listening = tokio::spawn(async move { responsive.change("1").await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(server.app.changes.counts().subscriptions, 1, "only the responsive client is still subscribed");
    ids(&server.writer().await, &base, &["a"]).await;
    assert_eq!(listening.await.unwrap()["created"], 1);
}

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
        tokio::time::sleep(Duration::from_millis(10)).await;
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
        tokio::time::sleep(Duration::from_millis(10)).await;
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
