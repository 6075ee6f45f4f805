//! The log line of a request, and values that are never logged.

use std::{
    io::{self, Write},
    sync::{Arc, LazyLock, Mutex},
};

use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::FutureExt;
use memberbase::{
    config::{Log, LogFormat},
    domain::{
        access::{self, Access},
        api_token::{self, NewApiToken},
    },
    telemetry,
};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tracing::{
    Dispatch,
    subscriber::{DefaultGuard, NoSubscriber},
};

use crate::support::{Database, Server};

/// Captures this thread's log output at INFO and above.
#[derive(Clone, Default)]
pub struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CapturedLog {
    /// Starts to capture. All requests of a test run on this thread.
    pub fn capture(log_format: LogFormat) -> (Self, DefaultGuard) {
        // If a process has one subscriber, tracing asks only that of the present thread whether a new event is of interest.
        // Another test's thread has none, and would turn the event off for this one. Of two subscribers it asks both.
        static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));
        LazyLock::force(&OTHER);
        let captured = Self::default();
        let writer = captured.clone();
        let settings = Log { log: "info,sea_orm_migration=warn".to_owned(), log_format };
        let log = telemetry::subscriber(&settings, move || writer.clone(), false);
        (captured, tracing::subscriber::set_default(log))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Returns each line as JSON.
    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns the last line, which must report a completed request.
    fn completed(&self) -> Value {
        let line = self.lines().pop().unwrap();
        assert_eq!(line["message"], "request completed", "{line}");
        line
    }
}

const UPSERT: &str =
    "mutation Import($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { memberIds } }";

#[test]
fn thread_that_does_not_capture_turns_no_event_off() {
    let (captured, _listening) = CapturedLog::capture(LogFormat::Json);
    let log = || tracing::info!("an event of both threads");
    std::thread::spawn(log).join().unwrap();
    log();
    assert_eq!(captured.lines().len(), 1, "{}", captured.text());
}

#[tokio::test]
async fn request_has_one_log_line_with_its_outcome() {
    let server = Server::start(Database::Sqlite).await;
    let base = server.memberbase("b").await;
    let (token, secret) = server.token(Access::Write, None, None).await;
    let writer = server.with_secret(&secret);
    let (captured, _listening) = CapturedLog::capture(LogFormat::Json);

    let rows = json!([{"ref": "a"}, {"ref": "b"}, {"ref": "a"}, {"ref": ""}]);
    let input = json!({"memberbaseId": base, "members": rows, "onError": "SKIP_FAILED"});
    let response = writer.graphql(UPSERT, json!({"input": input})).await;
    let line = captured.completed();
    assert_eq!(captured.lines().len(), 1);
    assert_eq!((&line["level"], &line["status"], &line["code"]), (&json!("INFO"), &json!(200), &json!("OK")));
    assert!(line["milliseconds"].as_f64().unwrap() > 0.0, "{line}");
    assert_eq!((&line["rows"], &line["created"]), (&json!(4), &json!(2)));
    assert_eq!((&line["unchanged"], &line["failed"], line.get("updated")), (&json!(1), &json!(1), None));
    assert_eq!(line["span"]["trace_id"], response.headers["x-trace-id"].to_str().unwrap());
    assert_eq!(line["span"]["operation"], "Import");
    assert_eq!(line["span"]["token"], token.to_string());
    assert_eq!((&line["span"]["method"], &line["span"]["path"]), (&json!("POST"), &json!("/graphql")));

    writer.graphql(UPSERT, json!({"input": {"memberbaseId": base, "members": [{"ref": ""}]}})).await.error();
    let line = captured.completed();
    assert_eq!((&line["code"], line.get("rows"), line.get("failed")), (&json!("BAD_USER_INPUT"), None, None));

    writer.delete_with(json!({"memberbaseId": base, "refs": ["a", "b"]})).await.data();
    let line = captured.completed();
    assert_eq!((&line["rows"], &line["deleted"], line["span"].get("operation")), (&json!(2), &json!(2), None));

    writer.call("member/bulk-upsert", json!({"member_base_id": base, "members": [{"ref": "a"}]})).await;
    let line = captured.completed();
    assert_eq!((&line["rows"], &line["span"]["operation"]), (&json!(1), &json!("member/bulk-upsert")));

    server.anonymous().graphql("{ __typename }", json!({})).await.error();
    let line = captured.completed();
    assert_eq!((&line["status"], &line["code"]), (&json!(401), &json!("UNAUTHENTICATED")));

    let long = format!("query {} {{ __typename }}", "N".repeat(200));
    writer.graphql(&long, json!({})).await.data();
    assert_eq!(captured.completed()["span"]["operation"], "N".repeat(64));

    writer.send(Request::get("/livez").body(Body::empty()).unwrap()).await;
    assert_eq!(captured.completed().get("code"), None);
}

#[tokio::test]
async fn request_of_a_disconnected_client_has_a_log_line() {
    let server = Server::start(Database::Sqlite).await;
    let writer = server.writer().await;
    let (captured, _listening) = CapturedLog::capture(LogFormat::Json);
    assert!(writer.graphql("{ __typename }", json!({})).now_or_never().is_none());
    let lines = captured.lines();
    assert_eq!(
        (&lines[0]["message"], &lines[0]["code"]),
        (&json!("request aborted by the client"), &json!("CLIENT_CLOSED"))
    );
}

#[tokio::test]
async fn text_log_format_has_the_request_line() {
    let server = Server::start(Database::Sqlite).await;
    let base = server.memberbase("b").await;
    let writer = server.writer().await;
    let (captured, _listening) = CapturedLog::capture(LogFormat::Text);
    writer.graphql(UPSERT, json!({"input": {"memberbaseId": base, "members": [{"ref": "a"}]}})).await.data();
    let text = captured.text();
    assert_eq!(text.lines().count(), 1);
    for part in [
        " INFO request{trace_id=",
        "operation=\"Import\"",
        "request completed status=200",
        "code=\"OK\" rows=1 created=1\n",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[rstest]
#[tokio::test]
async fn export_has_a_line_with_its_size(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(&["ann", "ben"]).await;
    let reader = server.reader().await;
    let (captured, _listening) = CapturedLog::capture(LogFormat::Json);
    let request = Request::get(format!("/export?memberbase={base}&format=lines")).body(Body::empty()).unwrap();
    assert_eq!(reader.send(request).await.body, b"ann\nben\n");
    let lines = captured.lines();
    let [ended, completed] = &lines[..] else { panic!("{lines:#?}") };
    assert_eq!((&ended["message"], &ended["memberbase"]), (&json!("export ended"), &json!(base)));
    assert_eq!((&ended["rows"], &ended["bytes"], ended.get("error")), (&json!(2), &json!(8), None), "{ended}");
    assert!(ended["milliseconds"].is_u64(), "{ended}");
    assert_eq!((&completed["message"], &completed["code"]), (&json!("request completed"), &json!("OK")));
}

#[rstest]
#[tokio::test]
async fn refs_attributes_variables_and_secrets_are_never_logged(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase("needle-base").await;
    let admin = server.admin().await;
    let (captured, _listening) = CapturedLog::capture(LogFormat::Json);

    let schema =
        "mutation($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }";
    let declared = json!([{"key": "needle-key", "type": "STRING"}]);
    admin.graphql(schema, json!({"input": {"memberbaseId": base, "attributes": declared}})).await.data();
    let member = |key: &str| json!({"ref": "needle-ref", "attributes": {key: "needle-value"}});
    let upsert = |key: &str| json!({"input": {"memberbaseId": base, "members": [member(key)]}});
    admin.graphql(UPSERT, upsert("needle-key")).await.data();
    admin.graphql(UPSERT, upsert("needle-unknown")).await.error();
    let find =
        "query($b: ID!, $f: MemberFilter) { members(memberbaseId: $b, filter: $f) { nodes { ref attributes } } }";
    for filter in [
        json!({"ref": {"eq": "needle-ref"}}),
        json!({"ref": {"regex": {"pattern": "needle-regex("}}}),
        json!({"attribute": {"key": "needle-nowhere", "eq": "needle-value"}}),
        json!({"needle-field": 1}),
    ] {
        admin.graphql(find, json!({"b": base, "f": filter})).await;
    }
    let text = format!(
        "{{ members(memberbaseId: \"{base}\", filter: {{ref: {{eq: \"needle-text\"}}}}) {{ nodes {{ ref }} }} }}"
    );
    admin.graphql(&text, json!({})).await.data();
    admin.graphql("{ needle_field }", json!({})).await.error();
    admin.post("{\"query\": needle-json").await.error();
    let get = "/graphql?query=query%28%24a%3AID%21%29%7B__typename%7D&variables=%7B%22a%22%3A%22needle-url%22%7D";
    admin.send(Request::get(get).body(Body::empty()).unwrap()).await;
    let filter = "%7B%22ref%22%3A%7B%22eq%22%3A%22needle-ref%22%7D%7D";
    let export = format!("/export?memberbase=needle-base&format=csv&columns=needle-key&filter={filter}");
    admin.send(Request::get(export).body(Body::empty()).unwrap()).await;
    server.with_secret("mbs_needle-secret").graphql("{ __typename }", json!({})).await.error();
    let basic = Request::get("/metrics").header(header::AUTHORIZATION, "Basic needle-secret");
    server.anonymous().send(basic.body(Body::empty()).unwrap()).await.error();
    admin.call("member/bulk-upsert", json!({"member_base_id": base, "members": [{"ref": "needle-ref"}]})).await;
    admin.call("member/get", json!({"member_base_id": base, "ref": "needle-ref"})).await;
    admin.call("member/get", json!({"id": "needle-id"})).await;
    admin.delete_with(json!({"memberbaseId": base, "refs": ["needle-ref", "needle-nobody"]})).await.data();
    let description = "needle-description".to_owned();
    let new = NewApiToken { description, access: Access::Read, memberbase: None, expires_at: None };
    let (_, secret) = api_token::create(&server.app, &access::Caller::operator(), new).await.unwrap();
    server.with_secret(secret.expose()).graphql("{ __typename }", json!({})).await.data();
    // An internal error is logged with its cause.
    let session = server.app.db.read().await.unwrap();
    let rename = "ALTER TABLE member RENAME TO somewhere_else";
    match database {
        Database::Postgres => drop(session.execute_unprepared(rename).await.unwrap()),
        Database::Sqlite => {
            let write = async |session: memberbase::db::Session| session.execute_unprepared(rename).await.map(drop);
            server.app.db.write(memberbase::db::Lock::None, write).await.unwrap();
        }
    }
    let failed = admin.graphql(UPSERT, upsert("needle-key")).await;
    assert_eq!(failed.code(), "INTERNAL_SERVER_ERROR");

    let lines = captured.lines();
    assert!(lines.iter().any(|line| line["level"] == "ERROR"), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line["message"] == "request completed").count(), 20, "{lines:#?}");
    let text = captured.text();
    assert!(!text.contains("needle"), "{text}");
    assert!(!text.contains(secret.expose()), "{text}");
}
