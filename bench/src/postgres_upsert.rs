//! W1 and W2 on PostgreSQL: bulk upserts of new and of existing members.

use std::{cell::RefCell, time::Duration};

use anyhow::{Context, Result, ensure};
use uuid::Uuid;

use crate::{
    base::{Base, WITH_KEY},
    drive::drive,
    http::Http,
    lab::{Lab, Meter, Plan, Work},
    members::{BATCH, check_upserted, ref_of, upsert, upserted_ids},
    postgres::{Bind, Postgres, execute, query},
    read::warm_up,
};

/// The reference: the same SQL through a bare client.
pub const BARE: &str = "bare client";
/// The reference with an ordinary foreign key.
pub const KEYED: &str = "INSERT under a foreign key";

/// An INSERT of a reference.
struct Reference {
    side: &'static str,
    statement: &'static str,
    table: &'static str,
}

const SAME_SQL: Reference = Reference { side: BARE, statement: "same", table: "member" };
const WITH_FOREIGN_KEY: Reference = Reference { side: KEYED, statement: "with_key", table: WITH_KEY };

/// A rate in members per second above that of all sides: it determines how many calls are encoded in advance.
const MAX_MEMBERS_PER_SECOND: f64 = 400_000.0;

/// The number of slices of the memberbase that are upserted repeatedly.
const SLICES: usize = 40;

/// One call in this number has all its ids compared with the database.
const SAMPLED: usize = 16;

const READ: &str = "SELECT input.n, stored.id FROM unnest($2::text[]) WITH ORDINALITY AS input (ref, n) \
    CROSS JOIN member AS stored WHERE stored.memberbase_id = $1 AND stored.ref = input.ref";

/// Returns an INSERT of sorted rows; `concurrent` tolerates concurrent inserts of the same rows.
pub fn insert(table: &str, concurrent: bool) -> String {
    let conflict = if concurrent { "ON CONFLICT (memberbase_id, ref) DO NOTHING" } else { "" };
    format!(
        "INSERT INTO {table} (memberbase_id, updated_at, id, ref) SELECT $1, $2, input.id, input.ref \
        FROM unnest($3::uuid[], $4::text[]) WITH ORDINALITY AS input (id, ref, n) ORDER BY input.n {conflict}"
    )
}

/// Runs W1 with one client and with four.
pub async fn new_members(base: &mut Base, plan: &Plan, lab: &mut Lab) -> Result<()> {
    base.copy_with_key().await?;
    for clients in [1, 4] {
        eprintln!("W1, {clients} clients");
        let work = Work { name: "W1", clients, unit: "members", per_call: BATCH };
        let mut bare = Vec::new();
        for _ in 0..clients {
            let mut client = base.cluster.connect().await?;
            client.prepare(SAME_SQL.statement, &insert(SAME_SQL.table, true)).await?;
            client.prepare(WITH_FOREIGN_KEY.statement, &insert(WITH_FOREIGN_KEY.table, false)).await?;
            bare.push(client);
        }
        for _ in 0..plan.rounds {
            for server in 0..base.servers.len() {
                run_server(base, plan, lab, work, server).await?;
            }
            run_bare_client(base, plan, lab, work, &mut bare, &SAME_SQL).await?;
            run_bare_client(base, plan, lab, work, &mut bare, &WITH_FOREIGN_KEY).await?;
        }
    }
    Ok(())
}

/// Returns the number of calls that are encoded in advance, including two warm-up calls for each client.
fn calls(plan: &Plan, clients: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let calls = (plan.time.as_secs_f64() * MAX_MEMBERS_PER_SECOND) as usize / BATCH;
    calls + 2 * clients
}

fn numbers(plan: &Plan, call: usize) -> std::ops::Range<usize> {
    let first = plan.members + call * BATCH;
    first..first + BATCH
}

async fn run_server(base: &mut Base, plan: &Plan, lab: &mut Lab, work: Work, server: usize) -> Result<()> {
    let server = &base.servers[server];
    let mut clients = Vec::new();
    for _ in 0..work.clients {
        clients.push(Http::connect(&server.api.address).await?);
    }
    let calls = calls(plan, work.clients);
    let requests: Vec<_> = (0..calls).map(|call| upsert(&server.api, &base.id, numbers(plan, call))).collect();
    let sampled = RefCell::new(Vec::new());
    let call = async |client: &mut Http, number: usize| {
        let body = client.call(&requests[number]).await?;
        check_upserted(body, BATCH, true)?;
        if number.is_multiple_of(SAMPLED) {
            sampled.borrow_mut().push((number, body.to_vec()));
        }
        Ok(())
    };
    let warm = 2 * work.clients;
    base.cluster.checkpoint().await?;
    drive(&mut clients, Duration::MAX, warm, call).await?;
    let meter = Meter::begin(Some(server), Some(&mut base.cluster), true).await?;
    let timed = async |client: &mut Http, number: usize| call(client, warm + number).await;
    let timing = drive(&mut clients, plan.time, calls - warm, timed).await?;
    let sample = meter.end(timing, Some(&mut base.cluster)).await?;
    let name = server.name.clone();
    for (number, body) in sampled.take() {
        let refs: Vec<_> = numbers(plan, number).map(ref_of).collect();
        check_ids(base, &refs, &upserted_ids(&body)?).await?;
    }
    base.remove_added("member", plan.members, (warm as u64 + sample.timing.calls) * BATCH as u64).await?;
    lab.record_phase(work, &name, false, sample);
    Ok(())
}

/// Checks that these are the ids of the members with these refs, in this order.
async fn check_ids(base: &mut Base, refs: &[String], ids: &[Uuid]) -> Result<()> {
    let mut client = base.cluster.connect().await?;
    client.prepare("read", READ).await?;
    let rows = client.collect(&execute("read", &[Bind::Uuid(base.uuid), Bind::Texts(refs)])).await?;
    let mut stored = vec![None; refs.len()];
    for row in rows {
        let (n, id) = row[0].as_deref().zip(row[1].as_deref()).context("a null in a row")?;
        let index = usize::try_from(i64::from_be_bytes(n.try_into()?))? - 1;
        stored[index] = Some(Uuid::from_slice(id)?);
    }
    ensure!(ids.len() == refs.len(), "{} ids for {} refs", ids.len(), refs.len());
    let wrong = ids.iter().zip(&stored).position(|(id, stored)| Some(*id) != *stored);
    ensure!(wrong.is_none(), "the id at {wrong:?} is not that of the member with that ref");
    Ok(())
}

/// Runs the INSERT in a transaction that holds the lock that the server takes in place of a foreign key.
pub async fn insert_missing(client: &mut Postgres, memberbase: Uuid, message: &[u8], rows: usize) -> Result<()> {
    let lock = memberbase.as_u64_pair().1.cast_signed();
    client.call(&query(&format!("BEGIN; SELECT pg_advisory_xact_lock_shared({lock})"))).await?;
    ensure!(client.call(message).await?.touched == rows as u64, "rows are missing");
    client.call(&query("COMMIT")).await.map(drop)
}

async fn run_bare_client(
    base: &mut Base,
    plan: &Plan,
    lab: &mut Lab,
    work: Work,
    bare: &mut [Postgres],
    reference: &Reference,
) -> Result<()> {
    let calls = calls(plan, work.clients);
    let now = jiff::Timestamp::now().as_microsecond();
    let message = |call| {
        let refs: Vec<_> = numbers(plan, call).map(ref_of).collect();
        let ids: Vec<_> = refs.iter().map(|_| Uuid::now_v7()).collect();
        execute(reference.statement, &[Bind::Uuid(base.uuid), Bind::Int(now), Bind::Uuids(&ids), Bind::Texts(&refs)])
    };
    let messages: Vec<_> = (0..calls).map(message).collect();
    let memberbase = base.uuid;
    let call = async |client: &mut Postgres, number: usize| {
        if reference.table == WITH_KEY {
            ensure!(client.call(&messages[number]).await?.touched == BATCH as u64, "rows are missing");
            return Ok(());
        }
        insert_missing(client, memberbase, &messages[number], BATCH).await
    };
    let warm = 2 * work.clients;
    base.cluster.checkpoint().await?;
    drive(bare, Duration::MAX, warm, call).await?;
    let meter = Meter::begin(None, Some(&mut base.cluster), true).await?;
    let timed = async |client: &mut Postgres, number: usize| call(client, warm + number).await;
    let timing = drive(bare, plan.time, calls - warm, timed).await?;
    let sample = meter.end(timing, Some(&mut base.cluster)).await?;
    base.remove_added(reference.table, plan.members, (warm as u64 + sample.timing.calls) * BATCH as u64).await?;
    lab.record_phase(work, reference.side, true, sample);
    Ok(())
}

/// Runs W2 with one client and with four.
pub async fn unchanged_members(base: &mut Base, plan: &Plan, lab: &mut Lab) -> Result<()> {
    let slices = SLICES.min(plan.members / BATCH).max(1);
    let apart = plan.members / slices;
    let slice = |number: usize| number * apart..(number * apart + BATCH).min(plan.members);
    let refs: Vec<Vec<_>> = (0..slices).map(|number| slice(number).map(ref_of).collect()).collect();
    let mut responses = Vec::new();
    for server in &base.servers {
        let mut client = Http::connect(&server.api.address).await?;
        let mut known = Vec::new();
        for (number, refs) in refs.iter().enumerate() {
            let request = upsert(&server.api, &base.id, slice(number));
            let body = client.call(&request).await?.to_vec();
            check_upserted(&body, refs.len(), false)?;
            known.push((request, body));
        }
        responses.push(known);
    }
    for known in &responses {
        for (refs, (_, body)) in refs.iter().zip(known) {
            check_ids(base, refs, &upserted_ids(body)?).await?;
        }
    }
    let bind = |refs: &Vec<String>| execute("work", &[Bind::Uuid(base.uuid), Bind::Texts(refs)]);
    let messages: Vec<_> = refs.iter().map(bind).collect();
    for clients in [1, 4] {
        eprintln!("W2, {clients} clients");
        let work = Work { name: "W2", clients, unit: "members", per_call: BATCH };
        let mut bare = Vec::new();
        for _ in 0..clients {
            let mut client = base.cluster.connect().await?;
            client.prepare("work", READ).await?;
            bare.push(client);
        }
        let call = async |client: &mut Postgres, number: usize| {
            let number = number % slices;
            let done = client.call(&messages[number]).await?;
            ensure!(done.rows == refs[number].len() as u64, "{} members were found", done.rows);
            Ok(())
        };
        let Base { cluster, servers, .. } = &mut *base;
        for _ in 0..plan.rounds {
            for (server, known) in servers.iter().zip(&responses) {
                let mut connections = Vec::new();
                for _ in 0..clients {
                    connections.push(Http::connect(&server.api.address).await?);
                }
                let call = async |client: &mut Http, number: usize| {
                    let (request, response) = &known[number % slices];
                    ensure!(client.call(request).await? == response, "the response to the same call differs");
                    Ok(())
                };
                cluster.checkpoint().await?;
                drive(&mut connections, warm_up(plan), usize::MAX, call).await?;
                let meter = Meter::begin(Some(server), Some(cluster), true).await?;
                let timing = drive(&mut connections, plan.time, usize::MAX, call).await?;
                lab.record_phase(work, &server.name, false, meter.end(timing, Some(cluster)).await?);
            }
            drive(&mut bare, warm_up(plan), usize::MAX, call).await?;
            let meter = Meter::begin(None, Some(cluster), true).await?;
            let timing = drive(&mut bare, plan.time, usize::MAX, call).await?;
            lab.record_phase(work, BARE, true, meter.end(timing, Some(cluster)).await?);
        }
    }
    Ok(())
}
