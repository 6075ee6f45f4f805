//! Upsert of transactions in any number of memberbases, for the RPC API (`publisher.v1`).

use std::{collections::BTreeMap, mem};

use super::bulk_upsert::{NewTransaction, Transactions, parse};
use crate::{
    app::App,
    db::{Lock, Session},
    domain::{
        Error,
        access::{Access, Caller, Scope},
        bulk::{Failures, Mode, OnError, Options},
        change, member,
        member_child::{ParsedRow, changed_members, parse_all, upsert_in},
    },
    types::{Id, MemberbaseId, RowKind},
};

/// Stores all transactions in one database transaction, or none. Each is stored in the memberbase of its member, which
/// the row names by id.
pub(crate) async fn ingest(app: &App, caller: &Caller, rows: &[NewTransaction]) -> Result<(), Error> {
    const UPSERT: Options = Options { on_error: OnError::SkipFailed, mode: Mode::Upsert, dry_run: false };
    let visibility = caller.authorize_visible(Access::Write)?;
    let parsed = parse_all(app, rows, parse).await?;
    let ids: Vec<_> = parsed.iter().flatten().filter_map(|(identifier, _)| identifier.id()).collect();
    let members = member::find_all(app, visibility, &ids).await?;
    let memberbases: BTreeMap<_, _> = members.into_iter().map(|member| (member.id, member.memberbase)).collect();
    let mut failures = Failures::new();
    let mut by_memberbase: BTreeMap<MemberbaseId, (Vec<usize>, Vec<ParsedRow<'_, _>>)> = BTreeMap::new();
    let mut steps = app.db.steps();
    for (index, row) in parsed.into_iter().enumerate() {
        steps.step().await?;
        let located = row.and_then(|(identifier, row)| match identifier.id().and_then(|id| memberbases.get(&id)) {
            Some(memberbase) => Ok((*memberbase, (identifier, row))),
            None => Err(identifier.not_found_error()),
        });
        match located {
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
        let mut failures = failures.clone();
        let mut stored = Vec::new();
        for scope in &scopes {
            session.lock_shared(scope.memberbase().uuid()).await?;
        }
        for (scope, (indexes, rows)) in scopes.iter().zip(by_memberbase.values()) {
            let (mut upserted, members) = upsert_in(&session, *scope, &Transactions, rows, UPSERT).await?;
            let failed = mem::take(&mut upserted.failures);
            failures.extend(failed.into_iter().map(|(row, error)| (indexes[row], error)));
            stored.push((upserted, members));
        }
        OnError::RejectBatch.check(&failures)?;
        Ok::<_, Error>(stored)
    };
    let stored = app.db.write(Lock::Shared(first.uuid()), store).await?;
    for (scope, (upserted, members)) in scopes.iter().zip(stored) {
        upserted.count(app, RowKind::Transaction);
        change::updated(app, *scope, changed_members(&upserted, &members));
    }
    Ok(())
}
