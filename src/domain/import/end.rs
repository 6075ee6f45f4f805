//! Ends an attempt.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

use super::{Attempt, State};
use crate::{
    app::App,
    db::{Lock, Session},
    domain::{Error, access::Scope},
    entity::import,
    types::{Id, Time},
};

/// Stores the end of an attempt with its last event. Changes nothing if the attempt has ended, or another one has begun.
pub(crate) async fn end(
    app: &App,
    scope: Scope,
    attempt: Attempt,
    state: State,
    last_event: &str,
) -> Result<(), Error> {
    let end = async |session: Session| {
        import::Entity::update_many()
            .col_expr(import::Column::State, Expr::value(state as i32))
            .col_expr(import::Column::UpdatedAt, Expr::value(Time::now().micros()))
            .col_expr(import::Column::LastEvent, Expr::value(last_event))
            .filter(import::Column::Id.eq(attempt.id))
            .filter(import::Column::Attempt.eq(attempt.number))
            .filter(import::Column::State.eq(State::Running as i32))
            .exec(&session)
            .await?;
        Ok(())
    };
    app.db.write(Lock::Shared(scope.memberbase().uuid()), end).await
}

/// Deletes all imports of a memberbase, whose lock the caller holds exclusively.
pub(in crate::domain) async fn delete_all(session: &Session, scope: Scope) -> Result<(), Error> {
    let memberbase = scope.memberbase().uuid();
    import::Entity::delete_many().filter(import::Column::MemberbaseId.eq(memberbase)).exec(session).await?;
    Ok(())
}
