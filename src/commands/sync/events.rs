//! The events of an import.

use serde::{Deserialize, Serialize};

use crate::commands::api::Attribute;

/// An event. Fields and kinds that this version does not know are ignored.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub(super) enum Event {
    Progress {
        #[serde(flatten)]
        totals: Totals,
        offset: Option<u64>,
    },
    Rejected(Rejected),
    #[serde(rename_all = "camelCase")]
    Summary {
        memberbase_id: Option<String>,
        sync_id: Option<String>,
        deleted: u64,
        #[serde(flatten)]
        totals: Totals,
        #[serde(default)]
        truncated: bool,
        #[serde(default)]
        declared: Vec<Attribute>,
    },
    Failed {
        code: String,
        message: String,
        retryable: bool,
        /// Number of rows that another attempt skips.
        offset: Option<u64>,
        #[serde(default)]
        declared: Vec<Attribute>,
        /// Absent if the import had not begun.
        #[serde(flatten)]
        totals: Option<Totals>,
    },
    #[serde(other)]
    Other,
}

/// Numbers of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Totals {
    pub(super) rows: u64,
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
    pub(super) stale: u64,
    pub(super) rejected: u64,
}

/// A row that is not stored.
#[derive(Debug, Deserialize)]
pub(super) struct Rejected {
    pub(super) line: u64,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    #[serde(flatten)]
    pub(super) problem: Problem,
    #[serde(default)]
    pub(super) more: Vec<Problem>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) message: String,
    #[serde(default)]
    pub(super) path: Vec<String>,
}

/// Maximum length of a line. Events are far shorter.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Splits a stream of bytes into lines.
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Adds bytes, and passes the lines that are complete to `take`.
    pub(super) fn push(&mut self, bytes: &[u8], mut take: impl FnMut(&str)) {
        self.0.extend_from_slice(bytes);
        let Some(end) = self.0.iter().rposition(|byte| *byte == b'\n') else {
            if self.0.len() > MAX_LINE_BYTES {
                // It is not a response of the server.
                self.0.clear();
            }
            return;
        };
        let rest = self.0.split_off(end + 1);
        let lines = std::mem::replace(&mut self.0, rest);
        String::from_utf8_lossy(&lines).lines().filter(|line| !line.is_empty()).for_each(&mut take);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_whole() {
        let (mut lines, mut taken) = (Lines::default(), Vec::new());
        for piece in ["a", "b\n\nc", "d\ne\n", "f"] {
            lines.push(piece.as_bytes(), |line| taken.push(line.to_owned()));
        }
        assert_eq!(taken, ["ab", "cd", "e"]);
    }

    #[test]
    fn events_are_parsed() {
        let parse = |text: &str| serde_json::from_str::<Event>(text).expect("an event");
        let failed = parse(r#"{"event":"failed","code":"CONFLICT","message":"no","retryable":false,"traceId":"t"}"#);
        assert!(matches!(failed, Event::Failed { totals: None, retryable: false, .. }), "{failed:?}");
        let text = r#"{"event":"summary","deleted":2,"rows":3,"created":1,"updated":0,"unchanged":2,"stale":0,"skipped":0,"rejected":0,"bytes":7}"#;
        let Event::Summary { deleted: 2, totals, .. } = parse(text) else { panic!("a summary") };
        assert_eq!(totals, Totals { rows: 3, created: 1, unchanged: 2, ..Totals::default() });
        assert!(matches!(parse(r#"{"event":"news"}"#), Event::Other));
    }
}
