//! The HTTP client of the commands, against servers that are not ours.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{CommandOutput, run};

/// The heads of the requests that a server received.
type Heads = Arc<Mutex<Vec<String>>>;

/// Starts a server that closes each connection after one request and this response.
async fn respond(response: &'static str) -> (String, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, heads) = (listener.local_addr().unwrap().to_string(), Heads::default());
    let received = Arc::clone(&heads);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let head = read_head(&mut client).await;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            client.read_exact(&mut vec![0; length.parse().unwrap()]).await.unwrap();
            received.lock().unwrap().push(head);
            client.write_all(response.as_bytes()).await.unwrap();
        }
    });
    (address, heads)
}

/// Reads the head of a request, and nothing of its body.
async fn read_head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn export(url: &str, variables: &[(&str, &str)]) -> CommandOutput {
    let arguments = ["export", "--memberbase", "Readers", "--url", url, "--retry-for", "2s"];
    run(&arguments, &[&[("MEMBERBASE_TOKEN", "mbs_token")], variables].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_respected_within_retry_for() {
    let response =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (address, requests) = respond(response).await;
    let output = export(&format!("http://{address}"), &[]);
    output.assert_stderr(1, "returned HTTP status 503");
    // The second retry would be after the 2 s.
    assert_eq!(output.stderr.matches("; trying again in 1.").count(), 1, "{output:?}");
    assert_eq!(requests.lock().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_beyond_retry_for_ends_the_command() {
    let response = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 18446744073709551615\r\nContent-Length: 0\r\n\
        Connection: close\r\n\r\n";
    let (address, requests) = respond(response).await;
    export(&format!("http://{address}"), &[]).assert_stderr(1, "returned HTTP status 429");
    assert_eq!(requests.lock().unwrap().len(), 1);
}
