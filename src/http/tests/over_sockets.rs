//! Behaviour that only shows over a socket.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http;

impl Server {
    /// Listens until the token is cancelled.
    async fn listen(&self) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, stop) = (listener.local_addr().expect("an address"), CancellationToken::new());
        tokio::spawn(http::serve(listener, self.router.clone(), 64 << 10, stop.clone(), self.tasks.clone()));
        (address, stop)
    }

    fn head(&self, more: &str) -> String {
        let secret = &self.writer;
        format!(
            "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {secret}\r\n{more}\r\n\r\n"
        )
    }
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut text)).await.expect("in time").expect("no reset");
    String::from_utf8(text).expect("UTF-8")
}

/// Sends more than the buffers on the way hold, and only then reads.
async fn upload(address: SocketAddr, head: &str, chunk: &[u8], chunks: usize) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(head.as_bytes()).await.expect("a head");
    for _ in 0..chunks {
        stream.write_all(chunk).await.expect("the server listens on");
    }
    answer(&mut stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_still_sends_receives_its_rejection() {
    let server = Server::start().await;
    let (address, _stop) = server.listen().await;
    let data = vec![b'x'; 1 << 20];
    let chunk = [b"100000\r\n", data.as_slice(), b"\r\n"].concat();

    let text = upload(address, &server.head("Content-Length: 33554432"), &data, 32).await;
    assert!(text.starts_with("HTTP/1.1 413 ") && text.contains("MEMBERBASE_MAX_BODY"), "{text}");
    let text = upload(address, &server.head("Transfer-Encoding: chunked"), &chunk, 32).await;
    assert!(text.starts_with("HTTP/1.1 413 ") && text.contains("MEMBERBASE_MAX_BODY"), "{text}");
    let head = server.head("Content-Length: 33554432").replace(&server.writer, "wrong");
    let text = upload(address, &head, &data, 32).await;
    assert!(text.starts_with("HTTP/1.1 401 ") && text.contains("connection: close"), "{text}");
    let head = server.head("Content-Length: 33554432").replace("/graphql", "/nothing");
    let text = upload(address, &head, &data, 32).await;
    assert!(text.starts_with("HTTP/1.1 404 "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_body_is_not_requested() {
    let server = Server::start().await;
    let (address, _stop) = server.listen().await;
    let text = upload(address, &server.head("Expect: 100-continue\r\nContent-Length: 33554432"), b"", 0).await;
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_serves_several_requests() {
    let server = Server::start().await;
    let (address, stop) = server.listen().await;
    let body = r#"{"query":"{ __typename }"}"#;
    let request = server.head(&format!("Content-Length: {}", body.len())) + body;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.repeat(3).as_bytes()).await.expect("requests");
    sleep(Duration::from_millis(300)).await;
    // The server closes the idle connection.
    stop.cancel();
    let text = answer(&mut stream).await;
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3, "{text}");
    server.tasks.close();
    timeout(Duration::from_secs(5), server.tasks.wait()).await.expect("nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn mutation_completes_after_its_client_disconnects() {
    let server = Server::start().await;
    let (address, _stop) = server.listen().await;
    let body = r#"{"query":"mutation { work(milliseconds: 300) }"}"#;
    let request = server.head(&format!("Content-Length: {}", body.len())) + body;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("a request");
    sleep(Duration::from_millis(100)).await;
    drop(stream);
    server.tasks.close();
    server.tasks.wait().await;
    assert_eq!(server.done.load(SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn running_request_completes_when_the_server_stops() {
    let server = Server::start().await;
    let (address, stop) = server.listen().await;
    let body = r#"{"query":"mutation { work(milliseconds: 300) }"}"#;
    let request = server.head(&format!("Content-Length: {}", body.len())) + body;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("a request");
    sleep(Duration::from_millis(100)).await;
    stop.cancel();
    let text = answer(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains(r#"{"data":{"work":true}}"#), "{text}");
    assert!(TcpStream::connect(address).await.is_err(), "no new connection");
}
