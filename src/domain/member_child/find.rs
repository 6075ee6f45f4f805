//! Look-ups of members' children by their own ids.

use std::sync::Arc;

use sea_orm::{DbErr, EntityTrait, FromQueryResult, QueryResult};
use uuid::Uuid;

use super::MemberChild;
use crate::{
    app::App,
    db::{ArrayColumn, ArrayTable, ScalarBind},
    domain::{
        Error,
        access::{Scope, Visibility},
    },
    types::Id,
};

/// Finds the visible children with these ids, in any order and each once.
pub(crate) async fn find_many<T: MemberChild>(
    app: &App,
    visibility: Visibility,
    ids: &[T::Id],
) -> Result<Vec<Arc<T>>, Error> {
    let bound = visibility.memberbase().map(|memberbase| ScalarBind::Uuid(memberbase.uuid()));
    let mut found = Vec::new();
    let condition = if bound.is_some() { "own.memberbase_id = $1" } else { "true" };
    read(app, condition, bound.as_slice(), &distinct::<T>(ids.iter()), |_, child| found.push(Arc::new(child))).await?;
    Ok(found)
}

/// Loads children in the order of `ids`; `None` for one that does not exist any more. An id that occurs twice is read
/// once.
pub(crate) async fn load<T: MemberChild>(
    app: &App,
    scope: Scope,
    ids: &[Option<T::Id>],
) -> Result<Vec<Option<Arc<T>>>, Error> {
    let distinct = distinct::<T>(ids.iter().flatten());
    let mut loaded = vec![None; distinct.len()];
    let scalars = [ScalarBind::Uuid(scope.memberbase().uuid())];
    let put = |n: usize, child| loaded[n] = Some(Arc::new(child));
    read(app, "own.memberbase_id = $1", &scalars, &distinct, put).await?;
    let find = |id: &T::Id| loaded[distinct.binary_search(&id.uuid()).ok()?].clone();
    Ok(ids.iter().map(|id| id.as_ref().and_then(find)).collect())
}

/// Returns sorted ids, each once.
fn distinct<'i, T: MemberChild>(ids: impl Iterator<Item = &'i T::Id>) -> Vec<Uuid> {
    let mut distinct: Vec<_> = ids.map(|id| id.uuid()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}

/// Reads children by id and passes each to `put`, with the index of its id.
async fn read<T: MemberChild>(
    app: &App,
    condition: &str,
    scalars: &[ScalarBind],
    ids: &[Uuid],
    mut put: impl FnMut(usize, T) + Send,
) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT input.n AS n, own.* FROM {{rows}} AS input CROSS JOIN {} AS own WHERE own.id = input.id AND {condition}",
        T::TABLE
    );
    let take = |row: QueryResult| {
        let n: i64 = row.try_get_by_index(0)?;
        put(usize::try_from(n).expect("rows count from 0"), decode(&row)?);
        Ok(())
    };
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(ids.to_vec()))]);
    Ok(app.db.read().await?.bulk_each(&sql, scalars, &rows, take).await?)
}

/// Decodes a row that has all columns of the table.
pub(super) fn decode<T: MemberChild>(row: &QueryResult) -> Result<T, DbErr> {
    <T::Entity as EntityTrait>::Model::from_query_result(row, "").map(T::from)
}
