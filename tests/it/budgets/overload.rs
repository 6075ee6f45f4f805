//! Many clients that each send the largest requests at the same time.

use std::time::Instant;

use rstest::rstest;
use serde_json::json;

use super::{
    case::Case,
    measure::{reset_peak, send, within_memory},
    mutations, queries,
    world::{World, size},
};
use crate::support::{Database, Process, Site};

const CLIENTS: usize = 30;

/// The budget of the process.
const MAX_MEMORY_MIB: u64 = 300;

/// Memory that no request owns: pages that requests have freed and the allocator still keeps. With 30 clients and 1, 4
/// or 8 concurrent queries of 70 MiB each, 37 to 60 MiB more were resident at the peak than the queries used.
const SLACK_MIB: u64 = 96;

/// Sends requests from all clients at the same time and returns the problems.
async fn send_all(process: &Process, all: &[(Vec<u8>, Case)], rounds: usize) -> Vec<String> {
    // Each client begins with another request.
    let client = async |client: usize| {
        let mut problems = Vec::new();
        for round in 0..rounds {
            let (request, case) = &all[(client + round * CLIENTS) % all.len()];
            let sent = Instant::now();
            let problem = match send(&process.address, request).await {
                Ok(response) => case.response_problem(&response, sent.elapsed()).map(|it| format!("{response}; {it}")),
                Err(error) => Some(error),
            };
            problems.extend(problem.map(|problem| format!("{}: {problem}", case.name)));
        }
        problems
    };
    let problems = futures_util::future::join_all((0..CLIENTS).map(client));
    problems.await.concat()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overload_stays_within_the_memory_of_the_process(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let site = Site::new(database).await;
    let world = World::load(&site).await;
    let limit = format!("{MAX_MEMORY_MIB}MiB");
    let site = site.with_options(&["--query-timeout", "3s"]).with_environment(&[("MEMBERBASE_MAX_MEMORY", &limit)]);
    let mut process = world.start(&site).await;
    let with_request = |case: Case| (case.request(&world.client(&process, case.needs_write())), case);
    // Opens the connections to the database, whose caches count as idle memory.
    let usual = [with_request(queries::usual(&world))];
    assert_eq!(send_all(&process, &usual, 3).await, Vec::<String>::new());
    let cases = [queries::large_results(&world), queries::large_inputs(&world), mutations::cases(&world)];
    let all: Vec<_> = cases.into_iter().flatten().map(with_request).collect();
    let (start, idle) = (Instant::now(), process.memory("VmRSS"));
    reset_peak(&process);
    let problems = within_memory(&process, idle, send_all(&process, &all, size(1, 10))).await;
    let growth = process.memory("VmHWM").saturating_sub(idle);
    println!("{database:?}: {growth} MiB above {idle} MiB after {:.2?}", start.elapsed());
    if problems.is_err() {
        process.kill();
    }
    let problems = problems.unwrap_or_else(|error| vec![error]);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(growth <= MAX_MEMORY_MIB + SLACK_MIB, "{growth} MiB above idle");
    assert!(process.is_running(), "{}", process.log());
    let query = "query($b: ID!) { membersByRef(memberbaseId: $b, refs: [\"big\"]) { ref } }";
    let found = world.client(&process, false).data(query, json!({"b": world.large})).await;
    assert_eq!(found["membersByRef"][0]["ref"], "big");
}
