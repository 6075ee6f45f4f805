//! Ends an attempt.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

use super::{Attempt, Position, Rejection, State, record::insert_rejections};
use crate::{
    app::App,
    db::{Lock, Session},
    domain::{Error, access::Scope},
    entity::import,
    types::{Id, Time},
};

/// The end of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) attempt: Attempt,
    pub(crate) state: State,
    pub(crate) last_event: String,
    /// The rows that are stored without a gap; `None` if nothing is stored. The record of a batch may not have included others
    /// that were stored at the same time.
    pub(crate) stored: Option<Position>,
    /// Rows because of which the attempt has failed.
    pub(crate) rejections: Vec<Rejection>,
}

/// Stores the end of an attempt. Changes nothing if it has ended, or another one has begun.
pub(crate) async fn end(app: &App, scope: Scope, end: &End) -> Result<(), Error> {
    let End { attempt, state, last_event, stored, rejections } = end;
    let write = async |session: Session| {
        let mut ending = import::Entity::update_many()
            .col_expr(import::Column::State, Expr::value(*state as i32))
            .col_expr(import::Column::UpdatedAt, Expr::value(Time::now().micros()))
            .col_expr(import::Column::LastEvent, Expr::value(last_event.as_str()));
        if let Some(Position { rows, line, hash }) = stored {
            ending = ending
                .col_expr(import::Column::StoredRows, Expr::value(rows.cast_signed()))
                .col_expr(import::Column::NextLine, Expr::value(line.cast_signed()))
                .col_expr(import::Column::PrefixHash, Expr::value(hash.to_vec()));
        }
        let ended = ending
            .filter(import::Column::Id.eq(attempt.id))
            .filter(import::Column::Attempt.eq(attempt.number))
            .filter(import::Column::State.eq(State::Running as i32))
            .exec(&session)
            .await?;
        if ended.rows_affected == 0 { Ok(()) } else { insert_rejections(&session, *attempt, rejections).await }
    };
    app.db.write(Lock::Shared(scope.memberbase().uuid()), write).await
}

/// Deletes all imports of a memberbase, whose lock the caller holds exclusively.
pub(in crate::domain) async fn delete_all(session: &Session, scope: Scope) -> Result<(), Error> {
    let memberbase = scope.memberbase().uuid();
    import::Entity::delete_many().filter(import::Column::MemberbaseId.eq(memberbase)).exec(session).await?;
    Ok(())
}
