//! Faults of the environment, against a server in a process of its own. `make soak` runs these tests for longer, and
//! the ignored ones as well: they stop the PostgreSQL cluster that all other tests use.

mod connections;
mod crash;
mod descriptors;
mod disk;
mod load;
mod stop;

use memberbase::types::{Id, MemberbaseId};
use serde_json::{Value, json};

use crate::support::{ApiResponse, Client};

const UPSERT: &str = "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { memberIds \
    summary { created updated unchanged failed } } }";

/// Returns a number of repetitions or seconds from the environment (`make soak` sets it), or the default.
pub fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Returns the seed of the random numbers and prints it, so that a failed run can be repeated.
pub fn seed() -> u64 {
    let now = u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos());
    let seed = setting("MEMBERBASE_TEST_SEED", now);
    println!("MEMBERBASE_TEST_SEED={seed}");
    seed
}

impl Client {
    /// Creates a memberbase whose schema has the attribute `call`, a NUMBER.
    pub async fn memberbase(&self) -> String {
        let create = "mutation { createMemberbase(input: {name: \"b\"}) { memberbase { id } } }";
        let base = self.data(create, json!({})).await["createMemberbase"]["memberbase"]["id"].take();
        let declare = "mutation($b: ID!) { setAttributeSchema(input: {memberbaseId: $b, attributes: [{key: \"call\", \
            type: NUMBER}]}) { memberbase { id } } }";
        self.data(declare, json!({"b": base})).await;
        let base = base.as_str().unwrap().to_owned();
        assert!(MemberbaseId::parse(&base).is_ok());
        base
    }

    /// Upserts members with these refs, optionally with the number of the call as an attribute.
    async fn upsert(&self, base: &str, refs: &[String], call: Option<usize>) -> Result<ApiResponse, String> {
        self.graphql(UPSERT, json!({"input": upsert(base, refs, call)})).await
    }

    /// Returns the number of members that match a filter.
    async fn count(&self, base: &str, filter: Value) -> usize {
        let query =
            "query($b: ID!, $f: MemberFilter) { members(memberbaseId: $b, filter: $f, first: 0) { totalCount } }";
        let count = self.data(query, json!({"b": base, "f": filter})).await["members"]["totalCount"].as_u64();
        usize::try_from(count.unwrap()).unwrap()
    }
}

fn upsert(base: &str, refs: &[String], call: Option<usize>) -> Value {
    let attributes = call.map_or(json!({}), |call| json!({"call": call}));
    let rows: Vec<_> = refs.iter().map(|reference| json!({"ref": reference, "attributes": attributes})).collect();
    json!({"memberbaseId": base, "members": rows})
}

/// Returns `count` refs with this prefix.
fn refs(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

/// Asserts that a response is the retryable error that is documented for an unavailable database.
fn assert_retryable_error(response: &ApiResponse, codes: &[&str]) {
    let (json, status) = (response.json(), response.status.as_u16());
    let code = json["errors"][0]["extensions"]["code"].as_str().or_else(|| json["error"]["code"].as_str());
    let code = code.unwrap_or_else(|| panic!("no code: {json}")).to_uppercase();
    assert!(codes.contains(&code.as_str()), "{status} {json}");
    let expected = if code == "TIMEOUT" { (504, false) } else { (503, true) };
    assert_eq!((status, response.headers.contains_key("retry-after")), expected, "{json}");
    assert!(json.get("error").is_some() || json["errors"][0]["extensions"]["retryable"] == true, "{json}");
}
