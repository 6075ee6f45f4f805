//! The command `memberbase`.

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

/// Measured against the system's (docs/performance.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let _telemetry = telemetry::start(&cli.log);
    // Names that are no text are no settings' names.
    let variables = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let outcome = match unknown_variables(&Cli::command(), variables) {
        Ok(unknown) => {
            if matches!(cli.command, Command::Serve(_)) && !unknown.is_empty() {
                tracing::warn!(
                    variables = unknown.join(" "),
                    "variables of the environment that are no settings are ignored"
                );
            }
            commands::run(cli).await
        }
        Err(message) => Err(commands::Error::Usage(message)),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Where not even stderr can be written there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {error}");
            error.exit_code()
        }
    }
}
