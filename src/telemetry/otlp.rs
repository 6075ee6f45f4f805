//! Exports traces to an OpenTelemetry collector, by OTLP over HTTP. It is configured by the environment variables of the
//! OpenTelemetry specification (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

use std::{cell::Cell, env};

use opentelemetry::{
    Context, KeyValue,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider},
};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::{
    Resource,
    trace::{IdGenerator, RandomIdGenerator, SdkTracerProvider},
};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, registry::LookupSpan};

/// Traces are exported if one of these variables is set.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

const SERVICE_NAME: &str = "memberbase";

/// The exporter of traces. Dropping it exports the remaining ones.
pub(super) struct Traces(SdkTracerProvider);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(cause) = self.0.shutdown() {
            tracing::warn!(%cause, "exporting the remaining traces failed");
        }
    }
}

impl Traces {
    /// Starts the exporter. Returns `None` if the environment names no collector.
    pub(super) fn start() -> Result<Option<Self>, ExporterBuildError> {
        if !ENDPOINTS.iter().any(|name| env::var(name).is_ok_and(|value| !value.is_empty())) {
            return Ok(None);
        }
        let exporter = exporter()?;
        let service = env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| SERVICE_NAME.to_owned());
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name(service).with_attribute(version).build();
        let provider = SdkTracerProvider::builder()
            .with_id_generator(RequestTraceIds::default())
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Some(Self(provider)))
    }

    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE_NAME))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
    }
}

fn exporter() -> Result<SpanExporter, ExporterBuildError> {
    // The exporter's HTTP client takes the default of the process, and panics without one. It fails if there is one
    // already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    SpanExporter::builder().with_http().build()
}

/// Assigns the new span of a request to the request's trace: as a child of the span named by a valid `traceparent`
/// header (<https://www.w3.org/TR/trace-context/#traceparent-header>), or as the root span.
pub(crate) fn join(span: &Span, trace_id: &str, traceparent: Option<&str>) {
    span.record("otel.kind", "server");
    let parent = traceparent.and_then(remote_parent);
    match (parent, TraceId::from_hex(trace_id)) {
        (Some(parent), _) => {
            // Fails if no traces are exported.
            let _ = span.set_parent(Context::new().with_remote_span_context(parent));
        }
        (None, Ok(trace)) => {
            NEXT_TRACE_ID.set(Some(trace));
            // This call assigns the ids of the span.
            drop(span.context());
            NEXT_TRACE_ID.set(None);
        }
        (None, Err(_)) => {}
    }
}

/// Parses a `traceparent`: `version-trace-parent-flags`, with fields of fixed lengths.
fn remote_parent(traceparent: &str) -> Option<SpanContext> {
    let trace = TraceId::from_hex(traceparent.get(3..35)?).ok()?;
    let parent = SpanId::from_hex(traceparent.get(36..52)?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(traceparent.get(53..55)?, 16).ok()?);
    Some(SpanContext::new(trace, parent, flags & TraceFlags::SAMPLED, true, TraceState::default()))
}

thread_local! {
    /// The trace id of the next root span.
    static NEXT_TRACE_ID: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Generates random ids, except for a trace whose id is already in the log and in the response.
#[derive(Debug, Default)]
struct RequestTraceIds(RandomIdGenerator);

impl IdGenerator for RequestTraceIds {
    fn new_trace_id(&self) -> TraceId {
        NEXT_TRACE_ID.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// Returns the context of a span that joined the trace.
    fn joined(traceparent: Option<&str>) -> SpanContext {
        let traces = Traces(SdkTracerProvider::builder().with_id_generator(RequestTraceIds::default()).build());
        tracing::subscriber::with_default(registry().with(traces.layer()), || {
            let span = tracing::info_span!("request", otel.kind = tracing::field::Empty);
            join(&span, TRACE, traceparent);
            let context = span.context();
            context.span().span_context().clone()
        })
    }

    #[tokio::test]
    async fn the_exporter_has_an_http_client() {
        exporter().expect("an exporter");
    }

    #[test]
    fn a_span_has_the_trace_id_of_its_request() {
        assert_eq!(joined(None).trace_id().to_string(), TRACE);
        assert!(joined(None).is_sampled());
    }

    #[test]
    fn a_span_is_the_child_of_its_caller() {
        let header = |flags: &str| format!("00-{TRACE}-00f067aa0ba902b7-{flags}");
        let span = joined(Some(&header("01")));
        assert_eq!(span.trace_id().to_string(), TRACE);
        assert_ne!(span.span_id().to_string(), "00f067aa0ba902b7");
        assert!(span.is_sampled());
        assert!(!joined(Some(&header("00"))).is_sampled());
        let parent = remote_parent(&header("ff")).expect("a parent");
        assert_eq!((parent.span_id().to_string().as_str(), parent.is_sampled()), ("00f067aa0ba902b7", true));
    }
}
