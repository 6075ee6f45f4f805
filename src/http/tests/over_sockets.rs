//! Behaviour that only shows over a socket.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http::{self, ConnectionOptions, Timeouts};

impl Server {
    /// Listens until the token is cancelled.
    async fn listen(&self) -> (SocketAddr, CancellationToken) {
        self.listen_with(ConnectionOptions::default()).await
    }

    async fn listen_with(&self, options: ConnectionOptions) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, stop) = (listener.local_addr().expect("an address"), CancellationToken::new());
        tokio::spawn(http::serve(listener, self.router.clone(), options, stop.clone(), self.tasks.clone()));
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
    assert!(text.starts_with("HTTP/1.1 401 ") && text.contains("Connection: close"), "{text}");
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
    server.until_begun().await;
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
    server.until_begun().await;
    stop.cancel();
    let text = answer(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains(r#"{"data":{"work":true}}"#), "{text}");
    assert!(TcpStream::connect(address).await.is_err(), "no new connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn response_headers_are_in_title_case() {
    let (address, _stop) = Server::start().await.listen().await;
    let text = upload(address, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"", 0).await;
    for name in ["Content-Type", "Content-Length", "Cache-Control", "X-Trace-Id", "X-Content-Type-Options", "Date"] {
        assert!(text.contains(&format!("\r\n{name}: ")), "{name} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_needs_one_host() {
    let (address, _stop) = Server::start().await.listen().await;
    for (version, hosts, status) in [
        ("1.1", "", "400 Bad Request"),
        ("1.1", "Host: x\r\nHost: x\r\n", "400 Bad Request"),
        ("1.0", "Host: x\r\nHost: y\r\n", "400 Bad Request"),
        ("1.1", "Host: x\r\n", "200 OK"),
        ("1.1", "Host:\r\n", "200 OK"),
        ("1.0", "", "200 OK"),
    ] {
        let head = format!("GET /livez HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        let text = upload(address, &head, b"", 0).await;
        assert!(text.starts_with(&format!("HTTP/{version} {status}\r\n")), "{head}{text}");
        assert_eq!(status.starts_with("400"), text.contains(r#""code":"BAD_REQUEST""#), "{text}");
        assert!(text.contains("\r\nX-Trace-Id: "), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_transfer_coding_chunked_is_implemented() {
    let server = Server::start().await;
    let (address, _stop) = server.listen().await;
    let body = r#"{"query":"{ __typename }"}"#;
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (coding, status) in [
        ("Chunked", "200 OK"),
        ("gzip, chunked", "501 Not Implemented"),
        ("chunked, chunked", "501 Not Implemented"),
        // The length of these can't be determined (RFC 9112, section 6.3).
        ("gzip", "400 Bad Request"),
        ("chunked, gzip", "400 Bad Request"),
    ] {
        let head = server.head(&format!("Connection: close\r\nTransfer-Encoding: {coding}"));
        let text = upload(address, &(head + &chunks), b"", 0).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{coding}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_rejected_at_its_limit() {
    let server = Server::start().await;
    for max_head in [1_000, 64 << 10] {
        let (address, _stop) = server.listen_with(ConnectionOptions { max_head, ..ConnectionOptions::default() }).await;
        let head = |bytes: usize, end: &str| {
            let line = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Y: ";
            format!("{line}{}{end}", "z".repeat(bytes - line.len() - end.len()))
        };
        let text = upload(address, &head(max_head, "\r\n\r\n"), b"", 0).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{max_head}: {text}");
        // The rest of the head does not have to arrive.
        for head in [head(max_head + 1, "\r\n\r\n"), head(max_head, "")] {
            let text = upload(address, &head, b"", 0).await;
            assert!(text.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{max_head}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_computes_is_not_cut_off() {
    let server = Server::start().await;
    let short = Duration::from_millis(100);
    let timeouts = Timeouts { head: short, idle: short, stall: short };
    let (address, _stop) = server.listen_with(ConnectionOptions { timeouts, ..ConnectionOptions::default() }).await;
    let body = r#"{"query":"mutation { work(milliseconds: 450) }"}"#;
    let request = server.head(&format!("Connection: close\r\nContent-Length: {}", body.len())) + body;
    let text = upload(address, &request, b"", 0).await;
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
}
