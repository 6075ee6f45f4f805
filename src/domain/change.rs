//! Publishes committed writes as changes, and subscribes to them.
//!
//! A change is described only if there are subscribers or other servers; otherwise a write pays two reads of counters.

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

/// Subscribes to the changes of a memberbase that are committed from now on. Fails if the memberbase does not exist.
pub(crate) async fn subscribe(app: &App, scope: Scope) -> Result<ChangeReceiver, Error> {
    // Before the look-up: if the memberbase is deleted after the look-up found it, the subscriber receives the
    // deletion.
    let receiver = app.changes.subscribe(scope.memberbase(), app.limits.live.buffer);
    memberbase::ensure_exists(&app.db.read().await?, scope).await?;
    Ok(receiver)
}

/// Publishes the members that a bulk upsert created and updated.
pub(super) fn upserted(app: &App, scope: Scope, upserted: &Upserted<MemberId>) {
    if !app.changes.has_subscribers() {
        return;
    }
    // At most one row of each member has one of these outcomes, so there are no duplicates.
    let with_outcome = |expected| {
        let rows = upserted.outcomes.iter().zip(&upserted.ids);
        rows.filter(move |(outcome, _)| **outcome == expected).filter_map(|(_, id)| *id).collect()
    };
    let created = with_outcome(Outcome::Created);
    let updated = with_outcome(Outcome::Updated);
    app.changes.publish(Change { created, updated, ..Change::new(scope.memberbase()) });
}

/// Publishes members whose attributes, clips, stamp collections or transactions changed. May contain duplicates.
pub(super) fn updated(app: &App, scope: Scope, members: impl Iterator<Item = Uuid>) {
    if !app.changes.has_subscribers() {
        return;
    }
    let mut members: Vec<_> = members.collect();
    members.sort_unstable();
    members.dedup();
    app.changes.publish(Change { updated: touched(members.into_iter()), ..Change::new(scope.memberbase()) });
}

pub(super) fn deleted(app: &App, scope: Scope, members: impl Iterator<Item = Uuid>) {
    if app.changes.has_subscribers() {
        app.changes.publish(Change { deleted: touched(members), ..Change::new(scope.memberbase()) });
    }
}

/// Publishes the deletion of a memberbase with `count` members. `ids` is empty if they are more than a change lists.
pub(super) fn memberbase_deleted(app: &App, scope: Scope, count: u64, ids: Vec<Uuid>) {
    if app.changes.has_subscribers() {
        let deleted = if ids.is_empty() { Touched::counted(count) } else { touched(ids.into_iter()) };
        app.changes.publish(Change { deleted, last: true, ..Change::new(scope.memberbase()) });
    }
}

fn touched(members: impl Iterator<Item = Uuid>) -> Touched {
    members.map(MemberId::from_uuid).collect()
}
