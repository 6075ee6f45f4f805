//! The PostgreSQL cluster: the database of the bench, and statistics.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{postgres::Postgres, process};

const DATABASE: &str = "memberbase_bench";

/// The bench's database in a local cluster in which we are superuser.
pub struct Cluster {
    /// The URL of the database.
    pub url: String,
    pub admin: Postgres,
    postmaster: u32,
    /// True if dead rows can be counted.
    counts: bool,
}

impl Cluster {
    /// Opens the database, and creates it if it does not exist.
    pub async fn open(url: &str) -> Result<Self> {
        let mut root = Postgres::connect(url).await?;
        let exists = root.run(&format!("SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")).await?;
        if exists.is_empty() {
            root.run(&format!("CREATE DATABASE {DATABASE}")).await?;
        }
        let server = url.rsplit_once('/').context("the URL names no database")?.0;
        let url = format!("{server}/{DATABASE}");
        let mut admin = Postgres::connect(&url).await?;
        let file = admin.value("SELECT pg_read_file('postmaster.pid')").await?;
        let postmaster = file.lines().next().context("no postmaster")?.parse()?;
        // The extension is in PostgreSQL's contrib package, which may be missing.
        let counts = admin.run("CREATE EXTENSION IF NOT EXISTS pgstattuple").await.is_ok();
        admin.run("SET client_min_messages = error").await?;
        Ok(Self { url, admin, postmaster, counts })
    }

    /// Opens a connection of the bare client with the session settings that the server uses.
    pub async fn connect(&self) -> Result<Postgres> {
        let mut client = Postgres::connect(&self.url).await?;
        client.run("SET plan_cache_mode = force_generic_plan; SET jit = off").await?;
        Ok(client)
    }

    /// Returns the processor time of all processes of PostgreSQL.
    pub fn cpu(&self) -> Result<Duration> {
        process::cpu_of_family(self.postmaster)
    }

    /// Returns the position of the write-ahead log in bytes.
    pub async fn wal(&mut self) -> Result<u64> {
        Ok(self.admin.value("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").await?.parse()?)
    }

    /// Returns the number of dead rows of members.
    pub async fn dead(&mut self) -> Result<Option<u64>> {
        if !self.counts {
            return Ok(None);
        }
        let sql = "SELECT dead_tuple_count FROM pgstattuple('member')";
        Ok(Some(self.admin.value(sql).await?.parse()?))
    }

    /// Returns the number of deadlocks. Sessions report them within ten seconds.
    pub async fn deadlocks(&mut self) -> Result<u64> {
        let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        Ok(self.admin.value(sql).await?.parse()?)
    }

    /// Returns the settings that matter, for the report.
    pub async fn settings(&mut self) -> Result<String> {
        let sql = "SELECT string_agg(name || ' ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings \
            WHERE name IN ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', \
            'effective_cache_size', 'max_wal_size', 'checkpoint_timeout', 'random_page_cost', 'wal_compression', \
            'autovacuum', 'data_checksums', 'work_mem')";
        self.admin.value(sql).await
    }

    /// Runs a checkpoint, so that all phases that write begin alike.
    pub async fn checkpoint(&mut self) -> Result<()> {
        self.admin.run("CHECKPOINT").await.map(drop)
    }
}
