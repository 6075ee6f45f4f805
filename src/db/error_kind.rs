//! Classifies database errors by what the caller can do about them.

use std::sync::Arc;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

use crate::budget::Exceeded;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbErrorKind {
    Timeout,
    /// The database can't be reached, is shutting down, is read-only or has no space left.
    Unavailable,
    /// The transaction conflicted with another one, and may succeed if it is retried.
    Contention,
    /// The request has exceeded its budget.
    OverBudget(Exceeded),
    /// Any other error: a defect of this program.
    Other,
}

/// The text of the error that represents a missed deadline.
const TIMEOUT: &str = "the statement exceeded its time limit";

impl DbErrorKind {
    pub fn of(error: &DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(_) => Self::Unavailable,
            DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error) => match error {
                RuntimeErr::SqlxError(error) => classify_sqlx(error),
                RuntimeErr::Internal(text) if text == TIMEOUT => Self::Timeout,
                RuntimeErr::Internal(_) => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// Returns whether the error says that the database accepts no writes: it is a standby, configured or opened as
/// read-only.
pub(super) fn is_read_only(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let sqlx::Error::Database(error) = &**error else { return false };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        is_read_only_in_sqlite(&code)
    } else {
        code == READ_ONLY_SQL_TRANSACTION
    }
}

/// Returns whether a lock was not available in time (`lock_timeout`).
pub(super) fn is_lock_timeout(error: &DbErr) -> bool {
    let DbErr::Query(RuntimeErr::SqlxError(error)) = error else { return false };
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}

/// PostgreSQL's `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// PostgreSQL's `read_only_sql_transaction`.
const READ_ONLY_SQL_TRANSACTION: &str = "25006";

/// `SQLITE_READONLY`, in the low byte.
fn is_read_only_in_sqlite(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| code & 0xff == 8)
}

fn classify_sqlx(error: &sqlx::Error) -> DbErrorKind {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => DbErrorKind::Unavailable,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                classify_sqlite(&code)
            } else {
                classify_postgres(&code)
            }
        }
        sqlx::Error::Decode(error) => {
            error.downcast_ref().map_or(DbErrorKind::Other, |exceeded| DbErrorKind::OverBudget(*exceeded))
        }
        _ => DbErrorKind::Other,
    }
}

/// Classifies a SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn classify_postgres(code: &str) -> DbErrorKind {
    match code {
        // deadlock_detected, serialization_failure
        "40P01" | "40001" | LOCK_NOT_AVAILABLE => DbErrorKind::Contention,
        // query_canceled (here always by statement_timeout), transaction_timeout
        "57014" | "25P04" => DbErrorKind::Timeout,
        // idle_in_transaction_session_timeout (this server was frozen), admin_shutdown, crash_shutdown,
        // cannot_connect_now, read_only_sql_transaction
        "25P03" | "57P01" | "57P02" | "57P03" | READ_ONLY_SQL_TRANSACTION => DbErrorKind::Unavailable,
        // connection exceptions, insufficient resources
        _ if code.starts_with("08") || code.starts_with("53") => DbErrorKind::Unavailable,
        _ => DbErrorKind::Other,
    }
}

/// Classifies a primary result code, which is in the low byte (<https://www.sqlite.org/rescode.html>).
fn classify_sqlite(code: &str) -> DbErrorKind {
    match code.parse::<u32>().unwrap_or_default() & 0xff {
        // BUSY, LOCKED
        5 | 6 => DbErrorKind::Contention,
        // INTERRUPT: by the progress handler, at the deadline
        9 => DbErrorKind::Timeout,
        // READONLY, IOERR, FULL, CANTOPEN
        8 | 10 | 13 | 14 => DbErrorKind::Unavailable,
        _ => DbErrorKind::Other,
    }
}

/// Returns the error of a request that has exceeded its budget.
pub(super) fn over_budget(exceeded: Exceeded) -> sqlx::Error {
    sqlx::Error::Decode(exceeded.into())
}

pub(super) fn timeout() -> DbErr {
    DbErr::Query(RuntimeErr::Internal(TIMEOUT.to_owned()))
}

pub(super) fn statement(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

pub(super) fn connection(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_classified() {
        for (code, kind) in [
            ("40P01", DbErrorKind::Contention),
            ("40001", DbErrorKind::Contention),
            ("55P03", DbErrorKind::Contention),
            ("57014", DbErrorKind::Timeout),
            ("57P01", DbErrorKind::Unavailable),
            ("25P03", DbErrorKind::Unavailable),
            ("25006", DbErrorKind::Unavailable),
            ("08006", DbErrorKind::Unavailable),
            ("53100", DbErrorKind::Unavailable),
            ("23505", DbErrorKind::Other),
        ] {
            assert_eq!(classify_postgres(code), kind, "{code}");
        }
        // SQLITE_BUSY_SNAPSHOT, SQLITE_INTERRUPT, SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_CONSTRAINT_UNIQUE
        for (code, kind) in [
            ("517", DbErrorKind::Contention),
            ("9", DbErrorKind::Timeout),
            ("13", DbErrorKind::Unavailable),
            ("778", DbErrorKind::Unavailable),
            ("2067", DbErrorKind::Other),
        ] {
            assert_eq!(classify_sqlite(code), kind, "{code}");
        }
        assert_eq!(DbErrorKind::of(&timeout()), DbErrorKind::Timeout);
        // SQLITE_READONLY_DBMOVED, SQLITE_FULL
        assert!(is_read_only_in_sqlite("1032") && !is_read_only_in_sqlite("13"));
    }
}
