//! Budgets of memory and time: what one request may take, whatever it asks for, and what all of them together may take.
//!
//! Every request goes to a server in a process of its own, whose memory and CPU time are read from `/proc`. `make soak`
//! sets `MEMBERBASE_TEST_MEMORY`, which makes the data and the requests as large as the limits allow.

mod bombs;
pub mod case;
mod deadlines;
mod generated_requests;
pub mod generator;
pub mod measure;
pub mod mutations;
mod overload;
pub mod queries;
mod subscriptions;
pub mod world;

use case::Case;
use measure::measure;
use rstest::rstest;
use world::{World, is_full};

use crate::support::{Database, Site};

/// Sends each case to a server of its own, prints what it took, and fails with all problems.
async fn assert_within_budgets(site: &Site, world: &World, cases: Vec<Case>) {
    let (mut problems, count) = (Vec::new(), cases.len());
    for case in cases {
        let mut process = world.start(site).await;
        let request = case.request(&world.client(&process, case.needs_write()));
        let idle = process.memory("VmRSS");
        let usage = measure(&mut process, idle, &request).await;
        match &usage {
            Ok(usage) => println!("{}: {usage}", case.name),
            Err(error) => println!("{}: {error}", case.name),
        }
        problems.extend(case.problem(&usage).map(|problem| format!("{}: {problem}", case.name)));
    }
    assert!(problems.is_empty(), "{} of {count} cases:\n{}", problems.len(), problems.join("\n"));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_stays_within_its_memory(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let site = Site::new(database).await;
    let world = World::load(&site).await;
    let mut cases = queries::large_results(&world);
    // The others do not read rows, so that the database makes no difference.
    if database == Database::Sqlite || is_full() {
        cases.extend(queries::large_inputs(&world));
    }
    assert_within_budgets(&site, &world, cases).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_within_the_documented_limits_succeed(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let site = Site::new(database).await;
    let world = World::load(&site).await;
    let cases = queries::within_limits(&world);
    assert_within_budgets(&site, &world, cases).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mutation_stays_within_its_memory(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let site = Site::new(database).await;
    let world = World::load(&site).await;
    let cases = mutations::cases(&world);
    assert_within_budgets(&site, &world, cases).await;
}
