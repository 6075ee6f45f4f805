//! Transactions of members of any memberbases, in one call.

use std::{collections::BTreeMap, mem};

use super::bulk_upsert::{NewTransaction, Transactions, read};
use crate::{
    app::App,
    db::{Lock, Session},
    domain::{
        Error,
        access::{Access, Caller, Scope},
        bulk::{Failures, Mode, OnError, Options},
        change, member,
        member_child::{Read, read_all, touched_members, upsert_in},
    },
    types::{Id, MemberbaseId, RowKind},
};

/// Stores transactions, each in the memberbase of its member, who is named by id: all of them in one transaction, or none.
pub async fn ingest(app: &App, caller: &Caller, rows: &[NewTransaction]) -> Result<(), Error> {
    const SKIP: Options = Options { on_error: OnError::SkipFailed, mode: Mode::Upsert, dry_run: false };
    let reach = caller.authorize_visible(Access::Write)?;
    let read = read_all(app, rows, read).await?;
    let ids: Vec<_> = read.iter().flatten().filter_map(|(name, _)| name.id()).collect();
    let members: BTreeMap<_, _> =
        member::find_all(app, reach, &ids).await?.into_iter().map(|found| (found.id, found.memberbase)).collect();
    let mut failures = Failures::new();
    let mut by_memberbase: BTreeMap<MemberbaseId, (Vec<usize>, Vec<Read<'_, _>>)> = BTreeMap::new();
    let mut steps = app.db.steps();
    for (index, row) in read.into_iter().enumerate() {
        steps.step().await?;
        let found = row.and_then(|(name, row)| match name.id().and_then(|id| members.get(&id)) {
            Some(memberbase) => Ok((*memberbase, (name, row))),
            None => Err(name.not_found_error()),
        });
        match found {
            Ok((memberbase, row)) => {
                let (indexes, rows) = by_memberbase.entry(memberbase).or_default();
                indexes.push(index);
                rows.push(Ok(row));
            }
            Err(error) => {
                failures.insert(index, error);
            }
        }
    }
    let Some(first) = by_memberbase.keys().next() else { return OnError::RejectBatch.check(&failures) };
    let scopes: Vec<Scope> =
        by_memberbase.keys().map(|id| caller.authorize(*id, Access::Write)).collect::<Result<_, Error>>()?;
    let store = async |session: Session| {
        let (mut failures, mut stored) = (failures.clone(), Vec::new());
        for scope in &scopes {
            session.lock_shared(scope.memberbase().uuid()).await?;
        }
        for (scope, (indexes, rows)) in scopes.iter().zip(by_memberbase.values()) {
            let (mut upserted, members) = upsert_in(&session, *scope, &Transactions, rows, SKIP).await?;
            let failed = mem::take(&mut upserted.failures);
            failures.extend(failed.into_iter().map(|(place, error)| (indexes[place], error)));
            stored.push((upserted, members));
        }
        OnError::RejectBatch.check(&failures)?;
        Ok::<_, Error>(stored)
    };
    let stored = app.db.write(Lock::Shared(first.uuid()), store).await?;
    for (scope, (upserted, members)) in scopes.iter().zip(stored) {
        upserted.count(app, RowKind::Transaction);
        change::updated(app, *scope, touched_members(&upserted, &members));
    }
    Ok(())
}
