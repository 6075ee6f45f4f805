//! Opens the pools.

use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use sqlx::{
    ConnectOptions, Connection as _, Executor, Row,
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Cutoff, Db, OpenError, Pools, error_kind, open,
    pool::{Lifetime, LifoPool},
    session::MAX_SILENCE,
};

/// Where the database is and how it is spoken to.
#[derive(Clone)]
pub struct Settings {
    /// `sqlite://FILE` or `postgres://...`.
    pub url: String,
    /// Connections at most; on SQLite those that read.
    pub max_connections: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// Maximum lifetime of a connection to PostgreSQL.
    pub max_lifetime: Duration,
    /// How long PostgreSQL lets a statement run that is in no transaction; on SQLite deadlines alone end statements.
    pub query_timeout: Duration,
    /// How long PostgreSQL lets a statement run of a transaction that has no deadline of its own.
    pub mutation_timeout: Duration,
    /// Whether a connection pooler in transaction mode, such as PgBouncer, stands in front of PostgreSQL: then nothing
    /// is set on a connection that would outlast a transaction.
    pub pooler: bool,
    /// Creates the file of a SQLite database if there is none.
    pub create: bool,
}

impl Settings {
    /// Few connections, and five seconds for whatever they do: for tests.
    pub fn small(url: impl Into<String>) -> Self {
        let time = Duration::from_secs(5);
        Self {
            url: url.into(),
            max_connections: 5,
            acquire_timeout: time,
            max_lifetime: Duration::from_secs(1800),
            query_timeout: time,
            mutation_timeout: time,
            pooler: false,
            create: true,
        }
    }
}

/// A connection that was idle for so long is asked for an answer before it is used.
pub(super) const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);

/// How long that answer may take. A connection without one is closed at once: where the database has vanished, and nobody says
/// that it has, others wait behind those that ask.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long SQLite waits for another process that writes.
pub(super) const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl Db {
    /// Connects; the file of a SQLite database is created where it is missing and the settings say so.
    pub async fn connect(settings: &Settings) -> Result<Self, OpenError> {
        let pools = if settings.url.starts_with("postgres:") || settings.url.starts_with("postgresql:") {
            postgres(settings).await?
        } else if settings.url.starts_with("sqlite:") {
            sqlite(settings).await?
        } else {
            return Err(OpenError::Url("begins neither with sqlite: nor with postgres:".to_owned()));
        };
        Ok(Self {
            pools: Arc::new(pools),
            cutoff: Cutoff::default(),
            client: None,
            statements: Arc::default(),
            untracked_statements: Arc::default(),
            waits: Arc::default(),
            analyze_scheduler: Arc::default(),
        })
    }
}

async fn sqlite(settings: &Settings) -> Result<Pools, OpenError> {
    let options = SqliteConnectOptions::from_str(&settings.url)?;
    if settings.url.contains(":memory:") || settings.url.contains("mode=memory") {
        let message = "a SQLite database in memory can't be shared by several connections, name a file";
        return Err(sqlx::Error::Configuration(message.into()).into());
    }
    let write = !settings.url.contains("mode=ro");
    // A server goes on with a file that it may only read, and says that it is not ready.
    open::sqlite_file(options.get_filename(), settings.create && write, !settings.create && write)?;
    if !settings.create {
        open::sqlite_tables(&options).await?;
    }
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        // FULL syncs the log at every commit: what is acknowledged survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .create_if_missing(false)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .with_regexp()
        .disable_statement_logging();
    // The writer first: it makes the file, and recovers the log of a server that was killed.
    // Writers wait for each other as long as their deadlines allow. A large call changes more pages than SQLite keeps by
    // itself; those who read have the system's cache behind the 2 MiB that are theirs.
    let writer = pool(SqlitePoolOptions::new(), settings)
        .max_connections(1)
        .acquire_timeout(settings.mutation_timeout.max(settings.acquire_timeout))
        .connect_with(options.clone().pragma("cache_size", "-32768"))
        .await?;
    expect_utf8(sqlx::raw_sql("PRAGMA encoding").fetch_one(&writer).await?.try_get(0)?, "UTF-8")?;
    let lifetime = Lifetime::default();
    let allowed = lifetime.clone();
    let readers = pool(SqlitePoolOptions::new(), settings)
        .max_connections(settings.max_connections)
        .before_acquire(move |_, meta| {
            let may_be_used = allowed.allows(meta.age);
            Box::pin(async move { Ok(may_be_used) })
        })
        .connect_with(options.pragma("query_only", "ON"))
        .await?;
    Ok(Pools::Sqlite { readers: LifoPool::new(readers, lifetime), writer: LifoPool::new(writer, Lifetime::default()) })
}

async fn postgres(settings: &Settings) -> Result<Pools, OpenError> {
    open::postgres_url(&settings.url)?;
    let options = PgConnectOptions::from_str(&settings.url)?.application_name("memberbase").disable_statement_logging();
    open::postgres(&options, settings.acquire_timeout).await?;
    let session = (!settings.pooler).then(|| {
        let query_timeout = settings.query_timeout.as_millis();
        format!("{}; SET statement_timeout = {query_timeout}", plans_and_silence("SET"))
    });
    let lifetime = Lifetime::new(Some(settings.max_lifetime));
    let allowed = lifetime.clone();
    let pool = pool(PgPoolOptions::new(), settings)
        .max_connections(settings.max_connections)
        .max_lifetime(lifetime.in_pool())
        .after_connect(move |connection, _| {
            let session = session.clone();
            Box::pin(async move {
                if let Some(session) = session {
                    set_up(connection, session).await?;
                }
                Ok(())
            })
        })
        .before_acquire(move |connection, meta| {
            let may_be_used = allowed.allows(meta.age);
            Box::pin(async move {
                if !may_be_used || meta.idle_for < CHECK_AFTER_IDLE {
                    return Ok(may_be_used);
                }
                // An error has it closed without a word, which nobody would answer either.
                let answer = tokio::time::timeout(CHECK_TIMEOUT, connection.ping()).await;
                answer.map_err(|_| sqlx::Error::PoolTimedOut)?.map(|()| true)
            })
        })
        .connect_with(options)
        .await?;
    expect_utf8(sqlx::raw_sql("SHOW server_encoding").fetch_one(&pool).await?.try_get(0)?, "UTF8")?;
    // Behind a pooler a session setting would reach other clients, so each transaction makes its own.
    let local = if settings.pooler { format!("; {}", plans_and_silence("SET LOCAL")) } else { String::new() };
    // Writes wait for locks with a connection in hand: some are left for whoever reads meanwhile.
    let writers = Arc::new(Semaphore::new((settings.max_connections as usize * 4 / 5).max(1)));
    let longest = settings.mutation_timeout;
    Ok(Pools::Postgres { pool: LifoPool::new(pool, lifetime), writers, local, longest, pooler: settings.pooler })
}

/// The settings of every transaction, by `SET` or `SET LOCAL`.
fn plans_and_silence(set: &str) -> String {
    // A generic plan does not get slower when a memberbase grows faster than its statistics; compiling a plan costs
    // more than any of ours saves by it.
    let silence = MAX_SILENCE.as_millis();
    format!(
        "{set} plan_cache_mode = force_generic_plan; {set} jit = off; \
        {set} idle_in_transaction_session_timeout = {silence}"
    )
}

/// Sets up a connection that is ours alone, so that what it holds is free soon after its server has vanished.
async fn set_up(connection: &mut PgConnection, session: String) -> Result<(), sqlx::Error> {
    // PostgreSQL notices a client that has vanished with its network within 11 s, one that takes no data within 10 s, and
    // one that has closed its connection while a statement runs within 0.4 s. The last two came with versions 12 and 14,
    // and are not on every system.
    const KEEPALIVES: &str =
        "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3";
    const OPTIONAL: [&str; 2] = ["SET tcp_user_timeout = '10s'", "SET client_connection_check_interval = '400ms'"];
    connection.execute(sqlx::AssertSqlSafe(format!("{session}; {KEEPALIVES}"))).await?;
    for setting in OPTIONAL {
        match connection.execute(setting).await {
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(lost) => return Err(lost),
        }
    }
    Ok(())
}

/// Refuses a database of another encoding: not every text would come back from it, nor would ids that are read as text.
fn expect_utf8(encoding: String, utf8: &str) -> Result<(), sqlx::Error> {
    if encoding == utf8 {
        return Ok(());
    }
    let message = format!("the database has the encoding {encoding}, and only {utf8} holds every text");
    Err(sqlx::Error::Configuration(message.into()))
}

fn pool<DB: sqlx::Database>(options: PoolOptions<DB>, settings: &Settings) -> PoolOptions<DB> {
    options.acquire_timeout(settings.acquire_timeout).test_before_acquire(false).max_lifetime(None)
}

/// The permit to write, before the deadline.
pub(super) async fn write_permit(
    writers: &Arc<Semaphore>,
    deadline: Option<Instant>,
) -> Result<OwnedSemaphorePermit, DbErr> {
    let permit = Arc::clone(writers).acquire_owned();
    let permit = match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), permit).await.map_err(|_| error_kind::timeout())?,
        None => permit.await,
    };
    permit.map_err(|_| error_kind::connection(sqlx::Error::PoolClosed))
}
