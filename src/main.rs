//! The command line program `memberbase`.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use memberbase::{
    cli::{Cli, Command, unknown_variables},
    commands, telemetry,
};
use tikv_jemallocator::Jemalloc;

/// Faster than the system's allocator; docs/performance.md has the measurement.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let _telemetry = telemetry::start(&cli.log);
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
