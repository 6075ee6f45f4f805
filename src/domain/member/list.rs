//! Pages of members by keyset: the cost of a page does not depend on its depth.

use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{self, Expr, ExprTrait, SimpleExpr},
};

use super::{
    Filter, Member, MemberColumns, MemberPage, Order, OrderField, Position, Predicate, column, condition, page::read,
};
use crate::{
    app::App,
    db::{ReadMode, Session},
    domain::{
        Error,
        access::Scope,
        filter::{IdPredicate, PredicateSize, TextPredicate},
        memberbase,
    },
    entity::member,
    types::{Anchor, Direction, Id, Page, Slice},
};

pub(crate) async fn list(
    app: &App,
    scope: Scope,
    filter: &Filter<Predicate>,
    order: Order,
    page: &Page<Position>,
) -> Result<Slice<Member>, Error> {
    let members = list_columns(app, scope, filter, order, page, MemberColumns::ALL).await?;
    Ok(Slice { rows: members.to_members(), has_next: members.slice.has_next, has_previous: members.slice.has_previous })
}

/// Reads a page with only the id, the sort key and the given columns.
pub(crate) async fn list_columns(
    app: &App,
    scope: Scope,
    filter: &Filter<Predicate>,
    order: Order,
    page: &Page<Position>,
    columns: MemberColumns,
) -> Result<MemberPage, Error> {
    let sort_key = match order.field {
        OrderField::CreatedAt => MemberColumns::default(),
        OrderField::UpdatedAt => MemberColumns::UPDATED_AT,
        OrderField::Ref => MemberColumns::REF,
    };
    let columns = columns | sort_key;
    filter.check(&app.limits.filter)?;
    let backend = app.db.backend();
    let first_rows = columns.rows_of_first_statement(backend, &app.limits.row);
    let first = Page { size: Ord::min(page.size, first_rows - 1), ..page.clone() };
    // Between two statements a member that is updated would move behind those that are not read yet.
    let snapshot = page.size >= first_rows && order.field == OrderField::UpdatedAt;
    let statements = PageStatements::new(backend, scope, filter, order, &first);
    let work = async |session: Session| {
        // Only once there is a connection: what waits for one would keep the memory from others.
        let _held = columns.hold(first.size + 1, &app.limits.row).await?;
        let has_opposite = match statements.opposite {
            Some(opposite) => opposite.one(&session).await?.is_some(),
            None => false,
        };
        let mut rows = read(&session, statements.page, columns).await?;
        let mut is_full = rows.len() > first.size;
        while is_full && rows.len() <= page.size {
            let max_rows = columns.max_rows_of_statement(&app.limits.row);
            let part_rows = rows.rows_of_next_statement(backend, max_rows);
            let last = rows.view(scope.memberbase(), rows.last_index());
            let next = Page {
                size: Ord::min(page.size - rows.len(), part_rows - 1),
                anchor: Anchor::Cursor(Position::of(last, order)),
                check_opposite: false,
                ..page.clone()
            };
            let more = PageStatements::new(backend, scope, filter, order, &next).page;
            let more = read(&session, more, columns).await?;
            is_full = more.len() > next.size;
            rows.append(more)?;
        }
        if rows.len() == 0 {
            memberbase::ensure_exists(&session, scope).await?;
        }
        Ok(MemberPage::new(scope.memberbase(), rows, |rows| page.slice(rows, has_opposite)))
    };
    let mode = ReadMode { custom_plan: needs_custom_plan(filter), snapshot };
    app.db.read_in(mode, work).await
}

pub struct PageStatements {
    /// Selects the rows in the page's direction, one more than the page size.
    pub page: Select<member::Entity>,
    /// Selects one row on the opposite side of the cursor, if the page asks for it.
    pub opposite: Option<Select<member::Entity>>,
}

impl PageStatements {
    /// Builds the statements. Each scans the index of the order from the cursor on, up to the other cursor at the latest,
    /// so its cost does not depend on the depth of the page.
    pub fn new(
        backend: DbBackend,
        scope: Scope,
        filter: &Filter<Predicate>,
        order: Order,
        page: &Page<Position>,
    ) -> Self {
        // The direction of the scan. A backward page scans against its order.
        let ascending = order.descending != (page.direction == Direction::Forward);
        let selected_by_list = backend == DbBackend::Sqlite && filter.requires(&is_id_list);
        let matching = || matching(backend, scope, filter);
        let (ahead, opposite) = match &page.anchor {
            Anchor::Start => (matching(), None),
            Anchor::Offset(rows) => (matching().offset(*rows), None),
            Anchor::Cursor(position) => {
                let ahead = matching().filter(from(position, ascending, false));
                let opposite = page.check_opposite.then(|| matching().filter(from(position, !ascending, true)));
                (ahead, opposite)
            }
        };
        let ahead = match &page.until {
            Some(end) => ahead.filter(from(end, !ascending, false)),
            None => ahead,
        };
        let page = ordered(ahead, order.field, ascending, selected_by_list).limit(page.size + 1);
        let opposite = opposite.map(|rows| ordered(rows, order.field, !ascending, selected_by_list).limit(1));
        Self { page, opposite }
    }
}

pub(crate) async fn count(app: &App, scope: Scope, filter: &Filter<Predicate>) -> Result<u64, Error> {
    filter.check(&app.limits.filter)?;
    let count = matching(app.db.backend(), scope, filter);
    let read = async |session: Session| Ok(count.count(&session).await?);
    app.db.read_in(ReadMode { custom_plan: needs_custom_plan(filter), ..ReadMode::default() }, read).await
}

fn matching(backend: DbBackend, scope: Scope, filter: &Filter<Predicate>) -> Select<member::Entity> {
    member::Entity::find()
        .filter(member::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(condition(backend, scope, filter))
}

/// Returns the keyset condition for the rows that follow a position, or with `inclusive` are at it or follow it.
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

/// Minimum length of a list for which PostgreSQL uses a hash table (`MIN_ARRAY_SIZE_FOR_HASHED_SAOP`). It does so only
/// if it knows the list when it plans; otherwise it compares each row with every value.
const HASHED_ANY_MIN: usize = 9;

/// Returns whether PostgreSQL should plan with the bound values instead of using a generic plan: if a value decides
/// which index pays off (the frequency of an attribute value, the number of refs with a prefix), and if rows are
/// compared with a long list that does not select them by an index.
fn needs_custom_plan(filter: &Filter<Predicate>) -> bool {
    let depends_on_values = |predicate: &Predicate| match predicate {
        Predicate::Id(IdPredicate::NotIn(_)) | Predicate::Ref(TextPredicate::NotIn(_)) => {
            predicate.values() >= HASHED_ANY_MIN
        }
        Predicate::CreatedAt(_) | Predicate::UpdatedAt(_) => predicate.values() >= HASHED_ANY_MIN,
        Predicate::Attribute(_) | Predicate::Ref(TextPredicate::StartsWith(_) | TextPredicate::Matches(_)) => true,
        predicate => is_id_list(predicate) && predicate.values() >= HASHED_ANY_MIN && !filter.requires(&is_id_list),
    };
    filter.contains(&depends_on_values)
}

/// Returns whether a predicate lists the ids or refs of the members that match.
fn is_id_list(predicate: &Predicate) -> bool {
    matches!(predicate, Predicate::Id(IdPredicate::In(_)) | Predicate::Ref(TextPredicate::In(_)))
}

/// Adds the order. With `selected_by_list`, [a unary plus](https://www.sqlite.org/optoverview.html#uplus) stops SQLite
/// from scanning the whole memberbase by the order's index in search of the listed members.
fn ordered(
    rows: Select<member::Entity>,
    field: OrderField,
    ascending: bool,
    selected_by_list: bool,
) -> Select<member::Entity> {
    let keys: &[_] = match field {
        OrderField::CreatedAt => &[member::Column::Id],
        OrderField::UpdatedAt => &[member::Column::UpdatedAt, member::Column::Id],
        OrderField::Ref => &[member::Column::Reference],
    };
    keys.iter().fold(rows, |rows, key| {
        let order = if ascending { sea_query::Order::Asc } else { sea_query::Order::Desc };
        let key = column(*key);
        rows.order_by(if selected_by_list { Expr::cust_with_expr("+?", key) } else { key }, order)
    })
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
        time::{Duration, Instant},
    };

    use futures_util::future::join_all;
    use uuid::Uuid;

    use super::*;
    use crate::{
        budget::{Budget, MemoryLimit},
        domain::{
            access::{Access, Caller},
            filter::TimePredicate,
            memberbase,
        },
        types::{MemberId, Time},
    };

    #[tokio::test]
    async fn page_holds_memory_only_once_it_has_a_connection() {
        let (app, _folder) = App::temporary().await;
        let caller = Caller::operator();
        let base = memberbase::create(&app, &caller, "base".to_owned()).await.expect("a memberbase").id;
        let scope = caller.authorize(base, Access::Read).expect("access");
        // The other one writes.
        let readers = app.db.connections().max - 1;
        let all = join_all((0..readers).map(|_| app.db.read())).await;
        let limit = MemoryLimit { bytes: 64 << 20, setting: "MEMBERBASE_TEST" };
        let budget = Budget::new(&app.memory, limit, Instant::now() + Duration::from_secs(60));
        let page = Page {
            size: 5_000,
            anchor: Anchor::Start,
            until: None,
            direction: Direction::Forward,
            check_opposite: false,
        };
        let (filter, order) = (Filter::All(Vec::new()), Order { field: OrderField::CreatedAt, descending: false });
        let mut reading = budget.meter(Box::pin(list(&app, scope, &filter, order, &page)), true);
        let polled = Pin::new(&mut reading).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
        assert!(app.memory.used() < 2 << 20, "{}", app.memory.used());
        drop(all);
        assert_eq!(reading.await.expect("within the budget").expect("a page").rows.len(), 0);
    }

    #[test]
    fn long_lists_without_an_index_need_a_custom_plan() {
        let refs = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
        let listed = |count| Filter::Predicate(Predicate::Ref(TextPredicate::In(refs(count))));
        let excluded = |count| Filter::Predicate(Predicate::Ref(TextPredicate::NotIn(refs(count))));
        let times = |count| Filter::Predicate(Predicate::CreatedAt(TimePredicate::In(vec![Time::now(); count])));
        let id = || Filter::Predicate(Predicate::Id(IdPredicate::In(vec![MemberId::from_uuid(Uuid::nil())])));
        for filter in [
            excluded(9),
            times(9),
            Filter::Not(Box::new(listed(9))),
            Filter::Any(vec![listed(9), times(1)]),
            Filter::All(vec![listed(2), excluded(9)]),
        ] {
            assert!(needs_custom_plan(&filter), "{filter:?}");
        }
        for filter in [
            listed(1_000),
            excluded(8),
            times(8),
            Filter::Not(Box::new(listed(8))),
            Filter::All(vec![id(), Filter::Any(vec![listed(9), times(1)])]),
            Filter::All(Vec::new()),
        ] {
            assert!(!needs_custom_plan(&filter), "{filter:?}");
        }
    }
}
