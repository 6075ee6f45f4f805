//! The summary of a run, as a table or as JSON.

use std::time::Duration;

use serde::Serialize;

/// What became of a run.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(crate) memberbase_id: String,
    /// The sync that it opened, if any.
    pub(crate) sync_id: Option<String>,
    /// Whether it only tried.
    pub(crate) dry_run: bool,
    /// Whether all of the file was stored, and what is missing deleted if that was asked for.
    pub(crate) complete: bool,
    /// Rows that the API has answered for, and bad ones that could not be sent.
    pub(crate) rows: u64,
    #[serde(flatten)]
    pub(crate) outcomes: Outcomes,
    pub(crate) rejected: u64,
    /// Members that are gone; in a dry run, those that would be.
    pub(crate) deleted: u64,
    pub(crate) seconds: f64,
}

/// What became of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(super) struct Outcomes {
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) unchanged: u64,
    pub(crate) stale: u64,
}

impl std::ops::AddAssign for Outcomes {
    fn add_assign(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.stale += other.stale;
    }
}

impl Summary {
    /// As a table.
    pub(super) fn table(&self) -> String {
        let Outcomes { created, updated, unchanged, stale } = self.outcomes;
        let counts = [
            ("created", created),
            ("updated", updated),
            ("unchanged", unchanged),
            ("stale", stale),
            ("rejected", self.rejected),
            ("deleted", self.deleted),
        ];
        let title = match (self.dry_run, self.complete) {
            (true, _) => "dry run: nothing was changed",
            (false, true) => "completed",
            (false, false) => "not completed",
        };
        let mut table = format!("{title}\n");
        for (name, count) in counts {
            table += &format!("  {name:<9}  {:>15}\n", thousands(count));
        }
        let rows = thousands(self.rows);
        table + &format!("  {:<9}  {rows:>15}  in {:.1} s, {}/s", "rows", self.seconds, thousands(self.rate()))
    }

    /// How long it took.
    pub(super) fn took(&mut self, time: Duration) {
        self.seconds = (time.as_secs_f64() * 1000.0).round() / 1000.0;
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "to look at"
    )]
    fn rate(&self) -> u64 {
        (self.rows as f64 / self.seconds.max(0.001)) as u64
    }
}

/// With a comma every three digits.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn the_table_has_a_line_a_count() {
        let outcomes = Outcomes { created: 1200, ..Outcomes::default() };
        let summary = Summary { outcomes, rows: 1203, rejected: 3, seconds: 0.5, ..Summary::default() };
        assert_eq!(
            summary.table(),
            "not completed\n  created              1,200\n  updated                  0\n  unchanged                0\n  \
            stale                    0\n  rejected                 3\n  deleted                  0\n  \
            rows                 1,203  in 0.5 s, 2,406/s"
        );
    }

    #[test]
    fn json_is_flat() {
        let json = serde_json::to_value(Summary::default()).expect("JSON");
        for key in ["memberbaseId", "syncId", "dryRun", "complete", "rows", "created", "rejected", "deleted", "seconds"]
        {
            assert!(json.get(key).is_some(), "{key} in {json}");
        }
    }
}
