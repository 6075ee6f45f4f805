//! Lists of members: filter, order, page.

mod raw_list;

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};

use self::raw_list::{Edges, Nodes};
use super::Member;
use crate::{
    domain::{
        access::Scope,
        filter::Filter,
        member::{
            self, MemberColumns, MemberPage, MemberView, Order, OrderField, Position, Predicate, UntypedPredicate,
        },
    },
    graphql::{
        Error,
        connection::{OrderDirection, PageInfo, Paging},
        context::ContextExt,
        execute::template::RawListField,
        filter::{AttributeFilter, Combination, DateTimeFilter, IdFilter, StringFilter},
        scalar::Count,
    },
};

/// A part of a list of members.
#[derive(Debug)]
pub struct MemberConnection {
    scope: Scope,
    filter: Filter<Predicate>,
    order: Order,
    rows: Rows,
    info: PageInfo,
}

/// Members of a page.
#[derive(Debug)]
enum Rows {
    /// With all that can be asked of them.
    Members(Vec<Member>),
    /// With the fields that the selection is of.
    Picked(MemberPage),
}

impl MemberConnection {
    /// The page that is asked for.
    pub(in crate::graphql) async fn load(
        ctx: &Context<'_>,
        scope: Scope,
        filter: Option<MemberFilter>,
        order: Option<MemberOrder>,
        paging: Paging,
    ) -> Result<Self, Error> {
        let filter = filter.map(MemberFilter::read).transpose()?.unwrap_or_default();
        let order = order.map(Order::from).unwrap_or_default();
        let page = paging.page(ctx, ctx.app().limits.page, |cursor| Position::parse(cursor, scope, order))?;
        let filter = member::resolve_types(ctx.app(), scope, filter).await?;
        let picked = raw_list::fields(&ctx.item.node.selection_set.node);
        let read = member::list_columns(ctx.app(), scope, &filter, order, &page, picked.unwrap_or(MemberColumns::ALL));
        let read = ctx.row_budget().page(page.size, Box::pin(read), |page| page.slice.size()).await?;
        let info = PageInfo::new(&read.slice, |&place| Position::of(read.member(place), order).cursor(scope, order));
        let rows = match picked {
            Some(_) => Rows::Picked(read),
            None => Rows::Members(Member::all(read.members().map(member::Member::from).collect())),
        };
        Ok(Self { scope, filter, order, rows, info })
    }

    fn cursor(&self, member: MemberView<'_>) -> String {
        Position::of(member, self.order).cursor(self.scope, self.order)
    }
}

/// A part of a list of members.
#[Object]
impl MemberConnection {
    /// The members with their cursors.
    async fn edges(&self) -> RawListField<Edges<'_>> {
        RawListField(Edges(self))
    }

    /// The members.
    async fn nodes(&self) -> RawListField<Nodes<'_>> {
        RawListField(Nodes(self))
    }

    /// What lies around this part.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// Of the whole filter, whatever the page; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(member::count(ctx.app(), self.scope, &self.filter).await?))
    }
}

/// A member in a list.
#[derive(SimpleObject, Debug)]
pub struct MemberEdge {
    /// Where it stands in the list: good for this memberbase and order, with any filter.
    cursor: String,
    /// The member.
    node: Member,
}

/// All that is given must hold. An empty filter and `and: []` hold for every member, `or: []` and `in: []` for none; `not` is plain negation. Null is the same as left out. An operator object without an operator is refused.
#[derive(InputObject, Debug)]
pub struct MemberFilter {
    /// All of these hold.
    and: Option<Vec<Self>>,
    /// One of these holds.
    or: Option<Vec<Self>>,
    /// This does not hold.
    not: Option<Box<Self>>,
    /// By its id.
    id: Option<IdFilter>,
    /// By its ref, byte for byte.
    #[graphql(name = "ref")]
    reference: Option<StringFilter>,
    /// By the time in its id, which is whole milliseconds.
    created_at: Option<DateTimeFilter>,
    /// By the time of its last change.
    updated_at: Option<DateTimeFilter>,
    /// By an attribute.
    attribute: Option<AttributeFilter>,
}

impl MemberFilter {
    fn read(self) -> Result<Filter<UntypedPredicate>, Error> {
        let fields = [
            self.id.map(|filter| filter.read(Predicate::Id)).transpose(),
            self.reference.map(|filter| filter.read(Predicate::Ref)).transpose(),
            self.created_at.map(|filter| filter.read(Predicate::CreatedAt)).transpose(),
            self.updated_at.map(|filter| filter.read(Predicate::UpdatedAt)).transpose(),
            self.attribute.map(|filter| filter.read(Predicate::Attribute)).transpose(),
        ];
        Combination { and: self.and, or: self.or, not: self.not }.with(fields, Self::read)
    }
}

/// What members can be ordered by. CREATED_AT is the order of ids.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberOrderField {
    /// By creation: the order of ids.
    CreatedAt,
    /// By the last change. A member that is updated during a walk moves.
    UpdatedAt,
    /// By ref, byte for byte.
    Ref,
}

/// An order of members; each ends in the id.
#[derive(InputObject, Clone, Copy, Debug)]
pub struct MemberOrder {
    /// By what.
    #[graphql(default_with = "MemberOrderField::CreatedAt")]
    field: MemberOrderField,
    /// Which way.
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
