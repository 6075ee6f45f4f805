//! Mixed load for as long as is asked for, on both databases at once: whether a server's memory stays what it was.

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
    read::Question,
    server::Server,
};

/// The workload's name. It runs only where it is named, for it takes as long as it is to tell something.
pub const MIXED: &str = "mixed";

/// Members that are there in the beginning, and about so many in the end.
const MEMBERS: usize = 50_000;

/// Clients of each server.
const CLIENTS: usize = 8;

/// How long a client rests between two calls: memory is looked at, not speed.
const REST: Duration = Duration::from_millis(200);

/// How long memory is looked at, once a second, for one figure.
const LOOK: Duration = Duration::from_secs(20);

/// When the memory is looked at that it is to stay at.
const SETTLED: Duration = Duration::from_secs(60);

const DELETE: &str =
    "mutation Delete($input: DeleteMembersInput!) { deleteMembers(input: $input) { deletedMemberIds } }";

/// Loads a server on each database for as long as a phase takes, and keeps how much its memory has grown since the first
/// minute.
pub async fn run(side: &str, server: &std::path::Path, postgres: &str, plan: &Plan, lab: &mut Lab) -> Result<()> {
    let file = plan.folder.join("mixed.db");
    for end in ["", "-wal", "-shm"] {
        // Of an earlier run; most often there is none.
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    let cluster = Cluster::open(postgres).await?;
    let databases = [("PostgreSQL", cluster.url.clone()), ("SQLite", format!("sqlite://{}", file.display()))];
    let loaded = databases.iter().map(async |(name, url)| {
        let server = Server::start(&format!("{side} mixed {name}"), server, url, &plan.folder)?;
        load(&server, name, plan.time).await.with_context(|| format!("on {name}"))
    });
    for (figures, (database, _)) in join_all(loaded).await.into_iter().zip(&databases) {
        let [settled, last] = figures?;
        lab.tell(side, &format!("resident memory after a minute of mixed load, {database}"), settled, "MiB");
        lab.tell(side, &format!("resident memory in the end of it, {database}"), last, "MiB");
        lab.tell(side, &format!("growth of memory under mixed load, {database}"), (last / settled - 1.0) * 100.0, "%");
    }
    Ok(())
}

/// The memory after the first minute, and in the end.
async fn load(server: &Server, database: &str, time: Duration) -> Result<[f64; 2]> {
    let memberbase = server.make_memberbase("mixed").await?;
    fill(server, &memberbase, MEMBERS).await?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Http::connect(&server.api.address).await?);
    }
    let call = async |client: &mut Http, number: usize| {
        client.call(&request(server, &memberbase, number)).await?;
        tokio::time::sleep(REST).await;
        Ok(())
    };
    let watched = async {
        let begun = Instant::now();
        tokio::time::sleep(SETTLED).await;
        let settled = resident(server).await?;
        while begun.elapsed() + 2 * LOOK < time {
            let now = resident(server).await?;
            eprintln!("{:.0} s, {database}: {now:.1} MiB", begun.elapsed().as_secs_f64());
            tokio::time::sleep(SETTLED.min(time.saturating_sub(begun.elapsed() + LOOK))).await;
        }
        anyhow::Ok([settled, resident(server).await?])
    };
    let (timing, figures) = try_join(drive(&mut clients, time, usize::MAX, call), watched).await?;
    eprintln!("{database}: {} calls", timing.calls);
    Ok(figures)
}

/// What a client sends: members and pages, bulk calls of members who are there, were deleted or are new, and deletions.
fn request(server: &Server, memberbase: &str, number: usize) -> Vec<u8> {
    let at = number.wrapping_mul(7_919) % MEMBERS;
    let question = match number % 20 {
        0..8 => Question::member(memberbase, &ref_of(at)),
        8..13 => Question::page(memberbase, 100, None),
        13..16 => Question::list(memberbase, &(at..at + 100).map(ref_of).collect::<Vec<_>>()),
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

/// In MiB, in the middle of many looks.
async fn resident(server: &Server) -> Result<f64> {
    let mut looks = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < LOOK {
        looks.push(process::memory(server.pid, "VmRSS")? as f64 / MIB);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    crate::report::median(looks).context("no look")
}
