//! The log, written to stderr, and traces for an OpenTelemetry collector if the feature `otlp` is built in.

#[cfg(feature = "otlp")]
mod otlp;

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt, registry, registry::LookupSpan,
    util::SubscriberInitExt,
};

#[cfg(feature = "otlp")]
pub(crate) use otlp::join;

use crate::config::{Log, LogFormat};

/// A guard to hold until the process ends: dropping it exports the remaining traces.
#[must_use]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    _traces: Option<otlp::Traces>,
}

/// Starts the log, and the export of traces if it is configured.
pub fn start(settings: &Log) -> Telemetry {
    let log = subscriber(settings, io::stderr, io::stderr().is_terminal());
    #[cfg(feature = "otlp")]
    {
        let started = otlp::Traces::start();
        let traces = started.as_ref().ok().and_then(Option::as_ref);
        log.with(traces.map(otlp::Traces::layer)).init();
        Telemetry {
            _traces: started.unwrap_or_else(|cause| {
                tracing::error!(%cause, "starting the export of traces failed");
                None
            }),
        }
    }
    #[cfg(not(feature = "otlp"))]
    {
        log.init();
        Telemetry {}
    }
}

/// Libraries that log the content of connections: the first message of a WebSocket contains a bearer token.
const WIRE_LIBRARIES: [&str; 7] =
    ["tungstenite", "tokio_tungstenite", "hyper", "h2", "rustls", "reqwest", "opentelemetry"];

/// Returns whether an event may be logged for any filter: secrets are not logged at any level.
fn is_loggable(metadata: &Metadata<'_>) -> bool {
    let is_wire = || WIRE_LIBRARIES.iter().any(|library| metadata.target().starts_with(library));
    *metadata.level() <= Level::INFO || !is_wire()
}

/// Returns a log that is written to `writer`, as text with or without colours or as JSON.
pub fn subscriber<W>(
    settings: &Log,
    writer: W,
    colours: bool,
) -> impl Subscriber + for<'span> LookupSpan<'span> + Send + Sync
where
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines = match settings.log_format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    registry().with(EnvFilter::new(&settings.log)).with(filter_fn(is_loggable)).with(lines)
}
