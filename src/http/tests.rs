//! Tests of the HTTP layer from a client's view, in process and over sockets: the real router with a schema whose fields sleep
//! and panic.

mod over_sockets;
mod pages;

use std::{
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering::SeqCst},
    time::Duration,
};

use async_graphql::{EmptySubscription, Object};
use axum::{
    Router,
    body::Body,
    http::{Request, Response, request::Builder},
};
use http_body_util::BodyExt;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::{Options, Service, router};
use crate::{
    app::App,
    db::{self, Db},
    domain::{
        access::{Access, Caller},
        api_token::{self, NewApiToken},
    },
    graphql::{
        self, Code,
        execute::{Executor, RowDecoders},
    },
    types::{BodyLimits, Limits, TimeLimits},
};

/// Panics. Its return type keeps the code after it reachable.
fn fail() -> bool {
    panic!("as asked")
}

#[derive(Clone)]
struct Query;

#[Object]
impl Query {
    async fn slow(&self) -> bool {
        tokio::time::sleep(Duration::from_secs(60)).await;
        true
    }

    async fn panics(&self) -> bool {
        fail()
    }

    async fn unavailable(&self) -> async_graphql::Result<Option<bool>> {
        Err(graphql::Error::new(Code::ServiceUnavailable, "the database is unavailable, try again later").into())
    }

    async fn length(&self, list: Vec<String>) -> usize {
        list.len()
    }
}

#[derive(Clone)]
struct Mutation {
    begun: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
}

#[Object]
impl Mutation {
    async fn work(&self, milliseconds: u64) -> bool {
        self.begun.fetch_add(1, SeqCst);
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        self.done.fetch_add(1, SeqCst);
        true
    }

    async fn panics(&self) -> bool {
        fail()
    }

    async fn length(&self, list: Vec<String>) -> usize {
        list.len()
    }
}

/// A server with small limits: 20,000 bytes of body, 2,000 of a query's variables, 1,000 of everything else.
struct Server {
    router: Router,
    tasks: TaskTracker,
    /// Number of mutations that have begun.
    begun: Arc<AtomicUsize>,
    /// Number of completed mutations.
    done: Arc<AtomicUsize>,
    writer: String,
    reader: String,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        Self::with_time_limit(Duration::from_secs(30), options).await
    }

    /// Starts a server whose requests have less time than some of its fields take.
    async fn hurried() -> Self {
        Self::with_time_limit(Duration::from_millis(500), Options::default()).await
    }

    async fn with_time_limit(time: Duration, options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = db::Settings::small(format!("sqlite://{}", folder.path().join("test.db").display()));
        let db = Db::connect(&settings).await.expect("a database");
        db.migrate_up().await.expect("tables");
        let limits = Limits {
            body: BodyLimits { max: 20_000, query_variables: 2_000, envelope: 1_000 },
            time: TimeLimits { query: time, mutation: time },
            ..Limits::default()
        };
        let (begun, done) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mutation = Mutation { begun: begun.clone(), done: done.clone() };
        let executor = Executor::new(Query, mutation, EmptySubscription, RowDecoders::default(), &limits);
        let app = App::new(db, limits);
        let (writer, reader) = (token(&app, Access::Write).await, token(&app, Access::Read).await);
        let service = Service::new(app, executor, options);
        let tasks = service.tasks.clone();
        Self { router: router(service), tasks, begun, done, writer, reader, _folder: folder }
    }

    /// Waits until a mutation has begun.
    async fn until_begun(&self) {
        while self.begun.load(SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.router.clone().oneshot(request).await.expect("infallible")).await
    }

    fn post(&self) -> Builder {
        Request::post("/graphql")
            .header("content-type", "application/json")
            .header("authorization", bearer(&self.writer))
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    async fn query(&self, query: &str) -> Answer {
        self.send(self.post().body(document(query)).expect("a request")).await
    }
}

async fn token(app: &App, access: Access) -> String {
    let new = NewApiToken { description: "test".into(), access, memberbase: None, expires_at: None };
    let (_, secret) = api_token::create(app, &Caller::operator(), new).await.expect("a token");
    secret.expose().to_owned()
}

fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

fn document(query: &str) -> Body {
    serde_json::json!({ "query": query }).to_string().into()
}

/// A body with variables of at least this size.
fn with_variables(query: &str, bytes: usize) -> Body {
    let body = serde_json::json!({"query": query, "variables": {"list": ["x".repeat(bytes)]}});
    body.to_string().into()
}

struct Answer {
    status: u16,
    head: Response<()>,
    text: String,
}

impl Answer {
    async fn of(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.expect("a body").to_bytes().to_vec()).expect("UTF-8");
        Self { status: head.status.as_u16(), head: Response::from_parts(head, ()), text }
    }

    fn header(&self, name: &str) -> &str {
        self.head.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Returns the code of the first error, and checks its shape.
    fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.text).expect("JSON");
        let error = &body["errors"][0];
        assert!(error["message"].is_string() && error["extensions"]["retryable"].is_boolean(), "{body}");
        assert_eq!(error["extensions"]["traceId"], self.header("x-trace-id"), "{body}");
        error["extensions"]["code"].as_str().expect("a code").to_owned()
    }

    fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text);
    }
}

#[tokio::test]
async fn response_has_the_accepted_media_type() {
    let server = Server::start().await;
    for (accept, content_type) in [
        ("*/*", "application/json; charset=utf-8"),
        ("application/graphql-response+json", "application/graphql-response+json; charset=utf-8"),
    ] {
        let request = server.post().header("accept", accept).body(document("{ __typename }")).expect("a request");
        let answer = server.send(request).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, content_type));
        assert_eq!(answer.text, r#"{"data":{"__typename":"Query"}}"#);
        assert_eq!(answer.header("x-trace-id").len(), 32);
    }
    let request = server.post().header("accept", "text/html").body(document("{ __typename }")).expect("a request");
    let answer = server.send(request).await;
    answer.is(406, "BAD_REQUEST");
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn rejected_document_is_400_or_200_by_media_type() {
    let server = Server::start().await;
    for (accept, status) in [("application/graphql-response+json", 400), ("application/json", 200)] {
        let request = server.post().header("accept", accept).body(document("{")).expect("a request");
        server.send(request).await.is(status, "GRAPHQL_PARSE_FAILED");
        let request = server.post().header("accept", accept).body(Body::from("{\"query\":")).expect("a request");
        server.send(request).await.is(400, "BAD_REQUEST");
    }
}

#[tokio::test]
async fn only_json_bodies_are_accepted() {
    let server = Server::start().await;
    for content_type in [None, Some("text/plain"), Some("application/json; charset=utf-16")] {
        let mut request = Request::post("/graphql").header("authorization", bearer(&server.writer));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = server.send(request.body(document("{ __typename }")).expect("a request")).await;
        answer.is(415, "BAD_REQUEST");
    }
}

#[tokio::test]
async fn get_runs_queries_and_no_mutations() {
    let server = Server::start().await;
    let get = |query: &str| {
        let request = Request::get(format!("/graphql?{query}")).header("authorization", bearer(&server.writer));
        request.body(Body::empty()).expect("a request")
    };
    let answer = server.send(get("query=query+($list:[String!]!){length(list:$list)}&variables={%22list%22:[]}")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"data":{"length":0}}"#));
    let answer = server.send(get("query=mutation{work(milliseconds:0)}")).await;
    answer.is(405, "BAD_REQUEST");
    assert_eq!(answer.header("allow"), "POST");
    assert_eq!(server.done.load(SeqCst), 0);
    for query in ["", "query={__typename}&query={__typename}", "query=%zz", "query={__typename}&variables=1"] {
        server.send(get(query)).await.is(400, "BAD_REQUEST");
    }
}

#[tokio::test]
async fn wrong_method_or_path_is_rejected() {
    let server = Server::start().await;
    for (method, path, status, allow) in [
        ("PUT", "/graphql", 405, "GET, HEAD, POST"),
        ("OPTIONS", "/graphql", 405, "GET, HEAD, POST"),
        ("POST", "/", 405, "GET, HEAD"),
        ("DELETE", "/readyz", 405, "GET, HEAD"),
        ("GET", "/graphql//", 404, ""),
        ("PUT", "/graphql/", 405, "GET, HEAD, POST"),
        ("POST", "/console/", 405, "GET, HEAD"),
        ("POST", "/nothing", 404, ""),
    ] {
        let request = Request::builder().method(method).uri(path).header("origin", "https://example.com");
        let answer = server.send(request.body(Body::empty()).expect("a request")).await;
        answer.is(status, if status == 404 { "NOT_FOUND" } else { "BAD_REQUEST" });
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        assert!(answer.head.headers().keys().all(|name| !name.as_str().starts_with("access-control")));
    }
}

#[tokio::test]
async fn slash_after_the_path_of_the_api_is_ignored() {
    let server = Server::start().await;
    let mut request = server.post().body(document("{ __typename }")).expect("a request");
    *request.uri_mut() = "/graphql/".parse().expect("a path");
    let answer = server.send(request).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"data":{"__typename":"Query"}}"#));
}

#[tokio::test]
async fn empty_parameters_of_a_get_are_ignored() {
    let server = Server::start().await;
    let request = Request::get("/graphql?query={__typename}&variables=&extensions=&operationName=");
    let request = request.header("authorization", bearer(&server.writer)).body(Body::empty()).expect("a request");
    let answer = server.send(request).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"data":{"__typename":"Query"}}"#));
}

#[tokio::test]
async fn byte_order_mark_before_a_body_is_ignored() {
    let server = Server::start().await;
    let body = "\u{feff}{\"query\": \"{ __typename }\"}";
    let answer = server.send(server.post().body(body.into()).expect("a request")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"data":{"__typename":"Query"}}"#));
}

#[tokio::test]
async fn rejection_of_a_coding_names_the_accepted_ones() {
    let server = Server::start().await;
    for path in ["/graphql", "/publisher.v1/member/get"] {
        for (content_type, coding, accepted) in [
            ("application/json", "deflate", "gzip, br, zstd"),
            ("text/plain", "deflate", ""),
            ("text/plain", "gzip", ""),
        ] {
            let request = Request::post(path).header("content-type", content_type).header("content-encoding", coding);
            let answer = server.send(request.body(Body::from("{}")).expect("a request")).await;
            assert_eq!((answer.status, answer.header("accept-encoding")), (415, accepted), "{path} {content_type}");
        }
    }
}

#[tokio::test]
async fn unauthenticated_request_is_rejected_before_its_body_is_read() {
    let server = Server::start().await;
    for secret in ["", "Bearer wrong", "Basic YTpi"] {
        let body = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        let request = Request::post("/graphql").header("content-type", "application/json");
        let answer = server.send(request.header("authorization", secret).body(body).expect("a request")).await;
        answer.is(401, "UNAUTHENTICATED");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.header("connection"), "close");
    }
}

#[tokio::test]
async fn body_limit_depends_on_operation_and_access() {
    const QUERY: &str = "query($list: [String!]!) { length(list: $list) }";
    const MUTATION: &str = "mutation($list: [String!]!) { length(list: $list) }";
    let server = Server::start().await;
    for (body, limit) in [
        (with_variables(MUTATION, 15_000), None),
        (with_variables(MUTATION, 20_000), Some("20000 bytes (MEMBERBASE_MAX_BODY)")),
        (with_variables(QUERY, 1_900), None),
        (with_variables(QUERY, 2_000), Some("2000 bytes (MEMBERBASE_MAX_QUERY_VARIABLES)")),
        (document(&format!("{{ __typename }} #{}", "x".repeat(1_000))), Some("1000 bytes (MEMBERBASE_MAX_ENVELOPE)")),
    ] {
        let answer = server.send(server.post().body(body).expect("a request")).await;
        match limit {
            None => assert_eq!(answer.status, 200, "{}", answer.text),
            Some(limit) => {
                answer.is(413, "PAYLOAD_TOO_LARGE");
                assert!(answer.text.contains(limit), "{}", answer.text);
            }
        }
    }
    let request = Request::post("/graphql").header("content-type", "application/json");
    let request = request.header("authorization", bearer(&server.reader));
    let answer = server.send(request.body(with_variables(MUTATION, 3_000)).expect("a request")).await;
    answer.is(413, "PAYLOAD_TOO_LARGE");
    assert!(answer.text.contains("3000 bytes (MEMBERBASE_MAX_QUERY_VARIABLES and"), "{}", answer.text);
}

#[tokio::test]
async fn query_is_cancelled_at_its_deadline() {
    let answer = Server::hurried().await.query("{ slow }").await;
    answer.is(504, "TIMEOUT");
    assert!(answer.text.contains("500ms (MEMBERBASE_QUERY_TIMEOUT)"), "{}", answer.text);
}

#[tokio::test]
async fn stalled_body_is_rejected_at_the_deadline() {
    let server = Server::hurried().await;
    let body = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    server.send(server.post().body(body).expect("a request")).await.is(408, "TIMEOUT");
}

#[tokio::test]
async fn mutation_completes_after_its_deadline() {
    let server = Server::hurried().await;
    server.query("mutation { work(milliseconds: 2000) }").await.is(504, "TIMEOUT");
    assert_eq!(server.done.load(SeqCst), 0);
    server.tasks.close();
    server.tasks.wait().await;
    assert_eq!(server.done.load(SeqCst), 1);
}

#[tokio::test]
async fn panic_is_an_internal_error() {
    let server = Server::start().await;
    for query in ["{ panics }", "mutation { panics }"] {
        server.query(query).await.is(500, "INTERNAL_SERVER_ERROR");
    }
}

#[tokio::test]
async fn unavailable_database_is_503_with_retry_after() {
    let answer = Server::start().await.query("{ unavailable }").await;
    answer.is(503, "SERVICE_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn probes_need_no_token() {
    let server = Server::start().await;
    for path in ["/livez", "/readyz"] {
        let answer = server.send(Request::get(path).body(Body::empty()).expect("a request")).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "ok"));
    }
}
