//! A table of bad inputs with the status and the error code that each must get.
//!
//! All are sent over sockets to a server in a process of its own, so that dropped connections, hangs and crashes show.

mod documents;
mod filters;
mod ids;
mod json;
mod plain;
mod protocol;
mod rows;

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{ApiResponse, Client, Database, Site, missing_memberbase_id};

/// The time limit for each response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The status of a request whose execution began.
const EXECUTED: u16 = 200;

/// The status of a GraphQL request error: nothing was executed.
const REQUEST_ERROR: u16 = 400;

/// A value of the right JSON type that is invalid.
const INVALID: (u16, &str) = (EXECUTED, "BAD_USER_INPUT");

/// A value of the wrong JSON type.
const WRONG_TYPE: (u16, &str) = (REQUEST_ERROR, "BAD_USER_INPUT");

/// A value over a limit.
const OVER_LIMIT: (u16, &str) = (EXECUTED, "LIMIT_EXCEEDED");

/// A list in the variables of a query that is longer than any list may be.
const LONG_LIST: (u16, &str) = (REQUEST_ERROR, "LIMIT_EXCEEDED");

/// A bad input with the expected response.
struct Case {
    name: String,
    bytes: Vec<u8>,
    /// True if the client shuts down its side of the connection after the bytes.
    closes: bool,
    status: u16,
    /// Empty if the bytes are not HTTP, so that the response has no error code.
    code: &'static str,
}

/// The ids and cursors that cases name, of existing and missing things.
struct World {
    client: Client,
    base: String,
    other: String,
    member: String,
    missing_base: String,
    /// A cursor of the first member in the order of creation.
    cursor: String,
    /// A cursor of the same member in the order of refs.
    by_ref: String,
    /// A cursor in the list of memberbases.
    of_base: String,
}

impl Case {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>, (status, code): (u16, &'static str)) -> Self {
        Self { name: name.into(), bytes: bytes.into(), closes: false, status, code }
    }
}

impl World {
    async fn of(client: Client) -> Self {
        let create = "mutation($n: String!) { createMemberbase(input: {name: $n}) { memberbase { id } } }";
        let mut bases = Vec::new();
        for name in ["some", "others"] {
            let data = client.data(create, json!({"n": name})).await;
            bases.push(text(&data["createMemberbase"]["memberbase"]["id"]));
        }
        let [base, other] = <[String; 2]>::try_from(bases).unwrap();
        let schema = json!([{"key": "level", "type": "NUMBER"}, {"key": "tier", "type": "STRING"},
            {"key": "since", "type": "DATE"}, {"key": "active", "type": "BOOLEAN"}, {"key": "tags", "type": "STRING_LIST"}]);
        let declare = "mutation($b: ID!, $a: [AttributeDefinitionInput!]!) { \
            setAttributeSchema(input: {memberbaseId: $b, attributes: $a}) { memberbase { id } } }";
        client.data(declare, json!({"b": base, "a": schema})).await;
        let store = "mutation($b: ID!) { bulkUpsertMembers(input: {memberbaseId: $b, members: [{ref: \"a\"}, {ref: \"b\"}]}) \
            { memberIds } }";
        let member = text(&client.data(store, json!({"b": base})).await["bulkUpsertMembers"]["memberIds"][0]);
        let query = "query($b: ID!) { members(memberbaseId: $b, first: 1) { pageInfo { endCursor } } \
            ordered: members(memberbaseId: $b, first: 1, orderBy: {field: REF}) { pageInfo { endCursor } } \
            memberbases(first: 1) { pageInfo { endCursor } } }";
        let data = client.data(query, json!({"b": base})).await;
        let cursor = |field: &str| text(&data[field]["pageInfo"]["endCursor"]);
        let (cursor, by_ref, of_base) = (cursor("members"), cursor("ordered"), cursor("memberbases"));
        Self { client, base, other, member, missing_base: missing_memberbase_id(), cursor, by_ref, of_base }
    }

    /// A GraphQL request by POST.
    fn graphql(&self, name: impl Into<String>, query: &str, variables: &Value, expected: (u16, &'static str)) -> Case {
        self.posted(name, "/graphql", &json!({"query": query, "variables": variables}).to_string(), expected)
    }

    /// A JSON body by POST.
    fn posted(&self, name: impl Into<String>, path: &str, body: &str, expected: (u16, &'static str)) -> Case {
        Case::new(name, self.client.request(path, body), expected)
    }

    /// Returns all stored data that a client can read.
    async fn state(&self) -> Value {
        let query = "{ memberbases { nodes { id name updatedAt attributeSchema { key type } members { nodes { id ref \
            attributes updatedAt clips { totalCount } stampCollections { totalCount } transactions { totalCount } } } } } }";
        self.client.data(query, json!({})).await
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = protocol::cases(self);
        cases.extend(json::cases(self));
        cases.extend(documents::cases(self));
        cases.extend(ids::cases(self));
        cases.extend(filters::cases(self));
        cases.extend(rows::cases(self));
        cases.extend(plain::cases(self));
        cases
    }
}

fn text(json: &Value) -> String {
    json.as_str().unwrap().to_owned()
}

/// Internals that no response may contain: SQL, names of crates and tables, paths, and Rust's debug output.
const INTERNALS: [&str; 26] = [
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE ",
    "FROM ",
    "sqlx",
    "sea_orm",
    "SeaORM",
    "sqlite",
    "SQLite",
    "postgres",
    "Postgres",
    "\\\"member\\\".",
    "member_base_id,",
    "src/",
    ".rs:",
    "panicked",
    "unwrap",
    "Some(",
    "None)",
    "Ok(",
    "Err(",
    "DbErr",
    "RuntimeErr",
    "serde",
    "async_graphql",
];

/// Returns the difference between the response and the case's expectation, if any.
fn problem(case: &Case, response: Result<Result<ApiResponse, String>, impl Sized>) -> Option<String> {
    let response = match response {
        Err(_) => return Some(format!("no response within {RESPONSE_TIMEOUT:?}")),
        Ok(Err(error)) => return Some(error),
        Ok(Ok(response)) => response,
    };
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let code = json["errors"][0]["extensions"]["code"].as_str().or_else(|| json["error"]["code"].as_str());
    let found = (response.status.as_u16(), code.unwrap_or_default());
    if found != (case.status, case.code) {
        return Some(format!("{found:?} and not {:?}: {text:.300}", (case.status, case.code)));
    }
    // A word that the client itself sent may be echoed.
    let sent = String::from_utf8_lossy(&case.bytes);
    let leaked = INTERNALS.into_iter().find(|word| text.contains(word) && !sent.contains(word.trim()));
    if let Some(word) = leaked {
        return Some(format!("it exposes {word:?}: {text:.300}"));
    }
    (text.len() > 64 << 10).then(|| format!("the response has {} bytes", text.len()))
}

/// Sends every case and describes the ones with a wrong response.
async fn send_all_cases(client: &Client, cases: &[Case]) -> Vec<String> {
    let (mut problems, mut slowest) = (Vec::new(), (Duration::ZERO, ""));
    for case in cases {
        let start = Instant::now();
        let response = timeout(RESPONSE_TIMEOUT, client.send_all(&case.bytes, case.closes)).await;
        slowest = slowest.max((start.elapsed(), &case.name));
        problems.extend(problem(case, response).map(|problem| format!("{}: {problem}", case.name)));
    }
    println!("{} cases, the slowest took {slowest:?}", cases.len());
    problems
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_input_is_rejected_without_exposing_internals(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    // Bodies that never arrive must time out soon.
    let site = Site::new(database).await.with_options(&["--query-timeout", "1500ms", "--mutation-timeout", "1500ms"]);
    let mut server = site.start().await;
    let world = World::of(server.admin.clone()).await;
    let (cases, before) = (world.cases(), world.state().await);
    assert!(cases.len() >= 200, "only {} cases", cases.len());
    let problems = send_all_cases(&world.client, &cases).await;
    assert!(problems.is_empty(), "{} of {} cases:\n{}", problems.len(), cases.len(), problems.join("\n"));
    assert!(server.is_running(), "{}", server.log());
    assert_eq!(world.state().await, before, "something was stored");
    assert!(!server.log().contains("internal error") && !server.log().contains("panicked"), "{}", server.log());
    let peak = server.memory("VmHWM");
    assert!(peak <= 512, "{peak} MiB at the peak");
    if std::env::var_os("MEMBERBASE_TEST_MEMORY").is_some() {
        sleep(Duration::from_secs(60)).await;
        let remaining = server.memory("VmRSS");
        println!("{database:?}: {peak} MiB at the peak, {remaining} MiB a minute later");
        assert!(remaining < 200, "{remaining} MiB resident a minute later");
    }
}
