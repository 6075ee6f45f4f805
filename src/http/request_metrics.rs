//! Collects facts about a request while it runs, for its log line and for the metrics.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::response::Response;

use crate::{
    metrics::{Api, Metrics, Operation, Request, Type},
    types::{RowCounters, RowOutcome},
};

/// The code of a request that succeeded.
const OK: &str = "OK";

/// The code of a request whose client disconnected before the response.
const CLIENT_CLOSED: &str = "CLIENT_CLOSED";

/// The facts about one request, shared by all clones.
#[derive(Clone)]
pub(super) struct RequestMetrics(Arc<Facts>);

struct Facts {
    server: Arc<Metrics>,
    api: OnceLock<Api>,
    operation: OnceLock<(Type, Operation)>,
    rows: OnceLock<RowCounters>,
    is_streamed: AtomicBool,
    is_of_operator: bool,
}

/// The code of a response's first error, as an extension of the response.
#[derive(Clone, Copy)]
pub(super) struct ErrorCode(pub(super) &'static str);

impl RequestMetrics {
    /// `is_of_operator` is true for a request of a command, which writes no log of requests.
    pub(super) fn new(server: Arc<Metrics>, is_of_operator: bool) -> Self {
        Self(Arc::new(Facts {
            server,
            api: OnceLock::new(),
            operation: OnceLock::new(),
            rows: OnceLock::new(),
            is_streamed: AtomicBool::new(false),
            is_of_operator,
        }))
    }

    /// Returns the metrics of another operation on the same connection.
    pub(super) fn for_next_operation(&self) -> Self {
        Self::new(Arc::clone(&self.0.server), self.0.is_of_operator)
    }

    /// Sets the API, and counts the request as in flight until [`Self::finish`].
    pub(super) fn set_api(&self, api: Api) {
        if self.0.api.set(api).is_ok() {
            self.0.server.begin(api);
        }
    }

    /// Sets the operation. Of a batch, the first one counts.
    pub(super) fn set_operation(&self, kind: Type, operation: &str) {
        let _ = self.0.operation.set((kind, self.0.server.operation(operation)));
    }

    /// Sets the counters of the rows that the request stores or deletes.
    pub(super) fn set_row_counters(&self, rows: &RowCounters) {
        let _ = self.0.rows.set(rows.clone());
    }

    /// Records that the request ends with its stream, not with the beginning of its response.
    pub(super) fn set_streamed(&self) {
        self.0.is_streamed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_streamed(&self) -> bool {
        self.0.is_streamed.load(Ordering::Relaxed)
    }

    /// Returns true for a request that is not logged.
    pub(super) fn is_of_operator(&self) -> bool {
        self.0.is_of_operator
    }

    /// Returns the number of rows with this outcome; `None` for 0.
    pub(super) fn rows(&self, outcome: RowOutcome) -> Option<u64> {
        self.0.rows.get().map(|rows| rows.call().of(outcome)).filter(|rows| *rows > 0)
    }

    /// Returns the code of a response, or of a request without one. `None` if it succeeded and belongs to no API.
    pub(super) fn code(&self, response: Option<&Response>) -> Option<&'static str> {
        let Some(response) = response else { return Some(CLIENT_CLOSED) };
        let error = response.extensions().get().map(|ErrorCode(code)| *code);
        error.or_else(|| self.0.api.get().map(|_| OK))
    }

    /// Counts the request as completed.
    pub(super) fn finish(&self, code: &'static str, time: Duration) {
        if let Some(&api) = self.0.api.get() {
            let (kind, operation) = self.0.operation.get().cloned().unzip();
            self.0.server.end(Request { api, operation, kind, code, time });
        }
    }

    /// Returns the metrics of the server.
    pub(super) fn server(&self) -> &Metrics {
        &self.0.server
    }
}
