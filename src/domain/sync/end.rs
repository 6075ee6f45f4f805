//! The end of a sync: by a commit, without one, or by its age.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement, Unchanged,
};

use super::{
    State, Sync, SyncCounts,
    count::{count, missing},
    find, get, not_found,
};
use crate::{
    app::App,
    db::{Lock, Session},
    domain::{
        Error,
        access::{Scope, Visibility},
        change,
        member::{DeletedCounts, delete_found},
    },
    entity::sync,
    types::{Id, SyncId, Time},
};

/// What a commit does with members who were not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    /// They stay.
    Keep,
    /// They go, with all that belongs to them.
    Delete,
}

/// Commits a sync, once no upsert is in flight. Where more than this share of the memberbase's members would go, or where
/// nobody was seen, nobody goes and the sync stays open. Again, with whatever arguments, it changes nothing and answers
/// what the first commit did.
pub async fn commit(
    app: &App,
    reach: Visibility,
    id: SyncId,
    on_missing: OnMissing,
    max_deleted_percent: f64,
) -> Result<Sync, Error> {
    if !(0.0..=100.0).contains(&max_deleted_percent) {
        let message = format!("maxDeletedPercent is {max_deleted_percent}, 0 to 100 is allowed");
        return Err(Error::bad_input("maxDeletedPercent", message));
    }
    let scope = scope_of(app, reach, id).await?;
    let commit = async |session: Session| {
        let sync = get(&session, reach, id).await?;
        match sync.state {
            State::Open => {}
            State::Committed => return Ok((sync, DeletedCounts::default(), Vec::new())),
            State::Abandoned | State::Expired => return Err(sync.not_open()),
        }
        session.force_custom_plan().await?;
        let figures = count(&session, &sync).await?;
        let missing = match on_missing {
            OnMissing::Keep => Vec::new(),
            OnMissing::Delete => {
                guard(id, figures, max_deleted_percent)?;
                missing(&session, &sync).await?
            }
        };
        let deleted = delete_found(&session, scope, &missing).await?;
        Ok((end(&session, sync, State::Committed, figures, Some(deleted)).await?, deleted, missing))
    };
    let (sync, deleted, gone) = app.db.write(Lock::Exclusive(scope.memberbase().uuid()), commit).await?;
    deleted.count(&app.rows);
    change::deleted(app, scope, gone.into_iter());
    Ok(sync)
}

/// Abandons a sync, once no upsert is in flight: nobody goes. One that was abandoned or has expired stays as it is; one
/// that was committed can't be abandoned any more.
pub async fn abandon(app: &App, reach: Visibility, id: SyncId) -> Result<Sync, Error> {
    let scope = scope_of(app, reach, id).await?;
    let abandon = async |session: Session| {
        let sync = get(&session, reach, id).await?;
        match sync.state {
            State::Committed => Err(sync.not_open()),
            State::Open => end_counted(&session, sync, State::Abandoned).await,
            State::Expired if sync.counts.is_none() => end_counted(&session, sync, State::Expired).await,
            State::Abandoned | State::Expired => Ok(sync),
        }
    };
    app.db.write(Lock::Exclusive(scope.memberbase().uuid()), abandon).await
}

/// Ends the sync of a memberbase that is past its time, once no upsert is in flight.
pub(in crate::domain) async fn expire(app: &App, scope: Scope) -> Result<(), Error> {
    let expire = async |session: Session| {
        let expired = end_open(&session, scope, |open| match open.state {
            State::Open => Err(open.not_open()),
            _ => Ok(State::Expired),
        });
        match expired.await {
            // Another one was started meanwhile.
            Err(Error::Conflict(_)) => Ok(()),
            expired => expired,
        }
    };
    app.db.write(Lock::Exclusive(scope.memberbase().uuid()), expire).await
}

/// Ends the sync of a memberbase that has not ended, if there is one, as `judge` says, which may refuse it.
pub(super) async fn end_open(
    session: &Session,
    scope: Scope,
    judge: impl Fn(&Sync) -> Result<State, Error>,
) -> Result<(), Error> {
    let open = sync::Entity::find()
        .filter(sync::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(sync::Column::EndedAt.is_null())
        .one(session)
        .await?;
    let Some(open) = open.map(Sync::try_from).transpose()? else { return Ok(()) };
    let state = judge(&open)?;
    end_counted(session, open, state).await.map(drop)
}

/// Deletes all syncs of a memberbase in which nobody else writes.
pub(in crate::domain) async fn delete_all(session: &Session, scope: Scope) -> Result<(), Error> {
    let memberbase = scope.memberbase().uuid();
    let sql = "DELETE FROM sync_seen WHERE sync_id IN (SELECT id FROM sync WHERE memberbase_id = $1)";
    let marks = Statement::from_sql_and_values(session.get_database_backend(), sql, [memberbase.into()]);
    session.execute_raw(marks).await?;
    sync::Entity::delete_many().filter(sync::Column::MemberbaseId.eq(memberbase)).exec(session).await?;
    Ok(())
}

/// The memberbase of a sync.
async fn scope_of(app: &App, reach: Visibility, id: SyncId) -> Result<Scope, Error> {
    let found = find(app, reach, id).await?;
    found.and_then(|sync| reach.within(sync.memberbase)).ok_or_else(|| not_found(id))
}

/// Refuses to delete whom a truncated or an empty source did not name.
fn guard(id: SyncId, figures: SyncCounts, max_deleted_percent: f64) -> Result<(), Error> {
    let (missing, members) = (figures.missing, figures.members());
    if figures.seen == 0 {
        let message = format!(
            "sync {id} has seen nobody, and all {members} members would be deleted: it stays open for upserts, or to be \
            abandoned"
        );
        return Err(Error::Conflict(message));
    }
    if exceeds(missing, members, max_deleted_percent) {
        let message = format!(
            "{missing} of {members} members would be deleted, more than maxDeletedPercent ({max_deleted_percent}) allows"
        );
        return Err(Error::LimitExceeded(message));
    }
    Ok(())
}

/// Whether a part is more than so many percent of a whole that is not 0.
fn exceeds(part: u64, whole: u64, percent: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
    // A quotient is rounded as the text of the percentage was: 23 of 1,000 are no more than 2.3 %.
    let share = (part * 100) as f64 / whole as f64;
    share > percent
}

async fn end_counted(session: &Session, sync: Sync, state: State) -> Result<Sync, Error> {
    session.force_custom_plan().await?;
    let figures = count(session, &sync).await?;
    end(session, sync, state, figures, None).await
}

/// Ends a sync in which nobody marks any more. Its marks go.
async fn end(
    session: &Session,
    sync: Sync,
    state: State,
    figures: SyncCounts,
    deleted: Option<DeletedCounts>,
) -> Result<Sync, Error> {
    // One that has expired ended then.
    let at = sync.ended_at.unwrap_or_else(Time::now);
    let rows = |count: u64| Some(count.cast_signed());
    let row = sync::ActiveModel {
        id: Unchanged(sync.id.uuid()),
        state: Set(state as i32),
        ended_at: Set(Some(at.micros())),
        seen: Set(rows(figures.seen)),
        missing: Set(rows(figures.missing)),
        deleted_members: Set(deleted.and_then(|deleted| rows(deleted.members))),
        deleted_attributes: Set(deleted.and_then(|deleted| rows(deleted.attributes))),
        deleted_clips: Set(deleted.and_then(|deleted| rows(deleted.clips))),
        deleted_stamp_collections: Set(deleted.and_then(|deleted| rows(deleted.stamp_collections))),
        deleted_transactions: Set(deleted.and_then(|deleted| rows(deleted.transactions))),
        ..Default::default()
    };
    row.update_without_returning(session).await?;
    let sql = "DELETE FROM sync_seen WHERE sync_id = $1";
    let marks = Statement::from_sql_and_values(session.get_database_backend(), sql, [sync.id.uuid().into()]);
    session.execute_raw(marks).await?;
    Ok(Sync { state, ended_at: Some(at), counts: Some(figures), deleted, ..sync })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_compared_as_it_is_written() {
        for (part, whole, percent) in [(10, 100, 10.0), (23, 1000, 2.3), (0, 7, 0.0), (3, 30, 10.0), (7, 7, 100.0)] {
            assert!(!exceeds(part, whole, percent), "{part} of {whole}, {percent} %");
        }
        for (part, whole, percent) in [(11, 100, 10.0), (1, 1_000_000, 0.0), (24, 1000, 2.3), (7, 7, 99.9)] {
            assert!(exceeds(part, whole, percent), "{part} of {whole}, {percent} %");
        }
    }
}
