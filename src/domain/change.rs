//! Changes as they happen: what a committed write tells, and who may listen.

use uuid::Uuid;

use super::{
    Error,
    access::Scope,
    bulk::{Outcome, Upserted},
    memberbase,
};
use crate::{
    app::{App, ChangeReceiver},
    types::{Change, Id, MemberId, Touched},
};

/// Listens to a memberbase, which has to exist. What is committed from now on is heard.
pub async fn subscribe(app: &App, scope: Scope) -> Result<ChangeReceiver, Error> {
    // Before the look-up: so its deletion is heard of whoever finds it.
    let heard = app.changes.subscribe(scope.memberbase(), app.limits.live.buffer);
    memberbase::ensure_exists(&app.db.read().await?, scope).await?;
    Ok(heard)
}

/// Tells of members that were stored.
pub(super) fn upserted(app: &App, scope: Scope, upserted: &Upserted<MemberId>) {
    if !app.changes.has_subscribers() {
        return;
    }
    // Of the rows of one member one alone has such an outcome.
    let of = |outcome| {
        let rows = upserted.outcomes.iter().zip(&upserted.ids);
        rows.filter(move |(row, _)| **row == outcome).filter_map(|(_, id)| *id).collect()
    };
    let (created, updated) = (of(Outcome::Created), of(Outcome::Updated));
    app.changes.publish(Change { created, updated, ..Change::new(scope.memberbase()) });
}

/// Tells of members of whom something is different, or something that belongs to them; each may be there several times.
pub(super) fn updated(app: &App, scope: Scope, members: impl Iterator<Item = Uuid>) {
    if !app.changes.has_subscribers() {
        return;
    }
    let mut members: Vec<_> = members.collect();
    members.sort_unstable();
    members.dedup();
    app.changes.publish(Change { updated: touched(members.into_iter()), ..Change::new(scope.memberbase()) });
}

/// Tells of members who are gone.
pub(super) fn deleted(app: &App, scope: Scope, members: impl Iterator<Item = Uuid>) {
    if app.changes.has_subscribers() {
        app.changes.publish(Change { deleted: touched(members), ..Change::new(scope.memberbase()) });
    }
}

/// Tells that a memberbase is gone, with so many members: these, or more than are told.
pub(super) fn memberbase_deleted(app: &App, scope: Scope, count: u64, ids: Vec<Uuid>) {
    if app.changes.has_subscribers() {
        let deleted = if ids.is_empty() { Touched::counted(count) } else { touched(ids.into_iter()) };
        app.changes.publish(Change { deleted, last: true, ..Change::new(scope.memberbase()) });
    }
}

fn touched(members: impl Iterator<Item = Uuid>) -> Touched {
    members.map(MemberId::from_uuid).collect()
}
