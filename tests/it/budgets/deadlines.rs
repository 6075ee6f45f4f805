//! Requests that need far more time than their limit, in every phase.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    assert_within_budgets,
    case::{Case, GRACE, Json, listed, quoted},
    measure::send,
    queries,
    world::{World, is_full, size},
};
use crate::support::{Database, Process, Site};

const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Time within which `/livez` has to respond.
const LIVENESS_TIMEOUT: Duration = Duration::from_secs(2);

/// Time for which the server is kept busy while `/livez` is called.
const BUSY_TIME: Duration = Duration::from_secs(2);

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_slow_query_ends_in_time(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let site = Site::new(database).await;
    let world = World::load(&site).await;
    let site = site.with_options(&["--query-timeout", "2s"]);
    let mut cases = vec![queries::regexes(&world)];
    // The others spend their time before they reach the database.
    if database == Database::Sqlite || is_full() {
        cases.extend(queries::slow(&world));
    }
    let cases = cases.into_iter().map(|case| case.with_time_limit(QUERY_TIMEOUT));
    assert_within_budgets(&site, &world, cases.collect()).await;
}

/// Returns the number of members of a memberbase.
async fn count(world: &World, process: &Process) -> Value {
    let query = "query($b: ID!) { members(memberbaseId: $b, first: 0) { totalCount } }";
    world.client(process, false).data(query, json!({"b": world.keys})).await["members"]["totalCount"].take()
}

/// Returns mutations of very many rows: new ones, invalid ones, and deletions of members that do not exist.
fn slow_mutations(world: &World) -> Vec<Case> {
    let count = size(300_000, 1_000_000);
    let case = |name: &str, query: &str, rows: Json| {
        let variables = vec![("b", quoted(&world.keys)), ("v", rows)];
        Case::query(name, query, variables).mutation()
    };
    let upsert = "mutation($b: ID!, $v: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $b, members: $v, \
        onError: SKIP_FAILED}) { memberIds results { error { message } } } }";
    let delete = "mutation($b: ID!, $v: [String!]!) { deleteMembers(input: {memberbaseId: $b, refs: $v}) \
        { notFoundRefs } }";
    vec![
        case("new rows", upsert, listed(count, |n| format!("{{\"ref\":\"late-{n}\"}}"))),
        case("invalid rows", upsert, listed(count, |n| format!("{{\"ref\":\"r{n}\",\"attributes\":{{\"x\":1}}}}"))),
        case("deletions", delete, listed(count, |n| format!("\"missing-{n}\""))),
    ]
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutation_past_its_deadline_stores_nothing_and_releases_the_writer(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let site = Site::new(database).await;
    let world = World::load(&site).await;
    // Long enough to receive the body.
    let limit = format!("{}ms", size(100, 500));
    let site = site.with_options(&["--mutation-timeout", &limit]);
    let process = world.start(&site).await;
    let before = count(&world, &process).await;
    let writer = world.client(&process, true);
    let delete = "mutation($b: ID!) { deleteMembers(input: {memberbaseId: $b, refs: [\"missing\"]}) { notFoundRefs } }";
    let mut problems = Vec::new();
    for case in slow_mutations(&world) {
        let (request, start) = (case.request(&writer), Instant::now());
        let response = send(&process.address, &request).await.unwrap();
        let ended = start.elapsed();
        // The writer waits for the end of the rollback at most.
        let start = Instant::now();
        while writer.graphql(delete, json!({"b": world.keys})).await.unwrap().status != 200 {
            assert!(start.elapsed() < GRACE, "{}: the writer is not released", case.name);
            sleep(Duration::from_millis(100)).await;
        }
        let outcome =
            format!("{}: {response} after {ended:.2?}, the next write after {:.2?}", case.name, start.elapsed());
        println!("{database:?}: {outcome}");
        // On a busy machine the time may end before the body has arrived: 408.
        if !matches!(response.status, 408 | 504) || response.code != "TIMEOUT" || ended > GRACE {
            problems.push(outcome);
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(count(&world, &process).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_does_not_delay_liveness() {
    let site = Site::new(Database::Sqlite).await;
    let world = World::load(&site).await;
    let process = world.start(&site).await;
    let reader = world.client(&process, false);
    let requests: Vec<_> = queries::introspection().iter().map(|case| case.request(&reader)).collect();
    let liveness = format!("GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", process.address);
    let (is_over, mut slowest, mut calls) = (AtomicBool::new(false), Duration::ZERO, 0);
    let ask = async |request: &[u8]| {
        let mut count = 0;
        while !is_over.load(Relaxed) {
            send(&process.address, request).await.unwrap();
            count += 1;
        }
        count
    };
    let watch = async {
        let start = Instant::now();
        while start.elapsed() < BUSY_TIME {
            let sent = Instant::now();
            assert_eq!(send(&process.address, liveness.as_bytes()).await.unwrap().status, 200);
            slowest = slowest.max(sent.elapsed());
            calls += 1;
            sleep(Duration::from_millis(5)).await;
        }
        is_over.store(true, Relaxed);
    };
    let (first, second, third, ()) = tokio::join!(ask(&requests[0]), ask(&requests[1]), ask(&requests[2]), watch);
    println!("the slowest of {calls} calls of /livez took {slowest:?} beside {:?} queries", [first, second, third]);
    assert!(slowest < LIVENESS_TIMEOUT, "{slowest:?}");
}
