//! Starts a sync.

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::{Sync, SyncState, end::end_open};
use crate::{
    app::App,
    db::{Lock, Session},
    domain::{Error, access::Scope, memberbase},
    entity::sync,
    types::{Id, SyncId, Time},
};

/// Starts a sync after the upserts in progress. Fails if another sync is open, unless `abandon_open` abandons that one.
/// An expired sync is ended and is no obstacle.
pub(crate) async fn start(app: &App, scope: Scope, abandon_open: bool) -> Result<Sync, Error> {
    start_as(app, scope, SyncId::from_uuid(Uuid::now_v7()), abandon_open).await
}

/// Starts a sync with an id that no other sync has, as [`start`] does.
pub(crate) async fn start_as(app: &App, scope: Scope, id: SyncId, abandon_open: bool) -> Result<Sync, Error> {
    let start = async |session: Session| {
        memberbase::ensure_exists(&session, scope).await?;
        let ended = end_open(&session, scope, |open| match open.state {
            SyncState::Open if !abandon_open => Err(already_open(open)),
            SyncState::Open => Ok(SyncState::Abandoned),
            _ => Ok(SyncState::Expired),
        });
        ended.await?;
        let expiry = i64::try_from(app.limits.sync.expiry.as_micros()).unwrap_or(i64::MAX);
        let row = sync::Model {
            id: id.uuid(),
            memberbase_id: scope.memberbase().uuid(),
            state: SyncState::Open as i32,
            expires_at: Time::from_micros(id.created_at().micros().saturating_add(expiry)).micros(),
            ended_at: None,
            seen: None,
            missing: None,
            deleted_members: None,
            deleted_attributes: None,
            deleted_clips: None,
            deleted_stamp_collections: None,
            deleted_transactions: None,
        };
        sync::Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(&session).await?;
        row.try_into()
    };
    app.db.write(Lock::Exclusive(scope.memberbase().uuid()), start).await
}

fn already_open(open: &Sync) -> Error {
    let Sync { id, memberbase, .. } = open;
    let time = open.id.created_at();
    Error::Conflict(format!(
        "sync {id} has been open in memberbase {memberbase} since {time}: commit or abandon it, or start with abandonOpen"
    ))
}
