//! Measurement of phases, and the collected results.

use std::{path::PathBuf, time::Duration};

use anyhow::Result;

use crate::{cluster::Cluster, drive::Timing, process, server::Server};

/// Idle time of a server before its memory is measured.
const IDLE_TIME: Duration = Duration::from_secs(3);

pub const MIB: f64 = 1_048_576.0;

/// The options of a run.
pub struct Plan {
    pub members: usize,
    pub to_delete: usize,
    pub rounds: usize,
    pub time: Duration,
    /// The workloads to run; all if empty.
    pub only: Vec<String>,
    /// The folder for temporary files and logs.
    pub folder: PathBuf,
}

impl Plan {
    /// Returns whether the workload is to run.
    pub fn includes(&self, work: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.replace('-', " ").eq_ignore_ascii_case(work))
    }
}

/// The measurements of one phase of one side.
#[derive(Clone, Debug)]
pub struct Sample {
    pub timing: Timing,
    /// Processor time of the whole phase.
    pub server: Option<Duration>,
    pub database: Option<Duration>,
    pub client: Option<Duration>,
    /// Bytes of write-ahead log of the whole phase.
    pub wal: Option<u64>,
    pub dead: Option<u64>,
    /// The server's peak memory in bytes, if requested.
    pub peak: Option<u64>,
}

/// All phases of one side of a workload.
pub struct Row {
    pub work: &'static str,
    pub clients: usize,
    /// The server or the reference.
    pub side: String,
    pub reference: bool,
    /// The unit of the rate: requests or members.
    pub unit: &'static str,
    /// The number of units in a call.
    pub per_call: usize,
    pub samples: Vec<Sample>,
}

/// A workload as the table shows it.
#[derive(Clone, Copy)]
pub struct Work {
    pub name: &'static str,
    pub clients: usize,
    pub unit: &'static str,
    pub per_call: usize,
}

/// A value that is measured once.
pub struct Metric {
    pub side: String,
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
}

/// All results.
#[derive(Default)]
pub struct Lab {
    pub rows: Vec<Row>,
    pub metrics: Vec<Metric>,
}

impl Lab {
    /// Records a phase of a server or of the reference.
    pub fn record_phase(&mut self, work: Work, side: &str, reference: bool, sample: Sample) {
        let known = |row: &&mut Row| row.work == work.name && row.clients == work.clients && row.side == side;
        if let Some(row) = self.rows.iter_mut().find(known) {
            return row.samples.push(sample);
        }
        let Work { name, clients, unit, per_call } = work;
        let side = side.to_owned();
        self.rows.push(Row { work: name, clients, side, reference, unit, per_call, samples: vec![sample] });
    }

    /// Records a value that is measured once.
    pub fn record(&mut self, side: &str, what: &str, value: f64, unit: &'static str) {
        self.metrics.push(Metric { side: side.to_owned(), what: what.to_owned(), value, unit });
    }

    /// Records the largest of the values that are measured in several rounds.
    pub fn record_largest(&mut self, side: &str, what: &str, value: f64, unit: &'static str) {
        match self.metrics.iter_mut().find(|metric| metric.side == side && metric.what == what) {
            Some(metric) => metric.value = metric.value.max(value),
            None => self.record(side, what, value, unit),
        }
    }

    /// Records the resident memory of a server after a short idle time.
    pub async fn record_memory(&mut self, database: &str, server: &Server) -> Result<()> {
        tokio::time::sleep(IDLE_TIME).await;
        let bytes = process::memory(server.pid, "VmRSS")?;
        self.record(&server.name, &format!("resident memory at the end, {database}"), bytes as f64 / MIB, "MiB");
        Ok(())
    }

    /// Returns a value that was measured once.
    pub fn metric(&self, side: &str, what: &str) -> Option<f64> {
        self.metrics.iter().find(|metric| metric.side == side && metric.what == what).map(|metric| metric.value)
    }

    /// Returns the phases of a side.
    pub fn find(&self, work: &str, clients: usize, side: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.work == work && row.clients == clients && row.side == side)
    }
}

/// The counters at the beginning of a phase.
pub struct Meter {
    server: Option<(u32, Duration)>,
    database: Option<Duration>,
    client: Duration,
    wal: Option<u64>,
    dead: Option<u64>,
    peak: bool,
}

impl Meter {
    /// Reads the counters. `counting` includes dead rows, which takes a moment.
    pub async fn begin(server: Option<&Server>, mut cluster: Option<&mut Cluster>, counting: bool) -> Result<Self> {
        let (mut wal, mut dead) = (None, None);
        if let Some(cluster) = &mut cluster {
            if counting {
                dead = cluster.dead().await?;
            }
            wal = Some(cluster.wal().await?);
        }
        Ok(Self {
            server: server.map(|server| Ok::<_, anyhow::Error>((server.pid, process::cpu(server.pid)?))).transpose()?,
            database: cluster.map(|cluster| cluster.cpu()).transpose()?,
            client: process::cpu(std::process::id())?,
            wal,
            dead,
            peak: false,
        })
    }

    /// Resets the server's peak memory, and measures it at the end.
    pub fn with_peak(mut self) -> Result<Self> {
        if let Some((pid, _)) = self.server {
            process::reset_peak(pid)?;
            self.peak = true;
        }
        Ok(self)
    }

    /// Reads the counters again and returns the differences.
    pub async fn end(self, timing: Timing, mut cluster: Option<&mut Cluster>) -> Result<Sample> {
        let client = process::cpu(std::process::id())?.saturating_sub(self.client);
        let mut peak = None;
        let server = match self.server {
            Some((pid, before)) => {
                if self.peak {
                    peak = Some(process::memory(pid, "VmHWM")?);
                }
                Some(process::cpu(pid)?.saturating_sub(before))
            }
            None => None,
        };
        let mut sample = Sample { timing, server, database: None, client: Some(client), wal: None, dead: None, peak };
        if let Some(cluster) = &mut cluster {
            if let Some(before) = self.database {
                sample.database = Some(cluster.cpu()?.saturating_sub(before));
            }
            if let Some(before) = self.wal {
                sample.wal = Some(cluster.wal().await?.saturating_sub(before));
            }
            if let Some(before) = self.dead {
                sample.dead = cluster.dead().await?.map(|now| now.saturating_sub(before));
            }
        }
        Ok(sample)
    }
}
