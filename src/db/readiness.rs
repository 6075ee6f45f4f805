//! The readiness check of the database: all migrations are applied, and it accepts writes.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Db, DbErrorKind, Pools, Session, connect, connection::Connection, error_kind};

impl Db {
    /// Returns why the database is not ready; `None` if all migrations are applied and it accepts writes.
    pub(crate) async fn not_ready_reason(&self) -> Result<Option<&'static str>, DbErr> {
        if !self.migrations().await?.iter().all(|migration| migration.applied) {
            return Ok(Some("migrations are pending"));
        }
        self.read_only_reason().await
    }

    /// Returns why the database accepts no writes; `None` if it does. After a failover connections may still lead to a
    /// standby: on finding one, all open connections are closed.
    async fn read_only_reason(&self) -> Result<Option<&'static str>, DbErr> {
        match &self.shared.pools {
            Pools::Sqlite { writer, .. } => {
                // A writer in use shows that the file is writable.
                let Some(connection) = Connection::sqlite_if_free(writer, self.tenant, &self.cutoff).await? else {
                    return Ok(None);
                };
                let session = Session::new(connection, self, false);
                sqlite_reason(&session).await
            }
            Pools::Postgres { .. } => postgres_reason(&self.read().await?).await,
        }
    }
}

async fn sqlite_reason(session: &Session) -> Result<Option<&'static str>, DbErr> {
    // If another process is writing, the file is writable: no need to wait for its lock.
    session.execute_unprepared("PRAGMA busy_timeout = 0").await?;
    let written = write_nothing(session).await;
    session.execute_unprepared(&connect::restore_busy_timeout()).await?;
    match written {
        Err(error) if error_kind::is_read_only(&error) => Ok(Some("the database file is read-only")),
        Err(error) if DbErrorKind::of(&error) != DbErrorKind::Contention => Err(error),
        _ => Ok(None),
    }
}

/// Fails if the file is not writable. On such a file SQLite turns `BEGIN IMMEDIATE` into a read transaction, so the
/// `DELETE` detects it, although it matches no rows.
async fn write_nothing(session: &Session) -> Result<(), DbErr> {
    session.execute_unprepared("BEGIN IMMEDIATE").await?;
    let written = session.execute_unprepared("DELETE FROM seaql_migrations WHERE false").await;
    session.execute_unprepared("ROLLBACK").await?;
    written.map(drop)
}

async fn postgres_reason(session: &Session) -> Result<Option<&'static str>, DbErr> {
    let sql = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'";
    let row = session.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let (in_recovery, read_only) = match row {
        Some(row) => (row.try_get_by_index(0)?, row.try_get_by_index(1)?),
        None => (false, false),
    };
    let reason = match (in_recovery, read_only) {
        (true, _) => "the database is in recovery: it is a standby and takes no writes",
        (false, true) => "the database is read-only (default_transaction_read_only)",
        (false, false) => return Ok(None),
    };
    session.mark_read_only().await;
    Ok(Some(reason))
}
