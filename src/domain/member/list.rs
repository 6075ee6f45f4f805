//! Pages of members, by keyset: every page costs the same, however deep.

use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{self, Expr, ExprTrait, SimpleExpr},
};

use super::{Filter, Member, Order, OrderField, Position, Test, column, condition};
use crate::{
    app::App,
    db::Session,
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
    let statements = Statements::new(app.db.backend(), scope, filter, order, page);
    let read = async |session: Session| {
        let behind = match statements.behind {
            Some(behind) => behind.one(&session).await?.is_some(),
            None => false,
        };
        let rows = statements.page.all(&session).await?;
        if rows.is_empty() {
            memberbase::ensure_exists(&session, scope).await?;
        }
        Ok(page.slice(rows.into_iter().map(Member::from).collect(), behind))
    };
    if filter.has(&is_attribute) { app.db.read_by_values(read).await } else { read(app.db.read().await?).await }
}

/// What reads a page.
pub struct Statements {
    /// Its rows, in its own direction, and one more than its size.
    pub page: Select<member::Entity>,
    /// The first row behind its start, where that is asked for.
    pub behind: Option<Select<member::Entity>>,
}

impl Statements {
    /// Of a page. Each walks the index of the order away from the start, so that its cost is the same however deep.
    pub fn new(backend: DbBackend, scope: Scope, filter: &Filter<Test>, order: Order, page: &Page<Position>) -> Self {
        // Ascending as the statement reads, which for a page that goes backward is against the order asked for.
        let ascending = order.descending != (page.direction == Direction::Forward);
        let listed = backend == DbBackend::Sqlite && filter.needs(&is_list);
        let found = || matching(backend, scope, filter);
        let (ahead, behind) = match &page.start {
            Start::Edge => (found(), None),
            Start::Skip(rows) => (found().offset(*rows), None),
            Start::Beside(position) => {
                let behind = page.behind.then(|| found().filter(from(position, !ascending, true)));
                (found().filter(from(position, ascending, false)), behind)
            }
        };
        Self {
            page: ordered(ahead, order.field, ascending, listed).limit(page.size + 1),
            behind: behind.map(|behind| ordered(behind, order.field, !ascending, listed).limit(1)),
        }
    }
}

/// How many members of the memberbase the filter holds for.
pub async fn count(app: &App, scope: Scope, filter: &Filter<Test>) -> Result<u64, Error> {
    filter.check(&app.limits.filter)?;
    let count = matching(app.db.backend(), scope, filter);
    let read = async |session: Session| Ok(count.count(&session).await?);
    if filter.has(&is_attribute) { app.db.read_by_values(read).await } else { read(app.db.read().await?).await }
}

fn matching(backend: DbBackend, scope: Scope, filter: &Filter<Test>) -> Select<member::Entity> {
    member::Entity::find()
        .filter(member::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(condition(backend, scope, filter))
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

fn is_attribute(test: &Test) -> bool {
    matches!(test, Test::Attribute(_))
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
