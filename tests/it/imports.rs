//! `/import`: files over HTTP.

mod connections;
mod declaring;
mod files;
mod inspections;
mod mirrors;
mod resuming;
mod rules;
mod watching;

use axum::{
    body::Body,
    http::{HeaderName, Request, StatusCode},
};
use memberbase::types::Limits;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server};

/// A memberbase with attributes, and a caller that may write to it.
struct Bench {
    server: Server,
    base: String,
    writer: Caller,
}

/// The response to an import.
#[derive(Debug)]
struct Outcome {
    status: StatusCode,
    events: Vec<Value>,
}

const ATTRIBUTES: [(&str, &str); 5] =
    [("plan", "STRING"), ("age", "NUMBER"), ("active", "BOOLEAN"), ("joined", "DATE"), ("tags", "STRING_LIST")];

impl Bench {
    async fn new(database: Database) -> Self {
        Self::with_limits(database, Limits::default()).await
    }

    async fn with_limits(database: Database, limits: Limits) -> Self {
        let server = Server::with(database, limits).await;
        let base = server.memberbase("Readers").await;
        let attributes = ATTRIBUTES.map(|(key, kind)| json!({"key": key, "type": kind}));
        let query =
            "mutation($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }";
        let input = json!({"memberbaseId": base, "attributes": attributes});
        server.admin().await.graphql(query, json!({"input": input})).await.data();
        let writer = server.writer().await;
        Self { server, base, writer }
    }

    /// Creates a memberbase with `count` members, `member-0000` and so on.
    async fn of(database: Database, count: usize) -> Self {
        let bench = Self::new(database).await;
        let refs: Vec<_> = (0..count).map(|number| format!("member-{number:04}")).collect();
        bench.writer.upsert(&bench.base, &refs.iter().map(String::as_str).collect::<Vec<_>>()).await.data();
        bench
    }

    /// Returns a request with these parameters.
    fn request(&self, parameters: &str, body: impl Into<Body>) -> Request<Body> {
        Request::post(format!("/import?memberbase={}&{parameters}", self.base)).body(body.into()).unwrap()
    }

    async fn import(&self, parameters: &str, body: impl Into<Body>) -> Outcome {
        Outcome::of(&self.writer.send(self.request(parameters, body)).await)
    }

    /// Imports a body with a header.
    async fn import_with(&self, parameters: &str, header: (HeaderName, &str), body: impl Into<Body>) -> Outcome {
        let mut request = self.request(parameters, body);
        request.headers_mut().insert(header.0, header.1.parse().unwrap());
        Outcome::of(&self.writer.send(request).await)
    }

    /// Returns all members by ref, with their attributes.
    async fn members(&self) -> Vec<(String, Value)> {
        let query = "query($base: ID!) { members(memberbaseId: $base, first: 5000, orderBy: {field: REF}) { \
            nodes { ref attributes } } }";
        let mut data = self.writer.graphql(query, json!({"base": self.base})).await.data();
        let nodes = data["members"]["nodes"].take();
        let pair = |node: &Value| (node["ref"].as_str().unwrap().to_owned(), node["attributes"].clone());
        nodes.as_array().unwrap().iter().map(pair).collect()
    }

    async fn refs(&self) -> Vec<String> {
        self.members().await.into_iter().map(|(reference, _)| reference).collect()
    }

    /// Returns the states of the memberbase's syncs, newest first.
    async fn syncs(&self) -> Vec<String> {
        let query = "query($base: ID!) { memberbase(id: $base) { syncs(first: 100) { nodes { state } } } }";
        let data = self.writer.graphql(query, json!({"base": self.base})).await.data();
        let nodes = data["memberbase"]["syncs"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["state"].as_str().unwrap().to_owned()).collect()
    }
}

impl Outcome {
    fn of(response: &ApiResponse) -> Self {
        assert_eq!(response.headers["content-type"], "application/x-ndjson");
        Self { status: response.status, events: events(&response.body) }
    }

    fn last(&self) -> &Value {
        self.events.last().expect("an event")
    }

    /// Returns the numbers of rows that were created, updated, unchanged and rejected, and of deleted members. Asserts that the
    /// import has stored its file.
    fn counts(&self) -> [u64; 5] {
        let last = self.last();
        assert_eq!((self.status, &last["event"]), (StatusCode::OK, &json!("summary")), "{last}");
        ["created", "updated", "unchanged", "rejected", "deleted"].map(|name| last[name].as_u64().unwrap())
    }

    /// Returns the code and the message of the failure.
    fn failure(&self) -> (&str, &str) {
        let last = self.last();
        assert_eq!(last["event"], "failed", "{last}");
        (last["code"].as_str().unwrap(), last["message"].as_str().unwrap())
    }

    fn assert_failed(&self, status: u16, code: &str, part: &str) {
        let (actual, message) = self.failure();
        assert_eq!((self.status.as_u16(), actual), (status, code), "{message}");
        assert!(message.contains(part), "{message}");
    }

    /// Returns the events of rejected rows, by line.
    fn rejected(&self) -> Vec<&Value> {
        let mut rejected: Vec<_> = self.events.iter().filter(|event| event["event"] == "rejected").collect();
        rejected.sort_by_key(|event| event["line"].as_u64());
        rejected
    }
}

fn events(body: &[u8]) -> Vec<Value> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}
