//! The HTTP client of the commands, against servers that are not ours.

use std::sync::{Arc, Mutex};

use memberbase::domain::access::Access;
use rstest::rstest;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use super::{
    Bench, CommandOutput,
    remote::{Process, assert_no_secret, secret},
    run,
};
use crate::support::Database;

/// The heads of the requests that a server received.
type Heads = Arc<Mutex<Vec<String>>>;

/// Starts a server that closes each connection after one request and this response.
async fn respond(response: String) -> (String, Heads) {
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

/// Starts a proxy that connects every host to this address.
async fn proxy(target: &str) -> (String, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, heads) = (listener.local_addr().unwrap().to_string(), Heads::default());
    let (received, target) = (Arc::clone(&heads), target.to_owned());
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let head = read_head(&mut client).await;
            let mut server = TcpStream::connect(&target).await.unwrap();
            if head.starts_with("CONNECT ") {
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            } else {
                server.write_all(head.as_bytes()).await.unwrap();
            }
            received.lock().unwrap().push(head);
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
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

fn export(url: &str, token: &str, variables: &[(&str, &str)]) -> CommandOutput {
    let arguments = ["export", "--memberbase", "Readers", "--url", url, "--retry-for", "2s"];
    run(&arguments, &[&[("MEMBERBASE_TOKEN", token), ("MEMBERBASE_LOG", "trace")], variables].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_respected_within_retry_for() {
    let response =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (address, requests) = respond(response.to_owned()).await;
    let output = export(&format!("http://{address}"), "mbs_token", &[]);
    output.assert_stderr(1, "returned HTTP status 503");
    // The second retry would be after the 2 s.
    assert_eq!(output.stderr.matches("; trying again in 1.").count(), 1, "{output:?}");
    assert_eq!(requests.lock().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_beyond_retry_for_ends_the_command() {
    let response = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 18446744073709551615\r\nContent-Length: 0\r\n\
        Connection: close\r\n\r\n";
    let (address, requests) = respond(response.to_owned()).await;
    export(&format!("http://{address}"), "mbs_token", &[]).assert_stderr(1, "returned HTTP status 429");
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirect_is_reported_and_not_followed() {
    let (elsewhere, followed) = respond("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
    let response = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{elsewhere}/\r\nContent-Length: 0\r\n\
        Connection: close\r\n\r\n"
    );
    let (address, _) = respond(response).await;
    export(&format!("http://{address}"), "mbs_token", &[]).assert_stderr(1, "returned HTTP status 307");
    assert!(followed.lock().unwrap().is_empty());
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_goes_through_the_proxy_of_the_environment(#[values("HTTP_PROXY", "http_proxy")] variable: &str) {
    let bench = Bench::of(Database::Sqlite, 3).await;
    let (process, token) = (Process::start(&bench), secret(&bench, Access::Read).await);
    let (address, requests) = proxy(process.address()).await;
    let output = export("http://members.invalid", &token, &[(variable, &format!("http://{address}"))]);
    assert_eq!((output.code, output.stdout.lines().count()), (Some(0), 3), "{output:?}");
    let requests = requests.lock().unwrap();
    let begin = "GET http://members.invalid/export?memberbase=Readers&format=ndjson HTTP/1.1\r\n";
    assert!(requests[0].starts_with(begin), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_of_no_proxy_is_reached_directly() {
    let bench = Bench::of(Database::Sqlite, 3).await;
    let (process, token) = (Process::start(&bench), secret(&bench, Access::Read).await);
    let (address, requests) = proxy(process.address()).await;
    let variables = [("HTTP_PROXY", &*format!("http://{address}")), ("NO_PROXY", "members.invalid,127.0.0.1")];
    assert_eq!(export(&process.url, &token, &variables).code, Some(0));
    assert!(requests.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_is_tunnelled_and_the_proxy_does_not_see_the_token() {
    let bench = Bench::of(Database::Sqlite, 3).await;
    let process = Process::start(&bench);
    let (address, requests) = proxy(process.address()).await;
    let variables = [("HTTPS_PROXY", &*format!("http://ann:s3cret@{address}"))];
    let output = export("https://members.invalid", "mbs_token", &variables);
    // The server behind the tunnel does not speak TLS.
    output.assert_stderr(1, "the connection to https://members.invalid/export is lost: received corrupt message");
    assert_no_secret(&output, "mbs_token");
    assert_no_secret(&output, "s3cret");
    let head = requests.lock().unwrap()[0].to_lowercase();
    assert!(head.starts_with("connect members.invalid:443 http/1.1\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: basic yw5uonmzy3jlda==\r\n"), "{head}");
    assert!(!head.contains("mbs_token"), "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_that_requires_authorization_is_reported() {
    let response = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (address, _) = respond(response.to_owned()).await;
    let variables = [("HTTPS_PROXY", &*format!("http://{address}"))];
    export("https://members.invalid", "mbs_token", &variables).assert_stderr(1, "proxy authorization required");
}

/// Starts a server whose first responses break off after a part of the body.
async fn break_off(times: usize) -> (String, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, heads) = (listener.local_addr().unwrap().to_string(), Heads::default());
    let received = Arc::clone(&heads);
    tokio::spawn(async move {
        for number in 0.. {
            let (mut client, _) = listener.accept().await.unwrap();
            let head = read_head(&mut client).await;
            received.lock().unwrap().push(head);
            let end = if number < times { "" } else { "4\r\nben\n\r\n0\r\n\r\n" };
            let response = format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nann\n\r\n{end}"
            );
            client.write_all(response.as_bytes()).await.unwrap();
        }
    });
    (address, heads)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_is_written_again_if_the_response_breaks_off() {
    let (address, requests) = break_off(2).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("members.csv");
    let url = format!("http://{address}");
    let arguments = ["export", "--memberbase", "Readers", "--url", &url, "--output", file.to_str().unwrap()];
    let output = run(&arguments, &[("MEMBERBASE_TOKEN", "mbs_token")]);
    output.assert_stderr(0, "broke off");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "ann\nben\n");
    assert_eq!((requests.lock().unwrap().len(), std::fs::read_dir(folder.path()).unwrap().count()), (3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_to_stdout_fails_if_the_response_breaks_off() {
    let (address, requests) = break_off(1).await;
    let output = export(&format!("http://{address}"), "mbs_token", &[]);
    output.assert_stderr(1, "the output is incomplete: the response of http://");
    assert_eq!((&*output.stdout, requests.lock().unwrap().len()), ("ann\n", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_appears_only_if_the_export_is_complete() {
    let (address, _) = break_off(99).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("members.csv");
    let url = format!("http://{address}");
    let arguments = ["export", "--memberbase", "Readers", "--url", &url, "--output", file.to_str().unwrap()];
    let output = run(&[&arguments[..], &["--retry-for", "100ms"]].concat(), &[("MEMBERBASE_TOKEN", "mbs_token")]);
    output.assert_stderr(1, "broke off");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_that_limits_the_size_of_requests_is_reported() {
    let response = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (address, _) = respond(response.to_owned()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("members.txt");
    std::fs::write(&file, "ann\n").unwrap();
    let url = format!("http://{address}");
    let arguments = ["sync", file.to_str().unwrap(), "--memberbase", "mb_01h455vb4pex5vsknk084sn02q", "--url", &url];
    let output = run(&[&arguments[..], &["--retry-for", "1s"]].concat(), &[("MEMBERBASE_TOKEN", "mbs_token")]);
    output.assert_stderr(1, "client_max_body_size");
}
