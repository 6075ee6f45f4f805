//! The stored data that requests read, small for `make test` and large for `make soak`.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::{Client, Process, Site};

/// Attributes of a member of `large`, in bytes.
const LARGE_BYTES: usize = 48_000;

/// Returns true if the sizes are those of `make soak`.
pub fn is_full() -> bool {
    std::env::var_os("MEMBERBASE_TEST_MEMORY").is_some()
}

/// Returns a size for `make test`, or one for `make soak`.
pub fn size(short: usize, full: usize) -> usize {
    if is_full() { full } else { short }
}

/// Memberbases and tokens of a database.
pub struct World {
    reader: String,
    writer: String,
    /// A memberbase whose members have attributes of 1 to 60 kB, in the short run up to 20 kB.
    pub pages: String,
    /// A memberbase whose members have attributes of [`LARGE_BYTES`]; the ref of one, with 60 kB, is `big`.
    pub large: String,
    /// A memberbase with 1,000 attributes in its schema.
    pub keys: String,
    /// The id of a member of `pages`.
    pub member: String,
}

impl World {
    /// Loads a fresh database through a server, which is stopped again.
    pub async fn load(site: &Site) -> Self {
        let process = site.start().await;
        let admin = &process.admin;
        let schema = json!([{"key": "notes", "type": "STRING_LIST"}, {"key": "level", "type": "NUMBER"}]);
        let keys: Vec<_> = (0..1_000).map(|n| json!({"key": format!("attribute-{n}"), "type": "STRING"})).collect();
        let pages = memberbase(admin, "pages", schema.clone()).await;
        let large = memberbase(admin, "large", schema).await;
        let keys = memberbase(admin, "keys", json!(keys)).await;
        let (members, largest) = (size(1_000, 5_000), size(20_000, 60_000));
        let documents = (0..members).map(|n| (format!("ref-{n}"), 1_000 + n * (largest - 1_000) / members));
        let member = upsert(admin, &pages, documents).await;
        upsert(admin, &large, (0..size(200, 1_000)).map(|n| (format!("ref-{n}"), LARGE_BYTES))).await;
        upsert(admin, &large, [("big".to_owned(), 60_000)].into_iter()).await;
        upsert(admin, &keys, (0..size(2_000, 5_000)).map(|n| (format!("ref-{n}"), 0))).await;
        Self {
            reader: token(admin, "READ", None).await,
            writer: token(admin, "WRITE", None).await,
            pages,
            large,
            keys,
            member,
        }
    }

    /// Returns a client with READ or WRITE access.
    pub fn client(&self, process: &Process, writes: bool) -> Client {
        process.admin.with_secret(if writes { &self.writer } else { &self.reader })
    }

    /// Starts a server and makes it answer each kind of request once, so that its idle memory includes what it keeps.
    pub async fn start(&self, site: &Site) -> Process {
        let process = site.start().await;
        let query = "query($b: ID!, $m: ID!) { members(memberbaseId: $b, first: 5) { nodes { ref attributes } } \
            membersByRef(memberbaseId: $b, refs: [\"ref-1\"]) { id } nodes(ids: [$m]) { id } __schema { types { name } } }";
        self.client(&process, false).data(query, json!({"b": self.pages, "m": self.member})).await;
        process
    }
}

async fn memberbase(admin: &Client, name: &str, schema: Value) -> String {
    let create = "mutation($n: String!) { createMemberbase(input: {name: $n}) { memberbase { id } } }";
    let base = admin.data(create, json!({"n": name})).await["createMemberbase"]["memberbase"]["id"].take();
    let declare = "mutation($b: ID!, $a: [AttributeDefinitionInput!]!) { \
        setAttributeSchema(input: {memberbaseId: $b, attributes: $a}) { memberbase { id } } }";
    admin.data(declare, json!({"b": base, "a": schema})).await;
    base.as_str().unwrap().to_owned()
}

/// Creates a token, which is bound to a memberbase if there is one, and returns its secret.
pub async fn token(admin: &Client, access: &str, base: Option<&str>) -> String {
    let create = "mutation($a: Access!, $b: ID) { \
        createApiToken(input: {description: \"a test\", access: $a, memberbaseId: $b}) { secret } }";
    let secret = admin.data(create, json!({"a": access, "b": base})).await["createApiToken"]["secret"].take();
    secret.as_str().unwrap().to_owned()
}

/// Returns strings of this length together. One may have 16 KiB at most.
fn notes(length: usize) -> Vec<String> {
    const NOTE_BYTES: usize = 12_000;
    let whole = (0..length / NOTE_BYTES).map(|n| format!("{n:0NOTE_BYTES$}"));
    whole.chain([format!("{:0width$}", 0, width = length % NOTE_BYTES)]).collect()
}

/// Upserts members with notes of these lengths, in calls of about 4 MB. Returns the id of the last one.
async fn upsert(admin: &Client, base: &str, members: impl Iterator<Item = (String, usize)>) -> String {
    const CALL_BYTES: usize = 4_000_000;
    let (mut rows, mut last, mut members) = (String::new(), String::new(), members.peekable());
    while let Some((reference, length)) = members.next() {
        let attributes = if length == 0 { json!({}) } else { json!({"notes": notes(length)}) };
        write!(rows, "{{\"ref\":\"{reference}\",\"attributes\":{attributes}}},").unwrap();
        if rows.len() < CALL_BYTES && members.peek().is_some() {
            continue;
        }
        rows.pop();
        let query = "mutation($b: ID!, $m: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $b, members: $m}) \
            { memberIds } }";
        let body = format!("{{\"query\":{},\"variables\":{{\"b\":\"{base}\",\"m\":[{rows}]}}}}", json!(query));
        let ids = admin.post("/graphql", &body).await.unwrap().data()["bulkUpsertMembers"]["memberIds"].take();
        ids.as_array().unwrap().last().unwrap().as_str().unwrap().clone_into(&mut last);
        rows.clear();
    }
    last
}
