//! Mixed load on both databases at once, to see whether the server's memory grows.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::{join_all, try_join};
use serde_json::json;

use crate::{
    base::fill,
    cluster::Cluster,
    drive::drive,
    http::Http,
    lab::{Lab, MIB, Plan},
    members::{ref_of, upsert},
    process,
    read::Query,
    server::Server,
};

/// The name of the workload. It runs only if it is named, because it needs a long time to show growth.
pub const MIXED: &str = "mixed";

/// The number of members at the beginning, and about the number at the end.
const MEMBERS: usize = 50_000;

/// Clients of each server.
const CLIENTS: usize = 8;

/// Pause of a client between two calls: the workload measures memory and not speed.
const CALL_PAUSE: Duration = Duration::from_millis(200);

/// Time for which memory is sampled, once a second, for one value.
const SAMPLING_TIME: Duration = Duration::from_secs(20);

/// When memory is sampled for the reference value.
const SETTLING_TIME: Duration = Duration::from_secs(60);

const DELETE: &str =
    "mutation Delete($input: DeleteMembersInput!) { deleteMembers(input: $input) { deletedMemberIds } }";

/// Loads a server on each database for the length of a phase, and records how much its memory has grown since the first
/// minute.
pub async fn run(side: &str, server: &std::path::Path, postgres: &str, plan: &Plan, lab: &mut Lab) -> Result<()> {
    let file = plan.folder.join("mixed.db");
    for end in ["", "-wal", "-shm"] {
        // Files of an earlier run; usually there are none.
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    let cluster = Cluster::open(postgres).await?;
    let databases = [("PostgreSQL", cluster.url.clone()), ("SQLite", format!("sqlite://{}", file.display()))];
    let loaded = databases.iter().map(async |(name, url)| {
        let server = Server::start(&format!("{side} mixed {name}"), server, url, &plan.folder)?;
        load(&server, name, plan.time).await.with_context(|| format!("on {name}"))
    });
    for (values, (database, _)) in join_all(loaded).await.into_iter().zip(&databases) {
        let [settled, last] = values?;
        lab.record(side, &format!("resident memory after a minute of mixed load, {database}"), settled, "MiB");
        lab.record(side, &format!("resident memory at the end of mixed load, {database}"), last, "MiB");
        lab.record(
            side,
            &format!("growth of memory under mixed load, {database}"),
            (last / settled - 1.0) * 100.0,
            "%",
        );
    }
    Ok(())
}

/// Returns the memory after the first minute and at the end.
async fn load(server: &Server, database: &str, time: Duration) -> Result<[f64; 2]> {
    let memberbase = server.make_memberbase("mixed").await?;
    fill(server, &memberbase, MEMBERS).await?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Http::connect(&server.api.address).await?);
    }
    let call = async |client: &mut Http, number: usize| {
        client.call(&request(server, &memberbase, number)).await?;
        tokio::time::sleep(CALL_PAUSE).await;
        Ok(())
    };
    let sampling = async {
        let begun = Instant::now();
        tokio::time::sleep(SETTLING_TIME).await;
        let settled = resident(server).await?;
        while begun.elapsed() + 2 * SAMPLING_TIME < time {
            let now = resident(server).await?;
            eprintln!("{:.0} s, {database}: {now:.1} MiB", begun.elapsed().as_secs_f64());
            tokio::time::sleep(SETTLING_TIME.min(time.saturating_sub(begun.elapsed() + SAMPLING_TIME))).await;
        }
        anyhow::Ok([settled, resident(server).await?])
    };
    let (timing, values) = try_join(drive(&mut clients, time, usize::MAX, call), sampling).await?;
    eprintln!("{database}: {} calls", timing.calls);
    Ok(values)
}

/// Returns a request: members and pages, bulk calls of existing, deleted and new members, and deletions.
fn request(server: &Server, memberbase: &str, number: usize) -> Vec<u8> {
    let at = number.wrapping_mul(7_919) % MEMBERS;
    let question = match number % 20 {
        0..8 => Query::member(memberbase, &ref_of(at)),
        8..13 => Query::page(memberbase, 100, None),
        13..16 => Query::list(memberbase, &(at..at + 100).map(ref_of).collect::<Vec<_>>()),
        16..19 => return upsert(&server.api, memberbase, at..at + 1_000),
        _ => {
            let refs: Vec<_> = (at..at + 500).map(ref_of).collect();
            return server
                .api
                .request(DELETE, &json!({"input": {"memberbaseId": memberbase, "refs": refs}}).to_string());
        }
    };
    server.api.request(question.query, &question.variables.to_string())
}

/// Returns the median resident memory in MiB.
async fn resident(server: &Server) -> Result<f64> {
    let mut samples = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < SAMPLING_TIME {
        samples.push(process::memory(server.pid, "VmRSS")? as f64 / MIB);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    crate::report::median(samples).context("no sample")
}
