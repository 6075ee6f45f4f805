//! Pages of members, by keyset: every page costs the same, however deep.

use std::ops::BitOr;

use sea_orm::{
    ColumnTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select,
    sea_query::{self, Expr, ExprTrait, SimpleExpr},
};
use uuid::Uuid;

use super::{Filter, Member, Order, OrderField, Position, Test, View, column, condition};
use crate::{
    app::App,
    db::{Name, Session, Texts},
    domain::{
        Error,
        access::Scope,
        filter::{IdTest, TextTest, Values},
        memberbase,
    },
    entity::member,
    types::{Direction, Id, MemberId, MemberbaseId, Page, Slice, Start, Time},
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

/// A page of members of whom some fields were read, column by column; what was not read is empty.
#[derive(Debug)]
pub struct Picked {
    memberbase: MemberbaseId,
    ids: Vec<Uuid>,
    references: Texts,
    documents: Texts,
    updated_at: Vec<i64>,
    source_updated_at: Vec<Option<i64>>,
    /// The page, whose rows are places in the columns.
    pub slice: Slice<usize>,
}

impl Picked {
    /// The member at a place of the columns.
    pub fn member(&self, place: usize) -> View<'_> {
        View {
            id: MemberId::from_uuid(self.ids[place]),
            memberbase: self.memberbase,
            reference: self.references.get(place).unwrap_or_default(),
            attributes: self.documents.get(place),
            updated_at: Time::from_micros(self.updated_at.get(place).copied().unwrap_or_default()),
            source_updated_at: self.source_updated_at.get(place).copied().flatten().map(Time::from_micros),
        }
    }

    /// How many rows the columns have that need not be there.
    fn rows(&self) -> [usize; 4] {
        [self.references.rows(), self.documents.rows(), self.updated_at.len(), self.source_updated_at.len()]
    }

    /// The members of the page.
    pub fn members(&self) -> impl ExactSizeIterator<Item = View<'_>> {
        self.slice.rows.iter().map(|&place| self.member(place))
    }
}

/// A page of the members that the filter holds for.
pub async fn list(
    app: &App,
    scope: Scope,
    filter: &Filter<Test>,
    order: Order,
    page: &Page<Position>,
) -> Result<Slice<Member>, Error> {
    let picked = pick(app, scope, filter, order, page, Fields::ALL).await?;
    let Slice { has_next, has_previous, .. } = picked.slice;
    Ok(Slice { rows: picked.members().map(Member::from).collect(), has_next, has_previous })
}

/// The same, for those who look at the id, at what the order is by, and at these fields.
pub async fn pick(
    app: &App,
    scope: Scope,
    filter: &Filter<Test>,
    order: Order,
    page: &Page<Position>,
    fields: Fields,
) -> Result<Picked, Error> {
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
        let slice = |rows| page.slice((0..rows).collect(), behind);
        let picked = read(&session, scope, statements.page, fields, slice).await?;
        if picked.ids.is_empty() {
            memberbase::ensure_exists(&session, scope).await?;
        }
        Ok(picked)
    };
    if is_planned(filter) { app.db.read_by_values(work).await } else { work(app.db.read().await?).await }
}

/// The rows of a statement, with these fields; `slice` makes the page of their number.
async fn read(
    session: &Session,
    scope: Scope,
    rows: Select<member::Entity>,
    fields: Fields,
    slice: impl FnOnce(usize) -> Slice<usize>,
) -> Result<Picked, DbErr> {
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
    let [references, documents, updated_at, source_updated_at] = places;
    let texts = |place: Option<usize>| place.map_or_else(|| Ok(Texts::default()), |place| columns.texts(place));
    let ids: Vec<_> = columns.column(0)?;
    let picked = Picked {
        memberbase: scope.memberbase(),
        slice: slice(ids.len()),
        ids,
        references: texts(references)?,
        documents: texts(documents)?,
        updated_at: updated_at.map_or_else(|| Ok(Vec::new()), |place| columns.column(place))?,
        source_updated_at: source_updated_at.map_or_else(|| Ok(Vec::new()), |place| columns.column(place))?,
    };
    let complete =
        picked.rows().into_iter().zip(places).all(|(rows, place)| place.is_none() || rows == picked.ids.len());
    if complete { Ok(picked) } else { Err(DbErr::Custom("columns of different lengths".to_owned())) }
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
    if is_planned(filter) { app.db.read_by_values(read).await } else { read(app.db.read().await?).await }
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

/// From so many values on PostgreSQL compares a row with a list by a hash, where it knows the list when it plans
/// (`MIN_ARRAY_SIZE_FOR_HASHED_SAOP`); else with each of them.
const HASHED: usize = 9;

/// Whether PostgreSQL is to plan by the values: where one decides which index is worth while (how common an attribute is, how
/// many refs begin alike, whether all that match do), and where rows are compared with a list that finds none of them.
fn is_planned(filter: &Filter<Test>) -> bool {
    let compared = |test: &Test| match test {
        Test::Id(IdTest::NotIn(_)) | Test::Ref(TextTest::NotIn(_)) => test.values() >= HASHED,
        Test::CreatedAt(_) | Test::UpdatedAt(_) => test.values() >= HASHED,
        Test::Attribute(_) | Test::Ref(TextTest::StartsWith(_) | TextTest::Matches(_)) => true,
        test => is_list(test) && test.values() >= HASHED && !filter.needs(&is_list),
    };
    filter.has(&compared)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filter::TimeTest;

    #[test]
    fn postgres_is_told_the_lists_that_rows_are_compared_with() {
        let refs = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
        let found = |count| Filter::Test(Test::Ref(TextTest::In(refs(count))));
        let left_out = |count| Filter::Test(Test::Ref(TextTest::NotIn(refs(count))));
        let times = |count| Filter::Test(Test::CreatedAt(TimeTest::In(vec![Time::now(); count])));
        let id = || Filter::Test(Test::Id(IdTest::In(vec![MemberId::from_uuid(Uuid::nil())])));
        for filter in [
            left_out(9),
            times(9),
            Filter::Not(Box::new(found(9))),
            Filter::Any(vec![found(9), times(1)]),
            Filter::All(vec![found(2), left_out(9)]),
        ] {
            assert!(is_planned(&filter), "{filter:?}");
        }
        for filter in [
            found(1_000),
            left_out(8),
            times(8),
            Filter::Not(Box::new(found(8))),
            Filter::All(vec![id(), Filter::Any(vec![found(9), times(1)])]),
            Filter::default(),
        ] {
            assert!(!is_planned(&filter), "{filter:?}");
        }
    }
}
