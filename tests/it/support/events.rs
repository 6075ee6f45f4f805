//! A client of a stream of server-sent events.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::{Request, Response, StatusCode, header},
};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{ApiResponse, Caller};

/// The time limit for an event, generous because the machine that runs the tests may be busy.
const EVENT_TIMEOUT: Duration = Duration::from_secs(20);

/// A subscription to all fields of a change.
pub const CHANGED: &str = "subscription($id: ID!) { memberbaseChanged(memberbaseId: $id) { memberbaseId \
    created updated deleted createdMemberIds updatedMemberIds deletedMemberIds truncated missed } }";

/// The events of a subscription.
pub struct Events {
    body: BodyDataStream,
    text: String,
}

/// An event: its name and its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Event(pub String, pub String);

impl Caller {
    /// Subscribes; returns the response if it is an error.
    pub async fn subscribe(&self, query: &str, variables: Value) -> Result<Events, ApiResponse> {
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(Body::from(json!({"query": query, "variables": variables}).to_string()));
        let response = self.open(request.unwrap()).await;
        if response.status() == StatusCode::OK {
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream; charset=utf-8");
            return Ok(Events::of(response));
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Err(ApiResponse { status: head.status, headers: head.headers, body })
    }

    /// Subscribes to a memberbase, and waits until the subscription is active.
    pub async fn subscribe_to(&self, memberbase: &str) -> Events {
        let mut events = self.subscribe(CHANGED, json!({"id": memberbase})).await.unwrap();
        assert_eq!(events.first().await, None);
        events
    }
}

impl Events {
    /// Reads the events of a response.
    pub fn of(response: Response<Body>) -> Self {
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// Returns the first event, or `None` if the stream began with a comment.
    pub async fn first(&mut self) -> Option<Event> {
        self.block().await.and_then(|block| event(&block))
    }

    /// Returns the next event, or `None` if the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        // Comments arrive in intervals and are not events.
        let event = async {
            loop {
                let block = self.block().await?;
                if let Some(event) = event(&block) {
                    return Some(event);
                }
            }
        };
        timeout(EVENT_TIMEOUT, event).await.expect("an event in time")
    }

    /// Returns the next change.
    pub async fn change(&mut self) -> Value {
        let event = self.next().await.expect("an event");
        let mut response = event.response();
        assert!(response.get("errors").is_none(), "{response}");
        response["data"]["memberbaseChanged"].take()
    }

    /// Returns the lines up to an empty one.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let bytes = timeout(EVENT_TIMEOUT, self.body.next()).await.expect("an event in time")?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

/// Parses an event; returns `None` for a comment.
fn event(block: &str) -> Option<Event> {
    let name = block.lines().find_map(|line| line.strip_prefix("event: "))?;
    let data: Vec<_> = block.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
    Some(Event(name.to_owned(), data.join("\n")))
}

impl Event {
    /// Returns the response in a `next` event.
    pub fn response(&self) -> Value {
        assert_eq!(self.0, "next", "{}", self.1);
        serde_json::from_str(&self.1).unwrap()
    }

    /// Returns whether this is a `complete` event.
    pub fn is_complete(&self) -> bool {
        self.0 == "complete" && self.1.is_empty()
    }
}
