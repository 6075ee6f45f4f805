//! The subscription of the ordinary client: it sees each write once, or learns that it missed some.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
};

use super::{super::latencies::Latencies, MEMBERS, Shared};
use crate::support::{CHANGED, Client};

type Subscription = BufReader<TcpStream>;

/// Writes without an event and events without a write, by the least id: the event can come before the response.
#[derive(Default)]
pub struct Unseen(Mutex<HashMap<String, (i64, Option<Instant>)>>);

impl Unseen {
    /// Notes that the response to a write has arrived.
    pub fn written(&self, ids: &[&str], latencies: &Latencies) {
        self.note(ids.iter().min().unwrap(), 1, latencies);
    }

    fn note(&self, id: &str, change: i64, latencies: &Latencies) {
        let mut unseen = self.0.lock().unwrap();
        let (balance, written) = unseen.entry(id.to_owned()).or_default();
        *balance += change;
        if *balance == 0 {
            let latency = written.take().map_or(Duration::ZERO, |written| written.elapsed());
            unseen.remove(id);
            latencies.event(latency);
        } else if change > 0 {
            *written = Some(Instant::now());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

/// Subscribes by server-sent events, and reads up to the comment that says that the subscription is active.
pub async fn subscribe(client: &Client, base: &str) -> Result<Subscription, String> {
    let body = json!({"query": CHANGED, "variables": {"id": base}}).to_string();
    let request = client.request("/graphql", &body).replacen("\r\n", "\r\nAccept: text/event-stream\r\n", 1);
    let stream = client.upload(request.as_bytes()).await?;
    let (mut stream, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\n:\n") {
        if stream.read_line(&mut head).await.map_err(|error| error.to_string())? == 0 {
            return Err(head);
        }
    }
    Ok(stream)
}

impl Shared {
    /// Reads events until the subscription fails.
    pub async fn listen(self: Arc<Self>, subscribed: Result<Subscription, String>) {
        let error = match subscribed {
            Ok(stream) => self.read_events(stream).await,
            Err(error) => error,
        };
        self.latencies.error(format!("the subscription: {error}"));
    }

    async fn read_events(&self, stream: Subscription) -> String {
        let mut lines = stream.lines();
        loop {
            let line = match lines.next_line().await {
                Ok(Some(line)) => line,
                Ok(None) => return "closed".to_owned(),
                Err(error) => return error.to_string(),
            };
            // Chunks and comments are between the events.
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let Ok(event) = serde_json::from_str::<Value>(data) else { return line };
            let change = &event["data"]["memberbaseChanged"];
            let missed = change["missed"] == true;
            if missed {
                self.latencies.missed();
            }
            let ids = [&change["createdMemberIds"], &change["updatedMemberIds"]].map(Value::as_array);
            let ids: Vec<_> = ids.into_iter().flatten().flatten().filter_map(Value::as_str).collect();
            match ids.iter().min() {
                Some(id) if ids.len() == MEMBERS => self.unseen.note(id, -1, &self.latencies),
                // A server that may have missed writes of other servers reports no counts.
                None if missed => {}
                _ => return format!("an event with {event}"),
            }
        }
    }
}
