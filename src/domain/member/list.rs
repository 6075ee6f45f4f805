//! Pages of members, by keyset: every page costs the same, however deep.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{self, Expr, ExprTrait, SimpleExpr},
};

use super::{Filter, Member, Order, OrderField, Position, Test, column, condition};
use crate::{
    app::App,
    domain::{
        Error,
        access::Scope,
        filter::{IdTest, TextTest},
        memberbase,
    },
    entity::member,
    types::{Direction, Id, Page, Slice, Start},
};

/// A page of the members that the filter holds for.
pub async fn list(
    app: &App,
    scope: Scope,
    filter: &Filter<Test>,
    order: Order,
    page: &Page<Position>,
) -> Result<Slice<Member>, Error> {
    filter.check(&app.limits.filter)?;
    let session = app.db.read().await?;
    let mut behind = false;
    if let Start::Beside(position) = &page.start
        && page.behind
    {
        let back = from(position, !ascending(order, page), true);
        behind = any(&session, matching(app.db.backend(), scope, filter).filter(back)).await?;
    }
    let rows = statement(app.db.backend(), scope, filter, order, page).all(&session).await?;
    if rows.is_empty() {
        memberbase::ensure_exists(&session, scope).await?;
    }
    Ok(page.slice(rows.into_iter().map(Member::from).collect(), behind))
}

/// The statement that reads a page: its rows in its own direction, and one more than its size.
pub fn statement(
    backend: DbBackend,
    scope: Scope,
    filter: &Filter<Test>,
    order: Order,
    page: &Page<Position>,
) -> Select<member::Entity> {
    let ascending = ascending(order, page);
    let mut ahead = matching(backend, scope, filter);
    if let Start::Beside(position) = &page.start {
        ahead = ahead.filter(from(position, ascending, false));
    }
    let listed = backend == DbBackend::Sqlite && filter.needs(&is_list);
    ordered(ahead, order.field, ascending, listed).limit(page.size + 1)
}

/// Which way the statement reads, which for a page that goes backward is against the order asked for.
fn ascending(order: Order, page: &Page<Position>) -> bool {
    order.descending != (page.direction == Direction::Forward)
}

/// How many members of the memberbase the filter holds for.
pub async fn count(app: &App, scope: Scope, filter: &Filter<Test>) -> Result<u64, Error> {
    filter.check(&app.limits.filter)?;
    Ok(matching(app.db.backend(), scope, filter).count(&app.db.read().await?).await?)
}

fn matching(backend: DbBackend, scope: Scope, filter: &Filter<Test>) -> Select<member::Entity> {
    member::Entity::find()
        .filter(member::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(condition(backend, scope, filter))
}

async fn any(session: &impl ConnectionTrait, rows: Select<member::Entity>) -> Result<bool, Error> {
    Ok(rows.limit(1).one(session).await?.is_some())
}

/// What follows a position, or with `inclusive` stands at it or follows it.
fn from(position: &Position, ascending: bool, inclusive: bool) -> SimpleExpr {
    let (key, value) = match position {
        Position::CreatedAt(id) => (column(member::Column::Id), Expr::val(id.uuid())),
        Position::UpdatedAt(time, id) => (
            Expr::tuple([column(member::Column::UpdatedAt), column(member::Column::Id)]),
            Expr::tuple([Expr::val(time.micros()), Expr::val(id.uuid())]),
        ),
        Position::Ref(reference) => (column(member::Column::Reference), Expr::val(reference.as_str())),
    };
    match (ascending, inclusive) {
        (true, false) => key.gt(value),
        (true, true) => key.gte(value),
        (false, false) => key.lt(value),
        (false, true) => key.lte(value),
    }
}

/// Whether a test names the members that it holds for.
fn is_list(test: &Test) -> bool {
    matches!(test, Test::Id(IdTest::In(_)) | Test::Ref(TextTest::In(_)))
}

/// In the order asked for. Where the members are `listed`, a plus keeps SQLite from walking the whole memberbase by an
/// index of that order in search of them.
fn ordered(rows: Select<member::Entity>, field: OrderField, ascending: bool, listed: bool) -> Select<member::Entity> {
    let keys: &[_] = match field {
        OrderField::CreatedAt => &[member::Column::Id],
        OrderField::UpdatedAt => &[member::Column::UpdatedAt, member::Column::Id],
        OrderField::Ref => &[member::Column::Reference],
    };
    keys.iter().fold(rows, |rows, key| {
        let order = if ascending { sea_query::Order::Asc } else { sea_query::Order::Desc };
        let key = column(*key);
        rows.order_by(if listed { Expr::cust_with_expr("+?", key) } else { key }, order)
    })
}
