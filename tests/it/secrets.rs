//! No secret is in the log of a process, at any level.

use futures_util::{SinkExt, StreamExt};
use rstest::rstest;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{
    support::{Client, Database, Site},
    sync_command::run,
};

/// Sends a secret in the first message of a WebSocket and returns the response.
async fn present(address: &str, secret: &str) -> String {
    let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    let payload = json!({"Authorization": format!("Bearer {secret}")});
    let init = json!({"type": "connection_init", "payload": payload});
    socket.send(Message::text(init.to_string())).await.unwrap();
    socket.next().await.unwrap().unwrap().to_string()
}

/// Creates a token through the API and returns its secret.
async fn make_token(admin: &Client) -> String {
    let create = "mutation { createApiToken(input: {description: \"t\", access: WRITE}) { secret } }";
    admin.data(create, json!({})).await["createApiToken"]["secret"].as_str().unwrap().to_owned()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_logged_at_any_level(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let site =
        Site::new(database).await.with_options(&["--log", "trace,tungstenite=trace,tungstenite::protocol=trace"]);
    let site = if database == Database::Postgres { site.with_password("s3cret-password") } else { site };
    let server = site.start().await;
    let secret = make_token(&server.admin).await;
    server.admin.data("{ memberbases { totalCount } }", json!({})).await;
    let rpc = server
        .admin
        .post("/publisher.v1/api-token/create", "{\"description\": \"r\", \"access\": \"read\"}")
        .await
        .unwrap();
    let rpc = rpc.json();
    let ack = present(&server.address, &secret).await;
    assert!(ack.contains("connection_ack"), "{ack}");
    let unknown = "mbs_unknown0secret0of0nobody00000000000000000";
    present(&server.address, unknown).await;

    let base = server.admin.memberbase().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.csv");
    std::fs::write(&file, "ref\nann\n").unwrap();
    let url = format!("http://{}", server.address);
    let arguments = ["sync", file.to_str().unwrap(), "--memberbase", &base, "--url", &url, "--log", "trace"];
    let output = run(&arguments, &[("MEMBERBASE_TOKEN", &secret)]);
    assert_eq!(output.code, Some(0), "{output:?}");

    let log = server.log();
    assert!(log.contains("DEBUG"), "the filter holds for the rest: {log}");
    for secret in [server.admin.secret(), &secret, unknown, "s3cret-password"] {
        assert!(!log.contains(secret), "{secret} is in the log of the server");
        assert!(!output.stderr.contains(secret), "{secret} is in the log of the command");
    }
    let rpc_secret = rpc["token"].as_str().unwrap_or_else(|| panic!("a secret in {rpc}"));
    assert!(!log.contains(rpc_secret), "{rpc_secret} is in the log of the server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_path_is_truncated_in_the_log() {
    let site = Site::new(Database::Sqlite).await;
    let server = site.start().await;
    for request in [
        format!("GET /{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "p".repeat(20_000)),
        format!("{} /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "M".repeat(20_000)),
        format!("POST /publisher.v1/{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "r".repeat(20_000)),
    ] {
        server.admin.send(request.as_bytes()).await.unwrap();
    }
    let log = server.log();
    assert!(log.contains(&format!("\"/{}...\"", "p".repeat(99))), "{log}");
    assert!(log.lines().all(|line| line.len() < 600), "{log}");
}
