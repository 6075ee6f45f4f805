//! Memberbases.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    Error,
    attribute::AttributeDefinition,
    connection::{PageInfo, Paging},
    context::{ContextExt, null_if_not_found},
    filter::{Combination, IdFilter, StringFilter},
    member::{DeletedRows, MemberConnection, MemberFilter, MemberOrder},
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

/// Holds the members of one owner.
#[derive(Clone, Debug)]
pub struct Memberbase(pub(super) Arc<memberbase::Memberbase>);

impl From<memberbase::Memberbase> for Memberbase {
    fn from(found: memberbase::Memberbase) -> Self {
        Self(Arc::new(found))
    }
}

/// Holds the members of one owner.
#[Object]
impl Memberbase {
    /// Its id, which begins with mb_.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What people call it; names may repeat.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The time in its id.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.id.created_at())
    }

    /// When it was created, or its name or attribute schema last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// Which attributes its members may have, in the order in which they were declared.
    async fn attribute_schema(&self) -> Vec<AttributeDefinition> {
        self.0.attribute_schema.definitions().iter().map(AttributeDefinition::from).collect()
    }

    /// Its members.
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the schema")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which members; left out: all.")] filter: Option<MemberFilter>,
        #[graphql(desc = "In which order; left out: that of their creation.")] order_by: Option<MemberOrder>,
        #[graphql(desc = "How many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<MemberConnection, Error> {
        let scope = ctx.caller().authorize(self.0.id, Access::Read)?;
        MemberConnection::load(ctx, scope, filter, order_by, Paging { first, after, last, before }).await
    }

    /// Its syncs, newest first.
    async fn syncs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<SyncConnection, Error> {
        let scope = ctx.caller().authorize(self.0.id, Access::Read)?;
        SyncConnection::load(ctx, scope, Paging { first, after, last, before }).await
    }
}

/// A part of a list of memberbases.
#[derive(Debug)]
pub struct MemberbaseConnection {
    reach: Visibility,
    filter: Filter<Predicate>,
    rows: Vec<Memberbase>,
    info: PageInfo,
}

/// A part of a list of memberbases.
#[Object]
impl MemberbaseConnection {
    /// The memberbases with their cursors.
    async fn edges(&self) -> Vec<MemberbaseEdge> {
        self.rows.iter().map(|row| MemberbaseEdge { cursor: memberbase::cursor(row.0.id), node: row.clone() }).collect()
    }

    /// The memberbases.
    async fn nodes(&self) -> &[Memberbase] {
        &self.rows
    }

    /// What lies around this part.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// Of the whole filter, whatever the page; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(memberbase::count(ctx.app(), self.reach, &self.filter).await?))
    }
}

/// A memberbase in a list.
#[derive(SimpleObject, Debug)]
pub struct MemberbaseEdge {
    /// Where it stands in the list.
    cursor: String,
    /// The memberbase.
    node: Memberbase,
}

/// All that is given must hold. An empty filter and `and: []` hold for every memberbase, `or: []` and `in: []` for none; `not` is plain negation. Null is the same as left out.
#[derive(InputObject, Debug)]
pub struct MemberbaseFilter {
    /// All of these hold.
    and: Option<Vec<Self>>,
    /// One of these holds.
    or: Option<Vec<Self>>,
    /// This does not hold.
    not: Option<Box<Self>>,
    /// By its id.
    id: Option<IdFilter>,
    /// By its name.
    name: Option<StringFilter>,
}

impl MemberbaseFilter {
    fn read(self) -> Result<Filter<Predicate>, Error> {
        let fields = [
            self.id.map(|filter| filter.read(Predicate::Id)).transpose(),
            self.name.map(|filter| filter.read(Predicate::Name)).transpose(),
        ];
        Combination { and: self.and, or: self.or, not: self.not }.with(fields, Self::read)
    }
}

/// What a new memberbase is to be.
#[derive(InputObject, Debug)]
pub struct CreateMemberbaseInput {
    /// 1 to 256 characters; names need not be unique.
    name: String,
}

/// What was made.
#[derive(SimpleObject, Debug)]
pub struct CreateMemberbasePayload {
    /// The new memberbase.
    memberbase: Memberbase,
}

/// What is to change.
#[derive(InputObject, Debug)]
pub struct UpdateMemberbaseInput {
    /// Which memberbase.
    memberbase_id: ID,
    /// 1 to 256 characters; names need not be unique.
    name: String,
}

/// What was changed.
#[derive(SimpleObject, Debug)]
pub struct UpdateMemberbasePayload {
    /// The memberbase as it is now.
    memberbase: Memberbase,
}

/// Deletes the memberbase with its members, all that belongs to them, its syncs and the tokens bound to it; final.
#[derive(InputObject, Debug)]
pub struct DeleteMemberbaseInput {
    /// Which memberbase.
    memberbase_id: ID,
    /// Where it holds more members than this, nothing is deleted (LIMIT_EXCEEDED).
    at_most_members: Option<Count>,
    /// Answers as the real call would, and deletes nothing.
    #[graphql(default = false)]
    dry_run: bool,
}

/// What was deleted.
#[derive(SimpleObject, Debug)]
pub struct DeleteMemberbasePayload {
    /// The id of the memberbase.
    deleted_memberbase_id: ID,
    /// How many rows went.
    deleted: DeletedRows,
}

/// Queries for memberbases.
#[derive(Clone, Default)]
pub struct MemberbaseQuery;

#[Object]
impl MemberbaseQuery {
    /// The memberbase with this id; null where there is none that the token sees.
    async fn memberbase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An id that begins with mb_.")] id: ID,
    ) -> Result<Option<Memberbase>, Error> {
        let id = super::context::id("id", &id)?;
        let reach = ctx.authorize_visible(Access::Read)?;
        Ok(null_if_not_found(memberbase::find(ctx.app(), reach, id).await)?.map(Memberbase::from))
    }

    /// The memberbases that the token sees, in the order of their creation.
    async fn memberbases(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which memberbases; left out: all.")] filter: Option<MemberbaseFilter>,
        #[graphql(desc = "How many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Option<MemberbaseConnection>, Error> {
        let reach = ctx.authorize_visible(Access::Read)?;
        let filter = filter.map(MemberbaseFilter::read).transpose()?.unwrap_or_default();
        let page = Paging { first, after, last, before }.page(ctx, ctx.app().limits.page, memberbase::parse_cursor)?;
        let read = Box::pin(memberbase::list(ctx.app(), reach, &filter, &page));
        let slice = ctx.row_budget().page(page.size, read, Slice::size).await?;
        let info = PageInfo::new(&slice, |row| memberbase::cursor(row.id));
        let Slice { rows, .. } = slice;
        Ok(Some(MemberbaseConnection { reach, filter, rows: rows.into_iter().map(Memberbase::from).collect(), info }))
    }
}

/// Mutations of memberbases.
#[derive(Clone, Default)]
pub struct MemberbaseMutation;

#[Object]
impl MemberbaseMutation {
    /// Makes a memberbase. Needs an ADMIN token that is not bound to one.
    async fn create_memberbase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: CreateMemberbaseInput,
    ) -> Result<Option<CreateMemberbasePayload>, Error> {
        let made = memberbase::create(ctx.app(), ctx.caller(), input.name).await?;
        Ok(Some(CreateMemberbasePayload { memberbase: made.into() }))
    }

    /// Gives a memberbase another name. Needs an ADMIN token.
    async fn update_memberbase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: UpdateMemberbaseInput,
    ) -> Result<Option<UpdateMemberbasePayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Admin)?;
        let changed = memberbase::rename(ctx.app(), scope, input.name).await?;
        ctx.memberbases().loader().forget().await;
        Ok(Some(UpdateMemberbasePayload { memberbase: changed.into() }))
    }

    /// Deletes a memberbase with all that it holds; final. Needs an ADMIN token.
    async fn delete_memberbase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and how.")] input: DeleteMemberbaseInput,
    ) -> Result<Option<DeleteMemberbasePayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Admin)?;
        let at_most = input.at_most_members.map(|count| count.0);
        let deleted = memberbase::delete(ctx.app(), scope, at_most, input.dry_run).await?;
        ctx.memberbases().loader().forget().await;
        Ok(Some(DeleteMemberbasePayload { deleted_memberbase_id: input.memberbase_id, deleted: deleted.into() }))
    }
}
