//! What is counted elsewhere, or is the state of something: read when it is asked for.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::{
    app::{App, Changes},
    db::Db,
    types::{RowCounters, RowKind, RowOutcome, Time},
};

/// Has all of it told with the rest.
pub(super) fn register(registry: &mut Registry, app: &App) {
    let started = Time::now();
    registry.sub_registry_with_prefix("memberbase").register_collector(Box::new(Rows(app.rows.clone())));
    registry.sub_registry_with_prefix("memberbase_live").register_collector(Box::new(Live(app.changes.clone())));
    registry.sub_registry_with_prefix("memberbase_database").register_collector(Box::new(Database(app.db.clone())));
    registry.sub_registry_with_prefix("process").register_collector(Box::new(Process { started }));
}

#[derive(Debug)]
struct Rows(RowCounters);

impl Collector for Rows {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Rows of calls that were carried out, by what became of them.";
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
        gauge(&mut encoder, "subscriptions", "Subscriptions that are open.", None, subscriptions)?;
        counter(&mut encoder, "events", "Events that subscribers were given.", None, now.delivered)?;
        counter(&mut encoder, "events_missed", "Events that subscribers were too slow for.", None, now.missed)
    }
}

#[derive(Debug)]
struct Database(Db);

impl Collector for Database {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.0.connections();
        let mut family =
            encoder.encode_descriptor("connections", "Connections that are open.", None, MetricType::Gauge)?;
        for (state, connections) in [("idle", now.idle), ("used", now.used)] {
            ConstGauge::new(connections).encode(family.encode_family(&[("state", state)])?)?;
        }
        gauge(&mut encoder, "connections_max", "Connections that may be open.", None, now.max)?;
        let (count, time) = self.0.waits();
        counter(&mut encoder, "waits", "Waits for a connection.", None, count)?;
        let help = "How long connections were waited for.";
        counter(&mut encoder, "wait", help, Some(&Unit::Seconds), time.as_secs_f64())?;
        counter(
            &mut encoder,
            "statements",
            "Statements that were sent.",
            None,
            self.0.statements() + self.0.untracked().statements(),
        )
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
        gauge(&mut encoder, "start_time", "When the process started, since 1970.", Some(&Unit::Seconds), started)?;
        // Where the system does not tell, nothing is told.
        match resident_memory() {
            Some(bytes) => gauge(&mut encoder, "resident_memory", "Memory in use.", Some(&Unit::Bytes), bytes),
            None => Ok(()),
        }
    }
}

/// The memory that is in RAM, in bytes (Linux).
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
