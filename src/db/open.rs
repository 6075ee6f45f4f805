//! Checks whether a database can be opened, and why not, before a pool tries: sqlx's pool retries a refused connection
//! until its time limit and then reports a timeout, and SQLite's errors do not name the file.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use sea_orm::DbErr;
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use tokio::time::{Instant, sleep, timeout_at};

use super::error_kind;
use crate::types::{excerpt, nearest, private_file};

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file does not exist and must not be created.
    #[error(
        "there is no database at {}: start the server once, or set --database-url or MEMBERBASE_DATABASE_URL",
        .0.display()
    )]
    Missing(PathBuf),
    #[error("the database {} is empty: start the server once, or run memberbase migrate up", .0.display())]
    Empty(PathBuf),
    #[error("can't create the database {}: there is no folder {}", .0.display(), .0.parent().unwrap_or(.0).display())]
    NoFolder(PathBuf),
    /// The file is a SQLite database of another program.
    #[error(
        "the database {} has no tables of Memberbase: set another with --database-url or MEMBERBASE_DATABASE_URL, or run \
        memberbase migrate up",
        .0.display()
    )]
    NoTables(PathBuf),
    #[error("{} is a folder, not a SQLite database", .0.display())]
    Folder(PathBuf),
    #[error("{} is not a SQLite database", .0.display())]
    NotSqlite(PathBuf),
    #[error("can't open the database {}: {}", .0.display(), system_reason(.1))]
    File(PathBuf, io::Error),
    #[error("can't connect to PostgreSQL at {address}, database {database:?}: {cause}")]
    Postgres {
        /// Host and port, or the path of a Unix socket.
        address: String,
        database: String,
        /// The reason, without a password.
        cause: String,
    },
    #[error("the database URL {0}")]
    Url(String),
    #[error("{0}")]
    Other(DbErr),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Configuration(cause) => Self::Url(format!("can't be used: {cause}")),
            error => Self::Other(error_kind::connection(error)),
        }
    }
}

/// Returns the operating system's reason in the style of our messages: `Connection refused (os error 111)` becomes
/// `connection refused`.
fn system_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// The first bytes of every SQLite database (<https://www.sqlite.org/fileformat.html>, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The first bytes of a rollback journal that SQLite may have to play back (section 3 there).
const JOURNAL_MAGIC: &[u8; 8] = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";

/// Checks that a SQLite file can be opened. With `create` a missing file is created with mode 0600; SQLite gives its
/// auxiliary files (`-wal`, `-shm`) the same mode. With `write` an existing file has to be writable: SQLite would
/// otherwise open it read-only, and create read-only auxiliary files.
pub(super) fn sqlite_file(path: &Path, create: bool, write: bool) -> Result<(), OpenError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Err(OpenError::Folder(path)),
        Ok(metadata) if metadata.len() == 0 => {
            if create {
                Ok(())
            } else {
                Err(OpenError::Empty(path))
            }
        }
        Ok(_) => is_sqlite(path, write),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::File(path, error)),
        Err(_) if !create => Err(OpenError::Missing(path)),
        Err(_) if !path.parent().is_some_and(Path::is_dir) => Err(OpenError::NoFolder(path)),
        Err(_) => private_file().open(&path).map(drop).map_err(|error| OpenError::File(path, error)),
    }
}

fn is_sqlite(path: PathBuf, write: bool) -> Result<(), OpenError> {
    let mut magic = [0; MAGIC.len()];
    match File::options().read(true).write(write).open(&path).and_then(|mut file| file.read_exact(&mut magic)) {
        Ok(()) if magic == *MAGIC => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(OpenError::File(path, error)),
        // A power loss during the first transaction can leave anything in the file. SQLite restores it.
        _ if has_journal(&path) => Ok(()),
        _ => Err(OpenError::NotSqlite(path)),
    }
}

/// Returns whether there is a rollback journal. Only the first transaction of a file has one, before the journal mode
/// is changed to WAL.
fn has_journal(path: &Path) -> bool {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    let mut magic = [0; JOURNAL_MAGIC.len()];
    File::open(journal).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *JOURNAL_MAGIC
}

/// Rejects a SQLite database without our tables, before anything in it is changed, such as its journal mode.
pub(super) async fn sqlite_tables(options: &SqliteConnectOptions) -> Result<(), OpenError> {
    let mut connection = options.connect().await?;
    let found = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations'");
    let found = found.fetch_optional(&mut connection).await?.is_some();
    connection.close().await?;
    let path = options.get_filename();
    if found { Ok(()) } else { Err(OpenError::NoTables(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))) }
}

/// Query parameters of a PostgreSQL URL. sqlx ignores any other with a warning that contains its value.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];

/// Rejects a URL with a parameter that would be ignored. The message never contains the value of a parameter.
pub(super) fn postgres_url(url: &str) -> Result<(), OpenError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(OpenError::Url("has to be postgres://user:password@host/name".to_owned()));
    }
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let names = parameters.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let known = |name: &str| name == "options" || name.starts_with("options[") || PARAMETERS.contains(&name);
    let Some(name) = names.into_iter().find(|name| !name.is_empty() && !known(name)) else { return Ok(()) };
    let hint = nearest(name, PARAMETERS).map_or_else(|| "take it out".to_owned(), |near| format!("is it {near}?"));
    Err(OpenError::Url(format!("has a parameter {:?} that is not supported: {hint}", excerpt(name))))
}

/// Connects once, and reports why that fails. While PostgreSQL reports that it is starting up, the connection is
/// retried.
pub(super) async fn postgres(options: &PgConnectOptions, time_limit: Duration) -> Result<(), OpenError> {
    let latest = Instant::now() + time_limit;
    loop {
        let cause = match timeout_at(latest, options.connect()).await {
            Ok(Ok(connection)) => {
                // The connection worked; an error on closing it does not matter.
                let _ = connection.close().await;
                return Ok(());
            }
            Ok(Err(sqlx::Error::Database(error))) if is_starting(&*error) && Instant::now() < latest => {
                sleep(Duration::from_millis(100)).await;
                continue;
            }
            Ok(Err(sqlx::Error::Database(error))) => error.message().to_owned(),
            Ok(Err(sqlx::Error::Io(error))) => system_reason(&error),
            Ok(Err(sqlx::Error::Tls(error))) => format!("TLS failed: {error}"),
            Ok(Err(sqlx::Error::Configuration(error))) => {
                return Err(OpenError::Url(format!("can't be used: {error}")));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no response within {time_limit:?}"),
        };
        let database = options.get_database().unwrap_or(options.get_username()).to_owned();
        return Err(OpenError::Postgres { address: address(options), database, cause });
    }
}

/// Returns whether the error is `cannot_connect_now` (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn is_starting(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "57P03")
}

fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_would_be_ignored_is_rejected_without_its_value() {
        for url in [
            "postgres://host/name",
            "postgresql://ann:pass@host:5432/name?sslmode=require&options=-c%20x=y&application_name=a",
            "postgres://host/name?options[search_path]=x&",
        ] {
            postgres_url(url).expect(url);
        }
        for (url, message) in [
            ("postgres:name", "the database URL has to be postgres://user:password@host/name"),
            (
                "postgres://host/name?sslmode=require&pasword=s3cret",
                "the database URL has a parameter \"pasword\" that is not supported: is it password?",
            ),
            (
                "postgres://host/name?channel_binding=require",
                "the database URL has a parameter \"channel_binding\" that is not supported: take it out",
            ),
        ] {
            assert_eq!(postgres_url(url).expect_err(url).to_string(), message);
        }
    }

    #[test]
    fn system_reasons_are_lower_case_without_the_error_number() {
        assert_eq!(system_reason(&io::Error::from_raw_os_error(13)), "permission denied");
        assert_eq!(system_reason(&io::Error::other("Name or service not known")), "name or service not known");
    }
}
