//! The syncs of a memberbase, the newest first.

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Select, sea_query::Order};

use super::Sync;
use crate::{
    app::App,
    domain::{
        Error,
        access::Scope,
        id_pagination::{self, CursorKind},
    },
    entity::sync,
    types::{Id, Page, Slice, SyncId},
};

/// A page of the syncs of a memberbase, the newest first. A memberbase that does not exist has none.
pub async fn list(app: &App, scope: Scope, page: &Page<SyncId>) -> Result<Slice<Sync>, Error> {
    id_pagination::page(&app.db.read().await?, of(scope), sync::Column::Id, Order::Desc, page).await
}

/// How many syncs the memberbase has.
pub async fn count(app: &App, scope: Scope) -> Result<u64, Error> {
    Ok(of(scope).count(&app.db.read().await?).await?)
}

/// Where a sync stands in the list of its memberbase, as a cursor: opaque to whoever holds it.
pub fn cursor(scope: Scope, id: SyncId) -> String {
    id_pagination::encode_within(CursorKind::Syncs, scope, id)
}

/// Reads a cursor; the message says why it is none of this list.
pub fn parse_cursor(scope: Scope, cursor: &str) -> Result<SyncId, &'static str> {
    id_pagination::decode_within(CursorKind::Syncs, scope, cursor)
}

fn of(scope: Scope) -> Select<sync::Entity> {
    sync::Entity::find().filter(sync::Column::MemberbaseId.eq(scope.memberbase().uuid()))
}
