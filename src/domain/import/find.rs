//! Finds imports and their rejected rows.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Uuid};

use super::{Attempt, Import, Rejection, State};
use crate::{
    app::App,
    domain::{Error, access::Visibility},
    entity::{import, import_rejection},
    types::Id,
};

/// Number of rejected rows that are read at a time. The event of a row can have tens of KiB.
const REJECTIONS_PER_PAGE: u64 = 100;

/// Returns the import with this id; `None` if it does not exist or is not visible.
pub(crate) async fn find(app: &App, visibility: Visibility, id: Uuid) -> Result<Option<Import>, Error> {
    let bound = visibility.memberbase().map(|memberbase| import::Column::MemberbaseId.eq(memberbase.uuid()));
    let found =
        import::Entity::find_by_id(id).filter(Condition::all().add_option(bound)).one(&app.db.read().await?).await?;
    Ok(found.map(Import::from))
}

/// Returns a page of the rejected rows of an import after a line, in the order of their lines; an empty one after the last.
pub(crate) async fn rejections(app: &App, import: &Import, after_line: u64) -> Result<Vec<Rejection>, Error> {
    let rows = import_rejection::Entity::find()
        .filter(import_rejection::Column::ImportId.eq(import.id))
        .filter(import_rejection::Column::Line.gt(after_line.cast_signed()))
        .order_by_asc(import_rejection::Column::Line)
        .limit(REJECTIONS_PER_PAGE)
        .all(&app.db.read().await?)
        .await?;
    Ok(rows.into_iter().map(|row| Rejection { line: row.line.cast_unsigned(), event: row.event }).collect())
}

/// Returns true if a later attempt of the import is running.
pub(crate) async fn is_continued(app: &App, attempt: Attempt) -> Result<bool, Error> {
    let found = import::Entity::find_by_id(attempt.id)
        .filter(import::Column::Attempt.ne(attempt.number))
        .filter(import::Column::State.eq(State::Running as i32))
        .one(&app.db.read().await?)
        .await?;
    Ok(found.is_some())
}
