//! WebSockets with graphql-transport-ws: the handshake, authentication and the end of connections.

use memberbase::http::Options;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{
    socket::{MESSAGE_TIMEOUT, Socket},
    *,
};

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
    sleep(Duration::from_secs(2)).await;
    assert_eq!(server.app.changes.counts().subscriptions, 1, "only the responsive client is still subscribed");
    ids(&server.writer().await, &base, &["a"]).await;
    assert_eq!(listening.await.unwrap()["created"], 1);
}
