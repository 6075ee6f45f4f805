//! Begins an attempt.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    prelude::Uuid,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{Attempt, Import, Position, State};
use crate::{
    app::App,
    db::{Lock, Session},
    domain::{
        Error,
        access::Scope,
        memberbase,
        sync::{Sync, SyncState},
    },
    entity::{import, import_rejection, sync},
    types::{Id, SyncId, Time},
};

/// Time after the last progress for which an import is kept.
const RETENTION_MICROS: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// An attempt that a client requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewAttempt {
    pub(crate) id: Uuid,
    /// The SHA-256 of the parameters.
    pub(crate) parameters_hash: [u8; 32],
    /// True if the members that are not in the file are deleted at the end.
    pub(crate) is_mirror: bool,
    /// True if the import stores nothing, so that it always begins at the first row.
    pub(crate) is_dry_run: bool,
}

/// The beginning of an attempt.
#[derive(Debug)]
pub(crate) enum Begun {
    /// The file has to be stored from this position on.
    Running {
        import: Import,
        attempt: Attempt,
        from: Position,
        /// The id of the sync of a mirror, which may not be started yet.
        sync: Option<SyncId>,
        /// Size of the rejected rows that are kept.
        kept_bytes: u64,
    },
    /// An earlier attempt has stored everything.
    Complete(Import),
}

/// Begins an attempt of an import, which is created if it is unknown. Earlier attempts can't write from now on. Fails if the
/// import began in another memberbase or with other parameters.
///
/// A mirror whose sync was abandoned or has expired begins at the first row again, with a new sync: the members that the
/// former sync has seen would be deleted otherwise.
pub(crate) async fn begin(app: &App, scope: Scope, requested: &NewAttempt) -> Result<Begun, Error> {
    let begin = async |session: Session| {
        memberbase::ensure_exists(&session, scope).await?;
        delete_old(&session, scope).await?;
        let row = take_over(&session, scope, requested).await?;
        if row.memberbase_id != scope.memberbase().uuid() {
            let message = format!("the import {} belongs to another memberbase: choose another id", row.id);
            return Err(Error::Conflict(message));
        }
        if row.parameters_hash != requested.parameters_hash {
            let message = format!(
                "the import {} began with other parameters: send the file with the same ones, or choose another id",
                row.id
            );
            return Err(Error::Conflict(message));
        }
        if row.state == State::Complete as i32 {
            return Ok(Begun::Complete(row.into()));
        }
        let begins_again = requested.is_dry_run || has_lost_sync(&session, &row).await?;
        let row = import::Model {
            state: State::Running as i32,
            updated_at: Time::now().micros(),
            last_event: None,
            ..if begins_again { first_attempt(scope, requested, row.attempt) } else { row }
        };
        row.clone().into_active_model().reset_all().update_without_returning(&session).await?;
        // Rows from there on are reported again.
        import_rejection::Entity::delete_many()
            .filter(import_rejection::Column::ImportId.eq(row.id))
            .filter(import_rejection::Column::Line.gte(row.next_line))
            .exec(&session)
            .await?;
        running(row)
    };
    app.db.write(Lock::Shared(scope.memberbase().uuid()), begin).await
}

fn running(row: import::Model) -> Result<Begun, Error> {
    let hash = <[u8; 32]>::try_from(&*row.prefix_hash).map_err(|error| Error::Internal(error.into()))?;
    Ok(Begun::Running {
        attempt: Attempt { id: row.id, number: row.attempt },
        from: Position { rows: row.stored_rows.cast_unsigned(), line: row.next_line.cast_unsigned(), hash },
        sync: row.sync_id.map(SyncId::from_uuid),
        kept_bytes: row.kept_bytes.cast_unsigned(),
        import: row.into(),
    })
}

/// Deletes the imports of a memberbase whose retention has ended.
async fn delete_old(session: &Session, scope: Scope) -> Result<(), Error> {
    import::Entity::delete_many()
        .filter(import::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(import::Column::UpdatedAt.lt(Time::now().micros() - RETENTION_MICROS))
        .exec(session)
        .await?;
    Ok(())
}

/// Returns the import, with the number of a new attempt. Waits for batches of earlier attempts.
async fn take_over(session: &Session, scope: Scope, requested: &NewAttempt) -> Result<import::Model, Error> {
    let first = first_attempt(scope, requested, 0).into_active_model().reset_all();
    import::Entity::insert(first)
        .on_conflict(OnConflict::column(import::Column::Id).do_nothing().to_owned())
        .try_insert()
        .exec_without_returning(session)
        .await?;
    import::Entity::update_many()
        .col_expr(import::Column::Attempt, Expr::col(import::Column::Attempt).add(1))
        .filter(import::Column::Id.eq(requested.id))
        .exec(session)
        .await?;
    let row = import::Entity::find_by_id(requested.id).one(session).await?;
    row.ok_or_else(|| Error::Internal("an import is not there after it was inserted".into()))
}

/// Returns true if the sync of a mirror has ended without a commit.
async fn has_lost_sync(session: &Session, row: &import::Model) -> Result<bool, Error> {
    let Some(id) = row.sync_id else { return Ok(false) };
    let Some(found) = sync::Entity::find_by_id(id).one(session).await? else {
        // It was not started, so no row is stored.
        return Ok(row.stored_rows > 0);
    };
    Ok(matches!(Sync::try_from(found)?.state, SyncState::Abandoned | SyncState::Expired))
}

fn first_attempt(scope: Scope, requested: &NewAttempt, attempt: i32) -> import::Model {
    import::Model {
        id: requested.id,
        memberbase_id: scope.memberbase().uuid(),
        parameters_hash: requested.parameters_hash.to_vec(),
        attempt,
        state: State::Running as i32,
        updated_at: Time::now().micros(),
        sync_id: (requested.is_mirror && !requested.is_dry_run).then(Uuid::now_v7),
        stored_rows: 0,
        next_line: 0,
        prefix_hash: Position::default().hash.to_vec(),
        created: 0,
        updated: 0,
        unchanged: 0,
        stale: 0,
        skipped: 0,
        rejected: 0,
        unattributed: 0,
        body_bytes: 0,
        kept_bytes: 0,
        is_truncated: false,
        last_event: None,
    }
}
