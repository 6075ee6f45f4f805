//! Pages of members, by keyset: every page costs the same, however deep.

use std::ops::BitOr;

use sea_orm::{
    ColumnTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select,
    sea_query::{self, Expr, ExprTrait, SimpleExpr},
};
use uuid::Uuid;

use super::{Filter, Member, MemberView, Order, OrderField, Position, Predicate, column, condition};
use crate::{
    app::App,
    db::{ColumnSpec, Session, TextColumn},
    domain::{
        Error,
        access::Scope,
        filter::{IdPredicate, TextPredicate, ValueCount},
        memberbase,
    },
    entity::member,
    types::{Anchor, Direction, Id, MemberId, MemberbaseId, Page, Slice, Time},
};

/// Fields of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberColumns(u8);

impl MemberColumns {
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

    fn contains(self, field: Self) -> bool {
        self.0 & field.0 != 0
    }
}

impl BitOr for MemberColumns {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A page of members of whom some fields were read, column by column; what was not read is empty.
#[derive(Debug)]
pub struct MemberPage {
    memberbase: MemberbaseId,
    ids: Vec<Uuid>,
    references: TextColumn,
    documents: TextColumn,
    updated_at: Vec<i64>,
    source_updated_at: Vec<Option<i64>>,
    /// The page, whose rows are places in the columns.
    pub slice: Slice<usize>,
}

impl MemberPage {
    /// The member at a place of the columns.
    pub fn member(&self, place: usize) -> MemberView<'_> {
        MemberView {
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
    pub fn members(&self) -> impl ExactSizeIterator<Item = MemberView<'_>> {
        self.slice.rows.iter().map(|&place| self.member(place))
    }
}

/// A page of the members that the filter holds for.
pub async fn list(
    app: &App,
    scope: Scope,
    filter: &Filter<Predicate>,
    order: Order,
    page: &Page<Position>,
) -> Result<Slice<Member>, Error> {
    let picked = list_columns(app, scope, filter, order, page, MemberColumns::ALL).await?;
    let Slice { has_next, has_previous, .. } = picked.slice;
    Ok(Slice { rows: picked.members().map(Member::from).collect(), has_next, has_previous })
}

/// The same, for those who look at the id, at what the order is by, and at these fields.
pub async fn list_columns(
    app: &App,
    scope: Scope,
    filter: &Filter<Predicate>,
    order: Order,
    page: &Page<Position>,
    fields: MemberColumns,
) -> Result<MemberPage, Error> {
    let fields = fields
        | match order.field {
            OrderField::CreatedAt => MemberColumns::default(),
            OrderField::UpdatedAt => MemberColumns::UPDATED_AT,
            OrderField::Ref => MemberColumns::REF,
        };
    filter.check(&app.limits.filter)?;
    let statements = PageStatements::new(app.db.backend(), scope, filter, order, page);
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
    if needs_custom_plan(filter) { app.db.read_with_custom_plan(work).await } else { work(app.db.read().await?).await }
}

/// The rows of a statement, with these fields; `slice` makes the page of their number.
async fn read(
    session: &Session,
    scope: Scope,
    rows: Select<member::Entity>,
    fields: MemberColumns,
    slice: impl FnOnce(usize) -> Slice<usize>,
) -> Result<MemberPage, DbErr> {
    let optional = [
        (MemberColumns::REF, ColumnSpec::Text("ref"), column(member::Column::Reference)),
        (
            MemberColumns::ATTRIBUTES,
            ColumnSpec::Document("attributes"),
            column(member::Column::Attributes).cast_as("text"),
        ),
        (MemberColumns::UPDATED_AT, ColumnSpec::Int("updated_at"), column(member::Column::UpdatedAt)),
        (
            MemberColumns::SOURCE_UPDATED_AT,
            ColumnSpec::MaybeInt("source_updated_at"),
            column(member::Column::SourceUpdatedAt),
        ),
    ];
    let mut rows = rows.select_only().column(member::Column::Id);
    let (mut names, mut places) = (vec![ColumnSpec::Id("id")], [None; 4]);
    for (place, (field, name, column)) in places.iter_mut().zip(optional) {
        if fields.contains(field) {
            *place = Some(names.len());
            names.push(name);
            rows = rows.expr_as(column, name.name());
        }
    }
    let columns = session.columns(rows.into_query(), &names).await?;
    let [references, documents, updated_at, source_updated_at] = places;
    let texts = |place: Option<usize>| place.map_or_else(|| Ok(TextColumn::default()), |place| columns.texts(place));
    let ids: Vec<_> = columns.column(0)?;
    let picked = MemberPage {
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
pub struct PageStatements {
    /// Its rows, in its own direction, and one more than its size.
    pub page: Select<member::Entity>,
    /// The first row behind its start, where that is asked for.
    pub behind: Option<Select<member::Entity>>,
}

impl PageStatements {
    /// Of a page. Each walks the index of the order away from the start, so that its cost is the same however deep.
    pub fn new(
        backend: DbBackend,
        scope: Scope,
        filter: &Filter<Predicate>,
        order: Order,
        page: &Page<Position>,
    ) -> Self {
        // Ascending as the statement reads, which for a page that goes backward is against the order asked for.
        let ascending = order.descending != (page.direction == Direction::Forward);
        let listed = backend == DbBackend::Sqlite && filter.requires(&is_id_list);
        let found = || matching(backend, scope, filter);
        let (ahead, behind) = match &page.anchor {
            Anchor::Start => (found(), None),
            Anchor::Offset(rows) => (found().offset(*rows), None),
            Anchor::Cursor(position) => {
                let behind = page.check_opposite.then(|| found().filter(from(position, !ascending, true)));
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
pub async fn count(app: &App, scope: Scope, filter: &Filter<Predicate>) -> Result<u64, Error> {
    filter.check(&app.limits.filter)?;
    let count = matching(app.db.backend(), scope, filter);
    let read = async |session: Session| Ok(count.count(&session).await?);
    if needs_custom_plan(filter) { app.db.read_with_custom_plan(read).await } else { read(app.db.read().await?).await }
}

fn matching(backend: DbBackend, scope: Scope, filter: &Filter<Predicate>) -> Select<member::Entity> {
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
const HASHED_ANY_MIN: usize = 9;

/// Whether PostgreSQL is to plan by the values: where one decides which index is worth while (how common an attribute is, how
/// many refs begin alike, whether all that match do), and where rows are compared with a list that finds none of them.
fn needs_custom_plan(filter: &Filter<Predicate>) -> bool {
    let compared = |test: &Predicate| match test {
        Predicate::Id(IdPredicate::NotIn(_)) | Predicate::Ref(TextPredicate::NotIn(_)) => {
            test.values() >= HASHED_ANY_MIN
        }
        Predicate::CreatedAt(_) | Predicate::UpdatedAt(_) => test.values() >= HASHED_ANY_MIN,
        Predicate::Attribute(_) | Predicate::Ref(TextPredicate::StartsWith(_) | TextPredicate::Matches(_)) => true,
        test => is_id_list(test) && test.values() >= HASHED_ANY_MIN && !filter.requires(&is_id_list),
    };
    filter.contains(&compared)
}

/// Whether a test names the members that it holds for.
fn is_id_list(test: &Predicate) -> bool {
    matches!(test, Predicate::Id(IdPredicate::In(_)) | Predicate::Ref(TextPredicate::In(_)))
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
    use crate::domain::filter::TimePredicate;

    #[test]
    fn postgres_is_told_the_lists_that_rows_are_compared_with() {
        let refs = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
        let found = |count| Filter::Predicate(Predicate::Ref(TextPredicate::In(refs(count))));
        let left_out = |count| Filter::Predicate(Predicate::Ref(TextPredicate::NotIn(refs(count))));
        let times = |count| Filter::Predicate(Predicate::CreatedAt(TimePredicate::In(vec![Time::now(); count])));
        let id = || Filter::Predicate(Predicate::Id(IdPredicate::In(vec![MemberId::from_uuid(Uuid::nil())])));
        for filter in [
            left_out(9),
            times(9),
            Filter::Not(Box::new(found(9))),
            Filter::Any(vec![found(9), times(1)]),
            Filter::All(vec![found(2), left_out(9)]),
        ] {
            assert!(needs_custom_plan(&filter), "{filter:?}");
        }
        for filter in [
            found(1_000),
            left_out(8),
            times(8),
            Filter::Not(Box::new(found(8))),
            Filter::All(vec![id(), Filter::Any(vec![found(9), times(1)])]),
            Filter::default(),
        ] {
            assert!(!needs_custom_plan(&filter), "{filter:?}");
        }
    }
}
