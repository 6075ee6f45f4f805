//! The report as tables and as JSON.

use std::{fmt::Write, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    bars::Bar,
    lab::{Lab, Row, Sample},
};

/// Returns the median of some values.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let center = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[center]),
        _ => Some(f64::midpoint(values[center - 1], values[center])),
    }
}

impl Row {
    /// Returns the rate per second in each round.
    pub fn rates(&self) -> Vec<f64> {
        let rate =
            |sample: &Sample| sample.timing.calls as f64 * self.per_call as f64 / sample.timing.elapsed.as_secs_f64();
        self.samples.iter().map(rate).collect()
    }

    /// Returns the median of a value over the rounds.
    pub fn median_of(&self, value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.samples.iter().filter_map(value).collect())
    }

    /// Returns the median of the ratios, each of two consecutive phases.
    pub fn ratio(&self, reference: &Self) -> Option<f64> {
        let pairs = self.rates().into_iter().zip(reference.rates());
        median(pairs.map(|(own, other)| own / other).collect())
    }
}

/// Returns a time divided by the number of calls, in milliseconds.
pub fn per_call(time: Option<Duration>, sample: &Sample) -> Option<f64> {
    time.map(|time| time.as_secs_f64() * 1e3 / (sample.timing.calls.max(1)) as f64)
}

/// Renders the table of all workloads.
pub fn table(lab: &Lab) -> String {
    let head = [
        "work",
        "clients",
        "side",
        "rate/s",
        "min..max",
        "ratio",
        "p50 ms",
        "p99 ms",
        "server CPU ms",
        "db CPU ms",
        "client CPU ms",
        "WAL B",
        "dead",
    ];
    let rows = lab.rows.iter().map(|row| {
        let reference = |other: &&Row| other.work == row.work && other.clients == row.clients && other.reference;
        let ratios: Vec<_> = match row.reference {
            true => Vec::new(),
            false => lab.rows.iter().filter(reference).filter_map(|other| row.ratio(other)).collect(),
        };
        let ratios: Vec<_> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        let rates = row.rates();
        let (least, most) =
            rates.iter().fold((f64::MAX, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
        let spread = format!("{}..{}", format_count(least), format_count(most));
        let quantile =
            |share| row.median_of(move |sample: &Sample| Some(sample.timing.quantile(share).as_secs_f64() * 1e3));
        let wal = row.median_of(|sample| Some(sample.wal? as f64 / sample.timing.calls.max(1) as f64));
        vec![
            row.work.to_owned(),
            row.clients.to_string(),
            row.side.clone(),
            format!("{} {}", format_count(median(rates).unwrap_or_default()), row.unit),
            spread,
            ratios.join(", "),
            format_value(quantile(0.5)),
            format_value(quantile(0.99)),
            format_value(row.median_of(|sample| per_call(sample.server, sample))),
            format_value(row.median_of(|sample| per_call(sample.database, sample))),
            format_value(row.median_of(|sample| per_call(sample.client, sample))),
            wal.map_or_else(String::new, format_count),
            row.median_of(|sample| sample.dead.map(|dead| dead as f64)).map_or_else(String::new, format_count),
        ]
    });
    markdown(&head, rows.collect())
}

/// Renders a Markdown table with aligned columns.
pub fn markdown(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: Vec<&str>| {
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
    };
    line(head.to_vec());
    line(widths.iter().map(|_| "---").collect());
    for row in &rows {
        line(row.iter().map(String::as_str).collect());
    }
    text
}

/// Formats a count or rate with about three digits.
pub fn format_count(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{:.2}M", value / 1e6),
        _ if value >= 1e5 => format!("{:.0}k", value / 1e3),
        _ if value >= 1e4 => format!("{:.1}k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}

/// Formats a value with about three digits.
pub fn format_value(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(0.0) => "0".to_owned(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) if value >= 1.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

/// Renders the values that were measured once.
pub fn metrics(lab: &Lab) -> String {
    let rows = lab.metrics.iter().map(|metric| {
        vec![
            metric.side.clone(),
            metric.what.clone(),
            format!("{} {}", format_value(Some(metric.value)), metric.unit).trim_end().to_owned(),
        ]
    });
    markdown(&["side", "metric", "value"], rows.collect())
}

/// Renders all results as JSON.
pub fn json(lab: &Lab, bars: &[(String, Vec<Bar>)], about: &[(&'static str, String)]) -> Value {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let sample = |sample: &Sample, rate: f64| {
        json!({
            "rate": rate, "calls": sample.timing.calls, "seconds": sample.timing.elapsed.as_secs_f64(),
            "p50Milliseconds": millis(sample.timing.quantile(0.5)), "p99Milliseconds": millis(sample.timing.quantile(0.99)),
            "serverCpuMilliseconds": per_call(sample.server, sample), "databaseCpuMilliseconds": per_call(sample.database, sample),
            "clientCpuMilliseconds": per_call(sample.client, sample),
            "walBytes": sample.wal, "deadRows": sample.dead, "peakBytes": sample.peak,
        })
    };
    let rows = lab.rows.iter().map(|row| {
        let samples: Vec<_> = row.samples.iter().zip(row.rates()).map(|(one, rate)| sample(one, rate)).collect();
        json!({
            "work": row.work, "clients": row.clients, "side": row.side, "reference": row.reference, "unit": row.unit,
            "perCall": row.per_call, "rounds": samples,
        })
    });
    let metrics = lab
        .metrics
        .iter()
        .map(|metric| json!({"side": metric.side, "what": metric.what, "value": metric.value, "unit": metric.unit}));
    let bars = bars.iter().flat_map(|(side, bars)| {
        bars.iter().map(move |bar| {
            json!({
                "side": side, "what": bar.what, "atLeast": bar.at_least, "bar": bar.bar, "unit": bar.unit,
                "reached": bar.reached, "met": bar.met(),
            })
        })
    });
    let about: Map<_, _> =
        about.iter().map(|(what, value)| ((*what).to_owned(), Value::from(value.as_str()))).collect();
    json!({
        "about": about, "rows": rows.collect::<Vec<_>>(), "facts": metrics.collect::<Vec<_>>(),
        "bars": bars.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_of_the_sorted_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
