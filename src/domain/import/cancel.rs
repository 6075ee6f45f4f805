//! Cancels an import.

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    prelude::Uuid,
    sea_query::{Expr, ExprTrait},
};

use super::{State, not_found};
use crate::{
    app::App,
    db::{Lock, Session},
    domain::{Error, access::Visibility, sync},
    entity::import,
    types::{Id, MemberbaseId, SyncId, Time},
};

/// Cancels an import: its last attempt fails with this event, and the sync of a mirror is abandoned. Fails if the import is
/// complete.
pub(crate) async fn cancel(app: &App, visibility: Visibility, id: Uuid, last_event: &str) -> Result<(), Error> {
    let found = import::Entity::find_by_id(id).one(&app.db.read().await?).await?;
    let scope = found.and_then(|row| visibility.within(MemberbaseId::from_uuid(row.memberbase_id)));
    let scope = scope.ok_or_else(|| not_found(id))?;
    let cancel = async |session: Session| {
        // The number of the attempt keeps the running one from writing.
        let cancelled = import::Entity::update_many()
            .col_expr(import::Column::Attempt, Expr::col(import::Column::Attempt).add(1))
            .col_expr(import::Column::State, Expr::value(State::Failed as i32))
            .col_expr(import::Column::UpdatedAt, Expr::value(Time::now().micros()))
            .col_expr(import::Column::LastEvent, Expr::value(last_event))
            .filter(import::Column::Id.eq(id))
            .filter(import::Column::State.ne(State::Complete as i32))
            .exec(&session)
            .await?;
        let row = import::Entity::find_by_id(id).one(&session).await?.ok_or_else(|| not_found(id))?;
        if cancelled.rows_affected == 0 {
            return Err(Error::Conflict(format!("the import {id} is complete")));
        }
        Ok(row.sync_id.map(SyncId::from_uuid))
    };
    let Some(sync) = app.db.write(Lock::Shared(scope.memberbase().uuid()), cancel).await? else { return Ok(()) };
    match sync::abandon(app, visibility, sync).await {
        // It was not started.
        Ok(_) | Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
