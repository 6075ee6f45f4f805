//! The verdicts on the rows of a bulk upsert of any type, and the response that contains them.

use serde_json::{Value, json};

use super::{Api, Error, Response};

/// The verdict on a row.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub outcome: &'static str,
    pub id: Option<usize>,
    /// Code and path of the failure.
    pub error: Option<Failure>,
}

pub type Failure = (&'static str, Vec<String>);

impl Verdict {
    pub(super) fn new(outcome: &'static str) -> Self {
        Self { outcome, id: None, error: None }
    }

    pub(super) fn failed(error: Failure) -> Self {
        Self { outcome: "FAILED", id: None, error: Some(error) }
    }
}

/// Rejects the call if a row failed, unless it skips failed rows.
pub(super) fn check(input: &Value, verdicts: &[Verdict]) -> Result<(), Error> {
    let failure = |(index, verdict): (usize, &Verdict)| {
        let (code, path) = verdict.error.as_ref()?;
        Some(json!({"index": index, "code": code, "path": path}))
    };
    let failures: Vec<_> = verdicts.iter().enumerate().filter_map(failure).collect();
    if failures.is_empty() || input["onError"] == "SKIP_FAILED" {
        return Ok(());
    }
    Err(Error { failures, ..Error::BAD_INPUT })
}

/// Returns the payload: `ids`, `results` and `summary`, with these names for the first and for the id in a result.
pub(super) fn payload(verdicts: &[Verdict], prefix: &str, ids: &str, id: &str) -> Response {
    let symbol = |verdict: &Verdict| verdict.id.map(|number| Api::symbol(prefix, number));
    let result = |(index, verdict): (usize, &Verdict)| {
        let error = verdict.error.as_ref().map(|(code, path)| json!({"code": code, "path": path}));
        json!({"index": index, "outcome": verdict.outcome, id: symbol(verdict), "error": error})
    };
    let count = |outcome| verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
    Ok(json!({
        ids: verdicts.iter().map(symbol).collect::<Vec<_>>(),
        "results": verdicts.iter().enumerate().map(result).collect::<Vec<_>>(),
        "summary": {
            "created": count("CREATED"), "updated": count("UPDATED"), "unchanged": count("UNCHANGED"),
            "stale": count("STALE"), "skipped": count("SKIPPED"), "failed": count("FAILED"),
        },
    }))
}
