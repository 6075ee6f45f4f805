//! Records the progress of an attempt.

use sea_orm::{ConnectionTrait, Statement};

use super::{Attempt, Counts, Position, superseded};
use crate::{
    app::App,
    db::{ArrayColumn, ArrayTable, Lock, ScalarBind, Session},
    domain::Error,
    types::{RowOutcome, Time},
};

/// The outcome of a batch, and what its commit makes of the import.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) attempt: Attempt,
    /// The rows that are stored without a gap after the commit; `None` if this is not known, so that it stays as it is.
    pub(crate) stored: Option<Position>,
    pub(crate) counts: Counts,
    pub(crate) rejections: Vec<Rejection>,
    /// True if not all rejected rows are in `rejections`.
    pub(crate) is_truncated: bool,
    /// Number of bytes that were received of the body.
    pub(crate) bytes: u64,
}

/// A rejected row.
#[derive(Clone, Debug)]
pub(crate) struct Rejection {
    /// The line of the file in which the row begins, from 1.
    pub(crate) line: u64,
    /// The event that reports it, as JSON.
    pub(crate) event: String,
}

/// Adds a batch to an import, in the batch's own transaction. Fails if another attempt has begun. This should be the last
/// statement of a transaction, because other batches of the import wait for it.
pub(in crate::domain) async fn record(session: &Session, record: &Record) -> Result<(), Error> {
    let Record { attempt, counts, rejections, .. } = record;
    let stored = record.stored.unwrap_or_default();
    let bytes: usize = rejections.iter().map(|rejection| rejection.event.len()).sum();
    let count = |outcome: RowOutcome| counts.outcomes[outcome as usize].cast_signed().into();
    let sql = r"
        UPDATE import
        SET updated_at = $3,
            stored_rows = CASE WHEN stored_rows < $4 THEN $4 ELSE stored_rows END,
            next_line = CASE WHEN stored_rows < $4 THEN $5 ELSE next_line END,
            prefix_hash = CASE WHEN stored_rows < $4 THEN $6 ELSE prefix_hash END,
            created = created + $7,
            updated = updated + $8,
            unchanged = unchanged + $9,
            stale = stale + $10,
            skipped = skipped + $11,
            rejected = rejected + $12,
            unattributed = unattributed + $13,
            body_bytes = $14,
            kept_bytes = kept_bytes + $15,
            is_truncated = is_truncated OR $16
        WHERE id = $1 AND attempt = $2 AND state = 0";
    let values = [
        attempt.id.into(),
        attempt.number.into(),
        Time::now().micros().into(),
        stored.rows.cast_signed().into(),
        stored.line.cast_signed().into(),
        stored.hash.to_vec().into(),
        count(RowOutcome::Created),
        count(RowOutcome::Updated),
        count(RowOutcome::Unchanged),
        count(RowOutcome::Stale),
        count(RowOutcome::Skipped),
        count(RowOutcome::Failed),
        counts.unattributed.cast_signed().into(),
        record.bytes.cast_signed().into(),
        i64::try_from(bytes).unwrap_or(i64::MAX).into(),
        record.is_truncated.into(),
    ];
    let update = Statement::from_sql_and_values(session.get_database_backend(), sql, values);
    if session.execute_raw(update).await?.rows_affected() == 0 {
        return Err(superseded());
    }
    insert_rejections(session, *attempt, rejections).await
}

pub(super) async fn insert_rejections(
    session: &Session,
    attempt: Attempt,
    rejections: &[Rejection],
) -> Result<(), Error> {
    if rejections.is_empty() {
        return Ok(());
    }
    let sql = r"
        INSERT INTO import_rejection (import_id, line, event)
        SELECT $1, input.line, input.event FROM {rows} AS input WHERE true
        ON CONFLICT (import_id, line) DO NOTHING";
    let lines = rejections.iter().map(|rejection| rejection.line.cast_signed()).collect();
    let events = rejections.iter().map(|rejection| &*rejection.event).collect();
    let rows = ArrayTable::new([("line", ArrayColumn::Ints(lines)), ("event", ArrayColumn::Texts(events))]);
    session.bulk(sql, &[ScalarBind::Uuid(attempt.id)], &rows).await?;
    Ok(())
}

/// Adds a record to an import, in a transaction of its own.
pub(crate) async fn record_apart(app: &App, batch: &Record) -> Result<(), Error> {
    let write = async |session: Session| record(&session, batch).await;
    // A commit of the import's sync may hold the memberbase's lock.
    app.db.write(Lock::None, write).await
}
