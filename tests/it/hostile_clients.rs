//! Hostile clients of every kind beside one ordinary client, which must see no error and lose no row.
//!
//! The hostile clients have tokens of other memberbases, or none, and use whatever the default limits allow: large and slow
//! requests, very many connections, and connections on which they do not read or send. `make soak` sets
//! `MEMBERBASE_TEST_HOSTILE_SECONDS`; the latency of the ordinary client is asserted only then, because other tests run
//! beside this one in `make test`.

mod connections;
mod latencies;
mod ordinary;
mod requests;
mod server;
mod slow_clients;
mod swarm;
mod tenants;

use std::time::{Duration, Instant};

use ordinary::{Ordinary, UPSERT_KIND};
use rstest::rstest;
use server::Watched;
use swarm::Swarm;
use tenants::Tenants;

use crate::{
    faults::setting,
    support::{Database, Site},
};

const SETTING: &str = "MEMBERBASE_TEST_HOSTILE_SECONDS";

/// Returns true in `make soak`.
fn is_soak() -> bool {
    std::env::var_os(SETTING).is_some()
}

/// The 99th percentile of the ordinary client's latency stays below this. On SQLite that holds for reads: a call is one
/// transaction, however many rows it has, and SQLite has one transaction that writes at a time.
const MAX_P99: Duration = Duration::from_millis(100);

/// The memory of the server (`--max-memory`), which is its default on a machine with 4 GiB.
const MAX_MEMORY_MIB: u64 = 2_048;

/// Memory beyond that, which no request owns: as in `overload.rs`, pages that requests have freed and the allocator still
/// keeps.
const SLACK_MIB: u64 = 96;

/// Interval of the reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_clients_do_not_disturb_an_ordinary_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let limit = format!("{MAX_MEMORY_MIB}MiB");
    let site = Site::new(database).await.with_environment(&[("MEMBERBASE_MAX_MEMORY", &limit)]);
    let tenants = Tenants::load(&site).await;
    let mut server = Watched::new(tenants.world.start(&site).await);
    let ordinary = Ordinary::start(&server.process).await;
    let time = Duration::from_secs(setting(SETTING, 8));
    let begun = Instant::now();
    let swarm = Swarm::start(&server.process, tenants);
    let mut reported = begun;
    let mut problem = None;
    while begun.elapsed() < time && problem.is_none() {
        problem = server.watch(MAX_MEMORY_MIB + SLACK_MIB).await;
        if reported.elapsed() >= REPORT_INTERVAL {
            reported = Instant::now();
            server.read_metrics().await;
            println!(
                "{database:?} after {:.0?}\n{}{server}{}",
                begun.elapsed(),
                ordinary.latencies(),
                swarm.outcomes()
            );
        }
    }
    // The ordinary client ends first, so that it has hostile neighbours all the time.
    let latencies = ordinary.latencies();
    let lost = ordinary.end().await;
    if problem.is_none() {
        problem = server.watch(MAX_MEMORY_MIB + SLACK_MIB).await;
        server.read_metrics().await;
    }
    println!("{database:?} after {:.0?}\n{latencies}{server}{}", begun.elapsed(), swarm.outcomes());
    drop(swarm);
    assert_eq!(problem, None, "{}", server.log_end());
    assert!(latencies.errors().is_empty(), "{:#?}", latencies.errors());
    assert_eq!(lost, Vec::<String>::new());
    assert!(!server.process.log().contains("panicked"), "{}", server.log_end());
    if is_soak() {
        let p99 = latencies.p99(|kind| database != Database::Sqlite || kind != UPSERT_KIND);
        assert!(p99 < MAX_P99, "the 99th percentile is {p99:?}");
    }
}
