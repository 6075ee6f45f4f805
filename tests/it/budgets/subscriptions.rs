//! Events of subscriptions: clients that select very much from each change, and clients that do not read it.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{
    case::aliased,
    measure::{cpu_time, reset_peak},
    world::{World, size},
};
use crate::support::{Client, Database, Process, Site};

/// The most members whose ids an event lists.
const MEMBERS: usize = 1_000;

/// The most aliases that a document may have.
const ALIASES: usize = 45;

/// Size of an event, without the names of its fields.
const EVENT_BYTES: usize = MEMBERS * ALIASES * 31;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Subscribes by server-sent events, and reads up to the comment that says that the subscription is active.
async fn subscribe(process: &Process, client: &Client, base: &str) -> Result<BufReader<TcpStream>, String> {
    let list = aliased(ALIASES, "updatedMemberIds");
    let query = format!("subscription($b: ID!) {{ memberbaseChanged(memberbaseId: $b) {{ {list} }} }}");
    let body = json!({"query": query, "variables": {"b": base}}).to_string();
    let request =
        client.request("/graphql", &body).replacen("application/graphql-response+json", "text/event-stream", 1);
    let subscribed = async {
        let mut stream = TcpStream::connect(&process.address).await.map_err(|error| error.to_string())?;
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let (mut stream, mut head) = (BufReader::new(stream), String::new());
        while !head.ends_with("\n:\n") {
            if stream.read_line(&mut head).await.map_err(|error| error.to_string())? == 0 {
                return Err(head);
            }
        }
        Ok(stream)
    };
    timeout(TIMEOUT, subscribed).await.map_err(|_| "not subscribed in time".to_owned())?
}

/// Updates the same members again, so that each subscription gets an event with all of their ids.
async fn write(client: &Client, base: &str, level: usize) {
    let rows: Vec<_> =
        (0..MEMBERS).map(|n| json!({"ref": format!("ref-{n}"), "attributes": {"level": level}})).collect();
    let upsert = "mutation($b: ID!, $m: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $b, members: $m}) \
        { memberIds } }";
    client.data(upsert, json!({"b": base, "m": rows})).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_is_written_once_for_all_subscriptions(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let site = Site::new(database).await;
    let world = World::load(&site).await;
    let process = world.start(&site).await;
    let (reader, writer) = (world.client(&process, false), world.client(&process, true));
    write(&writer, &world.pages, 1).await;
    let subscriptions = try_join_all((0..100).map(|_| subscribe(&process, &reader, &world.pages))).await.unwrap();
    let (idle, cpu) = (process.memory("VmRSS"), cpu_time(&process));
    reset_peak(&process);
    let received = join_all(subscriptions.into_iter().map(async |mut stream| {
        let mut event = vec![0; EVENT_BYTES];
        stream.read_exact(&mut event).await.map(drop)
    }));
    let (_, received) =
        timeout(TIMEOUT, async { tokio::join!(write(&writer, &world.pages, 2), received) }).await.unwrap();
    assert!(received.iter().all(Result::is_ok), "{received:?}");
    let (growth, cpu) = (process.memory("VmHWM").saturating_sub(idle), cpu_time(&process) - cpu);
    println!("{database:?}: 100 events of {EVENT_BYTES} bytes take {growth} MiB and {cpu:?}");
    // Each connection buffers some of the 1.4 MB.
    assert!(growth < 200, "{growth} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_read_no_events_stay_within_the_memory_of_the_process() {
    const MAX_MEMORY_MIB: u64 = 200;
    const SLACK_MIB: u64 = 64;
    let site = Site::new(Database::Sqlite).await;
    let world = World::load(&site).await;
    let limit = format!("{MAX_MEMORY_MIB}MiB");
    let site = site.with_options(&["--live-keep-alive", "3s"]).with_environment(&[("MEMBERBASE_MAX_MEMORY", &limit)]);
    let process = world.start(&site).await;
    let (reader, writer) = (world.client(&process, false), world.client(&process, true));
    write(&writer, &world.pages, 1).await;
    let silent = try_join_all((0..120).map(|_| subscribe(&process, &reader, &world.pages))).await.unwrap();
    reset_peak(&process);
    for level in 2..size(6, 20) {
        write(&writer, &world.pages, level).await;
        sleep(Duration::from_millis(200)).await;
        let lookup = "query($m: ID!) { member(by: {id: $m}) { ref } }";
        reader.data(lookup, json!({"m": world.member})).await;
    }
    let peak = process.memory("VmHWM");
    println!("{} clients that read nothing: {peak} MiB", silent.len());
    assert!(peak < MAX_MEMORY_MIB + SLACK_MIB, "{peak} MiB");
    drop(silent);
    assert!(!process.log().contains("panicked"), "{}", process.log());
}
