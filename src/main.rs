//! The command `memberbase`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use memberbase::{cli::Cli, commands, telemetry};
use tikv_jemallocator::Jemalloc;

/// Measured against the system's (docs/performance.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let _telemetry = telemetry::start(&cli.log);
    match commands::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            // Where not even stderr can be written there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {error}");
            error.exit_code()
        }
    }
}
