//! The summary of a run, as a table or as JSON.

use std::time::Duration;

use serde::Serialize;

use super::{events::Totals, import::Stored};
use crate::{
    commands::api::Attribute,
    types::{Id, MemberbaseId, excerpt},
};

/// The result of a run.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    /// Null if the memberbase was given by its name, and the run was not completed.
    memberbase_id: Option<String>,
    /// The sync that deletes missing members.
    sync_id: Option<String>,
    dry_run: bool,
    /// True if the whole file was stored, and missing members are deleted if that was requested.
    complete: bool,
    #[serde(flatten)]
    totals: Totals,
    /// Members that were deleted; in a dry run, those that would be.
    deleted: u64,
    /// Attributes that were declared; in a dry run, those that would be.
    declared: Vec<Attribute>,
    seconds: f64,
}

impl Summary {
    pub(super) fn new(memberbase: &str, stored: &Stored, (dry_run, complete): (bool, bool), time: Duration) -> Self {
        let Stored { totals, deleted, sync_id, memberbase_id, declared } = stored.clone();
        let given = MemberbaseId::parse(memberbase).ok().map(|id| id.to_string());
        let memberbase_id = memberbase_id.or(given);
        let seconds = (time.as_secs_f64() * 1000.0).round() / 1000.0;
        Self { memberbase_id, sync_id, dry_run, complete, totals, deleted, declared, seconds }
    }

    /// Returns the summary as a table.
    pub(super) fn table(&self) -> String {
        let Totals { rows, created, updated, unchanged, stale, rejected } = self.totals;
        let counts = [
            ("created", created),
            ("updated", updated),
            ("unchanged", unchanged),
            ("stale", stale),
            ("rejected", rejected),
            ("deleted", self.deleted),
        ];
        let title = match (self.dry_run, self.complete) {
            (true, _) => "dry run: nothing was changed",
            (false, true) => "completed",
            (false, false) => "not completed",
        };
        let mut table = format!("{title}\n");
        for Attribute { key, kind } in &self.declared {
            table += &format!("  {:<9}  {:>15}  {kind}\n", "declared", excerpt(key));
        }
        for (name, count) in counts {
            table += &format!("  {name:<9}  {:>15}\n", thousands(count));
        }
        let rows = thousands(rows);
        table + &format!("  {:<9}  {rows:>15}  in {:.1} s, {}/s", "rows", self.seconds, thousands(self.rate()))
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the rate is shown to a user"
    )]
    fn rate(&self) -> u64 {
        (self.totals.rows as f64 / self.seconds.max(0.001)) as u64
    }
}

/// Returns a number with a comma between groups of three digits.
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
    fn table_has_a_line_per_count() {
        let totals = Totals { rows: 1203, created: 1200, rejected: 3, ..Totals::default() };
        let declared = vec![Attribute { key: "plan".to_owned(), kind: "STRING".to_owned() }];
        let summary = Summary { totals, declared, seconds: 0.5, ..Summary::default() };
        assert_eq!(
            summary.table(),
            "not completed\n  declared              plan  STRING\n  created              1,200\n  updated                  0\n  unchanged                0\n  \
            stale                    0\n  rejected                 3\n  deleted                  0\n  \
            rows                 1,203  in 0.5 s, 2,406/s"
        );
    }

    #[test]
    fn json_is_flat() {
        let json = serde_json::to_value(Summary::default()).expect("JSON");
        for key in [
            "memberbaseId",
            "syncId",
            "dryRun",
            "complete",
            "rows",
            "created",
            "rejected",
            "deleted",
            "declared",
            "seconds",
        ] {
            assert!(json.get(key).is_some(), "{key} in {json}");
        }
    }
}
