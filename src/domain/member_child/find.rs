//! What belongs to members, by its own ids.

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

/// The thing with this id, where it is within reach.
pub async fn find<T: MemberChild>(app: &App, reach: Visibility, id: T::Id) -> Result<Option<T>, Error> {
    Ok(find_many(app, reach, &[id]).await?.pop())
}

/// Those of these things that are there and within reach, in any order.
pub async fn find_many<T: MemberChild>(app: &App, reach: Visibility, ids: &[T::Id]) -> Result<Vec<T>, Error> {
    let bound = reach.memberbase().map(|memberbase| ScalarBind::Uuid(memberbase.uuid()));
    let mut found = Vec::new();
    let condition = if bound.is_some() { "own.memberbase_id = $1" } else { "true" };
    read(app, condition, bound.as_slice(), ids.iter().copied(), |_, thing| found.push(thing)).await?;
    Ok(found)
}

/// The things with these ids, in this order; none where there is none any more.
pub async fn load<T: MemberChild>(app: &App, scope: Scope, ids: &[Option<T::Id>]) -> Result<Vec<Option<T>>, Error> {
    let mut loaded = vec![None; ids.len()];
    let places: Vec<_> = ids.iter().enumerate().filter_map(|(place, id)| id.map(|_| place)).collect();
    let scalars = [ScalarBind::Uuid(scope.memberbase().uuid())];
    let put = |n: usize, thing| loaded[places[n]] = Some(thing);
    read(app, "own.memberbase_id = $1", &scalars, ids.iter().flatten().copied(), put).await?;
    Ok(loaded)
}

/// Reads the things with these ids and gives each, with its place among them, to `put`.
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

/// The thing that a row with all columns of its table is.
pub(super) fn decode<T: MemberChild>(row: &QueryResult) -> Result<T, DbErr> {
    <T::Entity as EntityTrait>::Model::from_query_result(row, "").map(T::from)
}
