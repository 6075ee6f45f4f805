//! The targets for the server.

use crate::{
    base::FIRST_LOAD,
    bulk::{DELETION, ONE_CALL},
    depth::{far_page, first_page},
    lab::{Lab, MIB, Row, Sample},
    postgres_upsert::{BARE, KEYED},
    read::CLIENTS,
    report::{figure, markdown, median, per_call},
    sqlite,
};

/// A target and the measured value.
pub struct Bar {
    pub what: String,
    /// Whether the value must be at least `bar`; otherwise at most.
    pub at_least: bool,
    pub bar: f64,
    pub unit: &'static str,
    /// The measured value; `None` if it was not measured.
    pub reached: Option<f64>,
}

impl Bar {
    /// Returns whether the target is met; `None` if it was not measured.
    pub fn met(&self) -> Option<bool> {
        self.reached.map(|reached| if self.at_least { reached >= self.bar } else { reached <= self.bar })
    }
}

/// Compares the measurements of one server with the targets.
struct Judge<'l> {
    lab: &'l Lab,
    side: &'l str,
    bars: Vec<Bar>,
}

/// Returns all targets for one server.
pub fn judge(lab: &Lab, side: &str) -> Vec<Bar> {
    let mut judge = Judge { lab, side, bars: Vec::new() };
    judge.upserts();
    judge.reads();
    judge.bulk();
    judge.sqlite();
    for database in ["PostgreSQL", "SQLite"] {
        let resident = lab.fact(side, &format!("resident memory in the end, {database}"));
        judge.at_most(format!("resident memory after all of it, {database}"), 64.0, "MiB", resident);
        let grown = lab.fact(side, &format!("growth of memory under mixed load, {database}"));
        judge.at_most(format!("growth of memory under mixed load, {database}"), 5.0, "%", grown);
    }
    judge.at_most("start to first answer".to_owned(), 2_000.0, "ms", lab.fact(side, "start to first answer"));
    judge.bars
}

impl Judge<'_> {
    fn upserts(&mut self) {
        for clients in [1, 4] {
            let work = format!("W1, {clients} at once");
            self.ratio(format!("{work}: of the same SQL"), 0.95, "W1", clients, BARE);
            self.ratio(format!("{work}: of an INSERT under a foreign key"), 1.3, "W1", clients, KEYED);
            self.at_most(format!("{work}: server CPU a call"), 1.5, "ms", self.server("W1", clients));
        }
        self.at_most("deadlocks".to_owned(), 0.0, "", self.lab.fact("PostgreSQL", "deadlocks"));
        for clients in [1, 4] {
            let work = format!("W2, {clients} at once");
            self.ratio(format!("{work}: of the read alone"), 0.9, "W2", clients, BARE);
            let wal = |sample: &Sample| Some(sample.wal? as f64 / sample.timing.calls.max(1) as f64);
            self.at_most(format!("{work}: WAL a call"), 1_024.0, "B", self.middle("W2", clients, wal));
            let dead = |sample: &Sample| sample.dead.map(|dead| dead as f64);
            self.at_most(format!("{work}: dead rows"), 0.0, "", self.middle("W2", clients, dead));
            self.at_most(format!("{work}: server CPU a call"), 1.0, "ms", self.server("W2", clients));
        }
    }

    fn reads(&mut self) {
        for (work, bar) in [("W3", 0.38), ("W4", 0.5), ("W5", 0.7), ("W6", 0.72)] {
            self.ratio(format!("{work}: of the bare client"), bar, work, CLIENTS, BARE);
        }
        let both = |sample: &Sample| Some(per_call(sample.server, sample)? + per_call(sample.database, sample)?);
        self.at_most("W3: CPU of server and PostgreSQL".to_owned(), 0.045, "ms", self.middle("W3", CLIENTS, both));
        self.at_most("W5: server CPU a page".to_owned(), 0.25, "ms", self.server("W5", CLIENTS));
        let half = |side: &str| {
            let row = self.lab.find("W7", 1, side)?;
            row.middle(|sample| Some(sample.timing.quantile(0.5).as_secs_f64()))
        };
        let latency = half(&far_page(self.side)).zip(half(&first_page(self.side))).map(|(far, first)| far / first);
        self.at_most("W7: latency of the far page to the first".to_owned(), 1.1, "", latency);
    }

    fn bulk(&mut self) {
        let calls = self.row("W1", 4).and_then(|row| median(row.rates()));
        let first = self.lab.fact(self.side, FIRST_LOAD).zip(calls).map(|(first, calls)| first / calls);
        self.at_least("first load, PostgreSQL: of the rate of W1".to_owned(), 0.8, first);
        self.one_call("PostgreSQL", "W1", ONE_CALL);
        self.ratio("deletion: of the bare statements".to_owned(), 0.8, DELETION, 1, BARE);
    }

    fn sqlite(&mut self) {
        self.ratio("SQLite W1: of rusqlite".to_owned(), 0.6, sqlite::UPSERT, 1, sqlite::BARE);
        self.ratio("SQLite W2: of rusqlite".to_owned(), 0.6, sqlite::UNCHANGED, 1, sqlite::BARE);
        for (work, size, _) in sqlite::PAGES {
            self.ratio(format!("SQLite pages of {size}: of rusqlite"), 0.5, work, CLIENTS, sqlite::BARE);
        }
        self.one_call("SQLite", sqlite::UPSERT, sqlite::ONE_CALL);
    }

    /// Compares one call with all members with calls of 5,000 members.
    fn one_call(&mut self, database: &str, calls: &str, one: &str) {
        let rate = |work: &str| median(self.row(work, 1)?.rates());
        let rates = rate(one).zip(rate(calls)).map(|(one, many)| one / many);
        self.at_least(format!("one call, {database}: of the rate of W1"), 0.8, rates);
        let peak = self.middle(one, 1, |sample: &Sample| Some(sample.peak? as f64 / MIB));
        self.at_most(format!("one call, {database}: peak memory"), 512.0, "MiB", peak);
    }

    fn row(&self, work: &str, clients: usize) -> Option<&Row> {
        self.lab.find(work, clients, self.side)
    }

    fn middle(&self, work: &str, clients: usize, figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        self.row(work, clients)?.middle(figure)
    }

    fn server(&self, work: &str, clients: usize) -> Option<f64> {
        self.middle(work, clients, |sample| per_call(sample.server, sample))
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

/// Renders the targets as a table.
pub fn table(bars: &[Bar]) -> String {
    let rows = bars.iter().map(|bar| {
        let verdict = match bar.met() {
            None => "not measured",
            Some(true) => "met",
            Some(false) => "MISSED",
        };
        let limit = if bar.at_least { "at least" } else { "at most" };
        let reached = bar.reached.map_or_else(String::new, |reached| format!("{} {}", figure(Some(reached)), bar.unit));
        vec![
            bar.what.clone(),
            format!("{limit} {} {}", bar.bar, bar.unit).trim_end().to_owned(),
            reached.trim_end().to_owned(),
            verdict.to_owned(),
        ]
    });
    markdown(&["what", "bar", "reached", "verdict"], rows.collect())
}
