//! `/export`: the members of a memberbase as a file over HTTP.

mod files;
mod rules;
mod streams;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use memberbase::types::{Limits, PageLimits};
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Random, Server};

/// A memberbase with attributes, and a caller that may read it.
struct Bench {
    server: Server,
    base: String,
    reader: Caller,
}

const ATTRIBUTES: [(&str, &str); 7] = [
    ("plan", "STRING"),
    ("age", "NUMBER"),
    ("active", "BOOLEAN"),
    ("joined", "DATE"),
    ("tags", "STRING_LIST"),
    ("ref", "STRING"),
    ("a,b", "STRING"),
];

impl Bench {
    async fn new(database: Database) -> Self {
        Self::with_limits(database, Limits::default()).await
    }

    async fn with_limits(database: Database, limits: Limits) -> Self {
        let server = Server::with(database, limits).await;
        let base = server.memberbase("Readers").await;
        let reader = server.reader().await;
        let bench = Self { server, base, reader };
        bench.declare(&bench.base).await;
        bench
    }

    /// Creates a memberbase with `count` members, `member-0000` and so on, of which a page has at most 5.
    async fn of_pages(database: Database, count: usize) -> Self {
        let page = PageLimits { max: 5, ..PageLimits::default() };
        let bench = Self::with_limits(database, Limits { page, ..Limits::default() }).await;
        bench.upsert((0..count).map(|number| json!({"ref": format!("member-{number:04}")})).collect()).await;
        bench
    }

    /// Creates a memberbase with 400 members of 45,000 bytes, more than sockets buffer.
    async fn of_large_members(database: Database, limits: Limits) -> Self {
        let bench = Self::with_limits(database, limits).await;
        let mut random = Random(1);
        // Random, so that it is also large if it is compressed.
        let mut text =
            || (0..15_000).map(|_| char::from(b'0' + u8::try_from(random.below(64)).unwrap())).collect::<String>();
        for batch in 0..4 {
            let mut member = |number| {
                let attributes = json!({"plan": text(), "ref": text(), "a,b": text()});
                json!({"ref": format!("member-{batch}-{number:02}"), "attributes": attributes})
            };
            bench.upsert((0..100).map(&mut member).collect()).await;
        }
        bench
    }

    async fn declare(&self, base: &str) {
        let attributes = ATTRIBUTES.map(|(key, kind)| json!({"key": key, "type": kind}));
        let query =
            "mutation($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }";
        let input = json!({"memberbaseId": base, "attributes": attributes});
        self.server.admin().await.graphql(query, json!({"input": input})).await.data();
    }

    async fn upsert(&self, members: Vec<Value>) {
        let input = json!({"memberbaseId": self.base, "members": members});
        self.server.writer().await.upsert_with(input).await.data();
    }

    fn request(&self, parameters: &str) -> Request<Body> {
        let uri = format!("/export?memberbase={}&{parameters}", self.base);
        Request::get(uri).body(Body::empty()).unwrap()
    }

    async fn export(&self, parameters: &str) -> ApiResponse {
        self.reader.send(self.request(parameters)).await
    }

    /// Returns the text of an export that succeeds.
    async fn file(&self, parameters: &str) -> String {
        let response = self.export(parameters).await;
        let text = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status, StatusCode::OK, "{text}");
        text
    }

    /// Imports a file, and returns the numbers of rows that were created, updated, unchanged and rejected.
    async fn import(&self, base: &str, parameters: &str, file: impl Into<Body>) -> [u64; 4] {
        let request = Request::post(format!("/import?memberbase={base}&{parameters}"));
        let response = self.server.writer().await.send(request.body(file.into()).unwrap()).await;
        let last = String::from_utf8(response.body).unwrap().lines().last().unwrap().to_owned();
        let last: Value = serde_json::from_str(&last).unwrap();
        assert_eq!((response.status, &last["event"]), (StatusCode::OK, &json!("summary")), "{last}");
        ["created", "updated", "unchanged", "rejected"].map(|name| last[name].as_u64().unwrap())
    }

    /// Returns the metric of this name and labels.
    async fn metric(&self, name: &str) -> f64 {
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let text = String::from_utf8(self.server.reader().await.send(request).await.body).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }
}

/// Asserts that an export did not begin, and returns the message.
#[track_caller]
fn failure(response: &ApiResponse, status: u16, code: &str) -> String {
    let body = response.json();
    let actual = (response.status.as_u16(), &body["code"], &body["event"]);
    assert_eq!(actual, (status, &json!(code), &json!("failed")), "{body}");
    assert_eq!(response.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(body["traceId"], response.headers["x-trace-id"].to_str().unwrap());
    body["message"].as_str().unwrap().to_owned()
}
