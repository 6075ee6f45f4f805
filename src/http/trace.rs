//! Assigns a trace id to every request and logs one line per request.

use std::{borrow::Cow, fmt, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use tracing::{Instrument, field::Empty};
use uuid::Uuid;

use super::{answer::Rejection, negotiate::MediaType, request_metrics::RequestMetrics};
use crate::{
    graphql::{Code, Error},
    metrics::Metrics,
    types::RowOutcome,
};

/// What a request is found by, in the log and in its answer: 32 hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TraceId(Arc<str>);

impl TraceId {
    /// The trace that the request belongs to already, or a new one.
    fn of(headers: &HeaderMap) -> Self {
        Self(inherited(headers).and_then(trace_parent).map_or_else(random, str::to_owned).into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The `traceparent` header, where there is one and it is valid.
fn inherited(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all("traceparent").iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok().filter(|value| trace_parent(value).is_some())
}

fn random() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The trace id of a `traceparent` header (W3C Trace Context, section 3.2), of version 00 or one to come.
fn trace_parent(text: &str) -> Option<&str> {
    let mut fields = text.splitn(5, '-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let fits = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    let known = version != "ff" && (version != "00" || fields.next().is_none());
    let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    (fits && known && !zero(trace) && !zero(parent)).then_some(trace)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Gives every request its trace id and every answer the header, logs one line, counts, and answers for what panicked.
pub(super) async fn layer(State(server_metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let trace = TraceId::of(request.headers());
    // Never the query of the URI: it may hold variables.
    let span = tracing::info_span!(
        "request",
        trace_id = %trace,
        method = %shortened(request.method().as_str()),
        path = &*shortened(request.uri().path()),
        operation = Empty,
        token = Empty,
        otel.kind = Empty,
    );
    #[cfg(feature = "otlp")]
    crate::telemetry::join(&span, trace.as_str(), inherited(request.headers()));
    request.extensions_mut().insert(trace.clone());
    async {
        let metrics = RequestMetrics::new(server_metrics);
        request.extensions_mut().insert(metrics.clone());
        let line = Line::begin(metrics);
        let mut response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("request handler panicked");
            let error = Error::new(Code::InternalServerError, "internal error");
            Rejection::from(error).respond(MediaType::Json, &trace)
        });
        let headers = response.headers_mut();
        headers.insert("x-trace-id", HeaderValue::from_str(trace.as_str()).expect("hexadecimal digits"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        line.end(&response);
        response
    }
    .instrument(span)
    .await
}

/// Maximum number of characters that the log keeps of a client's text.
const MAX_CHARACTERS: usize = 100;

/// Returns the text, cut to what the log keeps.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// The line in the log, which is also written for a client that hangs up: then this is dropped before its end.
struct Line {
    metrics: RequestMetrics,
    started: Instant,
    status: Option<StatusCode>,
    code: Option<&'static str>,
}

impl Line {
    fn begin(metrics: RequestMetrics) -> Self {
        let code = metrics.code(None);
        Self { metrics, started: Instant::now(), status: None, code }
    }

    fn end(mut self, response: &Response) {
        self.status = Some(response.status());
        self.code = self.metrics.code(Some(response));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let (time, code) = (self.started.elapsed(), self.code);
        let milliseconds = (time.as_secs_f64() * 1e6).round() / 1000.0;
        let rows = |outcome| self.metrics.rows(outcome);
        match self.status {
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

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let fits = "é".repeat(100);
        assert_eq!(shortened(&fits), fits);
        assert_eq!(shortened(&format!("{fits}é")), format!("{fits}..."));
    }

    #[test]
    fn a_trace_goes_on() {
        for text in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-comes"),
        ] {
            assert_eq!(trace_parent(&text), Some(TRACE), "{text}");
        }
    }

    #[test]
    fn what_is_no_trace_is_left() {
        for text in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-00f067aa0ba902b7-1"),
        ] {
            assert_eq!(trace_parent(&text), None, "{text}");
        }
    }

    #[test]
    fn two_headers_begin_a_new_trace() {
        let header: HeaderValue = format!("00-{TRACE}-00f067aa0ba902b7-01").parse().expect("a header's value");
        let mut headers = HeaderMap::new();
        headers.append("traceparent", header.clone());
        assert_eq!(TraceId::of(&headers).as_str(), TRACE);
        headers.append("traceparent", header);
        let new = TraceId::of(&headers);
        assert_ne!(new.as_str(), TRACE);
        assert!(is_hex(new.as_str(), 32), "{new}");
    }
}
