//! The server, and the maxima of what it takes.

use std::{fmt, time::Duration};

use tokio::time::sleep;

use crate::{
    budgets::measure::{cpu_time, reset_peak},
    support::Process,
};

/// Further growth at which the server is killed, so that a failing test does not take the memory of the machine.
const KILLED_ABOVE_MIB: u64 = 1_024;

/// Lines of the log in a message.
const LOG_LINES: usize = 30;

/// The metrics in a report.
const METRICS: [&str; 4] = ["requests_memory_bytes", "requests_in_flight", "database_wait", "database_connections{"];

pub struct Watched {
    pub process: Process,
    memory_mib: u64,
    max_memory_mib: u64,
    descriptors: usize,
    max_descriptors: usize,
    cpu: Duration,
    /// The lines of the metrics about the memory of requests and the database.
    metrics: String,
}

impl Watched {
    pub fn new(process: Process) -> Self {
        reset_peak(&process);
        Self {
            process,
            memory_mib: 0,
            max_memory_mib: 0,
            descriptors: 0,
            max_descriptors: 0,
            cpu: Duration::ZERO,
            metrics: String::new(),
        }
    }

    /// Waits for a moment, and returns what is wrong with the server then.
    pub async fn watch(&mut self, max_memory_mib: u64) -> Option<String> {
        sleep(Duration::from_millis(250)).await;
        if !self.process.is_running() {
            return Some("the server has ended".to_owned());
        }
        self.cpu = cpu_time(&self.process);
        self.memory_mib = self.process.memory("VmRSS");
        self.max_memory_mib = self.process.memory("VmHWM");
        self.descriptors = self.process.descriptors();
        self.max_descriptors = self.max_descriptors.max(self.descriptors);
        if self.memory_mib > max_memory_mib + KILLED_ABOVE_MIB {
            self.process.kill();
        }
        let Self { max_memory_mib: peak, .. } = self;
        (*peak > max_memory_mib).then(|| format!("{peak} MiB resident, of {max_memory_mib} MiB"))
    }

    /// Reads the metrics for the next report.
    pub async fn read_metrics(&mut self) {
        let request = self.process.admin.head("/metrics", "").replacen("POST", "GET", 1);
        self.metrics = match self.process.admin.send(request.as_bytes()).await {
            Ok(response) => {
                let text = String::from_utf8_lossy(&response.body).into_owned();
                let names = METRICS.map(|name| format!("memberbase_{name}"));
                let lines = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
                lines.map(|line| line.trim_start_matches("memberbase_")).collect::<Vec<_>>().join(", ")
            }
            Err(error) => error,
        };
    }

    /// Returns the last lines of the log.
    pub fn log_end(&self) -> String {
        let log = self.process.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_mib, max_memory_mib, descriptors, max_descriptors, cpu, metrics, .. } = self;
        writeln!(
            formatter,
            "  server: {memory_mib} MiB, at most {max_memory_mib} MiB; {descriptors} descriptors, at most \
            {max_descriptors}; CPU time {cpu:.0?}\n  {metrics}"
        )
    }
}
