//! Deletion: a list of members, by ids and refs, with all that belongs to them.

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

/// Which members are to go.
#[derive(Clone, Debug, Default)]
pub struct DeleteRequest {
    /// By id.
    pub ids: Vec<MemberId>,
    /// By ref.
    pub refs: Vec<String>,
    /// Where more than this would go, nothing does.
    pub at_most: Option<u64>,
    /// Do it all, and keep it undone.
    pub dry_run: bool,
}

/// What a deletion did; each list in the order of the input, nothing twice.
#[derive(Debug)]
pub struct DeleteOutcome {
    /// Who went.
    pub ids: Vec<MemberId>,
    /// Ids that named no member of the memberbase.
    pub unknown_ids: Vec<MemberId>,
    /// Refs that named no member of the memberbase.
    pub unknown_refs: Vec<String>,
    /// How many rows went.
    pub deleted: DeletedCounts,
}

/// How many rows of each kind went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletedCounts {
    /// Members.
    pub members: u64,
    /// Values of their attributes.
    pub attributes: u64,
    /// Clips.
    pub clips: u64,
    /// Stamp collections.
    pub stamp_collections: u64,
    /// Transactions.
    pub transactions: u64,
}

impl DeletedCounts {
    /// Counts the rows, once they are gone.
    pub(in crate::domain) fn count(&self, rows: &RowCounters) {
        for (kind, count) in [
            (RowKind::Member, self.members),
            (RowKind::Clip, self.clips),
            (RowKind::StampCollection, self.stamp_collections),
            (RowKind::Transaction, self.transactions),
        ] {
            rows.add(kind, RowOutcome::Deleted, count);
        }
    }
}

/// Deletes members in one transaction. What names nobody is told, and is no error.
pub async fn delete(app: &App, scope: Scope, mut doomed: DeleteRequest) -> Result<DeleteOutcome, Error> {
    let app = &app.dry_run_if(doomed.dry_run);
    let mut seen = HashSet::new();
    doomed.ids.retain(|id| seen.insert(*id));
    let mut seen = HashSet::new();
    doomed.refs.retain(|reference| seen.insert(reference.clone()));
    drop(seen);
    let deletion =
        sync::with_open_sync(app, scope, async |session, _, _| delete_in(&session, scope, &doomed).await).await?;
    if !doomed.dry_run {
        deletion.deleted.count(&app.rows);
        change::deleted(app, scope, deletion.ids.iter().map(|id| id.uuid()));
    }
    Ok(deletion)
}

async fn delete_in(session: &Session, scope: Scope, doomed: &DeleteRequest) -> Result<DeleteOutcome, Error> {
    if doomed.dry_run {
        session.set_rollback_only();
    }
    let (ids, refs) = (
        doomed.ids.iter().copied().map(MemberIdentifier::Id),
        doomed.refs.iter().map(|text| MemberIdentifier::Ref(text)),
    );
    let named = resolve(session, scope, &ids.chain(refs).map(Some).collect::<Vec<_>>()).await?;
    let (by_id, by_ref) = named.split_at(doomed.ids.len());
    let mut found: Vec<Uuid> = named.iter().flatten().copied().collect();
    found.sort_unstable();
    found.dedup();
    lock(session, scope, &mut found).await?;
    if let Some(most) = doomed.at_most.filter(|most| found.len() as u64 > *most) {
        let message = format!("{} members would be deleted, more than atMost ({most})", found.len());
        return Err(Error::LimitExceeded(message));
    }
    let deleted = delete_found(session, scope, &found).await?;
    let gone: HashSet<_> = found.into_iter().collect();
    let went = |id: &&Option<Uuid>| id.is_some_and(|id| gone.contains(&id));
    let mut told = HashSet::new();
    let ids = named.iter().filter(went).flatten();
    let ids = ids.filter(|id| told.insert(**id)).map(|id| MemberId::from_uuid(*id)).collect();
    let unknown_ids = doomed.ids.iter().zip(by_id).filter(|(_, id)| !went(id)).map(|(id, _)| *id).collect();
    let unknown_refs = doomed.refs.iter().zip(by_ref).filter(|(_, id)| !went(id)).map(|(text, _)| text.clone());
    Ok(DeleteOutcome { ids, unknown_ids, unknown_refs: unknown_refs.collect(), deleted })
}

/// Locks these members, of which those are left that are still there, so that nobody gives them anything meanwhile. In the
/// order of refs, as upserts do. SQLite has one writer anyway.
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

/// Deletes these members, which are there and which nobody else can write, after all that belongs to them.
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

/// Deletes all members of a memberbase that nobody else writes in, after all that belongs to them.
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
