//! W7 on PostgreSQL: a page at 90 % of the members against the first page, in turns call by call.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{
    base::Base,
    drive::Timing,
    lab::{Lab, Meter, Plan, Sample, Work},
    postgres::{Bind, execute},
    postgres_read::{BEHIND, cursor, read},
    read::{CheckedRequests, Query, warm_up},
};

const SIZE: usize = 100;
const WORK: Work = Work { name: "W7", clients: 1, unit: "requests", per_call: 1 };

/// The name of a server's rows for the first page.
pub fn first_page(server: &str) -> String {
    format!("{server}, first page")
}

/// The name of a server's rows for the page at 90 %.
pub fn far_page(server: &str) -> String {
    format!("{server}, page at 90 %")
}

/// Runs W7.
pub async fn run(base: &mut Base, plan: &Plan, lab: &mut Lab) -> Result<()> {
    eprintln!("W7");
    let at = plan.members * 9 / 10;
    let (id, reference) = base.members_at(at, at, 1).await?.pop().context("no member at nine tenths")?;
    let cursor = cursor(&base.servers[0].api, &base.id, &reference).await?;
    let questions = [Query::page(&base.id, SIZE, None), Query::page(&base.id, SIZE, Some(&cursor))];
    let mut bare = base.cluster.connect().await?;
    bare.prepare("work", BEHIND).await?;
    let mut stored = Vec::new();
    for behind in [uuid::Uuid::nil(), id] {
        let binds = [Bind::Uuid(base.uuid), Bind::Uuid(behind), Bind::Int(i64::try_from(SIZE)? + 1)];
        let rows = bare.collect(&execute("work", &binds)).await?;
        stored.push(rows.into_iter().map(read).collect::<Result<Vec<_>>>()?);
    }
    let Base { cluster, servers, .. } = base;
    for _ in 0..plan.rounds {
        for server in servers.iter() {
            let mut checked = CheckedRequests::new(server, WORK.clients, &questions, &stored).await?;
            in_turns(&mut checked, warm_up(plan)).await?;
            let meter = Meter::begin(Some(server), Some(cluster), false).await?;
            let [first, far] = in_turns(&mut checked, plan.time).await?;
            // Processor time is measured for both pages together, so it describes neither.
            let mut sample = meter.end(first, None).await?;
            (sample.server, sample.client) = (None, None);
            let other = Sample { timing: far, ..sample.clone() };
            lab.record_phase(WORK, &far_page(&server.name), false, other);
            lab.record_phase(WORK, &first_page(&server.name), false, sample);
        }
    }
    Ok(())
}

async fn in_turns(checked: &mut CheckedRequests<'_>, time: Duration) -> Result<[Timing; 2]> {
    let begun = Instant::now();
    let mut latencies = [Vec::new(), Vec::new()];
    while begun.elapsed() < time {
        for (number, latencies) in latencies.iter_mut().enumerate() {
            latencies.push(checked.timed_call(number).await?);
        }
    }
    Ok(latencies.map(|latencies| Timing::of(latencies.iter().sum(), latencies)))
}
