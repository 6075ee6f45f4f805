//! The ordinary client: four connections that each write, look up and page in turns, and a subscription.
//!
//! It runs on a thread of its own, so that the hostile clients of the same test do not delay it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    runtime,
    time::{interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::latencies::Latencies;
use crate::{
    budgets::world::token,
    support::{Client, Process},
};

mod connection;
mod events;

use connection::Connection;
use events::Unseen;

const WORKERS: usize = 4;

/// Interval between the requests of a worker: together they send 20 a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// Groups of members of a worker, which it writes in turns.
const GROUPS: usize = 10;

/// Members of a group.
const MEMBERS: usize = 10;

/// Time limit of a request, generous because the machine that runs the tests may be busy.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Time for the last events to arrive.
const EVENT_TIMEOUT: Duration = Duration::from_secs(20);

/// The kind of the requests that write.
pub const UPSERT_KIND: &str = "upsert";

const UPSERT: &str = "mutation($b: ID!, $m: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $b, members: $m}) \
    { memberIds summary { created updated } } }";
const LOOK_UP: &str =
    "query($b: ID!, $r: [String!]!) { membersByRef(memberbaseId: $b, refs: $r) { id ref attribute(key: \"call\") } }";
const PAGE: &str =
    "query($b: ID!) { members(memberbaseId: $b, first: 100) { totalCount nodes { id ref attributes } } }";
const WALK: &str = "query($b: ID!, $a: String) { members(memberbaseId: $b, first: 150, after: $a) { \
    nodes { id ref attribute(key: \"call\") } pageInfo { hasNextPage endCursor } } }";

/// The members by ref: their id, and the number that was last stored in them.
type Stored = HashMap<String, (String, usize)>;

pub struct Ordinary {
    shared: Arc<Shared>,
    thread: JoinHandle<Vec<String>>,
}

/// The state that all tasks of the client share.
struct Shared {
    base: String,
    client: Client,
    latencies: Arc<Latencies>,
    stored: Mutex<Stored>,
    unseen: Unseen,
    stop: CancellationToken,
}

impl Ordinary {
    /// Creates a memberbase and starts the client.
    pub async fn start(process: &Process) -> Self {
        let base = process.admin.memberbase().await;
        let client = process.admin.with_secret(&token(&process.admin, "WRITE", Some(&base)).await);
        let shared = Arc::new(Shared {
            base,
            client,
            latencies: Arc::default(),
            stored: Mutex::default(),
            unseen: Unseen::default(),
            stop: CancellationToken::new(),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(of_thread.run())
        });
        Self { shared, thread }
    }

    pub fn latencies(&self) -> Arc<Latencies> {
        Arc::clone(&self.shared.latencies)
    }

    /// Ends the client, and returns what is wrong with the stored members.
    pub async fn end(self) -> Vec<String> {
        self.shared.stop.cancel();
        tokio::task::spawn_blocking(|| self.thread.join()).await.unwrap().unwrap()
    }
}

impl Shared {
    async fn run(self: Arc<Self>) -> Vec<String> {
        let subscribed = events::subscribe(&self.client, &self.base).await;
        let subscription = tokio::spawn(Arc::clone(&self).listen(subscribed));
        let work = (0..WORKERS).map(|worker| Worker::new(Arc::clone(&self), worker).work());
        futures_util::future::join_all(work).await;
        let _ = timeout(EVENT_TIMEOUT, async {
            while !self.unseen.is_empty() && !self.latencies.has_missed() {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        subscription.abort();
        if !self.unseen.is_empty() && !self.latencies.has_missed() {
            self.latencies.error("events are missing");
        }
        self.differences().await
    }

    /// Compares all members with those that were stored.
    async fn differences(&self) -> Vec<String> {
        let (mut differences, mut after) = (Vec::new(), Value::Null);
        let mut stored = std::mem::take(&mut *self.stored.lock().unwrap());
        let mut connection = Connection::new(&self.client);
        loop {
            let page = match connection.data(WALK, json!({"b": self.base, "a": after})).await {
                Ok(mut data) => data["members"].take(),
                Err(error) => return vec![error],
            };
            for node in page["nodes"].as_array().unwrap() {
                let expected = stored.remove(node["ref"].as_str().unwrap());
                if expected.as_ref().map(|(id, call)| (json!(id), json!(call)))
                    != Some((node["id"].clone(), node["attribute"].clone()))
                {
                    differences.push(format!("{node} instead of {expected:?}"));
                }
            }
            if page["pageInfo"]["hasNextPage"] != true {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        differences.extend(stored.into_iter().map(|lost| format!("no member {lost:?}")));
        differences
    }
}

/// A connection that sends one request after the other.
struct Worker {
    shared: Arc<Shared>,
    number: usize,
    connection: Connection,
}

impl Worker {
    fn new(shared: Arc<Shared>, number: usize) -> Self {
        let connection = Connection::new(&shared.client);
        Self { shared, number, connection }
    }

    async fn work(mut self) {
        sleep(INTERVAL / u32::try_from(WORKERS).unwrap() * u32::try_from(self.number).unwrap()).await;
        let mut ticks = interval(INTERVAL);
        // A late request does not make the next ones come at once.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for call in 0.. {
            let refs: Vec<_> = (0..MEMBERS).map(|n| format!("w{}-g{}-{n}", self.number, call % GROUPS)).collect();
            for step in 0..5 {
                ticks.tick().await;
                if self.shared.stop.is_cancelled() {
                    return;
                }
                let done = match step {
                    0 => self.upsert(&refs, call).await,
                    1 | 3 => self.look_up("look-up", &refs).await,
                    2 => self.page().await,
                    _ => {
                        self.connection = Connection::new(&self.shared.client);
                        self.look_up("new connection", &refs).await
                    }
                };
                if let Err(error) = done {
                    self.shared.latencies.error(error);
                }
            }
        }
    }

    /// Sends a request, and records its latency.
    async fn data(&mut self, kind: &'static str, query: &str, mut variables: Value) -> Result<Value, String> {
        variables["b"] = json!(self.shared.base);
        let sent = Instant::now();
        let data = self.connection.data(query, variables).await;
        self.shared.latencies.request(kind, sent.elapsed());
        data.map_err(|error| format!("{kind} after {:.2?}: {error}", sent.elapsed()))
    }

    async fn upsert(&mut self, refs: &[String], call: usize) -> Result<(), String> {
        let rows: Vec<_> = refs.iter().map(|it| json!({"ref": it, "attributes": {"call": call}})).collect();
        let mut data = self.data(UPSERT_KIND, UPSERT, json!({"m": rows})).await?;
        let payload = data["bulkUpsertMembers"].take();
        let ids: Vec<_> = payload["memberIds"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let changed = [&payload["summary"]["created"], &payload["summary"]["updated"]].map(|it| it.as_u64().unwrap());
        if ids.len() != MEMBERS || changed != if call < GROUPS { [10, 0] } else { [0, 10] } {
            return Err(format!("an upsert returned {payload}"));
        }
        self.shared.unseen.written(&ids, &self.shared.latencies);
        let mut stored = self.shared.stored.lock().unwrap();
        for (reference, id) in refs.iter().zip(ids) {
            let before = stored.insert(reference.clone(), (id.to_owned(), call));
            if before.is_some_and(|(before, _)| before != id) {
                return Err(format!("{reference} has another id"));
            }
        }
        Ok(())
    }

    /// Looks up the members of the last upsert.
    async fn look_up(&mut self, kind: &'static str, refs: &[String]) -> Result<(), String> {
        let found = self.data(kind, LOOK_UP, json!({"r": refs})).await?["membersByRef"].take();
        let stored = self.shared.stored.lock().unwrap();
        let expected = refs.iter().map(|reference| {
            let (id, call) = stored.get(reference)?;
            Some(json!({"id": id, "ref": reference, "attribute": call}))
        });
        let expected = json!(expected.collect::<Vec<_>>());
        if found == expected { Ok(()) } else { Err(format!("{kind}: {found} instead of {expected}")) }
    }

    async fn page(&mut self) -> Result<(), String> {
        let before = self.shared.stored.lock().unwrap().len();
        let page = self.data("page", PAGE, json!({})).await?["members"].take();
        // The count and the nodes are read one after the other, and other connections create members.
        let count = page["totalCount"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap();
        let refs: HashSet<_> = page["nodes"].as_array().unwrap().iter().map(|node| node["ref"].as_str()).collect();
        let nodes = page["nodes"].as_array().unwrap().len();
        let is_complete = count >= before && nodes >= before.min(100) && refs.len() == nodes;
        if is_complete { Ok(()) } else { Err(format!("{nodes} of {count} members after {before} were stored: {page}")) }
    }
}
