//! The log, which goes to stderr, and traces for a collector where they are built in.

#[cfg(feature = "otlp")]
mod otlp;

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt, registry, registry::LookupSpan,
    util::SubscriberInitExt,
};

#[cfg(feature = "otlp")]
pub use otlp::join;

use crate::config::{Log, LogFormat};

/// What has to be kept until the process ends: then it hands in the rest of the traces.
#[must_use]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    _traces: Option<otlp::Traces>,
}

/// Starts the log of this process.
pub fn start(settings: &Log) -> Telemetry {
    let log = subscriber(settings, io::stderr, io::stderr().is_terminal());
    #[cfg(feature = "otlp")]
    {
        let started = otlp::Traces::start();
        let traces = started.as_ref().ok().and_then(Option::as_ref);
        log.with(traces.map(otlp::Traces::layer)).init();
        Telemetry {
            _traces: started.unwrap_or_else(|cause| {
                tracing::error!(%cause, "no traces are exported");
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

/// Libraries that log the bytes of a connection: a WebSocket's first message contains a bearer token.
const WIRE: [&str; 7] = ["tungstenite", "tokio_tungstenite", "hyper", "h2", "rustls", "reqwest", "opentelemetry"];

/// Whether an event may be logged, whatever the filter says: no secret is logged at any level.
fn is_fit(metadata: &Metadata<'_>) -> bool {
    let is_wire = || WIRE.iter().any(|library| metadata.target().starts_with(library));
    *metadata.level() <= Level::INFO || !is_wire()
}

/// A log that is written there, in colours or not.
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
    registry().with(EnvFilter::new(&settings.log)).with(filter_fn(is_fit)).with(lines)
}
