//! A PostgreSQL server that is unavailable for a while.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{sleep, sleep_until},
};

use super::{assert_retryable_error, refs, setting};
use crate::support::{Client, Database, Process, Site};

/// Members that one call creates.
const ROWS: usize = 200;

/// The time limit for the first success after the database is available again.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// The observations of one client.
#[derive(Default)]
struct Observations {
    /// Prefixes of the refs of acknowledged calls.
    stored: Vec<String>,
    /// The times of successful calls.
    successes: Vec<Instant>,
    refusals: usize,
    slowest: Duration,
}

/// Writes and reads in turns until `stop`, over GraphQL or the RPC API; every response is a success or has one of these
/// codes.
async fn work(
    admin: Client,
    base: String,
    client: usize,
    stop: Arc<AtomicBool>,
    codes: &'static [&'static str],
) -> Observations {
    let (mut seen, mut call) = (Observations::default(), 0);
    while !stop.load(Relaxed) {
        call += 1;
        let prefix = format!("{client}-{call}-");
        let (start, writes) = (Instant::now(), call % 3 != 0);
        let response = match (writes, client % 2) {
            (true, 0) => admin.upsert(&base, &refs(&prefix, ROWS), None).await,
            (true, _) => {
                let members: Vec<_> = refs(&prefix, ROWS).into_iter().map(|text| json!({"ref": text})).collect();
                let body = json!({"member_base_id": base, "members": members}).to_string();
                admin.post("/publisher.v1/member/bulk-upsert", &body).await
            }
            (false, 0) => {
                admin
                    .graphql("query($b: ID!) { members(memberbaseId: $b) { nodes { ref } } }", json!({"b": base}))
                    .await
            }
            (false, _) => admin.post("/publisher.v1/member/list", &json!({"member_base_id": base}).to_string()).await,
        };
        let response = response.expect("a response");
        seen.slowest = seen.slowest.max(start.elapsed());
        if response.status == StatusCode::OK {
            assert!(response.json().get("errors").is_none(), "{}", response.json());
            seen.successes.push(Instant::now());
            if writes {
                seen.stored.push(prefix);
            }
        } else {
            seen.refusals += 1;
            assert_retryable_error(&response, codes);
            sleep(Duration::from_millis(20)).await;
        }
    }
    seen
}

/// Runs clients until shortly after `disturb`, which returns when the database became available again.
async fn run_during_fault(
    server: &mut Process,
    codes: &'static [&'static str],
    fault: impl AsyncFnOnce() -> Vec<Instant>,
) -> Duration {
    let base = server.admin.memberbase().await;
    let (stop, mut clients) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for client in 0..6 {
        clients.spawn(work(server.admin.clone(), base.clone(), client, stop.clone(), codes));
    }
    let returns = fault().await;
    sleep(RECOVERY_TIMEOUT).await;
    stop.store(true, Relaxed);
    let seen = clients.join_all().await;
    assert!(server.is_running(), "{}", server.log());
    let (mut slowest, mut refusals, mut latest, mut calls) = (Duration::ZERO, 0, Duration::ZERO, 0);
    for back in returns {
        let first = seen.iter().flat_map(|seen| &seen.successes).filter(|success| **success > back).min();
        latest = latest.max(*first.expect("a success") - back);
    }
    for seen in seen {
        slowest = slowest.max(seen.slowest);
        refusals += seen.refusals;
        calls += seen.stored.len();
        for prefix in seen.stored {
            let found = server.admin.count(&base, json!({"ref": {"startsWith": prefix}})).await;
            assert_eq!(found, ROWS, "{prefix} was acknowledged");
        }
    }
    assert_eq!(server.admin.count(&base, json!({})).await % ROWS, 0, "a call is stored partially");
    println!(
        "Postgres: {calls} calls stored, {refusals} errors, first success after {latest:?}, slowest response after {slowest:?}"
    );
    assert!(latest < RECOVERY_TIMEOUT && refusals > 0, "{latest:?}, {refusals}");
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_connections_cause_retryable_errors_only() {
    let site = Site::new(Database::Postgres).await;
    let mut server = site.start().await;
    let end = Instant::now() + Duration::from_secs(setting("MEMBERBASE_TEST_LOAD_SECONDS", 5));
    let cut = async || {
        let mut cuts = Vec::new();
        while Instant::now() < end {
            sleep(Duration::from_millis(300)).await;
            site.terminate_connections().await;
            cuts.push(Instant::now());
        }
        cuts
    };
    run_during_fault(&mut server, &["SERVICE_UNAVAILABLE"], cut).await;
}

/// Runs the control script of the cluster, which `scripts/postgres.sh` writes.
async fn control(verb: &'static str) -> Instant {
    let script = std::env::var("MEMBERBASE_TEST_POSTGRES_CONTROL").expect("a cluster that may be stopped: `make soak`");
    let run = move || assert!(Command::new(script).arg(verb).status().unwrap().success(), "{verb}");
    tokio::task::spawn_blocking(run).await.unwrap();
    Instant::now()
}

/// Thaws the cluster even if the test fails.
struct ThawOnDrop;

impl Drop for ThawOnDrop {
    fn drop(&mut self) {
        if let Ok(script) = std::env::var("MEMBERBASE_TEST_POSTGRES_CONTROL") {
            let _ = Command::new(script).arg("thaw").status();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "stops the cluster that all tests use: make soak"]
async fn no_acknowledged_call_is_lost_when_the_database_crashes() {
    let site = Site::new(Database::Postgres).await;
    let mut server = site.start().await;
    let crash = async || {
        let mut returns = Vec::new();
        for _ in 0..4 {
            sleep(Duration::from_secs(2)).await;
            control("stop").await;
            sleep(Duration::from_secs(1)).await;
            returns.push(control("start").await);
        }
        returns
    };
    run_during_fault(&mut server, &["SERVICE_UNAVAILABLE"], crash).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "freezes the cluster that all tests use: make soak"]
async fn requests_time_out_while_the_database_is_frozen() {
    let options = ["--query-timeout", "2s", "--mutation-timeout", "3s", "--database-acquire-timeout", "2s"];
    let site = Site::new(Database::Postgres).await.with_options(&options);
    let mut server = site.start().await;
    let _thawed = ThawOnDrop;
    let freeze = async || {
        sleep(Duration::from_secs(2)).await;
        let frozen = control("freeze").await;
        sleep_until((frozen + Duration::from_secs(10)).into()).await;
        vec![control("thaw").await]
    };
    let slowest = run_during_fault(&mut server, &["SERVICE_UNAVAILABLE", "TIMEOUT"], freeze).await;
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}
