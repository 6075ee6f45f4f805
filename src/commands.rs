//! The commands, one file each. `sync`, `export` and `attributes` are clients of the API, over HTTP or in process on the database.

mod api;
mod attributes;
mod export;
mod input;
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

/// The reason why a command failed, with a message of one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", line(.0))]
    Open(OpenError),
    /// A statement on the database failed.
    #[error("the database {}: {}", .url.shown(), line(.cause))]
    Database { url: SecretUrl, cause: sea_orm::DbErr },
    #[error("can't listen on {address}: {}", line(.cause))]
    Listen { address: std::net::SocketAddr, cause: io::Error },
    /// The command can't be carried out.
    #[error("{0}")]
    Refused(String),
    /// The arguments are invalid.
    #[error("{0}")]
    Usage(String),
    #[error("can't write the output: {}", line(.0))]
    Output(io::Error),
    #[error("can't wait for signals: {}", line(.0))]
    Signals(io::Error),
}

impl Error {
    /// Returns the exit code of the process: 2 for invalid arguments, like clap, and 1 otherwise.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::Usage(_)) { 2 } else { 1 })
    }
}

/// Uses the message of the API, but includes the cause of a database failure, because an operator may see it.
impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        Self::Refused(match error {
            domain::Error::Unavailable(cause) => format!("the database is not available: {}", line(&cause)),
            domain::Error::Internal(cause) => format!("internal error: {}", line(&cause)),
            error => graphql::Error::from(error).message().to_owned(),
        })
    }
}

pub async fn run(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Sync(settings) => return sync::run(*settings).await,
        Command::Export(settings) => export::run(*settings).await,
        Command::Attributes(settings) => attributes::run(*settings).await,
        Command::Serve(settings) => serve::run(*settings).await,
        Command::Migrate(settings) => migrate::run(settings).await,
        Command::Schema => schema::run(),
        Command::Openapi => openapi::run(),
        Command::Token(settings) => token::run(settings).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Opens an existing database, with the server's time limits for statements.
async fn open(database: &Database, limits: &Limits) -> Result<Db, Error> {
    connect(database, &database.settings(&limits.time)).await
}

async fn connect(database: &Database, settings: &db::Settings) -> Result<Db, Error> {
    Db::connect(settings).await.map_err(|error| match error {
        OpenError::Other(cause) => failed(database, cause),
        error => Error::Open(error),
    })
}

/// Opens the database, creates it if it does not exist, and applies pending migrations. Returns the names of those.
async fn open_and_migrate(database: &Database, limits: &Limits) -> Result<(Db, Vec<String>), Error> {
    let db = connect(database, &db::Settings { create: true, ..database.settings(&limits.time) }).await?;
    let migrations = db.migrations().await.map_err(|cause| failed(database, cause))?;
    reject_unknown_migrations(database, &migrations)?;
    let applied = db.migrate_up().await.map_err(|cause| failed(database, cause))?;
    Ok((db, applied))
}

/// Opens a database and fails unless its tables are current. Only `serve` and `migrate` apply migrations, because the
/// operator decides when.
async fn open_current(database: &Database, limits: &Limits) -> Result<Db, Error> {
    let db = open(database, limits).await?;
    let checked = db.migrations().await.map_err(|cause| failed(database, cause)).and_then(|migrations| {
        reject_unknown_migrations(database, &migrations)?;
        reject_pending_migrations(database, &migrations)
    });
    match checked {
        Ok(()) => Ok(db),
        Err(error) => {
            db.close().await;
            Err(error)
        }
    }
}

/// Fails if a newer version has migrated the tables.
fn reject_unknown_migrations(database: &Database, migrations: &[Migration]) -> Result<(), Error> {
    let unknown = migrations.iter().filter(|migration| !migration.known);
    let unknown: Vec<_> = unknown.map(|migration| migration.name.as_str()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the database {} was migrated by a newer version than {}, which does not know the migrations {}: use the newer \
        version, or restore a backup from before its migrations",
        database.database_url.shown(),
        env!("CARGO_PKG_VERSION"),
        unknown.join(", ")
    )))
}

/// Fails if the tables do not exist or are not current.
fn reject_pending_migrations(database: &Database, migrations: &[Migration]) -> Result<(), Error> {
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

fn app(db: Db, limits: Limits) -> App {
    App::new(db, limits)
}

/// Writes data to stdout. A reader that closes the pipe early is not an error.
fn print(text: impl std::fmt::Display) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

/// Writes a message that is not data to stderr.
fn print_notice(text: impl std::fmt::Display) {
    // There is no channel left to report that stderr can't be written.
    let _ = writeln!(io::stderr(), "{text}");
}

fn line(cause: &impl std::fmt::Display) -> String {
    cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
