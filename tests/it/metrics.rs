//! `/metrics`: its series and the access to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::{FutureExt, stream};
use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::json;

use crate::support::{ApiResponse, Caller, Database, Server};

impl Caller {
    async fn metrics(&self) -> ApiResponse {
        self.send(Request::get("/metrics").body(Body::empty()).unwrap()).await
    }
}

impl Server {
    /// Returns every series with its value.
    async fn series(&self) -> BTreeMap<String, f64> {
        let response = self.reader().await.metrics().await;
        let text = String::from_utf8(response.body).unwrap();
        let mut series = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(series.insert(name.to_owned(), value.parse().unwrap()), None, "{line} is duplicated");
        }
        series
    }

    async fn value(&self, series: &str) -> f64 {
        self.series().await.get(series).copied().unwrap_or(0.0)
    }

    /// Returns the counts of rows of this type by outcome, without zeros.
    async fn rows(&self, kind: &str) -> BTreeMap<String, f64> {
        let begin = format!("memberbase_rows_total{{kind=\"{kind}\",outcome=\"");
        let all = self.series().await;
        let of_kind = all
            .iter()
            .filter_map(|(name, rows)| Some((name.strip_prefix(&begin)?.trim_end_matches("\"}").to_owned(), *rows)));
        of_kind.filter(|(_, rows)| *rows > 0.0).collect()
    }
}

fn requests(api: &str, operation: &str, kind: &str, code: &str) -> String {
    format!("memberbase_requests_total{{api=\"{api}\",operation=\"{operation}\",type=\"{kind}\",code=\"{code}\"}}")
}

fn counts(expected: &[(&str, f64)]) -> BTreeMap<String, f64> {
    expected.iter().map(|(outcome, rows)| ((*outcome).to_owned(), *rows)).collect()
}

#[rstest]
#[tokio::test]
async fn metrics_require_a_token_for_all_memberbases(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase("b").await;

    let stranger = server.anonymous().metrics().await;
    assert_eq!((stranger.status.as_u16(), &*stranger.code()), (401, "UNAUTHENTICATED"));
    assert_eq!(stranger.headers[header::WWW_AUTHENTICATE], "Bearer");
    let unknown = server.with_secret("mbs_nobody").metrics().await;
    assert_eq!((unknown.status.as_u16(), &*unknown.code()), (401, "UNAUTHENTICATED"));
    for access in [Access::Read, Access::Admin] {
        let bound = server.bound(access, &base).await.metrics().await;
        assert_eq!((bound.status.as_u16(), &*bound.code()), (403, "FORBIDDEN"));
        assert_eq!(bound.error()["extensions"]["traceId"], bound.headers["x-trace-id"].to_str().unwrap());
    }
    let reader = server.reader().await.metrics().await;
    assert_eq!(reader.status, 200);
    assert_eq!(reader.headers[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(reader.headers[header::CACHE_CONTROL], "no-store");
    let posted = server.reader().await.send(Request::post("/metrics").body(Body::empty()).unwrap()).await;
    assert_eq!(posted.status, 405);
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_code() {
    let server = Server::start(Database::Sqlite).await;
    let base = server.memberbase_of(&["a"]).await;
    let reader = server.reader().await;
    let before = server.series().await;

    reader.graphql("query Mine($b: ID!) { x: members(memberbaseId: $b) { nodes { ref } } }", json!({"b": base})).await;
    reader
        .graphql("query ($b: ID!) { members(memberbaseId: $b, first: -1) { nodes { ref } } }", json!({"b": base}))
        .await;
    reader
        .graphql(
            "{ memberbases { nodes { id } } __typename ...F } fragment F on Query { node(id: \"\") { id } }",
            json!({}),
        )
        .await;
    reader.graphql("{ __schema { queryType { name } } }", json!({})).await;
    reader.graphql("{ nothing }", json!({})).await;
    reader.upsert(&base, &["b"]).await;
    server.anonymous().graphql("{ __typename }", json!({})).await;
    reader.call("member/list", json!({"member_base_id": base})).await;
    reader.call("member/bulk-upsert", json!({"member_base_id": base, "members": []})).await;
    reader.call("member/list", json!({})).await;
    reader.call("no/such", json!({})).await;
    reader.send(Request::get("/livez").body(Body::empty()).unwrap()).await;
    reader.send(Request::get("/nowhere").body(Body::empty()).unwrap()).await;

    let after = server.series().await;
    let new: BTreeMap<_, _> = after
        .iter()
        .filter(|(name, _)| name.starts_with("memberbase_requests_total"))
        .map(|(name, value)| (name.clone(), value - before.get(name).unwrap_or(&0.0)))
        .filter(|(_, more)| *more != 0.0)
        .collect();
    let expected = [
        ("graphql", "members", "query", "OK"),
        ("graphql", "members", "query", "BAD_USER_INPUT"),
        ("graphql", "several", "query", "BAD_USER_INPUT"),
        ("graphql", "introspection", "query", "OK"),
        ("graphql", "other", "other", "GRAPHQL_VALIDATION_FAILED"),
        ("graphql", "bulkUpsertMembers", "mutation", "FORBIDDEN"),
        ("graphql", "other", "other", "UNAUTHENTICATED"),
        ("rpc", "member/list", "query", "OK"),
        ("rpc", "member/bulk-upsert", "mutation", "authorization_error"),
        ("rpc", "member/list", "query", "bad_request"),
        ("rpc", "other", "other", "not_found"),
    ];
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(api, operation, kind, code)| (requests(api, operation, kind, code), 1.0)).collect();
    assert_eq!(new, expected);
    let durations = |api: &str, kind: &str| {
        let name = format!("memberbase_request_duration_seconds_count{{api=\"{api}\",type=\"{kind}\"}}");
        after[&name] - before.get(&name).unwrap_or(&0.0)
    };
    assert_eq!(durations("graphql", "query"), 4.0);
    assert_eq!(durations("rpc", "query"), 2.0);
}

#[tokio::test]
async fn client_chosen_names_create_no_series() {
    let server = Server::start(Database::Sqlite).await;
    let reader = server.reader().await;
    let send = async |n: u32| {
        reader.graphql(&format!("query Made{n} {{ a{n}: __typename }}"), json!({})).await.data();
        reader.graphql(&format!("{{ made{n} }}"), json!({})).await.error();
        reader.post(json!({"query": "{ __typename }", "operationName": format!("Made{n}")}).to_string()).await.error();
        reader.call(&format!("made/up-{n}"), json!({})).await;
    };
    send(0).await;
    let before = server.series().await;
    for n in 1..=1_000 {
        send(n).await;
    }
    let after = server.series().await;
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert_eq!(after[&requests("graphql", "introspection", "query", "OK")], 1_001.0);
    assert_eq!(after[&requests("rpc", "other", "other", "not_found")], 1_001.0);
    assert!(!after.keys().any(|name| name.to_lowercase().contains("made")), "{after:#?}");
}

#[rstest]
#[tokio::test]
async fn rows_are_counted_by_outcome(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase("b").await;
    let writer = server.writer().await;

    writer.upsert(&base, &["a", "b", "a"]).await.data();
    assert_eq!(server.rows("member").await, counts(&[("created", 2.0), ("unchanged", 1.0)]));

    // Neither dry runs nor rejected calls are counted.
    let rows = json!([{"ref": "c"}, {"ref": ""}]);
    let input = json!({"memberbaseId": base, "members": rows, "onError": "SKIP_FAILED", "dryRun": true});
    writer.upsert_with(input).await.data();
    writer.upsert_with(json!({"memberbaseId": base, "members": rows})).await.error();
    writer.delete_with(json!({"memberbaseId": base, "refs": ["a"], "dryRun": true})).await.data();
    writer.delete_with(json!({"memberbaseId": base, "refs": ["a", "b"], "atMost": 1})).await.error();
    assert_eq!(server.rows("member").await, counts(&[("created", 2.0), ("unchanged", 1.0)]));

    writer
        .upsert_with(json!({"memberbaseId": base, "members": rows, "onError": "SKIP_FAILED", "mode": "UPDATE_ONLY"}))
        .await
        .data();
    let expected = [("created", 2.0), ("unchanged", 1.0), ("skipped", 1.0), ("failed", 1.0)];
    assert_eq!(server.rows("member").await, counts(&expected));

    let query = "mutation($input: BulkUpsertClipsInput!) { bulkUpsertClips(input: $input) { clipIds } }";
    let clip = |creative: &str| json!({"memberRef": "a", "dealId": "d", "creativeId": creative});
    for creative in ["one", "two"] {
        let input = json!({"memberbaseId": base, "clips": [clip(creative)]});
        writer.graphql(query, json!({"input": input})).await.data();
    }
    assert_eq!(server.rows("clip").await, counts(&[("created", 1.0), ("updated", 1.0)]));

    writer.delete_with(json!({"memberbaseId": base, "refs": ["a", "zoe"]})).await.data();
    assert_eq!(server.rows("clip").await["deleted"], 1.0);
    assert_eq!(server.rows("member").await["deleted"], 1.0);

    let members = json!([{"ref": "b"}, {"ref": "d"}]);
    writer.called("member/bulk-upsert", json!({"member_base_id": base, "members": members})).await;
    assert_eq!(server.rows("member").await["created"], 3.0);
    server.admin().await.called("member-base/delete", json!({"id": base})).await;
    assert_eq!(server.rows("member").await["deleted"], 3.0);
}

#[rstest]
#[tokio::test]
async fn rpc_attributes_and_transactions_are_counted_as_rows(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase("b").await;
    let admin = server.admin().await;
    let ids = admin.called("member/bulk-upsert", json!({"member_base_id": base, "members": [{"ref": "a"}]})).await;
    let schema = json!({"plan": {"type": "string"}});
    admin.called("attribute.schema/set", json!({"member_base_id": base, "schema": schema})).await;

    let values = json!([{"member_id": ids[0], "attribute_key": "plan", "value": "gold"}]);
    admin.called("member.attributes/set", json!({"member_base_id": base, "attributes": values})).await;
    admin.called("member.attributes/set", json!({"member_base_id": base, "attributes": values})).await;
    let removal = json!({"member_base_id": base, "member_ids": ids, "attribute_keys": ["plan"]});
    admin.called("member.attributes/delete", removal).await;
    assert_eq!(server.rows("member").await, counts(&[("created", 1.0), ("updated", 2.0), ("unchanged", 1.0)]));

    let payment = json!({
        "member_id": ids[0], "external_id": "e", "auth_code": "x", "network": "visa", "bin": "400000",
        "merchant_id": "m", "amount": 1, "currency": "GBP", "authed_at": "2026-01-01T00:00:00Z",
    });
    let ingest = json!({"events": [payment]});
    admin.called("transaction/ingest", ingest).await;
    assert_eq!(server.rows("transaction").await, counts(&[("created", 1.0)]));
}

#[tokio::test]
async fn disconnected_client_is_counted() {
    let server = Server::start(Database::Sqlite).await;
    let in_flight = "memberbase_requests_in_flight{api=\"graphql\"}";
    let endless = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let writer = server.writer().await;
    let mut request = Box::pin(writer.post(endless));
    for _ in 0..100 {
        assert!(request.as_mut().now_or_never().is_none());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(server.value(in_flight).await, 1.0);
    drop(request);
    assert_eq!(server.value(in_flight).await, 0.0);
    assert_eq!(server.value(&requests("graphql", "other", "other", "CLIENT_CLOSED")).await, 1.0);
}

#[rstest]
#[tokio::test]
async fn database_and_process_have_metrics(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let session = server.app.db.read().await.unwrap();
    let before = server.series().await;
    assert!(before["memberbase_database_connections{state=\"used\"}"] >= 1.0);
    drop(session);
    let after = server.series().await;
    let most = if database == Database::Sqlite { 6.0 } else { 5.0 };
    assert_eq!(after["memberbase_database_connections_max"], most);
    for name in [
        "memberbase_database_waits_total",
        "memberbase_database_wait_seconds_total",
        "memberbase_database_statements_total",
    ] {
        assert!(after[name] > before[name], "{name}");
    }
    assert_eq!(after[&format!("memberbase_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))], 1.0);
    assert!(after["process_start_time_seconds"] > 1.7e9);
    if cfg!(target_os = "linux") {
        assert!(after["process_resident_memory_bytes"] > 1e6);
    }
}

/// Returns the name, type and labels of each metric.
type Listed = BTreeSet<(String, String, String)>;

#[tokio::test]
async fn operations_md_documents_every_metric() {
    let server = Server::start(Database::Sqlite).await;
    server.memberbase("b").await;
    let text = String::from_utf8(server.reader().await.metrics().await.body).unwrap();
    let mut printed = Listed::new();
    for (name, kind) in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')) {
        let mut samples = text.lines().filter(|line| line.starts_with(name));
        let sample = samples.next().unwrap_or_else(|| panic!("{name} has no sample"));
        let labels = sample.split_once('{').map_or("", |(_, labels)| labels.split_once('}').unwrap().0);
        let labels = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).filter(|key| *key != "le");
        let help = text.contains(&format!("# HELP {name} "));
        assert!(help, "{name} says nothing of itself");
        printed.insert((name.to_owned(), kind.to_owned(), labels.collect::<Vec<_>>().join(", ")));
    }
    let text = std::fs::read_to_string("docs/operations.md").unwrap();
    let rows = text.lines().filter_map(|line| {
        line.strip_prefix("| `memberbase_").map(|_| line).or_else(|| line.strip_prefix("| `process_").map(|_| line))
    });
    let listed: Listed = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
            (cells[1].clone(), cells[2].clone(), cells[3].clone())
        })
        .collect();
    assert_eq!(printed, listed);
}
