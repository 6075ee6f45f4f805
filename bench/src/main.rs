//! Measures a server against the same SQL through a bare client; see docs/performance.md.

mod base;
mod cluster;
mod drive;
mod http;
mod ids;
mod lab;
mod members;
mod postgres;
mod postgres_read;
mod postgres_upsert;
mod process;
mod read;
mod report;
mod server;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::{
    base::Base,
    cluster::Cluster,
    lab::{Lab, Plan},
    server::Server,
};

/// Measures a server against the same SQL through a bare client.
#[derive(Parser)]
struct Options {
    /// The server's binary.
    #[arg(long, default_value = "target/release/memberbase")]
    server: PathBuf,
    /// Another binary, which is measured in turns with the first.
    #[arg(long)]
    compare: Option<PathBuf>,
    /// A cluster on this machine that trusts us: `postgres://user@host:port/database`.
    #[arg(long, env = "MEMBERBASE_TEST_POSTGRES_URL")]
    postgres: String,
    /// How many members are there.
    #[arg(long, default_value_t = 1_000_000)]
    members: usize,
    /// How often each phase is done.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long a phase is.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// The workloads, separated by commas; all of them unless given.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the results go, and while it runs the logs.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
}

fn main() -> Result<()> {
    let options = Options::parse();
    // One thread: a client of its own for each core would take the cores from the server.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options))
}

async fn run(options: Options) -> Result<()> {
    ensure!(options.members >= 100_000 && options.rounds > 0, "at least 100,000 members and one round are needed");
    fs::create_dir_all(&options.folder)?;
    let plan = Plan {
        members: options.members,
        doomed: options.members / 10,
        rounds: options.rounds,
        time: Duration::try_from_secs_f64(options.seconds)?,
        only: options.only,
        folder: options.folder.clone(),
    };
    let mut lab = Lab::default();
    let mut cluster = Cluster::open(&options.postgres).await.context("opening the cluster")?;
    println!("PostgreSQL: {}", cluster.settings().await?);
    let mut servers = vec![Server::start("server", &options.server, &cluster.url, &plan.folder)?];
    if let Some(other) = &options.compare {
        servers.push(Server::start("compared", other, &cluster.url, &plan.folder)?);
    }
    let mut base = Base::open(cluster, servers, &plan).await?;
    postgres_read::run(&mut base, &plan, &mut lab).await?;
    if plan.wants("W2") {
        postgres_upsert::unchanged_members(&mut base, &plan, &mut lab).await?;
    }
    if plan.wants("W1") {
        postgres_upsert::new_members(&mut base, &plan, &mut lab).await?;
    }
    println!("{}", report::table(&lab));
    Ok(())
}
