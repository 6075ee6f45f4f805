//! The command line program `memberbase`.

use std::{
    env, hint,
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use memberbase::{
    cli::{Cli, Command, unknown_variables},
    commands, telemetry,
};
#[cfg(not(target_os = "macos"))]
use tikv_jemalloc_ctl::background_thread;
use tikv_jemallocator::Jemalloc;

/// Faster than the system's allocator; docs/performance.md has the measurement.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Size from which jemalloc places an allocation in an arena of large ones (its `oversize_threshold`).
const LARGE_BYTES: usize = 8 << 20;

/// Makes the allocator return large memory to the system as soon as it is freed, and other memory in the background.
///
/// The arena of large allocations is made by the first one, and returns memory at once only if there are no background
/// threads at that time. With them, memory that one request has freed would count as resident for ten seconds.
fn configure_allocator() {
    hint::black_box(Vec::<u8>::with_capacity(LARGE_BYTES));
    #[cfg(not(target_os = "macos"))]
    if let Err(error) = background_thread::write(true) {
        tracing::warn!(%error, "the allocator has no background threads, so that freed memory is kept longer");
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let _telemetry = telemetry::start(&cli.log);
    configure_allocator();
    // The names of settings are valid Unicode, so others can be skipped.
    let variables = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let outcome = match unknown_variables(&Cli::command(), variables) {
        Ok(unknown) => {
            if matches!(cli.command, Command::Serve(_)) && !unknown.is_empty() {
                tracing::warn!(
                    variables = unknown.join(" "),
                    "environment variables that are not settings are ignored"
                );
            }
            commands::run(cli).await
        }
        Err(message) => Err(commands::Error::Usage(message)),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // If writing to stderr fails, the error can't be reported anywhere.
            let _ = writeln!(io::stderr(), "error: {error}");
            error.exit_code()
        }
    }
}
