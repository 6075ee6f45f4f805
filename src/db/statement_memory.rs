//! The memory of statements and their results that the counters of the request's threads do not show. A request and the
//! thread of its SQLite connection free what the other has allocated, and the buffers of a connection to PostgreSQL stay.

use sea_orm::Value;
use sea_query_sqlx::SqlxValues;
use sqlx::{Row, TypeInfo, ValueRef, postgres::PgRow, sqlite::SqliteRow};

use super::error_kind;
use crate::budget;

/// Copies that SQLite makes of a bind while its statement runs: its own, and the parsed form of a JSON list.
const COPIES: i64 = 2;

/// The memory of a statement's binds, which counts with SQLite's copies until the statement has ended. The connection's
/// thread then frees the binds.
pub(super) struct HeldBinds(i64);

impl HeldBinds {
    /// Makes binds. Fails if the budget of the request does not suffice for their copies.
    pub(super) fn make<T>(make: impl FnOnce() -> Result<T, sqlx::Error>) -> Result<(T, Self), sqlx::Error> {
        let (binds, bytes) = budget::allocated_by(make);
        Ok((binds?, Self::hold(bytes)?))
    }

    /// Holds the memory of binds that have been made.
    pub(super) fn of(values: &SqlxValues) -> Result<Self, sqlx::Error> {
        let bytes = |value: &Value| match value {
            Value::String(Some(text)) => text.len(),
            Value::Bytes(Some(bytes)) => bytes.len(),
            _ => 0,
        };
        Self::hold(i64::try_from(values.0.0.iter().map(bytes).sum::<usize>()).unwrap_or(i64::MAX / 4))
    }

    fn hold(bytes: i64) -> Result<Self, sqlx::Error> {
        budget::adjust(COPIES * bytes);
        let held = Self(bytes);
        budget::check().map_err(error_kind::over_budget)?;
        Ok(held)
    }
}

impl Drop for HeldBinds {
    fn drop(&mut self) {
        budget::adjust(-(COPIES + 1) * self.0);
    }
}

/// Counts a row as allocated by the request, which frees it.
pub(super) fn receive_sqlite(row: &SqliteRow) {
    let bytes: usize = (0..row.len()).map(|column| text_bytes(row, column)).sum();
    budget::adjust(i64::try_from(bytes).unwrap_or(i64::MAX));
}

/// Returns the length of a text or BLOB; 0 for other values.
fn text_bytes(row: &SqliteRow, column: usize) -> usize {
    let is_text = |value: &sqlx::sqlite::SqliteValueRef<'_>| matches!(value.type_info().name(), "TEXT" | "BLOB");
    match row.try_get_raw(column) {
        Ok(value) if is_text(&value) => row.try_get_unchecked::<&[u8], _>(column).map_or(0, <[u8]>::len),
        _ => 0,
    }
}

/// Returns the size of a row as it was received.
pub(super) fn postgres_bytes(row: &PgRow) -> usize {
    (0..row.len()).filter_map(|column| row.try_get_raw(column).ok()?.as_bytes().ok()).map(<[u8]>::len).sum()
}
