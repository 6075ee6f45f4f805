//! Opens the connection pools, and sets up each connection.

use std::{
    str::FromStr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection as _, Executor, Row,
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Cutoff, Db, OpenError, Pools, Shared, Waits,
    auto_analyze::AnalyzeScheduler,
    open,
    pool::{CHECK_AFTER_IDLE, CHECK_TIMEOUT, Lifetime, LifoPool},
    session::MAX_SILENCE,
    sqlite_wal::{self, Wal},
    write_queue::WriteQueue,
};

#[derive(Clone)]
pub struct Settings {
    /// `sqlite://FILE` or `postgres://...`.
    pub url: String,
    /// Maximum number of open connections; on SQLite of readers.
    pub max_connections: u32,
    pub acquire_timeout: Duration,
    /// Maximum lifetime of a connection to PostgreSQL.
    pub max_lifetime: Duration,
    /// Time limit of a statement outside a transaction, on PostgreSQL. SQLite has only the deadlines of requests.
    pub query_timeout: Duration,
    /// Time limit of a statement in a transaction without a deadline, on PostgreSQL.
    pub mutation_timeout: Duration,
    /// True if PostgreSQL is reached through a connection pooler in transaction mode, such as PgBouncer: then no
    /// setting is made that would outlast a transaction.
    pub pooler: bool,
    /// Creates the file of a SQLite database if there is none.
    pub create: bool,
}

impl Settings {
    /// Returns settings for tests: five connections, and a limit of five seconds for everything.
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

/// Time that SQLite waits for another process that holds the write lock.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the statement that sets a SQLite connection's busy timeout back to [`SQLITE_BUSY_TIMEOUT`].
pub(super) fn restore_busy_timeout() -> String {
    format!("PRAGMA busy_timeout = {}", SQLITE_BUSY_TIMEOUT.as_millis())
}

impl Db {
    /// Opens the database. A missing SQLite file is created if the settings say so.
    pub async fn connect(settings: &Settings) -> Result<Self, OpenError> {
        let (pools, write_queue) = if settings.url.starts_with("postgres:") || settings.url.starts_with("postgresql:") {
            postgres(settings).await?
        } else if settings.url.starts_with("sqlite:") {
            sqlite(settings).await?
        } else {
            return Err(OpenError::Url("has to begin with sqlite: or postgres:".to_owned()));
        };
        Ok(Self {
            shared: Arc::new(Shared {
                pools,
                write_queue,
                statements: AtomicU64::default(),
                untracked_statements: AtomicU64::default(),
                waits: Waits::default(),
                analyze_scheduler: AnalyzeScheduler::default(),
            }),
            cutoff: Cutoff::default(),
            tenant: None,
            client: None,
            untracked: false,
        })
    }
}

async fn sqlite(settings: &Settings) -> Result<(Pools, Arc<WriteQueue>), OpenError> {
    let options = SqliteConnectOptions::from_str(&settings.url)?;
    if settings.url.contains(":memory:") || settings.url.contains("mode=memory") {
        let message = "in-memory SQLite databases are not supported, because connections can't share them: use a file";
        return Err(sqlx::Error::Configuration(message.into()).into());
    }
    let write = !settings.url.contains("mode=ro");
    // A server also starts on a read-only file, and reports that it is not ready.
    open::sqlite_file(options.get_filename(), settings.create && write, !settings.create && write)?;
    if !settings.create {
        open::sqlite_tables(&options).await?;
    }
    let wal = Wal::of(options.get_filename());
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        // FULL syncs the WAL at every commit, so acknowledged writes survive a power loss
        // (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .create_if_missing(false)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .with_regexp()
        .disable_statement_logging();
    // The writer comes first: it initializes the file, and recovers the WAL of a server that was killed.
    // Writes wait for each other as long as their deadlines allow. A large call changes more pages than SQLite's default
    // cache of 2 MiB holds, hence 32 MiB; for readers the operating system's page cache complements the default.
    let max_wait = settings.mutation_timeout.max(settings.acquire_timeout);
    let writer = pool(SqlitePoolOptions::new(), settings)
        .max_connections(1)
        .acquire_timeout(max_wait)
        .connect_with(
            options
                .clone()
                .pragma("cache_size", "-32768")
                .pragma("journal_size_limit", sqlite_wal::MAX_IDLE_BYTES.to_string()),
        )
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
    let readers = LifoPool::new(readers, lifetime);
    let writer = LifoPool::new(writer, Lifetime::default());
    Ok((Pools::Sqlite { readers, writer, wal }, WriteQueue::new(1, max_wait)))
}

async fn postgres(settings: &Settings) -> Result<(Pools, Arc<WriteQueue>), OpenError> {
    open::postgres_url(&settings.url)?;
    let options = PgConnectOptions::from_str(&settings.url)?.application_name("memberbase").disable_statement_logging();
    open::postgres(&options, settings.acquire_timeout).await?;
    let session_settings = (!settings.pooler).then(|| {
        let query_timeout = settings.query_timeout.as_millis();
        format!("{}; SET statement_timeout = {query_timeout}", common_settings("SET"))
    });
    let lifetime = Lifetime::new(Some(settings.max_lifetime));
    let allowed = lifetime.clone();
    let pool = pool(PgPoolOptions::new(), settings)
        .max_connections(settings.max_connections)
        .max_lifetime(lifetime.in_pool())
        .after_connect(move |connection, _| {
            let session_settings = session_settings.clone();
            Box::pin(async move {
                if let Some(session_settings) = session_settings {
                    set_up(connection, session_settings).await?;
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
                // An error makes the pool close the socket without sending Terminate, which could hang too.
                let pong = tokio::time::timeout(CHECK_TIMEOUT, connection.ping()).await;
                pong.map_err(|_| sqlx::Error::PoolTimedOut)?.map(|()| true)
            })
        })
        .connect_with(options)
        .await?;
    expect_utf8(sqlx::raw_sql("SHOW server_encoding").fetch_one(&pool).await?.try_get(0)?, "UTF8")?;
    // Behind a pooler a session setting would affect other clients, so each transaction makes its own settings.
    let local = if settings.pooler { format!("; {}", common_settings("SET LOCAL")) } else { String::new() };
    // A large call holds a connection for minutes: a fifth of the connections is left for reads.
    let writers = (settings.max_connections as usize * 4 / 5).max(1);
    let pools = Pools::Postgres { pool: LifoPool::new(pool, lifetime), local, pooler: settings.pooler };
    Ok((pools, WriteQueue::new(writers, settings.mutation_timeout)))
}

/// Returns the settings that every transaction needs, made with `SET` or `SET LOCAL`.
fn common_settings(set: &str) -> String {
    // A generic plan does not get slower if a memberbase grows faster than its statistics. JIT compilation costs more
    // than it saves in any statement of this program. Parallel workers do too for a generic plan, which expects the average
    // memberbase and starts them for the smallest, and they would make one request take several cores.
    let max_idle_millis = MAX_SILENCE.as_millis();
    format!(
        "{set} plan_cache_mode = force_generic_plan; {set} jit = off; \
        {set} max_parallel_workers_per_gather = 0; \
        {set} idle_in_transaction_session_timeout = {max_idle_millis}"
    )
}

/// Sets up a connection without a pooler, so that PostgreSQL soon frees its locks after this server has vanished.
async fn set_up(connection: &mut PgConnection, session_settings: String) -> Result<(), sqlx::Error> {
    // With these PostgreSQL detects a client whose network is gone within 11 s, one that does not read within 10 s, and
    // one that closed its connection during a statement within 0.4 s. The last two settings exist since versions 12 and
    // 14, and are not supported on every operating system.
    const KEEPALIVES: &str =
        "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3";
    const OPTIONAL: [&str; 2] = ["SET tcp_user_timeout = '10s'", "SET client_connection_check_interval = '400ms'"];
    connection.execute(sqlx::AssertSqlSafe(format!("{session_settings}; {KEEPALIVES}"))).await?;
    for setting in OPTIONAL {
        match connection.execute(setting).await {
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Rejects a database with another encoding: it could not store every text, and ids that are read as text would break.
fn expect_utf8(encoding: String, utf8: &str) -> Result<(), sqlx::Error> {
    if encoding == utf8 {
        return Ok(());
    }
    let message = format!("the database has the encoding {encoding}, but only {utf8} is supported");
    Err(sqlx::Error::Configuration(message.into()))
}

fn pool<DB: sqlx::Database>(options: PoolOptions<DB>, settings: &Settings) -> PoolOptions<DB> {
    options.acquire_timeout(settings.acquire_timeout).test_before_acquire(false).max_lifetime(None)
}
