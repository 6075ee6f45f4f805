//! The commands, a file each.

mod api;
mod export;
mod members_file;
mod migrate;
mod openapi;
mod schema;
mod serve;
mod sync;
mod token;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{
    app::App,
    cli::{Cli, Command},
    config::{Database, SecretUrl},
    db::Db,
    domain, graphql,
    types::Limits,
};

/// Why a command failed; told in one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be opened or does not do what is asked.
    #[error("the database {url}: {}", line(.cause))]
    Database {
        /// Which.
        url: SecretUrl,
        /// Why.
        cause: sea_orm::DbErr,
    },
    /// The server can't listen.
    #[error("can't listen on {address}: {}", line(.cause))]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// What was asked for is refused.
    #[error("{0}")]
    Refused(String),
    /// The command is asked for in a way that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The output can't be written.
    #[error("can't write the output: {}", line(.0))]
    Output(io::Error),
    /// The system gives no signals.
    #[error("can't wait for signals: {}", line(.0))]
    Signals(io::Error),
}

impl Error {
    /// What the process ends with: as clap's own where the usage is wrong.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::Usage(_)) { 2 } else { 1 })
    }
}

/// As the API would tell it.
impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        Self::Refused(graphql::Error::from(error).message().to_owned())
    }
}

/// Runs a command, and answers what the process ends with.
pub async fn run(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Sync(settings) => return sync::run(*settings).await,
        Command::Export(settings) => export::run(*settings).await,
        Command::Serve(settings) => serve::run(*settings).await,
        Command::Migrate(settings) => migrate::run(settings).await,
        Command::Schema => schema::run(),
        Command::Openapi => openapi::run(),
        Command::Token(settings) => token::run(settings).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the database for a command. No statement of a command may take longer than one of the server's.
async fn open(database: &Database, limits: &Limits) -> Result<Db, Error> {
    Db::connect(&database.settings(&limits.time)).await.map_err(|cause| failed(database, cause))
}

fn failed(database: &Database, cause: sea_orm::DbErr) -> Error {
    Error::Database { url: database.database_url.clone(), cause }
}

/// All that a command's domain functions reach.
fn app(db: Db, limits: Limits) -> App {
    App::new(db, limits)
}

/// Writes data to stdout. Whoever reads it may stop when they have enough.
fn print(text: impl std::fmt::Display) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

/// Tells something that is no data.
fn tell(text: impl std::fmt::Display) {
    // Where not even stderr can be written there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

fn line(cause: &impl std::fmt::Display) -> String {
    cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
