//! The list of the syncs of a memberbase.

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

/// Returns a page of the syncs of a memberbase, newest first; an empty page if the memberbase does not exist.
pub(crate) async fn list(app: &App, scope: Scope, page: &Page<SyncId>) -> Result<Slice<Sync>, Error> {
    id_pagination::page(&app.db.read().await?, syncs_of(scope), sync::Column::Id, Order::Desc, page).await
}

pub(crate) async fn count(app: &App, scope: Scope) -> Result<u64, Error> {
    Ok(syncs_of(scope).count(&app.db.read().await?).await?)
}

pub(crate) fn cursor(scope: Scope, id: SyncId) -> String {
    id_pagination::encode_within(CursorKind::Syncs, scope, id)
}

/// Parses a cursor of the list of a memberbase's syncs. The error is a message for the client.
pub(crate) fn parse_cursor(scope: Scope, cursor: &str) -> Result<SyncId, &'static str> {
    id_pagination::decode_within(CursorKind::Syncs, scope, cursor)
}

fn syncs_of(scope: Scope) -> Select<sync::Entity> {
    sync::Entity::find().filter(sync::Column::MemberbaseId.eq(scope.memberbase().uuid()))
}
