//! W3 to W6 on PostgreSQL, and the cost of a request without a database query.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use uuid::Uuid;

use crate::{
    base::Base,
    drive::drive,
    http::Api,
    lab::{Lab, Meter, Plan, Work},
    members::{Stored, ref_of},
    postgres::{Bind, Postgres, execute},
    postgres_upsert::BARE,
    read::{CLIENTS, CheckedRequests, PAGE, Query, warm_up},
};

const BY_REF: &str = "SELECT id, ref, updated_at FROM member WHERE memberbase_id = $1 AND ref = $2";

// One row more than the page, for hasNextPage.
pub const BEHIND: &str =
    "SELECT id, ref, updated_at FROM member WHERE memberbase_id = $1 AND id > $2 ORDER BY id LIMIT $3";

const LISTED: &str =
    "SELECT id, ref, updated_at FROM member WHERE memberbase_id = $1 AND ref = ANY($2::text[]) ORDER BY id LIMIT $3";

/// The cost of HTTP and GraphQL without a database query: no read is faster.
pub const FLOOR: &str = "floor";

/// Runs the requested workloads.
pub async fn run(base: &mut Base, plan: &Plan, lab: &mut Lab) -> Result<()> {
    if plan.includes(FLOOR) {
        floor(base, plan, lab).await?;
    }
    if plan.includes("W3") {
        let refs: Vec<_> = (0..10_000).map(|index| ref_of(scattered(index, plan.members))).collect();
        let questions = refs.iter().map(|reference| Query::member(&base.id, reference)).collect();
        let messages = refs.iter().map(|reference| execute("work", &[Bind::Uuid(base.uuid), Bind::Text(reference)]));
        let work = Work { name: "W3", clients: CLIENTS, unit: "requests", per_call: 1 };
        compare(base, plan, lab, work, BY_REF, questions, messages.collect()).await?;
    }
    for (name, size, pages) in [("W4", 100, 1_000), ("W5", 1_000, 100)] {
        if plan.includes(name) {
            let (questions, messages) = middle_pages(base, plan, size, pages).await?;
            let work = Work { name, clients: CLIENTS, unit: "requests", per_call: 1 };
            compare(base, plan, lab, work, BEHIND, questions, messages).await?;
        }
    }
    if plan.includes("W6") {
        let list =
            |index: usize| (0..100).map(|n| ref_of(scattered(index * 100 + n, plan.members))).collect::<Vec<_>>();
        let lists: Vec<_> = (0..500).map(list).collect();
        let questions = lists.iter().map(|refs| Query::list(&base.id, refs)).collect();
        let bind = |refs: &Vec<String>| execute("work", &[Bind::Uuid(base.uuid), Bind::Texts(refs), Bind::Int(101)]);
        let work = Work { name: "W6", clients: CLIENTS, unit: "requests", per_call: 1 };
        let messages = lists.iter().map(bind).collect();
        compare(base, plan, lab, work, LISTED, questions, messages).await?;
    }
    Ok(())
}

/// Returns pages that begin between 40 and 60 % of the members.
async fn middle_pages(base: &mut Base, plan: &Plan, size: usize, pages: usize) -> Result<(Vec<Query>, Vec<Vec<u8>>)> {
    let (from, to) = (plan.members * 2 / 5, plan.members * 3 / 5);
    let mut positions = base.members_at(from, to, ((to - from) / pages).max(1)).await?;
    // In order, each page would find the rows of the page before in the processor's cache.
    let count = positions.len();
    positions = (0..count).map(|index| positions[scattered(index, count)].clone()).collect();
    let (mut questions, mut messages) = (Vec::new(), Vec::new());
    for (id, reference) in positions {
        let cursor = cursor(&base.servers[0].api, &base.id, &reference).await?;
        questions.push(Query::page(&base.id, size, Some(&cursor)));
        let limit = i64::try_from(size)? + 1;
        messages.push(execute("work", &[Bind::Uuid(base.uuid), Bind::Uuid(id), Bind::Int(limit)]));
    }
    Ok((questions, messages))
}

/// Returns the cursor of a member: a cursor may be used with another filter.
pub async fn cursor(api: &Api, memberbase: &str, reference: &str) -> Result<String> {
    let variables = json!({"memberbaseId": memberbase, "first": 1, "filter": {"ref": {"eq": reference}}});
    let data = api.graphql(PAGE, &variables).await?;
    Ok(data["members"]["pageInfo"]["endCursor"].as_str().context("no endCursor")?.to_owned())
}

async fn floor(base: &Base, plan: &Plan, lab: &mut Lab) -> Result<()> {
    eprintln!("{FLOOR}");
    let work = Work { name: FLOOR, clients: CLIENTS, unit: "requests", per_call: 1 };
    for _ in 0..plan.rounds {
        for server in &base.servers {
            let mut checked = CheckedRequests::new(server, CLIENTS, &[Query::nothing()], &[Vec::new()]).await?;
            checked.phase(warm_up(plan)).await?;
            let meter = Meter::begin(Some(server), None, false).await?;
            let timing = checked.phase(plan.time).await?;
            lab.record_phase(work, &server.name, false, meter.end(timing, None).await?);
        }
    }
    Ok(())
}

/// Measures each server and the bare client in turns.
async fn compare(
    base: &mut Base,
    plan: &Plan,
    lab: &mut Lab,
    work: Work,
    sql: &str,
    questions: Vec<Query>,
    messages: Vec<Vec<u8>>,
) -> Result<()> {
    eprintln!("{}", work.name);
    let mut bare = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = base.cluster.connect().await?;
        client.prepare("work", sql).await?;
        bare.push(client);
    }
    let mut stored = Vec::new();
    for message in &messages {
        stored.push(bare[0].collect(message).await?.into_iter().map(read).collect::<Result<Vec<_>>>()?);
    }
    let rows: Vec<_> = stored.iter().map(|rows| rows.len() as u64).collect();
    let Base { cluster, servers, .. } = base;
    let mut checked = Vec::new();
    for server in servers.iter() {
        checked.push(CheckedRequests::new(server, CLIENTS, &questions, &stored).await?);
    }
    let call = async |client: &mut Postgres, number: usize| {
        let number = number % messages.len();
        let done = client.call(&messages[number]).await?;
        ensure!(done.rows == rows[number], "{} rows of {}", done.rows, rows[number]);
        Ok(())
    };
    for _ in 0..plan.rounds {
        for checked in &mut checked {
            checked.phase(warm_up(plan)).await?;
            let meter = Meter::begin(Some(checked.server), Some(cluster), false).await?;
            let timing = checked.phase(plan.time).await?;
            let sample = meter.end(timing, Some(cluster)).await?;
            lab.record_phase(work, &checked.server.name, false, sample);
        }
        drive(&mut bare, warm_up(plan), usize::MAX, call).await?;
        let meter = Meter::begin(None, Some(cluster), false).await?;
        let timing = drive(&mut bare, plan.time, usize::MAX, call).await?;
        lab.record_phase(work, BARE, true, meter.end(timing, Some(cluster)).await?);
    }
    Ok(())
}

/// Parses a row of these statements.
pub fn read(row: Vec<Option<Vec<u8>>>) -> Result<Stored> {
    let mut values = row.into_iter().flatten();
    let mut next = || values.next().context("a null in a row");
    Ok(Stored {
        id: Uuid::from_slice(&next()?)?,
        reference: String::from_utf8(next()?)?,
        updated_at: i64::from_be_bytes(next()?.as_slice().try_into()?),
    })
}

/// Returns a pseudorandom number below `bound` for each index, the same in every run (splitmix64).
pub fn scattered(index: usize, bound: usize) -> usize {
    let mut mixed = (index as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ mixed >> 31) % bound as u64).expect("below a usize")
}
