//! The workloads on SQLite: the server on a file of its own against rusqlite on a copy of that file.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::{
    base::fill,
    bulk::timed_call,
    drive::{Timing, drive},
    http::Http,
    ids, import,
    lab::{Lab, Meter, Plan, Work},
    members::{BATCH, Stored, check_upserted, ref_of, upsert, upserted_ids},
    postgres_read::{cursor, scattered},
    read::{CLIENTS, CheckedRequests, Query, warm_up},
    server::Server,
};

/// The names of the workloads.
pub const UPSERT: &str = "SQLite W1";
pub const UNCHANGED: &str = "SQLite W2";
pub const PAGES: [(&str, usize, usize); 2] = [("SQLite W4", 100, 1_000), ("SQLite W5", 1_000, 100)];
pub const ONE_CALL: &str = "SQLite one call";
/// All workloads, and the name for all of them.
pub const WORKS: [&str; 7] = ["SQLite", PAGES[0].0, PAGES[1].0, UNCHANGED, UPSERT, ONE_CALL, import::ON_SQLITE.import];
/// The reference.
pub const BARE: &str = "rusqlite";

/// A rate in members per second above that of both sides.
const MAX_MEMBERS_PER_SECOND: f64 = 2_000_000.0;

const INSERT: &str = "INSERT INTO member (memberbase_id, updated_at, id, ref) \
    SELECT ?1, ?2, unhex(value ->> 0), value ->> 1 FROM json_each(?3) WHERE true ON CONFLICT (memberbase_id, ref) DO NOTHING";

const READ: &str = "SELECT input.key, stored.id FROM json_each(?2) AS input CROSS JOIN member AS stored \
    WHERE stored.memberbase_id = ?1 AND stored.ref = input.value";

const BEHIND: &str = "SELECT id, ref, updated_at FROM member WHERE memberbase_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

/// Returns whether any of the workloads is to run.
pub fn is_included(plan: &Plan) -> bool {
    WORKS.iter().any(|work| plan.includes(work))
}

/// A file for each side, with the same members.
struct Files {
    servers: Vec<Server>,
    bare: PathBuf,
    id: String,
    uuid: Uuid,
    /// The first unused member number, for each server and then for the bare client.
    next: Vec<usize>,
}

/// The folder of the files, which is deleted on drop.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // A later run deletes what is left (`remove_abandoned`).
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the requested workloads.
pub async fn run(binaries: &[(&str, &Path)], plan: &Plan, lab: &mut Lab) -> Result<()> {
    remove_abandoned(&plan.folder)?;
    let folder = Folder(fs::canonicalize(&plan.folder)?.join(format!("sqlite-{}", std::process::id())));
    fs::create_dir_all(&folder.0)?;
    let mut files = Files::make(binaries, plan, &folder.0).await?;
    let includes = |work: &str| plan.includes("SQLite") || plan.includes(work);
    for (name, size, pages) in PAGES {
        if includes(name) {
            files.pages(plan, lab, Work { name, clients: CLIENTS, unit: "requests", per_call: 1 }, size, pages).await?;
        }
    }
    if includes(UNCHANGED) {
        files.unchanged(plan, lab).await?;
    }
    if includes(UPSERT) {
        files.new_members(plan, lab).await?;
    }
    if includes(ONE_CALL) {
        files.one_call(plan, lab).await?;
    }
    if includes(import::ON_SQLITE.import) {
        files.import(plan, lab).await?;
    }
    for server in &mut files.servers {
        lab.record_memory("SQLite", server).await?;
    }
    Ok(())
}

/// Deletes the folders of interrupted runs.
fn remove_abandoned(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let run = name.to_str().and_then(|name| name.strip_prefix("sqlite-"));
        if run.is_some_and(|run| !Path::new("/proc").join(run).exists()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

impl Files {
    async fn make(binaries: &[(&str, &Path)], plan: &Plan, folder: &Path) -> Result<Self> {
        let file = |side: &str| folder.join(format!("{side}.db"));
        let url = |side: &str| format!("sqlite://{}", file(side).display());
        let log = |name: &str| format!("{name} on sqlite");
        let (first, binary) = binaries[0];
        let begun = Instant::now();
        let mut server = Server::start(&log(first), binary, &url(first), &plan.folder)?;
        let id = server.make_memberbase("bench").await?;
        fill(&server, &id, plan.members).await?;
        eprintln!("SQLite: {} members were loaded in {:.1} s", plan.members, begun.elapsed().as_secs_f64());
        server.stop()?;
        let bare = file(BARE);
        fs::copy(file(first), &bare)?;
        for (other, _) in &binaries[1..] {
            fs::copy(file(first), file(other))?;
        }
        server.start_again()?;
        server.name = first.to_owned();
        let mut servers = vec![server];
        for (other, binary) in &binaries[1..] {
            let mut server = Server::start(&log(other), binary, &url(other), &plan.folder)?;
            server.name = (*other).to_owned();
            servers.push(server);
        }
        let next = vec![plan.members; servers.len() + 1];
        Ok(Self { bare, uuid: ids::parse("mb_", &id)?, id, servers, next })
    }

    /// Opens a connection of the bare client with the settings that the server uses.
    fn connect(&self, cache: &str) -> Result<Connection> {
        let connection = Connection::open(&self.bare)?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
            PRAGMA busy_timeout = 5000; PRAGMA cache_size = {cache}"
        ))?;
        Ok(connection)
    }

    fn reader(&self) -> Result<Connection> {
        self.connect("-2000")
    }

    fn writer(&self) -> Result<Connection> {
        self.connect("-32768")
    }

    /// Requests pages in the middle.
    async fn pages(&mut self, plan: &Plan, lab: &mut Lab, work: Work, size: usize, pages: usize) -> Result<()> {
        eprintln!("{}", work.name);
        let (from, to) = (plan.members * 2 / 5, plan.members * 3 / 5);
        let positions: Vec<(Uuid, String)> = {
            let connection = self.reader()?;
            let mut statement = connection.prepare(
                "SELECT id, ref FROM (SELECT id, ref, row_number() OVER (ORDER BY id) AS n FROM member WHERE memberbase_id = ?1) \
                WHERE n BETWEEN ?2 AND ?3 AND n % ?4 = 0",
            )?;
            let every = ((to - from) / pages).max(1);
            let rows = statement.query_map(params![self.uuid.as_bytes(), from, to, every], |row| {
                Ok((Uuid::from_bytes(row.get(0)?), row.get(1)?))
            })?;
            rows.collect::<Result<_, _>>()?
        };
        let positions: Vec<_> =
            (0..positions.len()).map(|index| &positions[scattered(index, positions.len())]).collect();
        let (mut questions, mut stored) = (Vec::new(), Vec::new());
        let mut connections = Vec::new();
        for _ in 0..work.clients {
            connections.push(self.reader()?);
        }
        for (id, reference) in &positions {
            let cursor = cursor(&self.servers[0].api, &self.id, reference).await?;
            questions.push(Query::page(&self.id, size, Some(&cursor)));
            stored.push(page(&connections[0], self.uuid, *id, size)?);
        }
        let mut checked = Vec::new();
        for server in &self.servers {
            checked.push(CheckedRequests::new(server, work.clients, &questions, &stored).await?);
        }
        let read = |connection: &mut Connection, number: usize| {
            let (id, _) = positions[number % positions.len()];
            let rows = page(connection, self.uuid, *id, size)?;
            ensure!(rows.len() == stored[number % positions.len()].len(), "{} rows", rows.len());
            Ok(())
        };
        for _ in 0..plan.rounds {
            for checked in &mut checked {
                checked.phase(warm_up(plan)).await?;
                let meter = Meter::begin(Some(checked.server), None, false).await?;
                let timing = checked.phase(plan.time).await?;
                lab.record_phase(work, &checked.server.name, false, meter.end(timing, None).await?);
            }
            in_threads(&mut connections, warm_up(plan), usize::MAX, read)?;
            let meter = Meter::begin(None, None, false).await?;
            let timing = in_threads(&mut connections, plan.time, usize::MAX, read)?;
            lab.record_phase(work, BARE, true, meter.end(timing, None).await?);
        }
        Ok(())
    }

    /// Upserts existing members with one client.
    async fn unchanged(&mut self, plan: &Plan, lab: &mut Lab) -> Result<()> {
        eprintln!("{UNCHANGED}");
        let work = Work { name: UNCHANGED, clients: 1, unit: "members", per_call: BATCH };
        let slices = (plan.members / BATCH).min(40);
        let apart = plan.members / slices;
        let slice = |number: usize| number * apart..number * apart + BATCH;
        let texts = (0..slices).map(|number| serde_json::to_string(&slice(number).map(ref_of).collect::<Vec<_>>()));
        let texts: Vec<_> = texts.collect::<Result<_, _>>()?;
        let mut connections = [self.reader()?];
        let mut responses = Vec::new();
        for server in &self.servers {
            let mut client = Http::connect(&server.api.address).await?;
            let mut known = Vec::new();
            for (number, text) in texts.iter().enumerate() {
                let request = upsert(&server.api, &self.id, slice(number));
                let body = client.call(&request).await?.to_vec();
                check_upserted(&body, BATCH, false)?;
                ensure!(
                    upserted_ids(&body)? == lookup(&connections[0], self.uuid, text)?,
                    "ids are not those of the refs"
                );
                known.push((request, body));
            }
            responses.push(known);
        }
        let read = |connection: &mut Connection, number: usize| {
            let found = lookup(connection, self.uuid, &texts[number % slices])?;
            ensure!(found.len() == BATCH, "{} members were found", found.len());
            Ok(())
        };
        for _ in 0..plan.rounds {
            for (server, known) in self.servers.iter().zip(&responses) {
                let mut clients = [Http::connect(&server.api.address).await?];
                let call = async |client: &mut Http, number: usize| {
                    let (request, response) = &known[number % slices];
                    ensure!(client.call(request).await? == response, "the response to the same call differs");
                    Ok(())
                };
                drive(&mut clients, warm_up(plan), usize::MAX, call).await?;
                let meter = Meter::begin(Some(server), None, false).await?;
                let timing = drive(&mut clients, plan.time, usize::MAX, call).await?;
                lab.record_phase(work, &server.name, false, meter.end(timing, None).await?);
            }
            in_threads(&mut connections, warm_up(plan), usize::MAX, read)?;
            let meter = Meter::begin(None, None, false).await?;
            let timing = in_threads(&mut connections, plan.time, usize::MAX, read)?;
            lab.record_phase(work, BARE, true, meter.end(timing, None).await?);
        }
        Ok(())
    }

    /// Upserts new members with one client. They are kept: every file grows alike.
    async fn new_members(&mut self, plan: &Plan, lab: &mut Lab) -> Result<()> {
        eprintln!("{UPSERT}");
        let work = Work { name: UPSERT, clients: 1, unit: "members", per_call: BATCH };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
        let calls = (plan.time.as_secs_f64() * MAX_MEMBERS_PER_SECOND) as usize / BATCH;
        const WARM: usize = 2;
        let mut connections = [self.writer()?];
        for _ in 0..plan.rounds {
            for (index, server) in self.servers.iter().enumerate() {
                let first = self.next[index];
                let request = |call| upsert(&server.api, &self.id, first + call * BATCH..first + (call + 1) * BATCH);
                let requests: Vec<_> = (0..calls + WARM).map(request).collect();
                let mut clients = [Http::connect(&server.api.address).await?];
                let call = async |client: &mut Http, number: usize| {
                    check_upserted(client.call(&requests[number]).await?, BATCH, true)
                };
                drive(&mut clients, Duration::MAX, WARM, call).await?;
                let meter = Meter::begin(Some(server), None, false).await?;
                let timed = async |client: &mut Http, number: usize| call(client, WARM + number).await;
                let timing = drive(&mut clients, plan.time, calls, timed).await?;
                self.next[index] += (WARM + usize::try_from(timing.calls)?) * BATCH;
                lab.record_phase(work, &server.name, false, meter.end(timing, None).await?);
            }
            let first = *self.next.last().context("a side")?;
            let text = |call: usize| {
                let rows = first + call * BATCH..first + (call + 1) * BATCH;
                let rows = rows.map(|number| (Uuid::now_v7().simple().to_string(), ref_of(number)));
                serde_json::to_string(&rows.collect::<Vec<_>>())
            };
            let texts: Vec<_> = (0..calls + WARM).map(text).collect::<Result<_, _>>()?;
            let now = jiff::Timestamp::now().as_microsecond();
            let insert = |connection: &mut Connection, number: usize| {
                connection.execute_batch("BEGIN IMMEDIATE")?;
                let mut statement = connection.prepare_cached(INSERT)?;
                let done = statement.execute(params![self.uuid.as_bytes(), now, texts[number]])?;
                ensure!(done == BATCH, "{done} members were inserted");
                drop(statement);
                Ok(connection.execute_batch("COMMIT")?)
            };
            in_threads(&mut connections, Duration::MAX, WARM, insert)?;
            let meter = Meter::begin(None, None, false).await?;
            let timed = |connection: &mut Connection, number: usize| insert(connection, WARM + number);
            let timing = in_threads(&mut connections, plan.time, calls, timed)?;
            *self.next.last_mut().context("a side")? += (WARM + usize::try_from(timing.calls)?) * BATCH;
            lab.record_phase(work, BARE, true, meter.end(timing, None).await?);
        }
        Ok(())
    }

    /// Upserts as many new members as the files had at first, in one call, into an empty memberbase.
    async fn one_call(&mut self, plan: &Plan, lab: &mut Lab) -> Result<()> {
        eprintln!("{ONE_CALL}");
        let work = Work { name: ONE_CALL, clients: 1, unit: "members", per_call: plan.members };
        for _ in 0..plan.rounds {
            for server in &self.servers {
                let id = server.make_memberbase(ONE_CALL).await?;
                let request = upsert(&server.api, &id, 0..plan.members);
                let meter = Meter::begin(Some(server), None, false).await?.with_peak()?;
                let timing = timed_call(server, &request, |body| check_upserted(body, plan.members, true)).await?;
                lab.record_phase(work, &server.name, false, meter.end(timing, None).await?);
            }
        }
        Ok(())
    }

    /// Imports a file, and stores its rows by calls.
    async fn import(&mut self, plan: &Plan, lab: &mut Lab) -> Result<()> {
        eprintln!("{}", import::ON_SQLITE.import);
        for _ in 0..plan.rounds {
            for server in &self.servers {
                import::measure(server, None, &import::ON_SQLITE, plan, lab).await?;
            }
        }
        Ok(())
    }
}

fn page(connection: &Connection, memberbase: Uuid, behind: Uuid, size: usize) -> Result<Vec<Stored>> {
    let mut statement = connection.prepare_cached(BEHIND)?;
    let mut rows = statement.query(params![memberbase.as_bytes(), behind.as_bytes(), size + 1])?;
    let mut page = Vec::with_capacity(size + 1);
    while let Some(row) = rows.next()? {
        page.push(Stored { id: Uuid::from_bytes(row.get(0)?), reference: row.get(1)?, updated_at: row.get(2)? });
    }
    Ok(page)
}

/// Returns the ids of the members with these refs, in the order of the refs if all of them exist.
fn lookup(connection: &Connection, memberbase: Uuid, refs: &str) -> Result<Vec<Uuid>> {
    let mut statement = connection.prepare_cached(READ)?;
    let mut rows = statement.query(params![memberbase.as_bytes(), refs])?;
    let mut ids = vec![Uuid::nil(); BATCH];
    let mut found = 0;
    while let Some(row) = rows.next()? {
        ids[row.get::<_, usize>(0)?] = Uuid::from_bytes(row.get(1)?);
        found += 1;
    }
    ids.truncate(found);
    Ok(ids)
}

/// Runs a closed loop of blocking calls, with a thread for each connection.
fn in_threads(
    connections: &mut [Connection],
    time: Duration,
    calls: usize,
    call: impl Fn(&mut Connection, usize) -> Result<()> + Sync,
) -> Result<Timing> {
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    let client = |connection: &mut Connection| {
        let mut latencies = Vec::new();
        loop {
            let (number, sent) = (next.fetch_add(1, Ordering::Relaxed), Instant::now());
            if number >= calls || sent - begun >= time {
                return anyhow::Ok(latencies);
            }
            call(connection, number)?;
            latencies.push(sent.elapsed());
        }
    };
    let latencies = std::thread::scope(|scope| {
        let threads: Vec<_> = connections.iter_mut().map(|connection| scope.spawn(|| client(connection))).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    Ok(Timing::of(begun.elapsed(), latencies.concat()))
}
