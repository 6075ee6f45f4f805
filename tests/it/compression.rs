//! Content codings: of responses by `Accept-Encoding`, and of request bodies by `Content-Encoding`.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use memberbase::{http::Options, types::Limits};
use rstest::rstest;
use serde_json::json;

use crate::support::{
    ApiResponse, Caller, Database, Server,
    coding::{CODINGS, compressed, expanded},
};

const SCHEMA: &str = "__schema { types { name description fields { name description args { name } type { name } } } }";

/// A query whose response has more than 1 KiB, and one whose response has several times 256 KiB.
fn queries() -> [String; 2] {
    let large: String = (0..20).map(|n| format!("a{n}: {SCHEMA} ")).collect();
    [format!("{{ {SCHEMA} }}"), format!("{{ {large} }}")]
}

fn header_of<'a>(response: &'a ApiResponse, name: &str) -> &'a str {
    response.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// Sends a query with these headers.
async fn ask(caller: &Caller, query: &str, headers: &[(&str, &str)]) -> ApiResponse {
    let request = Request::post("/graphql").header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    caller.send(request.body(json!({"query": query}).to_string().into()).unwrap()).await
}

async fn get(caller: &Caller, method: &str, path: &str, accepted: &str) -> ApiResponse {
    let request = Request::builder().method(method).uri(path).header("accept-encoding", accepted);
    caller.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn response_has_the_coding_that_the_client_accepts() {
    let server = Server::start(Database::Sqlite).await;
    let reader = server.reader().await;
    for query in queries() {
        let plain = ask(&reader, &query, &[]).await;
        assert_eq!((header_of(&plain, "content-encoding"), header_of(&plain, "vary")), ("", "accept-encoding"));
        assert!(plain.json().get("errors").is_none(), "{}", plain.json());
        for coding in CODINGS {
            let response = ask(&reader, &query, &[("accept-encoding", coding)]).await;
            assert_eq!(response.status, StatusCode::OK);
            assert_eq!(header_of(&response, "content-encoding"), coding);
            assert_eq!(header_of(&response, "vary"), "accept-encoding");
            assert!(response.body.len() < plain.body.len() / 3, "{coding}: {} bytes", response.body.len());
            assert!(expanded(coding, &response.body) == plain.body, "{coding}");
        }
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip;q=1.0, br;q=0.5", "gzip"),
            ("zstd;q=0, *;q=0.1", "br"),
            ("identity;q=0, gzip", "gzip"),
            ("identity, gzip;q=0.5", ""),
            ("gzip;q=0", ""),
            ("deflate", ""),
            // The request has been executed: its response is not withheld.
            ("identity;q=0", ""),
            ("*;q=0", ""),
        ] {
            let response = ask(&reader, &query, &[("accept-encoding", accepted)]).await;
            assert_eq!(
                (response.status.as_u16(), header_of(&response, "content-encoding")),
                (200, coding),
                "{accepted}"
            );
            assert!(expanded(coding, &response.body) == plain.body, "{accepted}");
        }
    }
}

#[tokio::test]
async fn compressed_response_holds_its_permit_until_it_is_written() {
    let mut limits = Limits::default();
    limits.traffic.requests = 1;
    let server = Server::with(Database::Sqlite, limits).await;
    let reader = server.reader().await;
    for query in queries() {
        let request = Request::post("/graphql").header("content-type", "application/json");
        let request =
            request.header("accept-encoding", "zstd").body(json!({"query": query}).to_string().into()).unwrap();
        let mut response = reader.open(request).await;
        assert_eq!(response.headers()["content-encoding"], "zstd");
        let piece = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(ask(&reader, "{ __typename }", &[]).await.code(), "SERVICE_UNAVAILABLE");
        drop(response);
        assert_eq!(ask(&reader, "{ __typename }", &[]).await.code(), "SERVICE_UNAVAILABLE");
        drop(piece);
        let mut status = StatusCode::SERVICE_UNAVAILABLE;
        for _ in 0..500 {
            status = ask(&reader, "{ __typename }", &[]).await.status;
            if status == StatusCode::OK {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(status, StatusCode::OK);
    }
}

#[tokio::test]
async fn short_responses_and_events_are_not_compressed() {
    let server = Server::start(Database::Sqlite).await;
    let reader = server.reader().await;
    let all = ("accept-encoding", "gzip, br, zstd");
    for response in [
        ask(&reader, "{ __typename }", &[all]).await,
        ask(&reader, "{ missing }", &[all]).await,
        server.anonymous().send(Request::get("/livez").header(all.0, all.1).body(Body::empty()).unwrap()).await,
        ask(&reader, &queries()[0], &[all, ("accept", "text/event-stream")]).await,
    ] {
        let found = (header_of(&response, "content-encoding"), header_of(&response, "vary"));
        assert_eq!(found, ("", ""), "{}", String::from_utf8_lossy(&response.body));
    }
}

#[tokio::test]
async fn every_path_compresses_and_head_has_the_headers_of_get() {
    let server = Server::start(Database::Sqlite).await;
    let reader = server.reader().await;
    let query = format!("/graphql?query={}", queries()[0].replace(' ', "%20").replace('{', "%7B").replace('}', "%7D"));
    for path in [&query, "/publisher.v1/openapi.json", "/metrics"] {
        let response = get(&reader, "GET", path, "gzip").await;
        assert_eq!((response.status.as_u16(), header_of(&response, "content-encoding")), (200, "gzip"), "{path}");
        assert!(expanded("gzip", &response.body).len() > 1024);
        let head = get(&reader, "HEAD", path, "gzip").await;
        assert_eq!((head.status.as_u16(), header_of(&head, "content-encoding")), (200, "gzip"), "{path}");
        assert_eq!(head.body.len(), 0);
        assert_eq!(header_of(&head, "vary"), "accept-encoding");
        let lengths = (header_of(&head, "content-length"), header_of(&response, "content-length"));
        assert!(path == "/metrics" || lengths.0 == lengths.1, "{lengths:?}");
    }
}

#[tokio::test]
async fn calls_of_the_rpc_api_and_their_errors_are_compressed() {
    let server = Server::start(Database::Sqlite).await;
    let (writer, refs) = (server.writer().await, (0..200).map(|n| format!("ref-{n}")).collect::<Vec<_>>());
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let call = async |path: &str, accepted: &str, body: serde_json::Value| {
        let request = Request::post(path).header("content-type", "application/json").header("content-encoding", "zstd");
        let body = compressed("zstd", body.to_string().as_bytes());
        writer.send(request.header("accept-encoding", accepted).body(body.into()).unwrap()).await
    };
    let list = json!({"member_base_id": base, "limit": 100});
    let plain = call("/publisher.v1/member/list", "identity", list.clone()).await;
    assert_eq!(plain.status, StatusCode::OK, "{}", plain.json());
    let response = call("/publisher.v1/member/list", "br", list).await;
    assert_eq!(header_of(&response, "content-encoding"), "br");
    assert!(expanded("br", &response.body) == plain.body);
    let errors = format!("{{ {} }}", (0..30).map(|n| format!("missing{n} ")).collect::<String>());
    let response =
        ask(&writer, &errors, &[("accept-encoding", "br"), ("accept", "application/graphql-response+json")]).await;
    assert_eq!((response.status.as_u16(), header_of(&response, "content-encoding")), (400, "br"));
}

#[tokio::test]
async fn vary_names_the_origin_and_the_coding() {
    let options = Options { cors_origins: vec!["https://a.example".parse().unwrap()], ..Options::default() };
    let server = Server::with_options(Database::Sqlite, Limits::default(), |api| api, options).await;
    let reader = server.reader().await;
    let headers = [("origin", "https://a.example"), ("accept-encoding", "gzip")];
    let response = ask(&reader, &queries()[0], &headers).await;
    assert_eq!(header_of(&response, "access-control-allow-origin"), "https://a.example");
    let vary: Vec<_> = response.headers.get_all(header::VARY).iter().map(|value| value.to_str().unwrap()).collect();
    let vary = vary.join(",").to_lowercase();
    assert!(vary.contains("origin") && vary.contains("accept-encoding"), "{vary}");
}

#[tokio::test]
async fn compression_of_responses_can_be_turned_off() {
    let options = Options { compression: false, ..Options::default() };
    let server = Server::with_options(Database::Sqlite, Limits::default(), |api| api, options).await;
    let response = ask(&server.reader().await, &queries()[0], &[("accept-encoding", "gzip")]).await;
    assert_eq!((header_of(&response, "content-encoding"), header_of(&response, "vary")), ("", ""));
    response.data();
}

/// A server with small limits of bodies, and a caller that may write.
async fn small() -> (Server, Caller) {
    let mut limits = Limits::default();
    (limits.body.max, limits.body.query_variables, limits.body.envelope) = (200_000, 100_000, 10_000);
    let server = Server::with(Database::Sqlite, limits).await;
    let writer = server.writer().await;
    (server, writer)
}

/// Sends a body with this content coding, in parts of this many bytes.
async fn send(caller: &Caller, path: &str, coding: &str, body: &[u8], part: usize) -> ApiResponse {
    let parts: Vec<_> = body.chunks(part).map(|part| Ok::<_, std::io::Error>(Bytes::copy_from_slice(part))).collect();
    let request = Request::post(path).header("content-type", "application/json").header("content-encoding", coding);
    caller.send(request.body(Body::from_stream(stream::iter(parts))).unwrap()).await
}

#[rstest]
#[tokio::test]
async fn compressed_body_is_expanded(#[values("gzip", "x-gzip", "br", "zstd", "identity")] coding: &str) {
    let (_server, writer) = small().await;
    // Numbers that do not repeat need several pieces.
    let comment: String = (0..9_000_u32).map(|n| format!("{} ", n.wrapping_mul(2_654_435_761))).collect();
    let body = json!({"query": "query($x: String) { __typename @skip(if: false) }", "variables": {"x": comment}});
    let bytes = compressed(coding.trim_start_matches("x-"), body.to_string().as_bytes());
    for part in [1 << 20, 1_000, 1] {
        let response = send(&writer, "/graphql", coding, &bytes, part).await;
        // The document does not use the variable, which is found out after all of it was read.
        assert!(response.message().contains('x'), "{}", response.json());
        assert_eq!(response.code(), "GRAPHQL_VALIDATION_FAILED", "{}", response.json());
    }
    let valid = compressed(coding.trim_start_matches("x-"), br#"{"query": "{ __typename }"}"#);
    assert_eq!(send(&writer, "/graphql", coding, &valid, 5).await.data(), json!({"__typename": "Query"}));
}

#[tokio::test]
async fn several_members_or_frames_are_one_body() {
    let (_server, writer) = small().await;
    for coding in ["gzip", "zstd"] {
        let body = [compressed(coding, br#"{"query": "{ __ty"#), compressed(coding, br#"pename }"}"#)].concat();
        for part in [1_000, 1] {
            let response = send(&writer, "/graphql", coding, &body, part).await;
            assert_eq!(response.data(), json!({"__typename": "Query"}), "{coding}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn malformed_body_is_a_bad_request(#[values("gzip", "br", "zstd")] coding: &str) {
    let (_server, writer) = small().await;
    let text = format!(r#"{{"query": "{{ __typename }}", "variables": {{"x": "{}"}}}}"#, "0123456789".repeat(20));
    let whole = compressed(coding, text.as_bytes());
    let mut corrupt = whole.clone();
    corrupt[whole.len() / 2..].fill(0xff);
    let cases = [
        ("empty", Vec::new()),
        ("one byte", whole[..1].to_vec()),
        ("truncated", whole[..whole.len() - 1].to_vec()),
        ("corrupt", corrupt),
        ("garbage at its end", [whole.clone(), b"garbage".to_vec()].concat()),
        ("a stream that begins after its end", [whole.clone(), whole[..whole.len() / 2].to_vec()].concat()),
        ("not compressed", text.clone().into_bytes()),
    ];
    for (name, body) in cases {
        for part in [1_000, 1] {
            let response = send(&writer, "/graphql", coding, &body, part).await;
            assert_eq!((response.status.as_u16(), response.code()), (400, "BAD_REQUEST".to_owned()), "{name}");
            assert!(
                response.message().starts_with(&format!("the body is not valid {coding}: ")),
                "{name}: {}",
                response.message()
            );
            assert_eq!(header_of(&response, "connection"), "close");
        }
    }
    let response = send(&writer, "/publisher.v1/member/list", coding, &whole[..5], 1_000).await;
    assert_eq!((response.status.as_u16(), &response.json()["error"]["code"]), (400, &json!("bad_request")));
}

#[tokio::test]
async fn window_beyond_8_mib_is_rejected() {
    let (_server, writer) = small().await;
    // An empty zstd frame whose window is 16 MiB, and the head of a Brotli stream with a large window.
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70, 0x01, 0x00, 0x00];
    for (coding, body, cause) in [
        ("zstd", &zstd[..], "Frame requires too much memory for decoding"),
        ("br", &[0x11, 0x1e, 0x03], "corrupt stream"),
    ] {
        let response = send(&writer, "/graphql", coding, body, 1_000).await;
        assert_eq!((response.status.as_u16(), response.code()), (400, "BAD_REQUEST".to_owned()), "{coding}");
        assert_eq!(response.message(), format!("the body is not valid {coding}: {cause}"));
    }
    let smaller = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, 0x01, 0x00, 0x00];
    let response = send(&writer, "/graphql", "zstd", &smaller, 1_000).await;
    assert!(!response.message().contains("zstd"), "{}", response.message());
}

#[rstest]
#[tokio::test]
async fn limit_is_that_of_the_expanded_body(#[values("gzip", "br", "zstd")] coding: &str) {
    let (server, writer) = small().await;
    let (reader, mutation) = (server.reader().await, "mutation($x: String) { __typename }");
    let body = |length: usize| json!({"query": mutation, "variables": {"x": "x".repeat(length)}}).to_string();
    for (caller, length, setting) in [
        (&writer, 250_000, "200000 bytes (MEMBERBASE_MAX_BODY)"),
        (&reader, 150_000, "110000 bytes (MEMBERBASE_MAX_QUERY_VARIABLES"),
    ] {
        let bytes = compressed(coding, body(length).as_bytes());
        assert!(bytes.len() < 5_000);
        let response = send(caller, "/graphql", coding, &bytes, 1_000).await;
        assert_eq!((response.status.as_u16(), response.code()), (413, "PAYLOAD_TOO_LARGE".to_owned()));
        assert!(response.message().contains(setting), "{}", response.message());
        let fits = compressed(coding, body(90_000).as_bytes());
        assert_ne!(send(caller, "/graphql", coding, &fits, 1_000).await.code(), "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn what_is_received_is_limited_too() {
    let (_server, writer) = small().await;
    // Nothing but empty frames and members.
    for coding in ["gzip", "zstd"] {
        let empty = compressed(coding, b"");
        let body = empty.repeat(250_000 / empty.len());
        let response = send(&writer, "/graphql", coding, &body, 10_000).await;
        assert_eq!((response.status.as_u16(), response.code()), (413, "PAYLOAD_TOO_LARGE".to_owned()), "{coding}");
    }
    let request = Request::post("/graphql").header("content-type", "application/json");
    let request = request.header("content-encoding", "gzip").body(vec![0; 250_000].into()).unwrap();
    assert_eq!(writer.send(request).await.code(), "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn other_codings_are_rejected_with_the_accepted_ones() {
    let (_server, writer) = small().await;
    for coding in ["deflate", "compress", "gzip, br", "gzip, gzip", "x"] {
        for path in ["/graphql", "/publisher.v1/member/list"] {
            let response = send(&writer, path, coding, b"{}", 10).await;
            assert_eq!((response.status.as_u16(), header_of(&response, "accept-encoding")), (415, "gzip, br, zstd"));
        }
    }
}
