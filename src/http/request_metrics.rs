//! Collects facts about a request while it runs, for its log line and for the metrics.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::response::Response;

use crate::{
    metrics::{Api, Metrics, Operation, Request, Type},
    types::{RowCounters, RowOutcome},
};

/// How a request that succeeded is counted.
const OK: &str = "OK";

/// How one is counted whose client did not wait for the answer.
const CLIENT_CLOSED: &str = "CLIENT_CLOSED";

/// What is known of a request; a clone is of the same one.
#[derive(Clone)]
pub(super) struct RequestMetrics(Arc<Known>);

struct Known {
    metrics: Arc<Metrics>,
    api: OnceLock<Api>,
    operation: OnceLock<(Type, Operation)>,
    rows: OnceLock<RowCounters>,
}

/// The code of the first error of an answer, which the answer carries on its way out.
#[derive(Clone, Copy)]
pub(super) struct ErrorCode(pub(crate) &'static str);

impl RequestMetrics {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Known { metrics, api: OnceLock::new(), operation: OnceLock::new(), rows: OnceLock::new() }))
    }

    /// For another operation of the same connection.
    pub(super) fn another(&self) -> Self {
        Self::new(Arc::clone(&self.0.metrics))
    }

    /// It came in by this door.
    pub(super) fn set_api(&self, api: Api) {
        if self.0.api.set(api).is_ok() {
            self.0.metrics.begin(api);
        }
    }

    /// It asks for this.
    pub(super) fn set_operation(&self, kind: Type, operation: &str) {
        // Once for all: a request has one operation.
        let _ = self.0.operation.set((kind, self.0.metrics.operation(operation)));
    }

    /// Here its rows are counted.
    pub(super) fn set_row_counters(&self, rows: &RowCounters) {
        let _ = self.0.rows.set(rows.clone());
    }

    /// How many rows of it came to this; none where there are none.
    pub(super) fn rows(&self, outcome: RowOutcome) -> Option<u64> {
        self.0.rows.get().map(|rows| rows.call().of(outcome)).filter(|rows| *rows > 0)
    }

    /// How it is counted: `OK`, or what it says of an answer, or of a client that waits for none. None where it is not
    /// counted, and went well.
    pub(super) fn code(&self, answer: Option<&Response>) -> Option<&'static str> {
        let Some(answer) = answer else { return Some(CLIENT_CLOSED) };
        let told = answer.extensions().get().map(|ErrorCode(code)| *code);
        told.or_else(|| self.0.api.get().map(|_| OK))
    }

    /// It has ended.
    pub(super) fn finish(&self, code: &'static str, time: Duration) {
        if let Some(&api) = self.0.api.get() {
            let (kind, operation) = self.0.operation.get().cloned().unzip();
            self.0.metrics.end(Request { api, operation, kind, code, time });
        }
    }

    /// All figures.
    pub(super) fn of_server(&self) -> &Metrics {
        &self.0.metrics
    }
}
