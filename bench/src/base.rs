//! The memberbase of the PostgreSQL workloads: loaded through the API once, and used again by later runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    drive::drive,
    http::Http,
    ids,
    lab::{Lab, Plan},
    members::{BATCH, check_upserted, ref_of, upsert},
    server::Server,
};

/// Concurrent clients that load a memberbase.
const FILLERS: usize = 4;

/// The rate of the load during which the tables grow from empty.
pub const FIRST_LOAD: &str = "first load, PostgreSQL";

/// A copy of the members with a foreign key, which the server's table does not have.
pub const WITH_KEY: &str = "bench_member_with_key";

/// A cluster with a loaded memberbase, and the servers on it.
pub struct Base {
    pub cluster: Cluster,
    pub servers: Vec<Server>,
    /// The id of the memberbase in the API.
    pub id: String,
    pub uuid: Uuid,
}

impl Base {
    /// Finds the memberbase, or loads it and records the rate.
    pub async fn open(mut cluster: Cluster, servers: Vec<Server>, plan: &Plan, lab: &mut Lab) -> Result<Self> {
        let name = format!("bench {}", plan.members);
        let known = cluster.admin.run(&format!("SELECT id FROM memberbase WHERE name = '{name}'")).await?;
        for row in known {
            let uuid: Uuid = row[0].as_deref().context("an id")?.parse()?;
            let members = format!("SELECT count(*) FROM member WHERE memberbase_id = '{uuid}'");
            let members: usize = cluster.admin.value(&members).await?.parse()?;
            // A memberbase that an interrupted run left has another number of members.
            if members == plan.members {
                let id = id_of(&servers[0], uuid).await?;
                eprintln!("the database has the {members} members of an earlier run");
                return Ok(Self { cluster, servers, id, uuid });
            }
        }
        let id = servers[0].make_memberbase(&name).await?;
        let begun = Instant::now();
        fill(&servers[0], &id, plan.members).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let uuid = ids::parse("mb_", &id)?;
        eprintln!("{} members were loaded through the API in {seconds:.1} s", plan.members);
        lab.record(&servers[0].name, FIRST_LOAD, plan.members as f64 / seconds, "members/s");
        // Autovacuum does the same soon after such a load.
        cluster.admin.run("VACUUM (ANALYZE) member").await?;
        Ok(Self { cluster, servers, id, uuid })
    }

    /// Creates the copy with a foreign key, if there is none.
    pub async fn copy_with_key(&mut self) -> Result<()> {
        let exists = format!("SELECT coalesce(to_regclass('{WITH_KEY}')::text, '')");
        if self.cluster.admin.value(&exists).await? == WITH_KEY {
            return Ok(());
        }
        let uuid = self.uuid;
        for sql in [
            format!("CREATE TABLE {WITH_KEY} (LIKE member INCLUDING ALL)"),
            format!("INSERT INTO {WITH_KEY} SELECT * FROM member WHERE memberbase_id = '{uuid}' ORDER BY id"),
            format!("ALTER TABLE {WITH_KEY} ADD FOREIGN KEY (memberbase_id) REFERENCES memberbase (id)"),
            format!("VACUUM (ANALYZE) {WITH_KEY}"),
        ] {
            self.cluster.admin.run(&sql).await?;
        }
        Ok(())
    }

    /// Returns every `every`-th member from position `from` to position `to` in the order of ids.
    pub async fn members_at(&mut self, from: usize, to: usize, every: usize) -> Result<Vec<(Uuid, String)>> {
        let sql = format!(
            "SELECT id, ref FROM (SELECT id, ref, row_number() OVER (ORDER BY id) AS n FROM member \
            WHERE memberbase_id = '{}') AS placed WHERE n BETWEEN {from} AND {to} AND n % {every} = 0 ORDER BY n",
            self.uuid
        );
        let rows = self.cluster.admin.run(&sql).await?;
        rows.into_iter()
            .map(|row| {
                let mut values = row.into_iter().flatten();
                let (id, reference) = values.next().zip(values.next()).context("an id and a ref")?;
                Ok((id.parse()?, reference))
            })
            .collect()
    }

    /// Deletes the members that a phase added, so that the next phase begins with the same data.
    pub async fn remove_added(&mut self, table: &str, members: usize, expected: u64) -> Result<()> {
        let first = ref_of(members);
        let added = format!("{table} WHERE memberbase_id = '{}' AND ref >= '{first}'", self.uuid);
        let count: u64 = self.cluster.admin.value(&format!("SELECT count(*) FROM {added}")).await?.parse()?;
        ensure!(count == expected, "{count} members were added, not {expected}");
        self.cluster.admin.run(&format!("DELETE FROM {added}")).await?;
        self.cluster.admin.run(&format!("VACUUM {table}")).await?;
        Ok(())
    }
}

/// Loads members 0 to `members` into a memberbase.
pub async fn fill(server: &Server, memberbase: &str, members: usize) -> Result<()> {
    let mut clients = Vec::new();
    for _ in 0..FILLERS {
        clients.push(Http::connect(&server.api.address).await?);
    }
    drive(&mut clients, Duration::MAX, members.div_ceil(BATCH), async |client: &mut Http, number| {
        let numbers = number * BATCH..((number + 1) * BATCH).min(members);
        let rows = numbers.len();
        check_upserted(client.call(&upsert(&server.api, memberbase, numbers)).await?, rows, true)
    })
    .await
    .map(drop)
}

/// Returns the id of the memberbase in the API.
async fn id_of(server: &Server, uuid: Uuid) -> Result<String> {
    const ALL: &str = "query All { memberbases(first: 5000) { nodes { id } } }";
    let data = server.api.graphql(ALL, &serde_json::json!({})).await?;
    let nodes = data["memberbases"]["nodes"].as_array().context("no memberbases")?;
    let mut ids = nodes.iter().filter_map(|node| node["id"].as_str());
    let found = ids.find(|id| ids::parse("mb_", id).is_ok_and(|found| found == uuid));
    Ok(found.context("the memberbase is gone")?.to_owned())
}
