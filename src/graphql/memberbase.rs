//! Memberbases: their types, queries and mutations.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    Error,
    attribute::AttributeDefinitions,
    connection::{PageInfo, Paging},
    context::{ContextExt, null_if_not_found},
    filter::{Combination, IdFilter, StringFilter},
    member::{DeletedRows, MemberConnection, MemberFilter, MemberOrder},
    paced_list::PacedList,
    raw_list::RawListField,
    scalar::{Count, DateTime},
    sync::SyncConnection,
};
use crate::{
    domain::{
        access::{Access, Visibility},
        filter::Filter,
        memberbase::{self, Predicate},
    },
    types::{Id, Slice},
};

#[derive(Clone, Debug)]
pub(crate) struct Memberbase(pub(super) Arc<memberbase::Memberbase>);

impl From<memberbase::Memberbase> for Memberbase {
    fn from(found: memberbase::Memberbase) -> Self {
        Self(Arc::new(found))
    }
}

/// A collection of members that belongs to one owner, with its attribute schema.
#[Object]
impl Memberbase {
    /// The memberbase's id (mb_...).
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Name of the memberbase. Names need not be unique.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Creation time in whole milliseconds; the id contains this time.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.id.created_at())
    }

    /// Time of creation or of the last change to the name or the attribute schema.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// The attributes that members can have, in the order of their declaration; empty if no schema was set.
    async fn attribute_schema(&self) -> RawListField<AttributeDefinitions<'_>> {
        RawListField(AttributeDefinitions(self.0.attribute_schema.definitions()))
    }

    /// A page of the memberbase's members, in the order that `orderBy` selects: by default in order of creation.
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the schema")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Condition on the members. Default: all members.")] filter: Option<MemberFilter>,
        #[graphql(desc = "Order of the members. Default: creation time, ascending.")] order_by: Option<MemberOrder>,
        #[graphql(
            desc = "Maximum number of entries, counted from the start of the list or from `after`. Default 100, also with `after` and `before` but without a size; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `last`."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only entries after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Maximum number of entries, counted back from the end of the list or from `before`. Default 100 if `before` is the only paging argument; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Only entries before this cursor.")] before: Option<String>,
    ) -> Result<MemberConnection, Error> {
        let scope = ctx.caller().authorize(self.0.id, Access::Read)?;
        MemberConnection::load(ctx, scope, filter, order_by, Paging { first, after, last, before }).await
    }

    /// The memberbase's syncs, newest first.
    async fn syncs(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Maximum number of entries, counted from the start of the list or from `after`. Default 100, also with `after` and `before` but without a size; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `last`."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only entries after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Maximum number of entries, counted back from the end of the list or from `before`. Default 100 if `before` is the only paging argument; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Only entries before this cursor.")] before: Option<String>,
    ) -> Result<SyncConnection, Error> {
        let scope = ctx.caller().authorize(self.0.id, Access::Read)?;
        SyncConnection::load(ctx, scope, Paging { first, after, last, before }).await
    }
}

#[derive(Debug)]
pub(crate) struct MemberbaseConnection {
    visibility: Visibility,
    filter: Filter<Predicate>,
    rows: Vec<Memberbase>,
    info: PageInfo,
}

/// A page of memberbases.
#[Object]
impl MemberbaseConnection {
    /// The memberbases of the page with their cursors.
    async fn edges(&self) -> PacedList<MemberbaseEdge> {
        self.rows.iter().map(|row| MemberbaseEdge { cursor: memberbase::cursor(row.0.id), node: row.clone() }).collect()
    }

    /// The memberbases of the page.
    async fn nodes(&self) -> PacedList<&Memberbase> {
        self.rows.iter().collect()
    }

    /// Page info: the first and last cursors of the page, and whether more entries exist.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// Number of entries that match the filter, independent of the page. Computed only if selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(memberbase::count(ctx.app(), self.visibility, &self.filter).await?))
    }
}

/// A memberbase and its cursor.
#[derive(SimpleObject, Debug)]
pub(crate) struct MemberbaseEdge {
    /// Opaque cursor of this entry, for `after` and `before`.
    cursor: String,
    /// The memberbase.
    node: Memberbase,
}

/// Filters memberbases. All given conditions must match. Null is the same as an omitted condition.
///
/// An empty filter and `and: []` match every memberbase. `or: []` and `in: []` match none. `not` matches every memberbase that the filter in it does not match.
///
/// A condition without an operator fails with BAD_USER_INPUT. A filter fails with LIMIT_EXCEEDED if it has more than 10 levels of nesting (MEMBERBASE_MAX_FILTER_DEPTH), more than 400 operators, or more than 32 regexes; the regexes of all filters of a request may have 10,000 characters with their repetitions expanded, and each is counted with at least 100.
#[derive(InputObject, Debug)]
pub(crate) struct MemberbaseFilter {
    /// All of these filters match.
    and: Option<Vec<Self>>,
    /// At least one of these filters matches.
    or: Option<Vec<Self>>,
    /// This filter does not match.
    not: Option<Box<Self>>,
    /// Condition on the id.
    id: Option<IdFilter>,
    /// Condition on the name, compared byte for byte.
    name: Option<StringFilter>,
}

impl MemberbaseFilter {
    fn parse(self, ctx: &Context<'_>) -> Result<Filter<Predicate>, Error> {
        let fields = [
            self.id.map(|filter| filter.parse(ctx, Predicate::Id)).transpose(),
            self.name.map(|filter| filter.parse(ctx, Predicate::Name)).transpose(),
        ];
        Combination { and: self.and, or: self.or, not: self.not }.with(fields, |filter: Self| filter.parse(ctx))
    }
}

/// Input of createMemberbase.
#[derive(InputObject, Debug)]
pub(crate) struct CreateMemberbaseInput {
    /// Name of the memberbase: 1 to 256 characters. Names need not be unique.
    name: String,
}

/// Result of createMemberbase.
#[derive(SimpleObject, Debug)]
pub(crate) struct CreateMemberbasePayload {
    /// The new memberbase.
    memberbase: Memberbase,
}

/// Input of updateMemberbase.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateMemberbaseInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// Name of the memberbase: 1 to 256 characters. Names need not be unique.
    name: String,
}

/// Result of updateMemberbase.
#[derive(SimpleObject, Debug)]
pub(crate) struct UpdateMemberbasePayload {
    /// The changed memberbase.
    memberbase: Memberbase,
}

/// Input of deleteMemberbase.
#[derive(InputObject, Debug)]
pub(crate) struct DeleteMemberbaseInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// Maximum number of members that the memberbase may have; LIMIT_EXCEEDED if it has more, and nothing is deleted. Default: no maximum.
    at_most_members: Option<Count>,
    /// If true, nothing is deleted, and the result is that of the real call. Default false.
    #[graphql(default = false)]
    dry_run: bool,
}

/// Result of deleteMemberbase.
#[derive(SimpleObject, Debug)]
pub(crate) struct DeleteMemberbasePayload {
    /// Id of the deleted memberbase.
    deleted_memberbase_id: ID,
    /// Number of deleted rows by type.
    deleted: DeletedRows,
}

#[derive(Clone, Default)]
pub(crate) struct MemberbaseQuery;

#[Object]
impl MemberbaseQuery {
    /// The memberbase with this id; null if it does not exist or the token has no access to it.
    async fn memberbase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The memberbase's id (mb_...).")] id: ID,
    ) -> Result<Option<Memberbase>, Error> {
        let id = super::context::id("id", &id)?;
        let visibility = ctx.authorize_visible(Access::Read)?;
        Ok(null_if_not_found(memberbase::find(ctx.app(), visibility, id).await)?.map(Memberbase::from))
    }

    /// A page of the memberbases that the token has access to, in order of creation.
    async fn memberbases(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Condition on the memberbases. Default: all memberbases.")] filter: Option<MemberbaseFilter>,
        #[graphql(
            desc = "Maximum number of entries, counted from the start of the list or from `after`. Default 100, also with `after` and `before` but without a size; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `last`."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only entries after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Maximum number of entries, counted back from the end of the list or from `before`. Default 100 if `before` is the only paging argument; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Only entries before this cursor.")] before: Option<String>,
    ) -> Result<Option<MemberbaseConnection>, Error> {
        let visibility = ctx.authorize_visible(Access::Read)?;
        let filter = filter.map(|filter| filter.parse(ctx)).transpose()?.unwrap_or_default();
        let page = Paging { first, after, last, before }.page(ctx, ctx.app().limits.page, memberbase::parse_cursor)?;
        let read = Box::pin(memberbase::list(ctx.app(), visibility, &filter, &page));
        let slice = ctx.row_budget().page(page.size, read, Slice::size).await?;
        let info = PageInfo::new(&slice, |row| memberbase::cursor(row.id));
        let Slice { rows, .. } = slice;
        Ok(Some(MemberbaseConnection {
            visibility,
            filter,
            rows: rows.into_iter().map(Memberbase::from).collect(),
            info,
        }))
    }
}

#[derive(Clone, Default)]
pub(crate) struct MemberbaseMutation;

#[Object]
impl MemberbaseMutation {
    /// Creates a memberbase. Requires an ADMIN token that is not bound to a memberbase.
    async fn create_memberbase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Properties of the new memberbase.")] input: CreateMemberbaseInput,
    ) -> Result<Option<CreateMemberbasePayload>, Error> {
        let created = memberbase::create(ctx.app(), ctx.caller(), input.name).await?;
        Ok(Some(CreateMemberbasePayload { memberbase: created.into() }))
    }

    /// Renames a memberbase. Requires an ADMIN token.
    async fn update_memberbase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The memberbase and its new name.")] input: UpdateMemberbaseInput,
    ) -> Result<Option<UpdateMemberbasePayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Admin)?;
        let changed = memberbase::rename(ctx.app(), scope, input.name).await?;
        ctx.memberbases().loader().forget().await;
        Ok(Some(UpdateMemberbasePayload { memberbase: changed.into() }))
    }

    /// Deletes a memberbase with its members, their attributes, clips, stamp collections and transactions, its syncs, and the tokens bound to it. Can't be undone. Requires an ADMIN token.
    async fn delete_memberbase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The memberbase to delete and the options of the call.")] input: DeleteMemberbaseInput,
    ) -> Result<Option<DeleteMemberbasePayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Admin)?;
        let at_most = input.at_most_members.map(|count| count.0);
        let deleted = memberbase::delete(ctx.app(), scope, at_most, input.dry_run).await?;
        ctx.memberbases().loader().forget().await;
        Ok(Some(DeleteMemberbasePayload { deleted_memberbase_id: input.memberbase_id, deleted: deleted.into() }))
    }
}
