//! The events of an import: JSON objects, one per line.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

pub(super) use crate::http::failure::Failure;
use crate::{
    domain::{attribute::Definition, import},
    http::trace_id::TraceId,
    types::RowOutcome,
};

/// Numbers of rows and bytes so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    /// Rows with an outcome, and rows that can't be attributed to a member.
    pub(super) rows: u64,
    /// Bytes of the body that were received.
    pub(super) bytes: u64,
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
    pub(super) stale: u64,
    pub(super) skipped: u64,
    pub(super) rejected: u64,
}

impl Totals {
    /// Returns the totals of an import with these rows, whose body has this number of bytes so far.
    pub(super) fn new(counts: &import::Counts, bytes: u64) -> Self {
        let rows = |outcome: RowOutcome| counts.outcomes[outcome as usize];
        Self {
            rows: counts.outcomes.iter().sum(),
            bytes,
            created: rows(RowOutcome::Created),
            updated: rows(RowOutcome::Updated),
            unchanged: rows(RowOutcome::Unchanged),
            stale: rows(RowOutcome::Stale),
            skipped: rows(RowOutcome::Skipped),
            rejected: rows(RowOutcome::Failed),
        }
    }
}

/// A row that was not stored.
#[derive(Debug, Serialize)]
pub(super) struct RejectedRow<'a> {
    /// The line of the file in which the row begins, from 1.
    pub(super) line: u64,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<&'a str>,
    #[serde(flatten)]
    pub(super) problem: Problem<'a>,
    /// Further problems of the row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) more: Vec<Problem<'a>>,
    /// The member as it was read from the row; if that was not possible, the cells or the text of the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) row: Option<&'a RawValue>,
}

/// A reason why a row is rejected.
#[derive(Debug, Serialize)]
pub(super) struct Problem<'a> {
    /// The name of the column or field that has the rejected value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<&'a str>,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) path: Vec<&'a str>,
}

/// An attribute that an import has declared.
#[derive(Debug, Serialize)]
pub(super) struct DeclaredAttribute {
    key: String,
    r#type: &'static str,
}

impl From<&Definition> for DeclaredAttribute {
    fn from(Definition { key, kind }: &Definition) -> Self {
        Self { key: key.clone(), r#type: kind.name() }
    }
}

/// The result of an import that has stored the whole file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) memberbase_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sync_id: Option<String>,
    pub(super) dry_run: bool,
    #[serde(flatten)]
    pub(super) totals: Totals,
    /// Members that a mirror has deleted; in a dry run, those that it would delete.
    pub(super) deleted: u64,
    /// True if not all rejected rows have an event.
    pub(super) truncated: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) declared: Vec<DeclaredAttribute>,
    pub(super) seconds: f64,
}

/// The work of an import before it failed.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    #[serde(flatten)]
    pub(super) totals: Totals,
    pub(super) truncated: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) declared: Vec<DeclaredAttribute>,
    /// Number of rows at the beginning of the file that another attempt skips; `None` if the import can't be resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<u64>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
enum Event<'a> {
    Progress {
        #[serde(flatten)]
        totals: &'a Totals,
        #[serde(skip_serializing_if = "Option::is_none")]
        offset: Option<u64>,
    },
    Rejected(&'a RejectedRow<'a>),
    Summary(&'a Summary),
    #[serde(rename_all = "camelCase")]
    Failed {
        code: &'static str,
        message: &'a str,
        retryable: bool,
        trace_id: &'a str,
        #[serde(flatten)]
        done: Option<Done>,
    },
}

impl Event<'_> {
    fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }
}

/// Returns an event as a line.
pub(super) fn line(event: &str) -> Bytes {
    [event, "\n"].concat().into()
}

/// Returns the event of progress. `offset` is that of [`Done`].
pub(super) fn progress(totals: &Totals, offset: Option<u64>) -> String {
    Event::Progress { totals, offset }.json()
}

pub(super) fn rejected(row: &RejectedRow<'_>) -> String {
    Event::Rejected(row).json()
}

pub(super) fn summary(summary: &Summary) -> String {
    Event::Summary(summary).json()
}

/// Returns the event of a failure, with what was done before it, if the import had begun.
pub(super) fn failed(failure: &Failure, trace: &TraceId, done: Option<Done>) -> String {
    let Failure { code, message } = failure;
    let (retryable, trace_id) = (code.retryable(), trace.as_str());
    Event::Failed { code: code.as_str(), message, retryable, trace_id, done }.json()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{domain::attribute::AttributeType, graphql::Code};

    fn parsed(event: &str) -> Value {
        assert!(!event.contains('\n'));
        serde_json::from_str(event).expect("JSON")
    }

    #[test]
    fn event_is_a_flat_object_in_a_line() {
        let totals = Totals { rows: 3, bytes: 40, created: 2, rejected: 1, ..Totals::default() };
        let counts = json!({"rows": 3, "bytes": 40, "created": 2, "updated": 0, "unchanged": 0, "stale": 0, "skipped": 0, "rejected": 1});
        let with = |event: &str, more: Value| {
            let mut expected = counts.clone();
            expected["event"] = json!(event);
            expected.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            expected
        };
        assert_eq!(parsed(&progress(&totals, None)), with("progress", json!({})));
        assert_eq!(parsed(&progress(&totals, Some(2))), with("progress", json!({"offset": 2})));
        let failure = Failure::new(Code::ServiceUnavailable, "no\nmore");
        let plan = Definition { key: "plan".to_owned(), kind: AttributeType::String };
        let done = Done { totals, truncated: true, declared: vec![(&plan).into()], offset: Some(2) };
        let more = json!({"code": "SERVICE_UNAVAILABLE", "message": "no\nmore", "retryable": true, "traceId": "",
            "truncated": true, "declared": [{"key": "plan", "type": "STRING"}], "offset": 2});
        assert_eq!(parsed(&failed(&failure, &TraceId::default(), Some(done))), with("failed", more));
        let row = RawValue::from_string(r#"["a","b"]"#.to_owned()).expect("JSON");
        let problem = |message| Problem {
            column: Some("Alter"),
            code: "INVALID_VALUE",
            message,
            path: vec!["attributes", "age"],
        };
        let (first, more) = (problem("no"), vec![problem("never")]);
        let rejected_row = RejectedRow { line: 7, reference: None, problem: first, more, row: Some(&row) };
        let problem = |message: &str| json!({"column": "Alter", "code": "INVALID_VALUE", "message": message, "path": ["attributes", "age"]});
        let mut expected = problem("no");
        let rest = json!({"event": "rejected", "line": 7, "more": [problem("never")], "row": ["a", "b"]});
        expected.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        assert_eq!(parsed(&rejected(&rejected_row)), expected);
    }
}
