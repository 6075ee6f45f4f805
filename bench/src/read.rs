//! W3 to W6: look-ups of one member, pages and lists. All phases send the same requests, so that each response is
//! compared with the database once, and later byte for byte with the first response.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    drive::{Timing, drive},
    http::Http,
    lab::Plan,
    members::Stored,
    server::Server,
};

/// Concurrent clients.
pub const CLIENTS: usize = 16;

const NOTHING: &str = "{ __typename }";

pub const MEMBER: &str = "query Member($by: MemberBy!) { member(by: $by) { id ref createdAt updatedAt } }";

pub const PAGE: &str = "query Page($memberbaseId: ID!, $first: Int, $after: String, $filter: MemberFilter) { \
    members(memberbaseId: $memberbaseId, first: $first, after: $after, filter: $filter) { \
    nodes { id ref createdAt updatedAt } pageInfo { hasNextPage endCursor } } }";

/// A query with its variables.
pub struct Query {
    pub query: &'static str,
    pub variables: Value,
}

impl Query {
    /// A query that needs no database.
    pub fn nothing() -> Self {
        Self { query: NOTHING, variables: json!({}) }
    }

    /// One member by ref.
    pub fn member(memberbase: &str, reference: &str) -> Self {
        Self { query: MEMBER, variables: json!({"by": {"ref": {"memberbaseId": memberbase, "ref": reference}}}) }
    }

    /// A page after a cursor.
    pub fn page(memberbase: &str, first: usize, after: Option<&str>) -> Self {
        let variables = match after {
            Some(after) => json!({"memberbaseId": memberbase, "first": first, "after": after}),
            None => json!({"memberbaseId": memberbase, "first": first}),
        };
        Self { query: PAGE, variables }
    }

    /// The members with one of these refs.
    pub fn list(memberbase: &str, refs: &[String]) -> Self {
        let filter = json!({"ref": {"in": refs}});
        Self { query: PAGE, variables: json!({"memberbaseId": memberbase, "first": refs.len(), "filter": filter}) }
    }

    /// Checks that a response shows the stored members, of which one more was read than a page holds.
    fn check(&self, body: &[u8], stored: &[Stored]) -> Result<()> {
        let response: Value = serde_json::from_slice(body)?;
        if self.query == NOTHING {
            ensure!(response["data"]["__typename"].is_string(), "the query has no type");
            return Ok(());
        }
        if self.query == MEMBER {
            ensure!(stored.len() == 1, "{} members have one ref", stored.len());
            return stored[0].check(&response["data"]["member"]);
        }
        let members = &response["data"]["members"];
        let nodes = members["nodes"].as_array().context("no nodes")?;
        let first = usize::try_from(self.variables["first"].as_u64().context("no size")?)?;
        ensure!(nodes.len() == stored.len().min(first), "{} nodes of {}", nodes.len(), stored.len());
        ensure!(members["pageInfo"]["hasNextPage"] == (stored.len() > first), "hasNextPage is wrong");
        ensure!(members["pageInfo"]["endCursor"].is_string(), "no endCursor");
        nodes.iter().zip(stored).try_for_each(|(node, stored)| stored.check(node))
    }
}

/// The requests of a workload with their expected responses, and the clients that send them to a server.
pub struct CheckedRequests<'s> {
    pub server: &'s Server,
    clients: Vec<Http>,
    requests: Vec<Vec<u8>>,
    responses: Vec<Vec<u8>>,
}

impl<'s> CheckedRequests<'s> {
    /// Sends every request once and compares the responses with the stored members.
    pub async fn new(server: &'s Server, count: usize, questions: &[Query], stored: &[Vec<Stored>]) -> Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(Http::connect(&server.api.address).await?);
        }
        let requests: Vec<_> = questions
            .iter()
            .map(|question| server.api.request(question.query, &question.variables.to_string()))
            .collect();
        let responses = RefCell::new(vec![Vec::new(); requests.len()]);
        drive(&mut clients, Duration::MAX, requests.len(), async |client: &mut Http, number| {
            let body = client.call(&requests[number]).await?;
            responses.borrow_mut()[number] = body.to_vec();
            Ok(())
        })
        .await?;
        let responses = responses.into_inner();
        for ((question, response), stored) in questions.iter().zip(&responses).zip(stored) {
            question.check(response, stored).with_context(|| format!("unexpected response of {}", server.name))?;
        }
        Ok(Self { server, clients, requests, responses })
    }

    /// Sends one of the requests and times it.
    pub async fn timed_call(&mut self, number: usize) -> Result<Duration> {
        let sent = Instant::now();
        let body = self.clients[0].call(&self.requests[number]).await?;
        let latency = sent.elapsed();
        ensure!(body == self.responses[number], "the response to the same request differs");
        Ok(latency)
    }

    /// Runs a phase.
    pub async fn phase(&mut self, time: Duration) -> Result<Timing> {
        let Self { clients, requests, responses, .. } = self;
        drive(clients, time, usize::MAX, async |client: &mut Http, number| {
            let number = number % requests.len();
            let body = client.call(&requests[number]).await?;
            ensure!(body == responses[number], "the response to the same request differs");
            Ok(())
        })
        .await
    }
}

/// Returns how long clients warm up before a phase.
pub fn warm_up(plan: &Plan) -> Duration {
    plan.time / 8
}
