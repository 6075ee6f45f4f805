//! The memory that a request and the thread of its SQLite connection exchange. The one frees what the other has allocated,
//! which the counters of the request's own threads show as a loss or a gain.

use sqlx::{Row, TypeInfo, ValueRef, sqlite::SqliteRow};

use crate::budget;

/// Counts the binds of a statement, of this size, as freed: the connection's thread has freed them.
pub(super) fn freed_by_connection(bytes: i64) {
    budget::adjust(-bytes);
}

/// Counts a row as allocated by the request, which frees it.
pub(super) fn receive(row: &SqliteRow) {
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
