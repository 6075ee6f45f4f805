//! Generated queries, which ask for as much as they can, each within the budgets of a query.

use std::time::{Duration, Instant};

use super::{
    case::Case,
    generator::Request,
    measure::{Usage, measure},
    world::{World, is_full},
};
use crate::{
    faults::{seed, setting},
    support::{Database, Process, Random, Site},
};

const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Number of simpler requests that are tried after a failure.
const MAX_TRIES: usize = 20;

/// A server and its memory before the first request.
struct Target<'a> {
    site: &'a Site,
    world: &'a World,
    process: Process,
    idle_mib: u64,
}

impl<'a> Target<'a> {
    async fn start(site: &'a Site, world: &'a World) -> Self {
        let process = world.start(site).await;
        let idle_mib = process.memory("VmRSS");
        Self { site, world, process, idle_mib }
    }

    async fn measure(&mut self, case: &Case) -> Result<Usage, String> {
        let request = case.request(&self.world.client(&self.process, false));
        measure(&mut self.process, self.idle_mib, &request).await
    }

    /// Returns what is wrong with a request, on a fresh server: an earlier request may have left free pages.
    async fn problem_when_fresh(&mut self, request: &Request) -> Option<String> {
        *self = Self::start(self.site, self.world).await;
        let case = request.case(QUERY_TIMEOUT);
        let usage = self.measure(&case).await;
        case.problem(&usage)
    }

    /// Returns a simpler request that fails as well, if a few attempts find one.
    async fn shrink(&mut self, request: Request, problem: String) -> (Request, String) {
        let (mut simplest, mut left) = ((request, problem), MAX_TRIES);
        'simpler: loop {
            for simpler in simplest.0.simpler() {
                if left == 0 {
                    return simplest;
                }
                left -= 1;
                if let Some(problem) = self.problem_when_fresh(&simpler).await {
                    simplest = (simpler, problem);
                    continue 'simpler;
                }
            }
            return simplest;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_queries_stay_within_their_budgets() {
    let site = Site::new(Database::Sqlite).await;
    let world = World::load(&site).await;
    let site = site.with_options(&["--query-timeout", "2s"]);
    let mut target = Target::start(&site, &world).await;
    // Always the same search in the short run, so that it does not fail by chance.
    let first = if is_full() { seed() } else { setting("MEMBERBASE_TEST_SEED", 1) };
    let end = Instant::now() + Duration::from_secs(setting("MEMBERBASE_TEST_BUDGET_SECONDS", 10));
    let (mut count, mut successes, mut largest, mut slowest) = (0, 0, 0, Duration::ZERO);
    while Instant::now() < end {
        // The seed of a failed request repeats that request first.
        let seed = first.wrapping_add(count);
        count += 1;
        let request = Request::generate(&world, &mut Random(seed));
        let case = request.case(QUERY_TIMEOUT);
        let usage = target.measure(&case).await;
        if let Ok(usage) = &usage {
            successes += u64::from(usage.response.code.is_empty());
            largest = largest.max(usage.growth_mib);
            slowest = slowest.max(usage.wall);
        }
        if case.problem(&usage).is_none() {
            continue;
        }
        if let Some(problem) = target.problem_when_fresh(&request).await {
            let (simplest, problem) = target.shrink(request, problem).await;
            panic!("MEMBERBASE_TEST_SEED={seed}: {problem}\n{}", simplest.case(QUERY_TIMEOUT).excerpt());
        }
    }
    println!("{count} queries, {successes} with data, at most {largest} MiB and {slowest:.2?}");
    assert!(target.process.is_running() && !target.process.log().contains("panicked"), "{}", target.process.log());
}
