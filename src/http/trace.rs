//! The outermost layer: assigns a trace id to every request, logs one line per request, and turns panics into errors.

use std::{borrow::Cow, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use tracing::{Instrument, field::Empty};

use super::{
    Service, answer, negotiate::MediaType, rejection::Rejection, request_metrics::RequestMetrics, trace_id::TraceId,
};
use crate::{auth::Operator, types::RowOutcome};

/// Maximum number of characters of the method and of the path that are logged.
const MAX_LOGGED_CHARS: usize = 100;

pub(super) async fn layer(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let trace = TraceId::of(request.headers());
    // The query string is not logged: it can contain variables.
    let span = tracing::info_span!(
        "request",
        trace_id = %trace,
        method = %truncated(request.method().as_str()),
        path = &*truncated(request.uri().path()),
        operation = Empty,
        token = Empty,
        otel.kind = Empty,
    );
    #[cfg(feature = "otlp")]
    crate::telemetry::join(&span, trace.as_str(), super::trace_id::trace_parent(request.headers()));
    request.extensions_mut().insert(trace.clone());
    async {
        let metrics =
            RequestMetrics::new(Arc::clone(&service.metrics), request.extensions().get::<Operator>().is_some());
        request.extensions_mut().insert(metrics.clone());
        let log = RequestLog::start(metrics);
        let mut response = AssertUnwindSafe(answer(&service, &trace, request, next))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Rejection::panicked().respond(MediaType::Json, &trace));
        let headers = response.headers_mut();
        headers.insert("x-trace-id", HeaderValue::from_str(trace.as_str()).expect("hexadecimal digits"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        log.complete(&response);
        response
    }
    .instrument(span)
    .await
}

fn truncated(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_LOGGED_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// Writes the log line and the metrics of a request on drop, so that a request whose client disconnects has them too. A request
/// whose work goes on after the beginning of its response has a log of its own, which replaces this one.
pub(super) struct RequestLog {
    metrics: RequestMetrics,
    started: Instant,
    status: Option<StatusCode>,
    code: Option<&'static str>,
    is_of_stream: bool,
}

impl RequestLog {
    /// Returns the log of a request that ends with its stream.
    pub(super) fn of_stream(metrics: RequestMetrics, started: Instant) -> Self {
        metrics.set_streamed();
        let code = metrics.code(None);
        Self { metrics, started, status: None, code, is_of_stream: true }
    }

    /// Records the end of a stream.
    pub(super) fn end(&mut self, status: StatusCode, code: &'static str) {
        self.status = Some(status);
        self.code = Some(code);
    }

    fn start(metrics: RequestMetrics) -> Self {
        let code = metrics.code(None);
        Self { metrics, started: Instant::now(), status: None, code, is_of_stream: false }
    }

    fn complete(mut self, response: &Response) {
        self.status = Some(response.status());
        self.code = self.metrics.code(Some(response));
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        if self.metrics.is_streamed() && !self.is_of_stream {
            return;
        }
        let (time, code) = (self.started.elapsed(), self.code);
        let milliseconds = (time.as_secs_f64() * 1e6).round() / 1000.0;
        let rows = |outcome| self.metrics.rows(outcome);
        match self.status {
            _ if self.metrics.is_of_operator() => {}
            Some(status) => tracing::info!(
                status = status.as_u16(),
                milliseconds,
                code,
                rows = RowOutcome::ALL.into_iter().filter_map(rows).reduce(|all, rows| all + rows),
                created = rows(RowOutcome::Created),
                updated = rows(RowOutcome::Updated),
                unchanged = rows(RowOutcome::Unchanged),
                stale = rows(RowOutcome::Stale),
                skipped = rows(RowOutcome::Skipped),
                failed = rows(RowOutcome::Failed),
                deleted = rows(RowOutcome::Deleted),
                "request completed"
            ),
            None => tracing::info!(milliseconds, code, "request aborted by the client"),
        }
        if let Some(code) = code {
            self.metrics.finish(code, time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_truncated_between_characters() {
        let fits = "é".repeat(100);
        assert_eq!(truncated(&fits), fits);
        assert_eq!(truncated(&format!("{fits}é")), format!("{fits}..."));
    }
}
