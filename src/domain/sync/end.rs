//! Ends a sync: by a commit, by abandoning it, or by its expiry.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement, Unchanged,
};

use super::{
    Sync, SyncCounts, SyncState,
    count::{count, counts, missing},
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

/// The treatment of members without a mark by a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    Keep,
    /// Deletes them with everything that belongs to them.
    Delete,
}

/// Commits a sync after the upserts in progress. If more than `max_deleted_percent` of the memberbase's members would
/// be deleted, or if no member has a mark, the commit fails, deletes nothing and leaves the sync open. Another commit
/// of the same sync, with any arguments, changes nothing and returns the result of the first.
pub async fn commit(
    app: &App,
    visibility: Visibility,
    id: SyncId,
    on_missing: OnMissing,
    max_deleted_percent: f64,
) -> Result<Sync, Error> {
    if !(0.0..=100.0).contains(&max_deleted_percent) {
        let message = format!("maxDeletedPercent is {max_deleted_percent}, 0 to 100 are allowed");
        return Err(Error::bad_input("maxDeletedPercent", message));
    }
    let scope = scope_of(app, visibility, id).await?;
    let commit = async |session: Session| {
        let sync = get(&session, visibility, id).await?;
        match sync.state {
            SyncState::Open => {}
            SyncState::Committed => return Ok((sync, DeletedCounts::default(), Vec::new())),
            SyncState::Abandoned | SyncState::Expired => return Err(sync.not_open()),
        }
        session.force_custom_plan().await?;
        let counts = count(&session, &sync).await?;
        let missing = match on_missing {
            OnMissing::Keep => Vec::new(),
            OnMissing::Delete => {
                check_deletion(id, counts, max_deleted_percent)?;
                missing(&session, &sync).await?
            }
        };
        let deleted = delete_found(&session, scope, &missing).await?;
        let sync = end(&session, sync, SyncState::Committed, counts, Some(deleted)).await?;
        Ok((sync, deleted, missing))
    };
    let (sync, deleted, deleted_ids) = app.db.write(Lock::Exclusive(scope.memberbase().uuid()), commit).await?;
    deleted.count(&app.rows);
    change::deleted(app, scope, deleted_ids.into_iter());
    Ok(sync)
}

/// Returns how many members a commit would delete, if `created` members with a mark were added before. Fails if it would
/// delete too many.
pub(crate) async fn preview_commit(
    app: &App,
    visibility: Visibility,
    sync: &Sync,
    created: u64,
    max_deleted_percent: f64,
) -> Result<u64, Error> {
    let SyncCounts { seen, missing } = counts(app, visibility, sync).await?;
    check_deletion(sync.id, SyncCounts { seen: seen + created, missing }, max_deleted_percent)?;
    Ok(missing)
}

/// Abandons a sync after the upserts in progress, without deleting members. A sync that was abandoned or has expired
/// keeps its state; abandoning a committed sync fails.
pub(crate) async fn abandon(app: &App, visibility: Visibility, id: SyncId) -> Result<Sync, Error> {
    let scope = scope_of(app, visibility, id).await?;
    let abandon = async |session: Session| {
        let sync = get(&session, visibility, id).await?;
        match sync.state {
            SyncState::Committed => Err(sync.not_open()),
            SyncState::Open => end_counted(&session, sync, SyncState::Abandoned).await,
            SyncState::Expired if sync.counts.is_none() => end_counted(&session, sync, SyncState::Expired).await,
            SyncState::Abandoned | SyncState::Expired => Ok(sync),
        }
    };
    app.db.write(Lock::Exclusive(scope.memberbase().uuid()), abandon).await
}

/// Ends the expired sync of a memberbase after the upserts in progress.
pub(in crate::domain) async fn expire(app: &App, scope: Scope) -> Result<(), Error> {
    let expire = async |session: Session| {
        let expired = end_open(&session, scope, |open| match open.state {
            SyncState::Open => Err(open.not_open()),
            _ => Ok(SyncState::Expired),
        });
        match expired.await {
            // Another sync was started concurrently.
            Err(Error::Conflict(_)) => Ok(()),
            expired => expired,
        }
    };
    app.db.write(Lock::Exclusive(scope.memberbase().uuid()), expire).await
}

/// Ends the sync of a memberbase that has not ended yet, if any, with the state that `end_state` returns. Fails if that
/// does.
pub(super) async fn end_open(
    session: &Session,
    scope: Scope,
    end_state: impl Fn(&Sync) -> Result<SyncState, Error>,
) -> Result<(), Error> {
    let open = sync::Entity::find()
        .filter(sync::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(sync::Column::EndedAt.is_null())
        .one(session)
        .await?;
    let Some(open) = open.map(Sync::try_from).transpose()? else { return Ok(()) };
    let state = end_state(&open)?;
    end_counted(session, open, state).await.map(drop)
}

/// Deletes all syncs of a memberbase, whose lock the caller holds exclusively.
pub(in crate::domain) async fn delete_all(session: &Session, scope: Scope) -> Result<(), Error> {
    let memberbase = scope.memberbase().uuid();
    let sql = "DELETE FROM sync_seen WHERE sync_id IN (SELECT id FROM sync WHERE memberbase_id = $1)";
    let marks = Statement::from_sql_and_values(session.get_database_backend(), sql, [memberbase.into()]);
    session.execute_raw(marks).await?;
    sync::Entity::delete_many().filter(sync::Column::MemberbaseId.eq(memberbase)).exec(session).await?;
    Ok(())
}

async fn scope_of(app: &App, visibility: Visibility, id: SyncId) -> Result<Scope, Error> {
    let found = find(app, visibility, id).await?;
    found.and_then(|sync| visibility.within(sync.memberbase)).ok_or_else(|| not_found(id))
}

/// Rejects a deletion that a truncated or empty source would cause.
fn check_deletion(id: SyncId, counts: SyncCounts, max_deleted_percent: f64) -> Result<(), Error> {
    let missing = counts.missing;
    let members = counts.members();
    if counts.seen == 0 {
        let message = format!(
            "sync {id} has seen no members, and all {members} members would be deleted: it stays open, upsert members or \
            abandon it"
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

/// Returns whether a part is more than `percent` percent of a whole that is not 0.
fn exceeds(part: u64, whole: u64, percent: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
    // The quotient is rounded in the same way as the parsed percentage: 23 of 1,000 are not more than 2.3 %.
    let share = (part * 100) as f64 / whole as f64;
    share > percent
}

async fn end_counted(session: &Session, sync: Sync, state: SyncState) -> Result<Sync, Error> {
    session.force_custom_plan().await?;
    let counts = count(session, &sync).await?;
    end(session, sync, state, counts, None).await
}

/// Stores the end of a sync and deletes its marks. The caller holds the memberbase's lock exclusively, so that no
/// upsert marks any more.
async fn end(
    session: &Session,
    sync: Sync,
    state: SyncState,
    counts: SyncCounts,
    deleted: Option<DeletedCounts>,
) -> Result<Sync, Error> {
    // An expired sync ended at its expiry.
    let at = sync.ended_at.unwrap_or_else(Time::now);
    let rows = |count: u64| Some(count.cast_signed());
    let row = sync::ActiveModel {
        id: Unchanged(sync.id.uuid()),
        state: Set(state as i32),
        ended_at: Set(Some(at.micros())),
        seen: Set(rows(counts.seen)),
        missing: Set(rows(counts.missing)),
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
    Ok(Sync { state, ended_at: Some(at), counts: Some(counts), deleted, ..sync })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_compared_without_rounding_errors() {
        for (part, whole, percent) in [(10, 100, 10.0), (23, 1000, 2.3), (0, 7, 0.0), (3, 30, 10.0), (7, 7, 100.0)] {
            assert!(!exceeds(part, whole, percent), "{part} of {whole}, {percent} %");
        }
        for (part, whole, percent) in [(11, 100, 10.0), (1, 1_000_000, 0.0), (24, 1000, 2.3), (7, 7, 99.9)] {
            assert!(exceeds(part, whole, percent), "{part} of {whole}, {percent} %");
        }
    }
}
