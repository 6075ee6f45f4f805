//! The log, which goes to stderr.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Starts the log of this process.
pub fn start(settings: &Log) {
    subscriber(settings, io::stderr, io::stderr().is_terminal()).init();
}

/// A log that is written there, in colours or not.
pub fn subscriber<W>(settings: &Log, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines = match settings.log_format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    registry().with(EnvFilter::new(&settings.log)).with(lines)
}
