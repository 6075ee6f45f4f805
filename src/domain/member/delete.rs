//! Deletion of members by ids and refs, with their attributes, clips, stamp collections and transactions.
//!
//! The rows of clips, stamp collections and transactions are deleted explicitly, with one statement per table, after
//! the members are locked; their foreign keys are a safety net.

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

/// Maximum number of identifiers per look-up.
const MAX_LOOKUP: usize = 50_000;

#[derive(Debug, Default)]
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
    remove_repeated(&mut request.ids);
    remove_repeated(&mut request.refs);
    let delete = async |session, _, _| delete_in(&session, scope, &request).await;
    let (matches, deleted) = sync::with_open_sync(app, scope, delete).await?;
    if !request.dry_run {
        deleted.count(&app.rows);
    }
    let DeleteRequest { mut ids, mut refs, dry_run, .. } = request;
    let (by_id, by_ref) = matches.split_at(matches.partition_point(|found| found.index < ids.len()));
    let (first_id, first_ref) = (0, ids.len());
    remove_found(&mut ids, first_id, by_id);
    remove_found(&mut refs, first_ref, by_ref);
    let outcome = DeleteOutcome { ids: distinct_ids(matches), unknown_ids: ids, unknown_refs: refs, deleted };
    if !dry_run {
        change::deleted(app, scope, outcome.ids.iter().map(|id| id.uuid()));
    }
    Ok(outcome)
}

/// A deleted member, and the index of an entry of the request that names it. The refs follow the ids.
#[derive(Clone, Copy)]
struct Match {
    index: usize,
    id: Uuid,
}

/// Removes all but the first of equal items, and keeps the order. The lists may have millions of items, hence no set of
/// copies.
fn remove_repeated<T: Ord>(items: &mut Vec<T>) {
    let mut sorted: Vec<usize> = (0..items.len()).collect();
    sorted.sort_unstable_by(|&left, &right| items[left].cmp(&items[right]).then(left.cmp(&right)));
    let mut repeated: Vec<usize> =
        sorted.windows(2).filter(|pair| items[pair[0]] == items[pair[1]]).map(|pair| pair[1]).collect();
    drop(sorted);
    repeated.sort_unstable();
    remove(items, repeated.into_iter());
}

/// Removes the items that were found. `first` is the index of the first item in the request.
fn remove_found<T>(items: &mut Vec<T>, first: usize, found: &[Match]) {
    remove(items, found.iter().map(|found| found.index - first));
}

/// Removes the items at these ascending indexes.
fn remove<T>(items: &mut Vec<T>, indexes: impl Iterator<Item = usize>) {
    let mut indexes = indexes.peekable();
    let mut index = 0;
    items.retain(|_| {
        let keep = indexes.next_if_eq(&index).is_none();
        index += 1;
        keep
    });
    items.shrink_to_fit();
}

/// Returns each id once, in the order of the request.
fn distinct_ids(mut matches: Vec<Match>) -> Vec<MemberId> {
    matches.sort_unstable_by_key(|found| (found.id, found.index));
    matches.dedup_by_key(|found| found.id);
    matches.sort_unstable_by_key(|found| found.index);
    matches.into_iter().map(|found| MemberId::from_uuid(found.id)).collect()
}

/// Returns the deleted members by ascending index.
async fn delete_in(
    session: &Session,
    scope: Scope,
    request: &DeleteRequest,
) -> Result<(Vec<Match>, DeletedCounts), Error> {
    if request.dry_run {
        session.set_rollback_only();
    }
    let mut matches = find(session, scope, request).await?;
    let mut found: Vec<Uuid> = matches.iter().map(|found| found.id).collect();
    found.sort_unstable();
    found.dedup();
    let before = found.len();
    lock(session, scope, &mut found).await?;
    if let Some(at_most) = request.at_most.filter(|at_most| found.len() as u64 > *at_most) {
        let message = format!("{} members would be deleted, more than atMost ({at_most})", found.len());
        return Err(Error::LimitExceeded(message));
    }
    if found.len() < before {
        matches.retain(|matched| found.binary_search(&matched.id).is_ok());
    }
    Ok((matches, delete_found(session, scope, &found).await?))
}

/// Looks up the members that the request names, in chunks: the look-up of an identifier needs more memory than its result.
async fn find(session: &Session, scope: Scope, request: &DeleteRequest) -> Result<Vec<Match>, Error> {
    let mut matches = Vec::new();
    let mut first = 0;
    let ids =
        request.ids.chunks(MAX_LOOKUP).map(|ids| ids.iter().copied().map(MemberIdentifier::Id).map(Some).collect());
    let refs = request.refs.chunks(MAX_LOOKUP);
    let refs = refs.map(|refs| refs.iter().map(|text| Some(MemberIdentifier::Ref(text))).collect());
    for identifiers in ids.chain(refs) {
        let identifiers: Vec<_> = identifiers;
        let resolved = resolve(session, scope, &identifiers).await?;
        matches.extend((first..).zip(resolved).filter_map(|(index, id)| Some(Match { index, id: id? })));
        first += identifiers.len();
    }
    Ok(matches)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_items_stays() {
        let mut items = ["b", "a", "b", "c", "a", "b"].map(str::to_owned).to_vec();
        remove_repeated(&mut items);
        assert_eq!(items, ["b", "a", "c"]);
        let mut none: Vec<String> = Vec::new();
        remove_repeated(&mut none);
        assert!(none.is_empty());
    }

    #[test]
    fn a_member_that_is_named_twice_is_reported_at_its_first_entry() {
        let id = Uuid::from_u128;
        let matches = [(0, 5), (2, 3), (3, 5), (4, 1)].map(|(index, bits)| Match { index, id: id(bits) });
        assert_eq!(distinct_ids(matches.to_vec()), [5, 3, 1].map(|bits| MemberId::from_uuid(id(bits))));
    }
}
