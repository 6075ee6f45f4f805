//! Measures a server against the same SQL through a bare client; see docs/performance.md.

mod bars;
mod base;
mod bulk;
mod cluster;
mod depth;
mod drive;
mod http;
mod ids;
mod import;
mod lab;
mod machine;
mod members;
mod mixed;
mod postgres;
mod postgres_read;
mod postgres_upsert;
mod process;
mod read;
mod report;
mod server;
mod sqlite;
mod startup;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::{
    base::Base,
    cluster::Cluster,
    lab::{Lab, MIB, Plan},
    server::Server,
};

/// The names of the first and of the compared server in the tables.
const SIDES: [&str; 2] = ["server", "compared"];

/// The workloads on PostgreSQL.
const ON_POSTGRES: [&str; 12] = [
    postgres_read::FLOOR,
    "W1",
    "W2",
    "W3",
    "W4",
    "W5",
    "W6",
    "W7",
    bulk::ONE_CALL,
    import::ON_POSTGRES.import,
    bulk::DELETION,
    "start",
];

/// Measures a server against the same SQL through a bare client; docs/performance.md explains the results
#[derive(Parser)]
struct Options {
    /// Binary of the server
    #[arg(long, default_value = "target/release/memberbase")]
    server: PathBuf,
    /// Binary of another build, measured in turns with the first
    #[arg(long)]
    compare: Option<PathBuf>,
    /// URL of a local cluster with trust authentication: postgres://user@host:port/database
    #[arg(long, env = "MEMBERBASE_TEST_POSTGRES_URL")]
    postgres: String,
    /// Use fewer members and shorter phases: checks that everything runs; the rates are rough
    #[arg(long)]
    quick: bool,
    /// Number of members [default: 1000000, or 100000 with --quick]
    #[arg(long)]
    members: Option<usize>,
    /// Number of rounds of each phase
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Length of a phase in seconds [default: 2, or 0.5 with --quick]
    #[arg(long)]
    seconds: Option<f64>,
    /// Run only these workloads: W1 to W7, floor, one-call, import, deletion, start, SQLite (or SQLite-W1 and so on);
    /// mixed, which runs only if it is named
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Folder of the results and of the servers' logs
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// Exit with 1 if a bar is missed
    #[arg(long)]
    strict: bool,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    // One thread: more would take processor time from the server.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options))
}

async fn run(options: Options) -> Result<ExitCode> {
    let members = options.members.unwrap_or(if options.quick { 100_000 } else { 1_000_000 });
    ensure!(members >= 100_000 && options.rounds > 0, "at least 100,000 members and one round are needed");
    for only in &options.only {
        let plan = only.replace('-', " ");
        let known = ON_POSTGRES
            .iter()
            .chain(&sqlite::WORKS)
            .chain([&mixed::MIXED])
            .any(|work| work.eq_ignore_ascii_case(&plan));
        ensure!(known, "{only} is no workload");
    }
    fs::create_dir_all(&options.folder)?;
    let seconds = options.seconds.unwrap_or(if options.quick { 0.5 } else { 2.0 });
    let plan = Plan {
        members,
        to_delete: members / 10,
        rounds: options.rounds,
        time: Duration::try_from_secs_f64(seconds)?,
        only: options.only.clone(),
        folder: options.folder.clone(),
    };
    let mut about = machine::describe();
    about.push(("run", format!("{members} members, {} rounds of {seconds} s a phase", plan.rounds)));
    if options.quick {
        about.push(("quick", "rough rates: few members, short phases".to_owned()));
    }
    let binaries: Vec<(&str, &Path)> = SIDES
        .into_iter()
        .zip([Some(&options.server), options.compare.as_ref()].into_iter().flatten().map(PathBuf::as_path))
        .collect();
    let mut lab = Lab::default();
    for (side, binary) in &binaries {
        lab.record(
            side,
            "size of the binary",
            fs::metadata(binary).with_context(|| binary.display().to_string())?.len() as f64 / MIB,
            "MiB",
        );
    }
    let begun = Instant::now();
    let measured = measure(&options.postgres, &binaries, &plan, &mut lab, &mut about).await;
    if let Err(error) = &measured {
        about.push(("INCOMPLETE", format!("{error:#}")));
    }
    about.push(("took", format!("{:.0} s", begun.elapsed().as_secs_f64())));
    let mut bars: Vec<_> = binaries.iter().map(|(side, _)| ((*side).to_owned(), bars::evaluate(&lab, side))).collect();
    if !plan.only.is_empty() {
        bars.iter_mut().for_each(|(_, bars)| bars.retain(|bar| bar.reached.is_some()));
    }
    let mut text = String::new();
    for (what, value) in &about {
        text.push_str(&format!("- {what}: {value}\n"));
    }
    text.push_str(&format!("\n{}\n{}", report::table(&lab), report::metrics(&lab)));
    for (side, bars) in &bars {
        text.push_str(&format!(
            "\nBars of {side}{}:\n\n{}",
            if options.quick { " (a quick run)" } else { "" },
            bars::table(bars)
        ));
    }
    println!("{text}");
    fs::write(plan.folder.join("report.md"), &text)?;
    fs::write(plan.folder.join("report.json"), format!("{:#}\n", report::json(&lab, &bars, &about)))?;
    measured?;
    let missed = bars.iter().flat_map(|(_, bars)| bars).any(|bar| bar.met() == Some(false));
    Ok(if options.strict && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs the requested workloads. If one fails, earlier results are still reported.
async fn measure(
    postgres: &str,
    binaries: &[(&str, &Path)],
    plan: &Plan,
    lab: &mut Lab,
    about: &mut Vec<(&'static str, String)>,
) -> Result<()> {
    on_postgres(postgres, binaries, plan, lab, about).await?;
    if sqlite::is_included(plan) {
        sqlite::run(binaries, plan, lab).await?;
    }
    if !plan.only.is_empty() && plan.includes(mixed::MIXED) {
        let (side, binary) = binaries[0];
        mixed::run(side, binary, postgres, plan, lab).await?;
    }
    Ok(())
}

async fn on_postgres(
    url: &str,
    binaries: &[(&str, &Path)],
    plan: &Plan,
    lab: &mut Lab,
    about: &mut Vec<(&'static str, String)>,
) -> Result<()> {
    if !ON_POSTGRES.iter().any(|work| plan.includes(work)) {
        return Ok(());
    }
    let mut cluster = Cluster::open(url).await.context("opening the cluster")?;
    about.push(("PostgreSQL", cluster.settings().await?));
    let mut servers = Vec::new();
    for (side, binary) in binaries {
        servers.push(Server::start(side, binary, &cluster.url, &plan.folder)?);
    }
    let mut base = Base::open(cluster, servers, plan, lab).await?;
    let deadlocks = base.cluster.deadlocks().await?;
    postgres_read::run(&mut base, plan, lab).await?;
    if plan.includes("W7") {
        depth::run(&mut base, plan, lab).await?;
    }
    if plan.includes("W2") {
        postgres_upsert::unchanged_members(&mut base, plan, lab).await?;
    }
    if plan.includes("W1") {
        postgres_upsert::new_members(&mut base, plan, lab).await?;
    }
    if plan.includes(bulk::ONE_CALL) {
        bulk::one_call(&mut base, plan, lab).await?;
    }
    if plan.includes(import::ON_POSTGRES.import) {
        bulk::import(&mut base, plan, lab).await?;
    }
    if plan.includes(bulk::DELETION) {
        bulk::deletion(&mut base, plan, lab).await?;
    }
    for server in &base.servers {
        lab.record_memory("PostgreSQL", server).await?;
    }
    if plan.includes("start") {
        startup::run(&mut base, plan.rounds, lab).await?;
    }
    // A server's sessions report deadlocks when they end at the latest.
    for server in &mut base.servers {
        server.stop()?;
    }
    let deadlocks = base.cluster.deadlocks().await?.saturating_sub(deadlocks);
    lab.record("PostgreSQL", "deadlocks", deadlocks as f64, "");
    Ok(())
}
