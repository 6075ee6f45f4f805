//! Look-ups of members' children by their own ids.

use sea_orm::{DbErr, EntityTrait, FromQueryResult, QueryResult};

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

/// Finds the visible children with these ids, in any order.
pub(crate) async fn find_many<T: MemberChild>(
    app: &App,
    visibility: Visibility,
    ids: &[T::Id],
) -> Result<Vec<T>, Error> {
    let bound = visibility.memberbase().map(|memberbase| ScalarBind::Uuid(memberbase.uuid()));
    let mut found = Vec::new();
    let condition = if bound.is_some() { "own.memberbase_id = $1" } else { "true" };
    read(app, condition, bound.as_slice(), ids.iter().copied(), |_, child| found.push(child)).await?;
    Ok(found)
}

/// Loads children in the order of `ids`; `None` for one that does not exist any more.
pub(crate) async fn load<T: MemberChild>(
    app: &App,
    scope: Scope,
    ids: &[Option<T::Id>],
) -> Result<Vec<Option<T>>, Error> {
    let mut loaded = vec![None; ids.len()];
    let indexes: Vec<_> = ids.iter().enumerate().filter_map(|(index, id)| id.map(|_| index)).collect();
    let scalars = [ScalarBind::Uuid(scope.memberbase().uuid())];
    let put = |n: usize, child| loaded[indexes[n]] = Some(child);
    read(app, "own.memberbase_id = $1", &scalars, ids.iter().flatten().copied(), put).await?;
    Ok(loaded)
}

/// Reads children by id and passes each to `put`, with the index of its id.
async fn read<T: MemberChild>(
    app: &App,
    condition: &str,
    scalars: &[ScalarBind],
    ids: impl Iterator<Item = T::Id>,
    mut put: impl FnMut(usize, T) + Send,
) -> Result<(), Error> {
    let uuids: Vec<_> = ids.map(Id::uuid).collect();
    if uuids.is_empty() {
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
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(uuids))]);
    Ok(app.db.read().await?.bulk_each(&sql, scalars, &rows, take).await?)
}

/// Decodes a row that has all columns of the table.
pub(super) fn decode<T: MemberChild>(row: &QueryResult) -> Result<T, DbErr> {
    <T::Entity as EntityTrait>::Model::from_query_result(row, "").map(T::from)
}
