//! Marks: rows that record which members an open sync has seen.

use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{Sync, expire, not_found};
use crate::{
    app::App,
    db::{ArrayColumn, ArrayTable, Lock, ScalarBind, Session},
    domain::{
        Error,
        access::Scope,
        bulk::MAX_WRITE_ROWS,
        memberbase::{self, Memberbase},
    },
    entity::sync,
    types::{Id, SyncId, Time},
};

/// A sync that has not ended, but may have expired.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct OpenSync {
    pub(crate) id: SyncId,
    pub(crate) expires_at: Time,
}

/// Runs `work` in a transaction with a shared lock of the memberbase, and passes it the memberbase and its open sync.
/// An expired sync is ended first, so that the writes of `work` do not change its counts.
pub(in crate::domain) async fn with_open_sync<T, Work>(
    app: &App,
    scope: Scope,
    work: impl Fn(Session, Memberbase, Option<SyncId>) -> Work,
) -> Result<T, Error>
where
    Work: Future<Output = Result<T, Error>>,
{
    let lock = Lock::Shared(scope.memberbase().uuid());
    let attempt = async |session: Session| {
        let (memberbase, open) = memberbase::get_with_open_sync(&session, scope).await?;
        if open.is_some_and(|open| open.expires_at <= Time::now()) {
            return Ok(None);
        }
        work(session, memberbase, open.map(|open| open.id)).await.map(Some)
    };
    loop {
        if let Some(done) = app.db.write(lock, attempt).await? {
            return Ok(done);
        }
        expire(app, scope).await?;
    }
}

/// Fails if the call names a sync that is not the open one.
pub(in crate::domain) async fn require_open_sync(
    session: &Session,
    scope: Scope,
    requested: Option<SyncId>,
    open: Option<SyncId>,
) -> Result<(), Error> {
    let Some(id) = requested.filter(|id| Some(*id) != open) else { return Ok(()) };
    let found = sync::Entity::find_by_id(id.uuid())
        .filter(sync::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .one(session)
        .await?
        .ok_or_else(|| not_found(id))?;
    Err(Sync::try_from(found)?.not_open())
}

/// Marks members as seen by an open sync; a member may be marked already. Marking waits for other transactions that
/// mark the same members, and so should be the last statement of a transaction.
pub(in crate::domain) async fn mark(session: &Session, sync: SyncId, mut members: Vec<Uuid>) -> Result<(), Error> {
    // All transactions mark in the same order, and so do not deadlock.
    members.sort_unstable();
    let order = if session.get_database_backend() == DbBackend::Sqlite { "" } else { "ORDER BY input.i" };
    let sql = format!(
        "INSERT INTO sync_seen (sync_id, member_id) SELECT $1, input.id FROM {{rows}} AS input WHERE true {order} \
        ON CONFLICT (sync_id, member_id) DO NOTHING"
    );
    for members in members.chunks(MAX_WRITE_ROWS) {
        let rows = ArrayTable::new([("id", ArrayColumn::Uuids(members.to_vec()))]);
        session.bulk(&sql, &[ScalarBind::Uuid(sync.uuid())], &rows).await?;
    }
    Ok(())
}
