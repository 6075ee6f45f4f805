//! Deletion of what belongs to members: by its own ids, or with the members.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};
use uuid::Uuid;

use super::MemberChild;
use crate::{
    app::App,
    db::{ArrayColumn, ArrayTable, Lock, ScalarBind, Session},
    domain::{Error, access::Scope, change, memberbase},
    types::{Id, RowOutcome},
};

/// What a deletion did; each list in the order of the input, nothing twice.
#[derive(Debug)]
pub struct DeleteOutcome<Id> {
    /// What went.
    pub ids: Vec<Id>,
    /// What named nothing in the memberbase.
    pub unknown_ids: Vec<Id>,
}

/// Deletes the things with these ids in one transaction. What names nothing is told, and is no error.
pub async fn delete<T: MemberChild>(
    app: &App,
    scope: Scope,
    mut ids: Vec<T::Id>,
) -> Result<DeleteOutcome<T::Id>, Error> {
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    drop(seen);
    let lock = Lock::Shared(scope.memberbase().uuid());
    let gone = app.db.write(lock, async |session| delete_in::<T>(&session, scope, &ids).await).await?;
    app.rows.add(T::ROWS, RowOutcome::Deleted, gone.len() as u64);
    change::updated(app, scope, gone.values().copied());
    let (ids, unknown_ids) = ids.into_iter().partition(|id| gone.contains_key(&id.uuid()));
    Ok(DeleteOutcome { ids, unknown_ids })
}

/// Answers what went, each with its member.
async fn delete_in<T: MemberChild>(
    session: &Session,
    scope: Scope,
    ids: &[T::Id],
) -> Result<HashMap<Uuid, Uuid>, Error> {
    memberbase::ensure_exists(session, scope).await?;
    let mut gone = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(gone);
    }
    let scalars = [ScalarBind::Uuid(scope.memberbase().uuid())];
    let mut uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    uuids.sort_unstable();
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(uuids))]);
    let (table, key) = (T::TABLE, T::KEY);
    // All that write these rows lock them in one order. SQLite has one writer.
    if session.get_database_backend() != DbBackend::Sqlite {
        let sql = format!(
            "SELECT 1 FROM {{rows}} AS input JOIN {table} AS own ON own.memberbase_id = $1 AND own.id = input.id \
            ORDER BY {key} FOR UPDATE OF own"
        );
        session.bulk(&sql, &scalars, &rows).await?;
    }
    let sql = format!(
        "DELETE FROM {table} WHERE memberbase_id = $1 AND id IN (SELECT input.id FROM {{rows}} AS input) \
        RETURNING id, member_id"
    );
    let take = |row: QueryResult| {
        gone.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        Ok(())
    };
    session.bulk_each(&sql, &scalars, &rows, take).await?;
    Ok(gone)
}

/// Deletes what belongs to these members, the column `id` of the rows. Answers how many.
pub(in crate::domain) async fn delete_of_members<T: MemberChild>(
    session: &Session,
    scope: Scope,
    members: &ArrayTable<'_>,
) -> Result<u64, Error> {
    let sql = format!(
        "DELETE FROM {} WHERE memberbase_id = $1 AND member_id IN (SELECT input.id FROM {{rows}} AS input)",
        T::TABLE
    );
    Ok(session.bulk(&sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], members).await?)
}

/// Deletes all of a memberbase. Answers how many.
pub(in crate::domain) async fn delete_all<T: MemberChild>(session: &Session, scope: Scope) -> Result<u64, Error> {
    let sql = format!("DELETE FROM {} WHERE memberbase_id = $1", T::TABLE);
    let memberbase = scope.memberbase().uuid().into();
    let statement = Statement::from_sql_and_values(session.get_database_backend(), sql, [memberbase]);
    Ok(session.execute_raw(statement).await?.rows_affected())
}
