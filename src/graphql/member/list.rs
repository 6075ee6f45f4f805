//! The connection of members, with its filter and order.

mod raw_list;

use async_graphql::{Context, Enum, InputObject, InputType, Object, Pos, SimpleObject};
use serde_json::value::RawValue;

pub(crate) use self::raw_list::FoundMembers;
use self::raw_list::{Edges, Nodes};
use super::Member;
use crate::{
    domain::{
        self,
        access::Scope,
        filter::Filter,
        member::{
            self, MemberColumns, MemberPage, MemberView, Order, OrderField, Position, Predicate, UntypedPredicate,
        },
    },
    graphql::{
        Code, Error,
        connection::{OrderDirection, PageInfo, Paging},
        context::ContextExt,
        execute::{Executor, HasDeferredRows},
        filter::{AttributeFilter, Combination, DateTimeFilter, IdFilter, StringFilter},
        raw_list::RawListField,
        scalar::Count,
    },
};

#[derive(Debug)]
pub(crate) struct MemberConnection {
    scope: Scope,
    filter: Filter<Predicate>,
    order: Order,
    rows: Rows,
    info: PageInfo,
}

#[derive(Debug)]
enum Rows {
    /// Complete members, for selections that need resolvers.
    Members(Vec<Member>),
    /// Only the selected columns, for selections that are written as JSON directly.
    Columns(MemberPage),
}

impl MemberConnection {
    pub(in crate::graphql) async fn load(
        ctx: &Context<'_>,
        scope: Scope,
        filter: Option<MemberFilter>,
        order: Option<MemberOrder>,
        paging: Paging,
    ) -> Result<Self, Error> {
        let filter = filter.map(|filter| filter.parse(ctx)).transpose()?.unwrap_or_default();
        let order = order.map(Order::from).unwrap_or_default();
        let page = paging.page(ctx, ctx.app().limits.page, |cursor| Position::parse(cursor, scope, order))?;
        let filter = member::resolve_types(ctx.app(), scope, filter).await?;
        let columns = raw_list::columns(&ctx.item.node.selection_set.node);
        let read = member::list_columns(ctx.app(), scope, &filter, order, &page, columns.unwrap_or(MemberColumns::ALL));
        let read = ctx.row_budget().page(page.size, Box::pin(read), |page| page.slice.size()).await?;
        let info = PageInfo::new(&read.slice, |&index| Position::of(read.member(index), order).cursor(scope, order));
        let rows = match columns {
            Some(_) => Rows::Columns(read),
            None => Rows::Members(Member::all(read.to_members())),
        };
        Ok(Self { scope, filter, order, rows, info })
    }

    fn cursor(&self, member: MemberView<'_>) -> String {
        Position::of(member, self.order).cursor(self.scope, self.order)
    }
}

/// A page of members.
#[Object]
impl MemberConnection {
    /// The members of the page with their cursors.
    async fn edges(&self) -> RawListField<Edges<'_>> {
        RawListField(Edges(self))
    }

    /// The members of the page.
    async fn nodes(&self) -> RawListField<Nodes<'_>> {
        RawListField(Nodes(self))
    }

    /// Page info: the first and last cursors of the page, and whether more entries exist.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// Number of entries that match the filter, independent of the page. Computed only if selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(member::count(ctx.app(), self.scope, &self.filter).await?))
    }
}

/// A member and its cursor.
#[derive(SimpleObject, Debug)]
pub(crate) struct MemberEdge {
    /// Opaque cursor of this entry, for `after` and `before`. Valid for the same memberbase and order, with any filter.
    cursor: String,
    /// The member.
    node: Member,
}

/// Filters members. All given conditions must match. Null is the same as an omitted condition.
///
/// An empty filter and `and: []` match every member. `or: []` and `in: []` match none. `not` matches every member that the filter in it does not match, including those without a value of the attribute.
///
/// A condition without an operator fails with BAD_USER_INPUT. A filter fails with LIMIT_EXCEEDED if it has more than 10 levels of nesting (MEMBERBASE_MAX_FILTER_DEPTH), more than 400 operators, or more than 32 regexes; the regexes of all filters of a request may have 10,000 characters with their repetitions expanded, and each is counted with at least 100.
#[derive(InputObject, Debug)]
pub(crate) struct MemberFilter {
    /// All of these filters match.
    and: Option<Vec<Self>>,
    /// At least one of these filters matches.
    or: Option<Vec<Self>>,
    /// This filter does not match.
    not: Option<Box<Self>>,
    /// Condition on the id.
    id: Option<IdFilter>,
    /// Condition on the ref, compared byte for byte.
    #[graphql(name = "ref")]
    reference: Option<StringFilter>,
    /// Condition on the creation time, which has whole milliseconds.
    created_at: Option<DateTimeFilter>,
    /// Condition on the time of the last change.
    updated_at: Option<DateTimeFilter>,
    /// Condition on one attribute.
    attribute: Option<AttributeFilter>,
}

/// A query whose variable is a filter.
const FILTERED: &str = "query ($memberbaseId: ID!, $filter: MemberFilter) { \
    members(memberbaseId: $memberbaseId, filter: $filter) { totalCount } }";

/// Parses the JSON of a `MemberFilter`. The message of an error begins with the path in the filter.
pub(crate) fn member_filter(executor: &Executor, json: &RawValue) -> Result<Filter<UntypedPredicate>, Error> {
    MemberFilter::from_json(executor, json).map_err(Error::with_path_in_message)
}

impl MemberFilter {
    /// Parses the JSON of a filter, which has the same meaning as in a query.
    fn from_json(executor: &Executor, json: &RawValue) -> Result<Filter<UntypedPredicate>, Error> {
        let variables = format!("{{\"memberbaseId\":\"\",\"filter\":{}}}", json.get());
        let variables = RawValue::from_string(variables).map_err(|error| domain::Error::Internal(error.into()))?;
        let coerced = executor.coerce_variables(FILTERED, &variables);
        let (mut variables, rows) = coerced.map_err(|mut errors| errors.swap_remove(0))?;
        let filter = <Option<Self> as InputType>::parse(variables.remove("filter"));
        let filter = filter.map_err(|error| {
            let message = error.into_server_error(Pos::default()).message;
            Error::new(Code::BadUserInput, format!("filter: {message}"))
        })?;
        Ok(filter.map(|filter| filter.parse(&rows)).transpose()?.unwrap_or_default())
    }

    fn parse(self, ctx: &impl HasDeferredRows) -> Result<Filter<UntypedPredicate>, Error> {
        let fields = [
            self.id.map(|filter| filter.parse(ctx, Predicate::Id)).transpose(),
            self.reference.map(|filter| filter.parse(ctx, Predicate::Ref)).transpose(),
            self.created_at.map(|filter| filter.parse(Predicate::CreatedAt)).transpose(),
            self.updated_at.map(|filter| filter.parse(Predicate::UpdatedAt)).transpose(),
            self.attribute.map(|filter| filter.parse(Predicate::Attribute)).transpose(),
        ];
        Combination { and: self.and, or: self.or, not: self.not }.with(fields, |filter: Self| filter.parse(ctx))
    }
}

/// Sort key of members.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberOrderField {
    /// Creation time, which is the order of ids.
    CreatedAt,
    /// Time of the last change. A member that is updated while a client pages through the list changes its position.
    UpdatedAt,
    /// Ref, compared byte for byte.
    Ref,
}

/// Order of members. Equal entries are ordered by id.
#[derive(InputObject, Clone, Copy, Debug)]
pub(crate) struct MemberOrder {
    /// Sort key. Default CREATED_AT.
    #[graphql(default_with = "MemberOrderField::CreatedAt")]
    field: MemberOrderField,
    /// Direction. Default ASC.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

impl From<MemberOrder> for Order {
    fn from(order: MemberOrder) -> Self {
        let field = match order.field {
            MemberOrderField::CreatedAt => OrderField::CreatedAt,
            MemberOrderField::UpdatedAt => OrderField::UpdatedAt,
            MemberOrderField::Ref => OrderField::Ref,
        };
        Self { field, descending: order.direction == OrderDirection::Desc }
    }
}
