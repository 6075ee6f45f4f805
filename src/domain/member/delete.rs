//! Deletion: a list of members, by ids and refs, with all that belongs to them.

use std::collections::HashSet;

use sea_orm::QueryResult;
use uuid::Uuid;

use crate::{
    app::App,
    db::{Column, Lock, Rows, Scalar, Session},
    domain::{Error, access::Scope, memberbase, text},
    types::{Id, MemberId},
};

/// Which members are to go.
#[derive(Clone, Debug, Default)]
pub struct Doomed {
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
pub struct Deletion {
    /// Who went.
    pub ids: Vec<MemberId>,
    /// Ids that named no member of the memberbase.
    pub unknown_ids: Vec<MemberId>,
    /// Refs that named no member of the memberbase.
    pub unknown_refs: Vec<String>,
    /// How many rows went.
    pub deleted: Deleted,
}

/// How many rows of each kind went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Members.
    pub members: u64,
}

/// Deletes members in one transaction. What names nobody is told, and is no error.
pub async fn delete(app: &App, scope: Scope, mut doomed: Doomed) -> Result<Deletion, Error> {
    let mut seen = HashSet::new();
    doomed.ids.retain(|id| seen.insert(*id));
    let mut seen = HashSet::new();
    doomed.refs.retain(|reference| seen.insert(reference.clone()));
    drop(seen);
    let lock = Lock::Shared(scope.memberbase().uuid());
    app.db.write(lock, async |session| delete_in(&session, scope, &doomed).await).await
}

async fn delete_in(session: &Session, scope: Scope, doomed: &Doomed) -> Result<Deletion, Error> {
    memberbase::ensure_exists(session, scope).await?;
    if doomed.dry_run {
        session.discard();
    }
    let by_id = find_ids(session, scope, &doomed.ids).await?;
    let by_ref = find_refs(session, scope, &doomed.refs).await?;
    let mut found: Vec<Uuid> = by_id.iter().chain(&by_ref).flatten().copied().collect();
    found.sort_unstable();
    found.dedup();
    if let Some(most) = doomed.at_most.filter(|most| found.len() as u64 > *most) {
        let message = format!("{} members would be deleted, more than atMost ({most})", found.len());
        return Err(Error::LimitExceeded(message));
    }
    let gone = delete_found(session, scope, &found).await?;
    let went = |id: &&Option<Uuid>| id.is_some_and(|id| gone.contains(&id));
    let mut told = HashSet::new();
    let ids = by_id.iter().chain(&by_ref).filter(went).flatten();
    let ids = ids.filter(|id| told.insert(**id)).map(|id| MemberId::from_uuid(*id)).collect();
    let unknown_ids = doomed.ids.iter().zip(&by_id).filter(|(_, id)| !went(id)).map(|(id, _)| *id).collect();
    let unknown_refs = doomed.refs.iter().zip(&by_ref).filter(|(_, id)| !went(id)).map(|(text, _)| text.clone());
    Ok(Deletion {
        ids,
        unknown_ids,
        unknown_refs: unknown_refs.collect(),
        deleted: Deleted { members: gone.len() as u64 },
    })
}

/// Of each id itself, where there is such a member.
async fn find_ids(session: &Session, scope: Scope, ids: &[MemberId]) -> Result<Vec<Option<Uuid>>, Error> {
    let uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let sql = "SELECT input.n, member.id FROM {rows} AS input \
        CROSS JOIN member WHERE member.memberbase_id = $1 AND member.id = input.id";
    find(session, scope, sql, &Rows::new([("id", Column::Uuids(uuids))]), ids.len()).await
}

/// Of each ref the id, where there is such a member.
async fn find_refs(session: &Session, scope: Scope, refs: &[String]) -> Result<Vec<Option<Uuid>>, Error> {
    // What can't be a ref names nobody; the empty text stands for it, which is none either.
    let texts: Vec<_> = refs.iter().map(|text| if text::ref_fault(text).is_some() { "" } else { text }).collect();
    let sql = "SELECT input.n, member.id FROM {rows} AS input \
        CROSS JOIN member WHERE member.memberbase_id = $1 AND member.ref = input.ref";
    find(session, scope, sql, &Rows::new([("ref", Column::Texts(texts))]), refs.len()).await
}

async fn find(
    session: &Session,
    scope: Scope,
    sql: &str,
    rows: &Rows<'_>,
    count: usize,
) -> Result<Vec<Option<Uuid>>, Error> {
    let mut found = vec![None; count];
    if count > 0 {
        let take = |row: QueryResult| {
            let n: i64 = row.try_get_by_index(0)?;
            found[usize::try_from(n).expect("rows count from 0")] = Some(row.try_get_by_index(1)?);
            Ok(())
        };
        session.bulk_each(sql, &[Scalar::Uuid(scope.memberbase().uuid())], rows, take).await?;
    }
    Ok(found)
}

/// Deletes these members and answers which of them were still there to be deleted.
async fn delete_found(session: &Session, scope: Scope, ids: &[Uuid]) -> Result<HashSet<Uuid>, Error> {
    let mut gone = HashSet::with_capacity(ids.len());
    if !ids.is_empty() {
        let sql = "DELETE FROM member WHERE memberbase_id = $1 AND id IN (SELECT input.id FROM {rows} AS input) \
            RETURNING id";
        let take = |row: QueryResult| {
            gone.insert(row.try_get_by_index::<Uuid>(0)?);
            Ok(())
        };
        let rows = Rows::new([("id", Column::Uuids(ids.to_vec()))]);
        session.bulk_each(sql, &[Scalar::Uuid(scope.memberbase().uuid())], &rows, take).await?;
    }
    Ok(gone)
}
