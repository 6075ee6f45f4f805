//! Traces for an OpenTelemetry collector, by OTLP over HTTP. The variables are those of the OpenTelemetry specification.

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

/// Either of them, where it is set, has traces exported.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

const NAME: &str = "memberbase";

/// What exports traces; where it is dropped, the rest of them.
pub(super) struct Traces(SdkTracerProvider);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(cause) = self.0.shutdown() {
            tracing::warn!(%cause, "the last traces were not exported");
        }
    }
}

impl Traces {
    /// Begins where the environment names a collector.
    pub(super) fn start() -> Result<Option<Self>, ExporterBuildError> {
        if !ENDPOINTS.iter().any(|name| env::var(name).is_ok_and(|value| !value.is_empty())) {
            return Ok(None);
        }
        let exporter = SpanExporter::builder().with_http().build()?;
        let service = env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| NAME.to_owned());
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name(service).with_attribute(version).build();
        let provider = SdkTracerProvider::builder()
            .with_id_generator(Ids::default())
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Some(Self(provider)))
    }

    /// What takes spans down.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(NAME))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
    }
}

/// Has a request's span, which is new, belong to its trace: as the child of the one that a valid `traceparent` header
/// names, or as the first one.
pub fn join(span: &Span, trace_id: &str, traceparent: Option<&str>) {
    span.record("otel.kind", "server");
    let parent = traceparent.and_then(remote);
    match (parent, TraceId::from_hex(trace_id)) {
        (Some(parent), _) => {
            // Fails where no traces are exported.
            let _ = span.set_parent(Context::new().with_remote_span_context(parent));
        }
        (None, Ok(trace)) => {
            NEXT.set(Some(trace));
            // The span gets its ids now.
            drop(span.context());
            NEXT.set(None);
        }
        (None, Err(_)) => {}
    }
}

/// `version-trace-parent-flags`, whose fields have fixed lengths.
fn remote(traceparent: &str) -> Option<SpanContext> {
    let trace = TraceId::from_hex(traceparent.get(3..35)?).ok()?;
    let parent = SpanId::from_hex(traceparent.get(36..52)?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(traceparent.get(53..55)?, 16).ok()?);
    Some(SpanContext::new(trace, parent, flags & TraceFlags::SAMPLED, true, TraceState::default()))
}

thread_local! {
    /// The trace that the next span begins.
    static NEXT: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Random ids, but for a trace that has its id already: the one in the log and in the answer.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.take().unwrap_or_else(|| self.0.new_trace_id())
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

    /// The trace and the parent's flags of a span that has joined.
    fn joined(traceparent: Option<&str>) -> SpanContext {
        let traces = Traces(SdkTracerProvider::builder().with_id_generator(Ids::default()).build());
        tracing::subscriber::with_default(registry().with(traces.layer()), || {
            let span = tracing::info_span!("request", otel.kind = tracing::field::Empty);
            join(&span, TRACE, traceparent);
            let context = span.context();
            context.span().span_context().clone()
        })
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
        let parent = remote(&header("ff")).expect("a parent");
        assert_eq!((parent.span_id().to_string().as_str(), parent.is_sampled()), ("00f067aa0ba902b7", true));
    }
}
