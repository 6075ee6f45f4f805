//! Pages of members, by keyset: every page costs the same, however deep.

use std::ops::BitOr;

use sea_orm::{
    ColumnTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select,
    sea_query::{self, Expr, ExprTrait, SimpleExpr},
};
use uuid::Uuid;

use super::{Filter, Member, Order, OrderField, Position, Test, column, condition};
use crate::{
    app::App,
    db::{Cell, Cells, Columns, Name, Session},
    domain::{
        Error,
        access::Scope,
        attribute::Document,
        filter::{IdTest, TextTest},
        memberbase,
    },
    entity::member,
    types::{Direction, Id, MemberId, Page, Slice, Start, Time},
};

/// Fields of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields(u8);

impl Fields {
    /// The ref.
    pub const REF: Self = Self(1);
    /// The attributes.
    pub const ATTRIBUTES: Self = Self(2);
    /// The time of the last change.
    pub const UPDATED_AT: Self = Self(4);
    /// The same by the owner's clock.
    pub const SOURCE_UPDATED_AT: Self = Self(8);
    /// All of these.
    pub const ALL: Self = Self(15);

    fn has(self, field: Self) -> bool {
        self.0 & field.0 != 0
    }
}

impl BitOr for Fields {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A member that was read for some of its fields: what was not asked for is empty.
#[derive(Clone, Debug)]
pub struct Picked(pub Member);

/// A page of the members that the filter holds for.
pub async fn list(
    app: &App,
    scope: Scope,
    filter: &Filter<Test>,
    order: Order,
    page: &Page<Position>,
) -> Result<Slice<Member>, Error> {
    let Slice { rows, has_next, has_previous } = pick(app, scope, filter, order, page, Fields::ALL).await?;
    Ok(Slice { rows: rows.into_iter().map(|Picked(member)| member).collect(), has_next, has_previous })
}

/// The same, for those who look at the id, at what the order is by, and at these fields.
pub async fn pick(
    app: &App,
    scope: Scope,
    filter: &Filter<Test>,
    order: Order,
    page: &Page<Position>,
    fields: Fields,
) -> Result<Slice<Picked>, Error> {
    let fields = fields
        | match order.field {
            OrderField::CreatedAt => Fields::default(),
            OrderField::UpdatedAt => Fields::UPDATED_AT,
            OrderField::Ref => Fields::REF,
        };
    filter.check(&app.limits.filter)?;
    let statements = Statements::new(app.db.backend(), scope, filter, order, page);
    let work = async |session: Session| {
        let behind = match statements.behind {
            Some(behind) => behind.one(&session).await?.is_some(),
            None => false,
        };
        let rows = read(&session, scope, statements.page.clone(), fields).await?;
        if rows.is_empty() {
            memberbase::ensure_exists(&session, scope).await?;
        }
        Ok(page.slice(rows, behind))
    };
    if filter.has(&is_attribute) { app.db.read_by_values(work).await } else { work(app.db.read().await?).await }
}

/// The rows of a statement, with these fields.
async fn read(
    session: &Session,
    scope: Scope,
    rows: Select<member::Entity>,
    fields: Fields,
) -> Result<Vec<Picked>, Error> {
    let optional = [
        (Fields::REF, Name::Text("ref"), column(member::Column::Reference)),
        (Fields::ATTRIBUTES, Name::Document("attributes"), column(member::Column::Attributes).cast_as("text")),
        (Fields::UPDATED_AT, Name::Int("updated_at"), column(member::Column::UpdatedAt)),
        (Fields::SOURCE_UPDATED_AT, Name::MaybeInt("source_updated_at"), column(member::Column::SourceUpdatedAt)),
    ];
    let mut rows = rows.select_only().column(member::Column::Id);
    let (mut names, mut places) = (vec![Name::Id("id")], [None; 4]);
    for (place, (field, name, column)) in places.iter_mut().zip(optional) {
        if fields.has(field) {
            *place = Some(names.len());
            names.push(name);
            rows = rows.expr_as(column, name.name());
        }
    }
    let columns = session.columns(rows.into_query(), &names).await?;
    let ids: Vec<Uuid> = columns.column(0)?;
    let [references, attributes, updated, source_updated] = places;
    let mut references = cells(&columns, references)?;
    let mut attributes = cells(&columns, attributes)?;
    let mut updated = cells(&columns, updated)?;
    let mut source_updated = cells(&columns, source_updated)?;
    let member = |id| {
        Ok(Picked(Member {
            id: MemberId::from_uuid(id),
            memberbase: scope.memberbase(),
            reference: next(&mut references)?,
            attributes: Document::new(next(&mut attributes)?),
            updated_at: Time::from_micros(next(&mut updated)?),
            source_updated_at: next::<Option<_>>(&mut source_updated)?.map(Time::from_micros),
        }))
    };
    ids.into_iter().map(member).collect()
}

/// The values of a column, if there is one.
fn cells<T: Cell>(columns: &Columns, place: Option<usize>) -> Result<Option<Cells<T>>, DbErr> {
    place.map(|place| columns.cells(place)).transpose()
}

/// The next value of a column, if there is one.
fn next<T: Default>(cells: &mut Option<Cells<T>>) -> Result<T, DbErr> {
    cells.as_mut().map_or_else(|| Ok(T::default()), Cells::take)
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
