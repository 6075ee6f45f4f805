//! A client with a memberbase of its own, which sends one call after the other and knows what they have stored.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use super::{
    calls::{Call, Ids, name},
    contents::Contents,
};
use crate::support::{Client, Random};

/// A call that was sent.
pub struct Step {
    pub call: Call,
    pub number: usize,
    /// The data of the response, if one arrived.
    pub response: Option<Value>,
    /// The tick at which the server began to send the response.
    pub acknowledged: Option<usize>,
    /// The tick at which the server was killed before it responded.
    pub killed: Option<usize>,
    /// False if the next server found nothing of it.
    pub stored: bool,
}

pub struct Worker {
    pub client: usize,
    ids: Ids,
    contents: Contents,
    random: Random,
    steps: Vec<Step>,
}

impl Worker {
    pub fn new(client: usize, seed: usize) -> Self {
        let (ids, contents) = (Ids::default(), Contents::default());
        Self { client, ids, contents, random: Random(seed as u64), steps: Vec::new() }
    }

    /// Sends calls until that many have responded, or the server is killed. Counts the responses.
    pub async fn work(mut self, api: Client, calls: usize, responses: &AtomicUsize) -> Self {
        for _ in 0..calls {
            let call = match self.steps.len() {
                0 => Call::CreateMemberbase,
                1 => Call::SetAttributeSchema,
                _ => Call::random(&self.contents, &self.ids, self.client, &mut self.random),
            };
            if !self.send(&api, call).await {
                break;
            }
            responses.fetch_add(1, Ordering::Relaxed);
        }
        self
    }

    /// Sends a call. Returns false if the server was killed before it responded.
    pub async fn send(&mut self, api: &Client, call: Call) -> bool {
        let number = self.steps.len();
        let (query, variables) = call.request(self.client, number, &self.ids);
        let body = json!({"query": query, "variables": variables}).to_string();
        let parent = format!("00-{:032x}-0000000000000001-01", trace_id(self.client, number));
        let head = api.head("/graphql", &format!("Traceparent: {parent}\r\nContent-Length: {}\r\n", body.len()));
        let response = api.send((head + &body).as_bytes()).await.ok();
        let response = response.map(|response| {
            call.accept(&response, &mut self.ids);
            response.json()["data"].take()
        });
        if response.is_some() {
            call.apply(number, response.as_ref(), &mut self.contents);
        }
        let has_responded = response.is_some();
        self.steps.push(Step { call, number, response, acknowledged: None, killed: None, stored: true });
        has_responded
    }

    /// Finds out whether the call that a server did not respond to because it was killed was stored.
    pub fn settle(&mut self, found: &BTreeMap<String, Contents>, now: usize) {
        let found = &found[&name(self.client)];
        let Some(step) = self.steps.last_mut().filter(|step| step.response.is_none()) else { return };
        step.killed = Some(now);
        let mut contents = self.contents.clone();
        step.call.apply(step.number, None, &mut contents);
        let (with, without) = (contents.difference(found), self.contents.difference(found));
        assert!(with.is_none() || without.is_none(), "a killed server left a part of a call: {with:?}, {without:?}");
        step.stored = with.is_none();
        if step.stored {
            self.contents = contents;
            // The id of a new sync is not known, and a committed one can't be used.
            if matches!(step.call, Call::StartSync | Call::CommitSync) {
                self.ids.sync = None;
            }
        }
    }

    /// Returns the calls with the ticks of their acknowledgements, by trace id.
    pub fn steps(mut self, acknowledged: &HashMap<u128, usize>) -> Vec<Step> {
        for step in &mut self.steps {
            step.acknowledged = acknowledged.get(&trace_id(self.client, step.number)).copied();
            let is_acknowledged = step.acknowledged.is_some();
            assert!(is_acknowledged || step.response.is_none(), "no response to {:?} is recorded", step.call);
            assert!(!is_acknowledged || step.stored, "{:?} was lost by a kill", step.call);
        }
        self.steps
    }
}

/// Returns the trace id of a client's call, which its response contains.
fn trace_id(client: usize, number: usize) -> u128 {
    1_000_000 * (client as u128 + 1) + number as u128
}
