//! Latencies and errors of the ordinary client.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

/// Errors that are kept; further ones are counted.
const MAX_ERRORS: usize = 20;

/// The latencies of requests by kind, and the errors.
#[derive(Debug)]
pub struct Latencies {
    begun: Instant,
    records: Mutex<Records>,
}

#[derive(Debug, Default)]
struct Records {
    by_kind: BTreeMap<&'static str, Vec<Duration>>,
    /// Not of requests: the time until the subscription has seen a write.
    events: Vec<Duration>,
    missed: usize,
    errors: Vec<String>,
    error_count: usize,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { begun: Instant::now(), records: Mutex::default() }
    }
}

impl Latencies {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap()
    }

    pub fn request(&self, kind: &'static str, latency: Duration) {
        self.records().by_kind.entry(kind).or_default().push(latency);
    }

    pub fn event(&self, latency: Duration) {
        self.records().events.push(latency);
    }

    /// Counts an event that reports that others are lost.
    pub fn missed(&self) {
        self.records().missed += 1;
    }

    pub fn error(&self, error: impl fmt::Display) {
        let text = format!("after {:.1?}: {error}", self.begun.elapsed());
        let mut records = self.records();
        records.error_count += 1;
        if records.errors.len() < MAX_ERRORS {
            records.errors.push(text);
        }
    }

    pub fn errors(&self) -> Vec<String> {
        self.records().errors.clone()
    }

    pub fn has_missed(&self) -> bool {
        self.records().missed > 0
    }

    /// Returns the 99th percentile of the requests whose kind is included.
    pub fn p99(&self, includes: impl Fn(&str) -> bool) -> Duration {
        let records = self.records();
        let included = records.by_kind.iter().filter(|(kind, _)| includes(kind));
        let mut latencies = included.flat_map(|(_, latencies)| latencies.iter().copied()).collect::<Vec<_>>();
        latencies.sort_unstable();
        percentile(&latencies, 99)
    }
}

/// Returns a percentile of sorted values.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn line(formatter: &mut fmt::Formatter<'_>, name: &str, mut values: Vec<Duration>) -> fmt::Result {
    values.sort_unstable();
    let [p50, p99, max] = [50, 99, 100].map(|percent| percentile(&values, percent));
    writeln!(formatter, "  {name:12} {:7}  p50 {p50:9.2?}  p99 {p99:9.2?}  max {max:9.2?}", values.len())
}

impl fmt::Display for Latencies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.records();
        for (kind, latencies) in &records.by_kind {
            line(formatter, kind, latencies.clone())?;
        }
        line(formatter, "all requests", records.by_kind.values().flatten().copied().collect())?;
        line(formatter, "events", records.events.clone())?;
        writeln!(formatter, "  {} errors, {} reports of missed events", records.error_count, records.missed)
    }
}
