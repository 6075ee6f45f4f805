//! Deletion of members' children: by their own ids, with their members, or with the memberbase.

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

/// The result of a deletion. Each list is in input order, without duplicates.
#[derive(Debug)]
pub(crate) struct DeleteOutcome<Id> {
    pub(crate) ids: Vec<Id>,
    pub(crate) unknown_ids: Vec<Id>,
}

/// Deletes children by id in one transaction. An unknown id is reported and is not an error.
pub(crate) async fn delete<T: MemberChild>(
    app: &App,
    scope: Scope,
    mut ids: Vec<T::Id>,
) -> Result<DeleteOutcome<T::Id>, Error> {
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    drop(seen);
    let lock = Lock::Shared(scope.memberbase().uuid());
    let deleted = app.db.write(lock, async |session| delete_in::<T>(&session, scope, &ids).await).await?;
    app.rows.add(T::ROWS, RowOutcome::Deleted, deleted.len() as u64);
    change::updated(app, scope, deleted.values().copied());
    let (ids, unknown_ids) = ids.into_iter().partition(|id| deleted.contains_key(&id.uuid()));
    Ok(DeleteOutcome { ids, unknown_ids })
}

/// Returns the member of each deleted id.
async fn delete_in<T: MemberChild>(
    session: &Session,
    scope: Scope,
    ids: &[T::Id],
) -> Result<HashMap<Uuid, Uuid>, Error> {
    memberbase::ensure_exists(session, scope).await?;
    let mut deleted = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(deleted);
    }
    let scalars = [ScalarBind::Uuid(scope.memberbase().uuid())];
    let mut uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    uuids.sort_unstable();
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(uuids))]);
    let table = T::TABLE;
    let key = T::KEY;
    // All writers lock these rows in the same order, so that they don't deadlock. SQLite has one writer.
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
        deleted.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        Ok(())
    };
    session.bulk_each(&sql, &scalars, &rows, take).await?;
    Ok(deleted)
}

/// Deletes the rows of the members in the column `id`. Returns the number of deleted rows.
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

/// Deletes all rows of a memberbase. Returns their number.
pub(in crate::domain) async fn delete_all<T: MemberChild>(session: &Session, scope: Scope) -> Result<u64, Error> {
    let sql = format!("DELETE FROM {} WHERE memberbase_id = $1", T::TABLE);
    let memberbase = scope.memberbase().uuid().into();
    let statement = Statement::from_sql_and_values(session.get_database_backend(), sql, [memberbase]);
    Ok(session.execute_raw(statement).await?.rows_affected())
}
