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
    db::{self, Db, Migration, OpenError},
    domain, graphql,
    types::Limits,
};

/// Why a command failed; told in one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be opened.
    #[error("{}", line(.0))]
    Open(OpenError),
    /// The database does not do what is asked.
    #[error("the database {}: {}", .url.shown(), line(.cause))]
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

/// The API's message; a failure of the database with its cause, which an operator may see.
impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        Self::Refused(match error {
            domain::Error::Unavailable(cause) => format!("the database is not available: {}", line(&cause)),
            domain::Error::Internal(cause) => format!("internal error: {}", line(&cause)),
            error => graphql::Error::from(error).message().to_owned(),
        })
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

/// Opens a database that exists. No statement of a command may take longer than one of the server's.
async fn open(database: &Database, limits: &Limits) -> Result<Db, Error> {
    connect(database, &database.settings(&limits.time)).await
}

async fn connect(database: &Database, settings: &db::Settings) -> Result<Db, Error> {
    Db::connect(settings).await.map_err(|error| match error {
        OpenError::Other(cause) => failed(database, cause),
        error => Error::Open(error),
    })
}

/// Opens the database, which is created if there is none, and applies what is pending. Returns the names of what was applied.
async fn open_and_migrate(database: &Database, limits: &Limits) -> Result<(Db, Vec<String>), Error> {
    let db = connect(database, &db::Settings { create: true, ..database.settings(&limits.time) }).await?;
    let migrations = db.migrations().await.map_err(|cause| failed(database, cause))?;
    refuse_unknown(database, &migrations)?;
    let applied = db.migrate_up().await.map_err(|cause| failed(database, cause))?;
    Ok((db, applied))
}

/// Opens a database whose tables are those of this program. Only `serve` and `migrate` change them, because the operator
/// decides when.
async fn open_current(database: &Database, limits: &Limits) -> Result<Db, Error> {
    let db = open(database, limits).await?;
    let checked = db.migrations().await.map_err(|cause| failed(database, cause)).and_then(|migrations| {
        refuse_unknown(database, &migrations)?;
        refuse_pending(database, &migrations)
    });
    match checked {
        Ok(()) => Ok(db),
        Err(error) => {
            db.close().await;
            Err(error)
        }
    }
}

/// Fails if a newer version has changed the tables.
fn refuse_unknown(database: &Database, migrations: &[Migration]) -> Result<(), Error> {
    let unknown = migrations.iter().filter(|migration| !migration.known);
    let unknown: Vec<_> = unknown.map(|migration| migration.name.as_str()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the database {} is of a newer version than {}, which does not know its migrations {}: use the newer version, or \
        restore a backup from before it",
        database.database_url.shown(),
        env!("CARGO_PKG_VERSION"),
        unknown.join(", ")
    )))
}

/// Fails if the tables are not there or not those of this version.
fn refuse_pending(database: &Database, migrations: &[Migration]) -> Result<(), Error> {
    let pending = migrations.iter().filter(|migration| !migration.applied).count();
    let url = database.database_url.shown();
    match pending {
        0 => Ok(()),
        all if all == migrations.len() => Err(Error::Refused(format!(
            "the database {url} has no tables: start the server once, or run memberbase migrate up"
        ))),
        _ => Err(Error::Refused(format!(
            "the tables of {url} are not current (pending migrations: {pending}): start the server of this version once, or \
            run memberbase migrate up"
        ))),
    }
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
fn print_notice(text: impl std::fmt::Display) {
    // Where not even stderr can be written there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

fn line(cause: &impl std::fmt::Display) -> String {
    cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
