//! Collectors of metrics that are counted elsewhere or are a present state: read on each scrape.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::{
    app::{App, Changes},
    budget::Account,
    db::Db,
    types::{RowCounters, RowKind, RowOutcome, Time},
};

pub(super) fn register(registry: &mut Registry, app: &App) {
    let started = Time::now();
    registry.sub_registry_with_prefix("memberbase").register_collector(Box::new(Rows(app.rows.clone())));
    registry.sub_registry_with_prefix("memberbase_live").register_collector(Box::new(Live(app.changes.clone())));
    registry.sub_registry_with_prefix("memberbase_database").register_collector(Box::new(Database(app.db.clone())));
    registry.sub_registry_with_prefix("memberbase_requests").register_collector(Box::new(Memory(app.memory.clone())));
    registry.sub_registry_with_prefix("process").register_collector(Box::new(Process { started }));
}

#[derive(Debug)]
struct Rows(RowCounters);

impl Collector for Rows {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Rows of committed calls, by outcome.";
        let mut family = encoder.encode_descriptor("rows", help, None, MetricType::Counter)?;
        for kind in RowKind::ALL {
            for outcome in RowOutcome::ALL {
                let labels = [("kind", kind.as_str()), ("outcome", outcome.as_str())];
                let rows = ConstCounter::new(self.0.process().get(kind, outcome));
                rows.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Live(Changes);

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.0.counts();
        let subscriptions = u64::try_from(now.subscriptions).unwrap_or(u64::MAX);
        gauge(&mut encoder, "subscriptions", "Open subscriptions.", None, subscriptions)?;
        counter(&mut encoder, "events", "Events delivered to subscribers.", None, now.delivered)?;
        counter(&mut encoder, "events_missed", "Events dropped because subscribers were too slow.", None, now.missed)
    }
}

#[derive(Debug)]
struct Database(Db);

impl Collector for Database {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.0.connections();
        let mut family =
            encoder.encode_descriptor("connections", "Open connections to the database.", None, MetricType::Gauge)?;
        for (state, connections) in [("idle", now.idle), ("used", now.used)] {
            ConstGauge::new(connections).encode(family.encode_family(&[("state", state)])?)?;
        }
        gauge(&mut encoder, "connections_max", "Maximum number of connections to the database.", None, now.max)?;
        // Absent on PostgreSQL.
        if let Some(bytes) = self.0.sqlite_wal_bytes() {
            gauge(&mut encoder, "wal", "Size of SQLite's write-ahead log.", Some(&Unit::Bytes), bytes)?;
        }
        let (count, time) = self.0.waits();
        counter(
            &mut encoder,
            "waits",
            "Waits for a database connection or a turn to write, including those that timed out.",
            None,
            count,
        )?;
        let help = "Total duration of waits for a database connection or a turn to write.";
        counter(&mut encoder, "wait", help, Some(&Unit::Seconds), time.as_secs_f64())?;
        counter(
            &mut encoder,
            "statements",
            "Statements sent to the database.",
            None,
            self.0.statements() + self.0.untracked().statements(),
        )
    }
}

#[derive(Debug)]
struct Memory(Account);

impl Collector for Memory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Memory drawn by the requests in progress.";
        gauge(&mut encoder, "memory", help, Some(&Unit::Bytes), self.0.used() as u64)?;
        let help = "Maximum memory of all requests together.";
        gauge(&mut encoder, "memory_max", help, Some(&Unit::Bytes), self.0.bytes() as u64)
    }
}

#[derive(Debug)]
struct Process {
    started: Time,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "microseconds are exact for two centuries")]
        let started = self.started.micros() as f64 / 1e6;
        gauge(
            &mut encoder,
            "start_time",
            "Start time of the process since 1970-01-01 UTC.",
            Some(&Unit::Seconds),
            started,
        )?;
        // Absent on systems that do not report it.
        match resident_memory() {
            Some(bytes) => {
                gauge(&mut encoder, "resident_memory", "Resident memory of the process.", Some(&Unit::Bytes), bytes)
            }
            None => Ok(()),
        }
    }
}

/// Returns the resident memory in bytes (Linux; <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>).
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
}

fn counter<N>(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, unit: Option<&Unit>, value: N) -> fmt::Result
where
    ConstCounter<N>: EncodeMetric,
{
    ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Counter)?)
}
