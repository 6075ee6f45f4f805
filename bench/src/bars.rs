//! The bars: targets for the server.

use crate::{
    base::FIRST_LOAD,
    bulk::{DELETION, ONE_CALL},
    depth::{far_page, first_page},
    import::{self, Names},
    lab::{Lab, MIB, Row, Sample},
    postgres_upsert::{BARE, KEYED},
    read::CLIENTS,
    report::{format_value, markdown, median, per_call},
    sqlite,
};

/// A bar and the measured value.
pub struct Bar {
    pub what: String,
    /// True if the value must be at least `bar`, false if at most.
    pub at_least: bool,
    pub bar: f64,
    pub unit: &'static str,
    /// The measured value; `None` if it was not measured.
    pub reached: Option<f64>,
}

impl Bar {
    /// Returns whether the bar is met; `None` if it was not measured.
    pub fn met(&self) -> Option<bool> {
        self.reached.map(|reached| if self.at_least { reached >= self.bar } else { reached <= self.bar })
    }
}

/// Compares the measurements of one server with the bars.
struct Evaluation<'l> {
    lab: &'l Lab,
    side: &'l str,
    bars: Vec<Bar>,
}

/// Returns all bars for one server.
pub fn evaluate(lab: &Lab, side: &str) -> Vec<Bar> {
    let mut evaluation = Evaluation { lab, side, bars: Vec::new() };
    evaluation.upserts();
    evaluation.reads();
    evaluation.bulk();
    evaluation.sqlite();
    for database in ["PostgreSQL", "SQLite"] {
        let resident = lab.metric(side, &format!("resident memory at the end, {database}"));
        evaluation.at_most(format!("resident memory after all workloads, {database}"), 64.0, "MiB", resident);
        let grown = lab.metric(side, &format!("growth of memory under mixed load, {database}"));
        evaluation.at_most(format!("growth of memory under mixed load, {database}"), 5.0, "%", grown);
    }
    evaluation.at_most(
        "start to first response".to_owned(),
        2_000.0,
        "ms",
        lab.metric(side, "start to first response"),
    );
    evaluation.bars
}

impl Evaluation<'_> {
    fn upserts(&mut self) {
        for clients in [1, 4] {
            let work = format!("W1, {clients} clients");
            self.ratio(format!("{work}: ratio to the same SQL"), 0.95, "W1", clients, BARE);
            self.ratio(format!("{work}: ratio to an INSERT with a foreign key"), 1.3, "W1", clients, KEYED);
            self.at_most(format!("{work}: server CPU per call"), 1.5, "ms", self.server("W1", clients));
        }
        self.at_most("deadlocks".to_owned(), 0.0, "", self.lab.metric("PostgreSQL", "deadlocks"));
        for clients in [1, 4] {
            let work = format!("W2, {clients} clients");
            self.ratio(format!("{work}: ratio to the read alone"), 0.9, "W2", clients, BARE);
            let wal = |sample: &Sample| Some(sample.wal? as f64 / sample.timing.calls.max(1) as f64);
            self.at_most(format!("{work}: WAL per call"), 1_024.0, "B", self.median_of("W2", clients, wal));
            let dead = |sample: &Sample| sample.dead.map(|dead| dead as f64);
            self.at_most(format!("{work}: dead rows"), 0.0, "", self.median_of("W2", clients, dead));
            self.at_most(format!("{work}: server CPU per call"), 1.0, "ms", self.server("W2", clients));
        }
    }

    fn reads(&mut self) {
        for (work, bar) in [("W3", 0.38), ("W4", 0.5), ("W5", 0.7), ("W6", 0.72)] {
            self.ratio(format!("{work}: ratio to the bare client"), bar, work, CLIENTS, BARE);
        }
        let both = |sample: &Sample| Some(per_call(sample.server, sample)? + per_call(sample.database, sample)?);
        self.at_most("W3: CPU of server and PostgreSQL".to_owned(), 0.045, "ms", self.median_of("W3", CLIENTS, both));
        self.at_most("W5: server CPU per page".to_owned(), 0.25, "ms", self.server("W5", CLIENTS));
        let half = |side: &str| {
            let row = self.lab.find("W7", 1, side)?;
            row.median_of(|sample| Some(sample.timing.quantile(0.5).as_secs_f64()))
        };
        let latency = half(&far_page(self.side)).zip(half(&first_page(self.side))).map(|(far, first)| far / first);
        self.at_most("W7: latency of the far page relative to the first".to_owned(), 1.1, "", latency);
    }

    fn bulk(&mut self) {
        let calls = self.row("W1", 4).and_then(|row| median(row.rates()));
        let first = self.lab.metric(self.side, FIRST_LOAD).zip(calls).map(|(first, calls)| first / calls);
        self.at_least("first load, PostgreSQL: ratio to the rate of W1".to_owned(), 0.8, first);
        self.one_call("PostgreSQL", "W1", ONE_CALL);
        self.import("PostgreSQL", &import::ON_POSTGRES);
        self.ratio("deletion: ratio to the bare statements".to_owned(), 0.8, DELETION, 1, BARE);
    }

    fn sqlite(&mut self) {
        self.ratio("SQLite W1: ratio to rusqlite".to_owned(), 0.6, sqlite::UPSERT, 1, sqlite::BARE);
        self.ratio("SQLite W2: ratio to rusqlite".to_owned(), 0.6, sqlite::UNCHANGED, 1, sqlite::BARE);
        for (work, size, _) in sqlite::PAGES {
            self.ratio(format!("SQLite pages of {size}: ratio to rusqlite"), 0.5, work, CLIENTS, sqlite::BARE);
        }
        self.one_call("SQLite", sqlite::UPSERT, sqlite::ONE_CALL);
        self.import("SQLite", &import::ON_SQLITE);
    }

    /// Compares one call with all members with calls of 5,000 members.
    fn one_call(&mut self, database: &str, calls: &str, one: &str) {
        let rate = |work: &str| median(self.row(work, 1)?.rates());
        let rates = rate(one).zip(rate(calls)).map(|(one, many)| one / many);
        self.at_least(format!("one call, {database}: ratio to the rate of W1"), 0.8, rates);
        let peak = self.median_of(one, 1, |sample: &Sample| Some(sample.peak? as f64 / MIB));
        self.at_most(format!("one call, {database}: peak memory"), 512.0, "MiB", peak);
    }

    /// Compares an import with calls of its rows.
    fn import(&mut self, database: &str, names: &Names) {
        let rate = |work: &str, clients: usize| median(self.row(work, clients)?.rates());
        let rates = rate(names.import, 1).zip(rate(names.calls, import::CLIENTS)).map(|(one, many)| one / many);
        self.at_least(format!("import, {database}: ratio to the rate of calls"), 0.9, rates);
        let memory = self.lab.metric(self.side, names.memory);
        self.at_most(format!("import, {database}: memory above that at its beginning"), 96.0, "MiB", memory);
    }

    fn row(&self, work: &str, clients: usize) -> Option<&Row> {
        self.lab.find(work, clients, self.side)
    }

    fn median_of(&self, work: &str, clients: usize, value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        self.row(work, clients)?.median_of(value)
    }

    fn server(&self, work: &str, clients: usize) -> Option<f64> {
        self.median_of(work, clients, |sample| per_call(sample.server, sample))
    }

    fn ratio(&mut self, what: String, bar: f64, work: &str, clients: usize, reference: &str) {
        let other = self.lab.find(work, clients, reference);
        let reached = self.row(work, clients).zip(other).and_then(|(own, other)| own.ratio(other));
        self.at_least(what, bar, reached);
    }

    fn at_least(&mut self, what: String, bar: f64, reached: Option<f64>) {
        self.bars.push(Bar { what, at_least: true, bar, unit: "", reached });
    }

    fn at_most(&mut self, what: String, bar: f64, unit: &'static str, reached: Option<f64>) {
        self.bars.push(Bar { what, at_least: false, bar, unit, reached });
    }
}

/// Renders the bars as a table.
pub fn table(bars: &[Bar]) -> String {
    let rows = bars.iter().map(|bar| {
        let verdict = match bar.met() {
            None => "not measured",
            Some(true) => "met",
            Some(false) => "MISSED",
        };
        let limit = if bar.at_least { "at least" } else { "at most" };
        let reached =
            bar.reached.map_or_else(String::new, |reached| format!("{} {}", format_value(Some(reached)), bar.unit));
        vec![
            bar.what.clone(),
            format!("{limit} {} {}", bar.bar, bar.unit).trim_end().to_owned(),
            reached.trim_end().to_owned(),
            verdict.to_owned(),
        ]
    });
    markdown(&["metric", "bar", "measured", "verdict"], rows.collect())
}
