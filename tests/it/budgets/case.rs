//! A request with the budgets that it must keep, and the judgement of what it took.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::measure::{Response, Usage};
use crate::support::Client;

/// The most that a query may take above idle, in MiB. Its setting, `MEMBERBASE_MAX_QUERY_MEMORY`, leaves room for what the
/// counters do not show.
pub const QUERY_BUDGET_MIB: u64 = 256;

/// The budget of a mutation in addition to that of its body, in MiB (`MEMBERBASE_MAX_MUTATION_MEMORY`).
pub const MUTATION_BUDGET_MIB: u64 = 128;

/// Further growth of the resident memory that is allowed: pages of the allocator and of SQLite's cache, which a request touches
/// but does not own.
pub const SLACK_MIB: u64 = 32;

/// The time after its limit within which a request has to end. Debug builds are slow, and other tests run at the same time.
pub const GRACE: Duration = Duration::from_secs(5);

/// Success only.
pub const DATA: &[&str] = &[""];

/// Success, or a limit of the size of a request or a response.
pub const DATA_OR_LIMIT: &[&str] = &["", "LIMIT_EXCEEDED", "PAYLOAD_TOO_LARGE"];

/// Success, a limit, or an error for invalid input.
pub const DATA_OR_REJECTED: &[&str] = &["", "BAD_USER_INPUT", "LIMIT_EXCEEDED", "PAYLOAD_TOO_LARGE"];

/// A JSON text that several requests share.
pub type Json = Arc<str>;

/// A request with its budgets.
pub struct Case {
    pub name: String,
    path: &'static str,
    needs_write: bool,
    /// The document; the RPC API has none.
    query: String,
    /// Variables as JSON texts by name, or the whole body of the RPC API.
    variables: Vec<(&'static str, Json)>,
    max_growth_mib: u64,
    max_body_bytes: usize,
    max_wall: Duration,
    codes: &'static [&'static str],
}

impl Case {
    /// A GraphQL query, which may succeed or exceed a limit.
    pub fn query(name: impl Into<String>, query: impl Into<String>, variables: Vec<(&'static str, Json)>) -> Self {
        Self {
            name: name.into(),
            path: "/graphql",
            needs_write: false,
            query: query.into(),
            variables,
            max_growth_mib: QUERY_BUDGET_MIB,
            max_body_bytes: usize::MAX,
            max_wall: Duration::from_secs(30) + GRACE,
            codes: DATA_OR_LIMIT,
        }
    }

    /// A call of the RPC API with a token of WRITE access, whose bodies may be larger than those of READ access.
    pub fn rpc(name: impl Into<String>, path: &'static str, body: Json) -> Self {
        Self { path, needs_write: true, ..Self::query(name, "", vec![("", body)]) }
    }

    /// Makes it a mutation: at most 6 bytes of memory for a byte of the body, and what the setting allows besides.
    pub fn mutation(mut self) -> Self {
        self.max_growth_mib = MUTATION_BUDGET_MIB + ((6 * self.body_bytes() as u64) >> 20);
        self.max_wall = Duration::from_secs(300) + GRACE;
        self.needs_write = true;
        self
    }

    pub fn with_max_growth_mib(self, max_growth_mib: u64) -> Self {
        Self { max_growth_mib, ..self }
    }

    pub fn with_max_body_bytes(self, max_body_bytes: usize) -> Self {
        Self { max_body_bytes, ..self }
    }

    /// Sets the time limit, beyond which the grace is added.
    pub fn with_time_limit(self, limit: Duration) -> Self {
        Self { max_wall: limit + GRACE, ..self }
    }

    /// Sets the acceptable error codes, where "" is success. Unless only success is acceptable, a timeout is, and so is a
    /// retryable rejection.
    pub fn with_codes(self, codes: &'static [&'static str]) -> Self {
        Self { codes, ..self }
    }

    pub fn body_bytes(&self) -> usize {
        self.query.len() + self.variables.iter().map(|(_, json)| json.len()).sum::<usize>()
    }

    /// Returns true if a variable, or the body of the RPC API, contains this text.
    pub fn mentions(&self, text: &str) -> bool {
        self.variables.iter().any(|(_, json)| json.contains(text))
    }

    /// Returns true if a token with WRITE access sends it.
    pub fn needs_write(&self) -> bool {
        self.needs_write
    }

    /// Returns the whole request of a client.
    pub fn request(&self, client: &Client) -> Vec<u8> {
        let body = match (self.query.as_str(), self.variables.as_slice()) {
            ("", [(_, body)]) => body.to_string(),
            (query, variables) => {
                let mut body = String::with_capacity(self.body_bytes() + 1_024);
                body += &format!("{{\"query\":{},\"variables\":{{", json!(query));
                for (index, (name, json)) in variables.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    body.extend([comma, "\"", name, "\":", json]);
                }
                body + "}}"
            }
        };
        client.request(self.path, &body).into_bytes()
    }

    /// Returns the document and the start of each variable.
    pub fn excerpt(&self) -> String {
        let variable = |(name, json): &(&str, Json)| {
            let start: String = json.chars().take(60).collect();
            format!("${name}: {start} ({} bytes)", json.len())
        };
        format!("{}\n{}", self.query, self.variables.iter().map(variable).collect::<Vec<_>>().join("\n"))
    }

    /// Returns the first budget that the request exceeded.
    pub fn problem(&self, usage: &Result<Usage, String>) -> Option<String> {
        let usage = match usage {
            Ok(usage) => usage,
            Err(error) => return Some(error.clone()),
        };
        if usage.growth_mib > self.max_growth_mib + SLACK_MIB {
            return Some(format!("{usage}; the budget is {} MiB", self.max_growth_mib));
        }
        self.response_problem(&usage.response, usage.wall).map(|problem| format!("{usage}; {problem}"))
    }

    /// Returns what is wrong with a response that came after this time.
    pub fn response_problem(&self, response: &Response, wall: Duration) -> Option<String> {
        if wall > self.max_wall {
            return Some(format!("the time limit with its grace is {:?}", self.max_wall));
        }
        if response.body_bytes > self.max_body_bytes {
            return Some(format!("a response may have {} bytes", self.max_body_bytes));
        }
        let code = response.code.as_str();
        let is_expected = match response.status {
            status if self.codes == DATA => status == 200 && code.is_empty(),
            503 => response.has_retry_after,
            504 => code == "TIMEOUT",
            // One of several fields may be late.
            status => status < 500 && (code == "TIMEOUT" || self.codes.contains(&code)),
        };
        (!is_expected).then(|| format!("expected are {:?}", self.codes))
    }
}

/// Returns a JSON list of this many equal items.
pub fn repeated(item: &str, count: usize) -> Json {
    let mut text = String::with_capacity((item.len() + 1) * count + 2);
    text.push('[');
    for _ in 0..count {
        text.push_str(item);
        text.push(',');
    }
    close(text)
}

/// Returns a JSON list of this many items, made by number.
pub fn listed(count: usize, item: impl Fn(usize) -> String) -> Json {
    let mut text = "[".to_owned();
    for number in 0..count {
        text.push_str(&item(number));
        text.push(',');
    }
    close(text)
}

fn close(mut text: String) -> Json {
    if text.ends_with(',') {
        text.pop();
    }
    text.push(']');
    text.into()
}

/// Returns a JSON string.
pub fn quoted(text: &str) -> Json {
    json!(text).to_string().into()
}

/// Returns the same selection under this many aliases.
pub fn aliased(count: usize, selection: &str) -> String {
    (0..count).map(|n| format!("a{n}: {selection} ")).collect()
}
