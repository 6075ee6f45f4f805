//! One call with a million rows, and the deletion of many members with their children, on PostgreSQL.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use uuid::Uuid;

use crate::{
    base::{Base, fill},
    drive::{Timing, drive},
    http::Http,
    ids, import,
    lab::{Lab, Meter, Plan, Work},
    members::{BATCH, check_upserted, ref_of, upsert},
    postgres::{Bind, Postgres, execute, query},
    postgres_upsert::{BARE, insert, insert_missing},
    server::Server,
};

/// The workload of one call with all members.
pub const ONE_CALL: &str = "one call";
/// The workload of one deletion.
pub const DELETION: &str = "deletion";

/// Transactions of each member.
const TRANSACTIONS: usize = 2;

const DELETE: &str = "mutation Delete($input: DeleteMembersInput!) { deleteMembers(input: $input) { \
    notFoundRefs deleted { members clips stampCollections transactions } } }";

const LOCK: &str = "SELECT member.id FROM unnest($2::text[]) AS input (ref) \
    JOIN member ON member.memberbase_id = $1 AND member.ref = input.ref ORDER BY member.ref FOR UPDATE OF member";

/// Sends one call, checks its response and times it.
pub async fn timed_call(server: &Server, request: &[u8], check: impl FnOnce(&[u8]) -> Result<()>) -> Result<Timing> {
    let mut client = Http::connect(&server.api.address).await?;
    let begun = Instant::now();
    let body = client.call(request).await?;
    let elapsed = begun.elapsed();
    check(body)?;
    Ok(Timing::of(elapsed, vec![elapsed]))
}

/// Upserts as many new members as the memberbase of the other workloads has, in one call, into an empty memberbase.
pub async fn one_call(base: &mut Base, plan: &Plan, lab: &mut Lab) -> Result<()> {
    let work = Work { name: ONE_CALL, clients: 1, unit: "members", per_call: plan.members };
    for round in 0..plan.rounds {
        eprintln!("{ONE_CALL}, round {}", round + 1);
        for server in 0..base.servers.len() {
            let server = &base.servers[server];
            let id = server.make_memberbase(ONE_CALL).await?;
            let request = upsert(&server.api, &id, 0..plan.members);
            base.cluster.checkpoint().await?;
            let meter = Meter::begin(Some(server), Some(&mut base.cluster), true).await?.with_peak()?;
            let timing = timed_call(server, &request, |body| check_upserted(body, plan.members, true)).await?;
            let sample = meter.end(timing, Some(&mut base.cluster)).await?;
            lab.record_phase(work, &server.name, false, sample);
            delete_memberbase(base, ids::parse("mb_", &id)?, plan.members).await?;
        }
        let id = ids::parse("mb_", &base.servers[0].make_memberbase(ONE_CALL).await?)?;
        let refs: Vec<_> = (0..plan.members).map(ref_of).collect();
        let uuids: Vec<_> = refs.iter().map(|_| Uuid::now_v7()).collect();
        let now = jiff::Timestamp::now().as_microsecond();
        let message = execute("work", &[Bind::Uuid(id), Bind::Int(now), Bind::Uuids(&uuids), Bind::Texts(&refs)]);
        let mut bare = [base.cluster.connect().await?];
        bare[0].prepare("work", &insert("member", true)).await?;
        base.cluster.checkpoint().await?;
        let meter = Meter::begin(None, Some(&mut base.cluster), true).await?;
        let call = async |client: &mut Postgres, _| insert_missing(client, id, &message, plan.members).await;
        let timing = drive(&mut bare, Duration::MAX, 1, call).await?;
        lab.record_phase(work, BARE, true, meter.end(timing, Some(&mut base.cluster)).await?);
        delete_memberbase(base, id, plan.members).await?;
    }
    Ok(())
}

/// Imports a file, and stores its rows by calls.
pub async fn import(base: &mut Base, plan: &Plan, lab: &mut Lab) -> Result<()> {
    for round in 0..plan.rounds {
        eprintln!("{}, round {}", import::ON_POSTGRES.import, round + 1);
        for server in 0..base.servers.len() {
            base.cluster.checkpoint().await?;
            let (server, cluster) = (&base.servers[server], Some(&mut base.cluster));
            for id in import::measure(server, cluster, &import::ON_POSTGRES, plan, lab).await? {
                delete_memberbase(base, ids::parse("mb_", &id)?, plan.members / 5).await?;
            }
        }
    }
    Ok(())
}

/// Deletes a memberbase that must have this number of members and no children.
async fn delete_memberbase(base: &mut Base, id: Uuid, members: usize) -> Result<()> {
    let count = base.cluster.admin.value(&format!("SELECT count(*) FROM member WHERE memberbase_id = '{id}'")).await?;
    ensure!(count == members.to_string(), "found {count} members, expected {members}");
    base.cluster.admin.run(&format!("DELETE FROM member WHERE memberbase_id = '{id}'")).await?;
    base.cluster.admin.run(&format!("DELETE FROM memberbase WHERE id = '{id}'")).await?;
    base.cluster.admin.run("VACUUM member").await.map(drop)
}

/// Deletes members by their refs, each with a clip, a stamp collection and two transactions.
pub async fn deletion(base: &mut Base, plan: &Plan, lab: &mut Lab) -> Result<()> {
    let work = Work { name: DELETION, clients: 1, unit: "members", per_call: plan.to_delete };
    let refs: Vec<_> = (0..plan.to_delete).map(ref_of).collect();
    for round in 0..plan.rounds {
        eprintln!("{DELETION}, round {}", round + 1);
        for server in 0..base.servers.len() {
            let id = create_members_with_children(base, plan).await?;
            let server = &base.servers[server];
            let variables = json!({"input": {"memberbaseId": id, "refs": refs}}).to_string();
            let request = server.api.request(DELETE, &variables);
            let expected = json!({"data": {"deleteMembers": {"notFoundRefs": [], "deleted": {
                "members": plan.to_delete, "clips": plan.to_delete, "stampCollections": plan.to_delete,
                "transactions": plan.to_delete * TRANSACTIONS,
            }}}});
            let meter = Meter::begin(Some(server), Some(&mut base.cluster), false).await?.with_peak()?;
            let check = |body: &[u8]| {
                let response: serde_json::Value = serde_json::from_slice(body)?;
                ensure!(response == expected, "unexpected counts of deleted rows: {response}");
                Ok(())
            };
            let timing = timed_call(server, &request, check).await?;
            let sample = meter.end(timing, Some(&mut base.cluster)).await?;
            lab.record_phase(work, &server.name, false, sample);
            check_all_deleted(base, &id).await?;
        }
        let id = create_members_with_children(base, plan).await?;
        let uuid = ids::parse("mb_", &id)?;
        let mut bare = [base.cluster.connect().await?];
        let tables = [
            ("clip", "member_id"),
            ("stamp_collection", "member_id"),
            ("\"transaction\"", "member_id"),
            ("member", "id"),
        ];
        for (index, (table, column)) in tables.iter().enumerate() {
            let sql = format!(
                "DELETE FROM {table} WHERE memberbase_id = $1 AND {column} IN (SELECT id FROM unnest($2::uuid[]) AS input (id))"
            );
            bare[0].prepare(&format!("delete{index}"), &sql).await?;
        }
        bare[0].prepare("lock", LOCK).await?;
        let meter = Meter::begin(None, Some(&mut base.cluster), false).await?;
        let call = async |client: &mut Postgres, _| {
            client.call(&query("BEGIN")).await?;
            let found = client.collect(&execute("lock", &[Bind::Uuid(uuid), Bind::Texts(&refs)])).await?;
            let id = |row: &Vec<Option<Vec<u8>>>| Ok(Uuid::from_slice(row[0].as_deref().context("a null id")?)?);
            let mut ids = found.iter().map(id).collect::<Result<Vec<_>>>()?;
            ids.sort_unstable();
            let expected = [plan.to_delete, plan.to_delete, plan.to_delete * TRANSACTIONS, plan.to_delete];
            for (index, expected) in expected.into_iter().enumerate() {
                let binds = [Bind::Uuid(uuid), Bind::Uuids(&ids)];
                let done = client.call(&execute(&format!("delete{index}"), &binds)).await?;
                ensure!(done.touched == expected as u64, "{} rows were deleted, not {expected}", done.touched);
            }
            client.call(&query("COMMIT")).await.map(drop)
        };
        let timing = drive(&mut bare, Duration::MAX, 1, call).await?;
        lab.record_phase(work, BARE, true, meter.end(timing, Some(&mut base.cluster)).await?);
        check_all_deleted(base, &id).await?;
    }
    Ok(())
}

/// Creates a memberbase whose members have children.
async fn create_members_with_children(base: &mut Base, plan: &Plan) -> Result<String> {
    let server = &base.servers[0];
    let id = server.make_memberbase(DELETION).await?;
    fill(server, &id, plan.to_delete).await?;
    for (mutation, input, list, each) in [
        ("bulkUpsertClips", "BulkUpsertClipsInput", "clips", 1),
        ("bulkUpsertStampCollections", "BulkUpsertStampCollectionsInput", "stampCollections", 1),
        ("bulkUpsertTransactions", "BulkUpsertTransactionsInput", "transactions", TRANSACTIONS),
    ] {
        let mutation =
            format!("mutation Furnish($input: {input}!) {{ {mutation}(input: $input) {{ summary {{ created }} }} }}");
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(Http::connect(&server.api.address).await?);
        }
        let rows = plan.to_delete * each;
        let fill = async |client: &mut Http, number: usize| {
            let children: Vec<_> = (number * BATCH..((number + 1) * BATCH).min(rows))
                .map(|row| child_row(list, row / each, row))
                .collect();
            let created = format!("\"created\":{}}}", children.len());
            let variables = json!({"input": {"memberbaseId": id, list: children}}).to_string();
            let body = client.call(&server.api.request(&mutation, &variables)).await?;
            ensure!(memchr::memmem::find(body, created.as_bytes()).is_some(), "not all of the {list} were created");
            Ok(())
        };
        drive(&mut clients, Duration::MAX, rows.div_ceil(BATCH), fill).await?;
    }
    base.cluster.admin.run("VACUUM (ANALYZE) member, clip, stamp_collection, \"transaction\"").await?;
    base.cluster.checkpoint().await?;
    Ok(id)
}

fn child_row(list: &str, member: usize, row: usize) -> serde_json::Value {
    let member = ref_of(member);
    match list {
        "clips" => json!({"memberRef": member, "dealId": "spring", "creativeId": "banner"}),
        "stampCollections" => json!({"memberRef": member, "loyaltyProgramId": "coffee", "stamps": 3}),
        _ => json!({
            "memberRef": member, "externalId": format!("payment-{row:012}"), "authCode": "A1B2C3", "network": "VISA",
            "bin": "400000", "merchantId": "cafe", "amount": 350, "currency": "GBP", "authedAt": "2026-02-01T09:30:00Z",
        }),
    }
}

async fn check_all_deleted(base: &mut Base, id: &str) -> Result<()> {
    let uuid = ids::parse("mb_", id)?;
    for table in ["member", "clip", "stamp_collection", "\"transaction\""] {
        let count =
            base.cluster.admin.value(&format!("SELECT count(*) FROM {table} WHERE memberbase_id = '{uuid}'")).await?;
        ensure!(count == "0", "{count} rows of {table} were not deleted");
    }
    base.cluster.admin.run(&format!("DELETE FROM memberbase WHERE id = '{uuid}'")).await?;
    base.cluster.admin.run("VACUUM member, clip, stamp_collection, \"transaction\"").await.map(drop)
}
