//! Multipart subscriptions, part by part, as Apollo's clients request them.

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use http_body_util::BodyExt;

use super::*;

/// The Accept headers of Apollo Client, Apollo iOS and Apollo Kotlin.
const ACCEPTED: [&str; 3] = [
    "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json",
    "multipart/mixed;subscriptionSpec=1.0,application/graphql-response+json,application/json",
    "multipart/mixed;subscriptionSpec=1.0, application/graphql-response+json, application/json",
];

/// A stream of parts.
struct Parts {
    body: Body,
    text: String,
}

impl Parts {
    async fn open(caller: &Caller, accept: &str, query: &str, variables: Value) -> Self {
        let request = Request::post("/graphql").header(CONTENT_TYPE, "application/json").header(ACCEPT, accept);
        let body = json!({"query": query, "variables": variables}).to_string();
        let response = caller.open(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(response.status(), 200);
        let content_type = "multipart/mixed; boundary=\"graphql\"; subscriptionSpec=\"1.0\"";
        assert_eq!(response.headers()[CONTENT_TYPE], content_type);
        let mut parts = Self { body: response.into_body(), text: String::new() };
        assert_eq!(parts.until_boundary().await, "");
        parts
    }

    /// Returns the text up to the next boundary, as soon as the boundary is received.
    async fn until_boundary(&mut self) -> String {
        loop {
            if let Some((part, rest)) = self.text.split_once("--graphql") {
                let part = part.to_owned();
                self.text = rest.to_owned();
                return part;
            }
            let frame = tokio::time::timeout(Duration::from_secs(20), self.body.frame()).await.expect("a part in time");
            let bytes = frame.expect("a part").unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn next(&mut self) -> Value {
        let part = self.until_boundary().await;
        let json = part.strip_prefix("\r\nContent-Type: application/json\r\n\r\n").unwrap();
        serde_json::from_str(json.strip_suffix("\r\n").unwrap()).unwrap()
    }

    /// Asserts that the stream ends.
    async fn assert_end(mut self) {
        let rest = self.body.collect().await.unwrap().to_bytes();
        self.text.push_str(std::str::from_utf8(&rest).unwrap());
        assert_eq!(self.text, "--\r\n");
    }
}

#[rstest]
#[tokio::test]
async fn changes_are_parts(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let live = LiveLimits { keep_alive: Duration::from_millis(500), ..LiveLimits::default() };
    let server = Server::with(database, Limits { live, ..Limits::default() }).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    for accept in ACCEPTED {
        let mut parts = Parts::open(&admin, accept, CHANGED, json!({"id": base})).await;
        // Says that the subscription is active.
        assert_eq!(parts.next().await, json!({}));
        let created = ids(&admin, &base, &[accept]).await;
        let expected = change(&base, &[&created[0]], &[], &[]);
        assert_eq!(next_payload(&mut parts).await, json!({"data": {"memberbaseChanged": expected}}));
        // A heartbeat.
        assert_eq!(parts.next().await, json!({}));
    }
    let mut parts = Parts::open(&admin, ACCEPTED[0], CHANGED, json!({"id": base})).await;
    mutate(&admin, "deleteMemberbase", &base, json!({}), "deletedMemberbaseId").await.data();
    assert_eq!(next_payload(&mut parts).await["data"]["memberbaseChanged"]["deleted"], 3);
    parts.assert_end().await;
}

/// Returns the payload of the next part that is not a heartbeat.
async fn next_payload(parts: &mut Parts) -> Value {
    loop {
        let mut part = parts.next().await;
        if part != json!({}) {
            return part["payload"].take();
        }
    }
}

#[tokio::test]
async fn revoked_token_ends_the_stream_with_an_error() {
    let server = Server::start(Database::Sqlite).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let (id, secret) = server.token(Access::Read, None, None).await;
    let reader = server.with_secret(&secret);
    let mut parts = Parts::open(&reader, ACCEPTED[0], CHANGED, json!({"id": base})).await;
    let revoke = "mutation($id: ID!) { revokeApiToken(input: {apiTokenId: $id}) { apiToken { id } } }";
    admin.graphql(revoke, json!({"id": id.to_string()})).await.data();
    let failure = loop {
        let part = parts.next().await;
        if part != json!({}) {
            break part;
        }
    };
    assert_eq!(failure["payload"], Value::Null);
    assert_eq!(failure["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    parts.assert_end().await;
}

#[tokio::test]
async fn other_operations_are_answered_in_json_or_one_part() {
    let server = Server::start(Database::Sqlite).await;
    let reader = server.reader().await;
    let body = json!({"query": "{ __typename }"}).to_string();
    let request = Request::post("/graphql").header(CONTENT_TYPE, "application/json").header(ACCEPT, ACCEPTED[0]);
    let response = reader.open(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json; charset=utf-8");
    let only = "multipart/mixed;subscriptionSpec=1.0";
    let mut parts = Parts::open(&reader, only, "{ __typename }", json!({})).await;
    assert_eq!(parts.next().await, json!({"payload": {"data": {"__typename": "Query"}}}));
    parts.assert_end().await;
}
