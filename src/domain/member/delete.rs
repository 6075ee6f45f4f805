//! Deletion of members by ids and refs, with their attributes, clips, stamp collections and transactions.
//!
//! The rows of clips, stamp collections and transactions are deleted explicitly, with one statement per table, after
//! the members are locked; their foreign keys are a safety net.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryResult, Statement};
use uuid::Uuid;

use super::{
    attribute_keys,
    identifier::{MemberIdentifier, resolve},
};
use crate::{
    app::App,
    db::{ArrayColumn, ArrayTable, ScalarBind, Session},
    domain::{
        Error, access::Scope, change, clip::Clip, member_child, stamp_collection::StampCollection, sync,
        transaction::Transaction,
    },
    entity::member,
    types::{Id, MemberId, RowCounters, RowKind, RowOutcome},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteRequest {
    pub(crate) ids: Vec<MemberId>,
    pub(crate) refs: Vec<String>,
    /// Maximum number of members; if more would be deleted, the call is rejected.
    pub(crate) at_most: Option<u64>,
    /// Run everything, then roll back.
    pub(crate) dry_run: bool,
}

/// The result of a deletion. Each list is in input order, without duplicates.
#[derive(Debug)]
pub(crate) struct DeleteOutcome {
    pub(crate) ids: Vec<MemberId>,
    pub(crate) unknown_ids: Vec<MemberId>,
    pub(crate) unknown_refs: Vec<String>,
    pub(crate) deleted: DeletedCounts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeletedCounts {
    pub(crate) members: u64,
    /// Attribute values.
    pub(crate) attributes: u64,
    pub(crate) clips: u64,
    pub(crate) stamp_collections: u64,
    pub(crate) transactions: u64,
}

impl DeletedCounts {
    /// Adds the rows to the row counters. For calls after the commit.
    pub(in crate::domain) fn count(&self, counters: &RowCounters) {
        for (kind, count) in [
            (RowKind::Member, self.members),
            (RowKind::Clip, self.clips),
            (RowKind::StampCollection, self.stamp_collections),
            (RowKind::Transaction, self.transactions),
        ] {
            counters.add(kind, RowOutcome::Deleted, count);
        }
    }
}

/// Deletes members in one transaction. An unknown id or ref is reported and is not an error.
pub(crate) async fn delete(app: &App, scope: Scope, mut request: DeleteRequest) -> Result<DeleteOutcome, Error> {
    let app = &app.dry_run_if(request.dry_run);
    let mut seen = HashSet::new();
    request.ids.retain(|id| seen.insert(*id));
    let mut seen = HashSet::new();
    request.refs.retain(|reference| seen.insert(reference.clone()));
    drop(seen);
    let outcome =
        sync::with_open_sync(app, scope, async |session, _, _| delete_in(&session, scope, &request).await).await?;
    if !request.dry_run {
        outcome.deleted.count(&app.rows);
        change::deleted(app, scope, outcome.ids.iter().map(|id| id.uuid()));
    }
    Ok(outcome)
}

async fn delete_in(session: &Session, scope: Scope, request: &DeleteRequest) -> Result<DeleteOutcome, Error> {
    if request.dry_run {
        session.set_rollback_only();
    }
    let ids = request.ids.iter().copied().map(MemberIdentifier::Id);
    let refs = request.refs.iter().map(|text| MemberIdentifier::Ref(text));
    let identifiers: Vec<_> = ids.chain(refs).map(Some).collect();
    let resolved = resolve(session, scope, &identifiers).await?;
    let (by_id, by_ref) = resolved.split_at(request.ids.len());
    let mut found: Vec<Uuid> = resolved.iter().flatten().copied().collect();
    found.sort_unstable();
    found.dedup();
    lock(session, scope, &mut found).await?;
    if let Some(at_most) = request.at_most.filter(|at_most| found.len() as u64 > *at_most) {
        let message = format!("{} members would be deleted, more than atMost ({at_most})", found.len());
        return Err(Error::LimitExceeded(message));
    }
    let deleted = delete_found(session, scope, &found).await?;
    let deleted_ids: HashSet<_> = found.into_iter().collect();
    let is_deleted = |id: &&Option<Uuid>| id.is_some_and(|id| deleted_ids.contains(&id));
    let mut reported = HashSet::new();
    let ids = resolved.iter().filter(is_deleted).flatten();
    let ids = ids.filter(|id| reported.insert(**id)).map(|id| MemberId::from_uuid(*id)).collect();
    let unknown_ids = request.ids.iter().zip(by_id).filter(|(_, id)| !is_deleted(id)).map(|(id, _)| *id).collect();
    let unknown_refs =
        request.refs.iter().zip(by_ref).filter(|(_, id)| !is_deleted(id)).map(|(text, _)| text.clone()).collect();
    Ok(DeleteOutcome { ids, unknown_ids, unknown_refs, deleted })
}

/// Locks members, in the order of refs as upserts do, so that no concurrent call adds rows to them. Keeps in `ids`
/// those that still exist. SQLite has one writer and needs no lock.
async fn lock(session: &Session, scope: Scope, ids: &mut Vec<Uuid>) -> Result<(), Error> {
    if session.get_database_backend() == DbBackend::Sqlite || ids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT member.id FROM {rows} AS input JOIN member ON member.memberbase_id = $1 AND member.id = input.id \
        ORDER BY member.ref FOR UPDATE OF member";
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(std::mem::take(ids)))]);
    let take = |row: QueryResult| {
        ids.push(row.try_get_by_index(0)?);
        Ok(())
    };
    session.bulk_each(sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], &rows, take).await?;
    ids.sort_unstable();
    Ok(())
}

/// Deletes members and their rows in other tables. The caller has locked the members.
pub(in crate::domain) async fn delete_found(
    session: &Session,
    scope: Scope,
    ids: &[Uuid],
) -> Result<DeletedCounts, Error> {
    if ids.is_empty() {
        return Ok(DeletedCounts::default());
    }
    let scalars = [ScalarBind::Uuid(scope.memberbase().uuid())];
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(ids.to_vec()))]);
    let mut attributes = 0_i64;
    let has = attribute_keys(session.get_database_backend());
    let sql = format!(
        "SELECT count(*) FROM {{rows}} AS input CROSS JOIN member CROSS JOIN {has} \
        WHERE member.memberbase_id = $1 AND member.id = input.id"
    );
    let take = |row: QueryResult| {
        attributes = row.try_get_by_index(0)?;
        Ok(())
    };
    session.bulk_each(&sql, &scalars, &rows, take).await?;
    let members = "DELETE FROM member WHERE memberbase_id = $1 AND id IN (SELECT input.id FROM {rows} AS input)";
    Ok(DeletedCounts {
        attributes: attributes.cast_unsigned(),
        clips: member_child::delete_of_members::<Clip>(session, scope, &rows).await?,
        stamp_collections: member_child::delete_of_members::<StampCollection>(session, scope, &rows).await?,
        transactions: member_child::delete_of_members::<Transaction>(session, scope, &rows).await?,
        members: session.bulk(members, &scalars, &rows).await?,
    })
}

/// Deletes all members of a memberbase and their rows in other tables. The caller has locked the memberbase
/// exclusively.
pub(in crate::domain) async fn delete_all(session: &Session, scope: Scope) -> Result<DeletedCounts, Error> {
    let id = scope.memberbase().uuid();
    let backend = session.get_database_backend();
    let has = attribute_keys(backend);
    let sql = format!("SELECT count(*) FROM member CROSS JOIN {has} WHERE member.memberbase_id = $1");
    let attributes = session.query_one_raw(Statement::from_sql_and_values(backend, sql, [id.into()])).await?;
    let attributes = attributes.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
    let members = member::Entity::delete_many().filter(member::Column::MemberbaseId.eq(id));
    Ok(DeletedCounts {
        attributes: attributes.cast_unsigned(),
        clips: member_child::delete_all::<Clip>(session, scope).await?,
        stamp_collections: member_child::delete_all::<StampCollection>(session, scope).await?,
        transactions: member_child::delete_all::<Transaction>(session, scope).await?,
        members: members.exec(session).await?.rows_affected,
    })
}
