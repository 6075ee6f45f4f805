//! Members: their type, queries and mutations.

mod bulk_upsert;
mod delete;
mod list;

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MergedObject, Object, OneofObject};

pub(crate) use bulk_upsert::MemberInput;
pub(crate) use delete::DeletedRows;
pub(crate) use list::{FoundMembers, MemberConnection, MemberFilter, MemberOrder, member_filter};

use super::{
    Error,
    child::{Connection, MemberBatch},
    connection::Paging,
    context::{ContextExt, id, null_if_not_found},
    execute::BulkRows,
    memberbase::Memberbase,
    raw_list::RawListField,
    scalar::{AttributeValue, Attributes, DateTime},
};
use crate::{
    domain::{self, access::Access, clip, member, stamp_collection, transaction},
    types::Id,
};

#[derive(Clone, Debug)]
pub(crate) struct Member(pub(super) Arc<member::Member>, pub(super) Arc<MemberBatch>);

impl Member {
    /// Wraps a member that was read alone.
    pub(super) fn single(row: member::Member) -> Self {
        let batch = MemberBatch::new(std::iter::once(&row));
        Self(Arc::new(row), Arc::new(batch))
    }

    /// Wraps members that were read together.
    pub(super) fn all(rows: Vec<member::Member>) -> Vec<Self> {
        let batch = Arc::new(MemberBatch::new(rows.iter()));
        rows.into_iter().map(|row| Self(Arc::new(row), batch.clone())).collect()
    }

    /// Wraps members that were read together, keeping their positions.
    pub(super) fn from_batch(rows: Vec<Option<Arc<member::Member>>>) -> Vec<Option<Self>> {
        let batch = Arc::new(MemberBatch::new(rows.iter().flatten().map(|row| &**row)));
        rows.into_iter().map(|row| row.map(|row| Self(row, batch.clone()))).collect()
    }
}

/// A member of a memberbase, identified by the ref that the owner of the memberbase gave it.
#[Object]
impl Member {
    /// The member's id (m_...). A member that is deleted and upserted again gets a new id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The owner's key for the member: 1 to 1,024 bytes, unique in the memberbase.
    #[graphql(name = "ref")]
    async fn reference(&self) -> &str {
        &self.0.reference
    }

    /// Id of the member's memberbase (mb_...).
    async fn memberbase_id(&self) -> ID {
        self.0.memberbase.to_string().into()
    }

    /// The member's memberbase.
    async fn memberbase(&self, ctx: &Context<'_>) -> Result<Memberbase, Error> {
        let id = self.0.memberbase;
        let found = ctx.memberbases().load_one(id).await?;
        let missing = || domain::Error::NotFound(format!("memberbase {id} no longer exists"));
        Ok(found.map(Memberbase).ok_or_else(missing)?)
    }

    /// The member's attribute values by key. Attributes without a value are absent.
    async fn attributes(&self) -> Attributes {
        Attributes(self.0.attributes.json().into())
    }

    /// The value of one attribute; null if the member has no value for it or the attribute schema does not declare it.
    async fn attribute(
        &self,
        #[graphql(desc = "The attribute's key.")] key: String,
    ) -> Result<Option<AttributeValue>, Error> {
        let value = self.0.attributes.get(&key)?;
        Ok(value.map(|value| AttributeValue(value.to_json())))
    }

    /// Creation time in whole milliseconds; the id contains this time.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.id.created_at())
    }

    /// Time of creation or of the last change to the attributes. An upsert that changes nothing does not set it, nor do changes to clips, stamp collections and transactions.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// Time of the owner's last change to the member, as given by an upsert; null if none is stored.
    async fn source_updated_at(&self) -> Option<DateTime> {
        self.0.source_updated_at.map(DateTime)
    }

    /// The member's clips, in order of creation.
    async fn clips(
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
    ) -> Result<Connection<clip::Clip>, Error> {
        Connection::load(ctx, self, Paging { first, after, last, before }).await
    }

    /// The member's stamp collections, in order of creation.
    async fn stamp_collections(
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
    ) -> Result<Connection<stamp_collection::StampCollection>, Error> {
        Connection::load(ctx, self, Paging { first, after, last, before }).await
    }

    /// The member's transactions, newest `authedAt` first.
    async fn transactions(
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
    ) -> Result<Connection<transaction::Transaction>, Error> {
        Connection::load(ctx, self, Paging { first, after, last, before }).await
    }
}

/// Identifies a member by exactly one of its id and its ref.
#[derive(OneofObject, Debug)]
pub(crate) enum MemberBy {
    /// The member's id (m_...).
    Id(ID),
    /// The member's memberbase and ref.
    Ref(MemberRef),
}

/// Identifies a member by its memberbase and ref.
#[derive(InputObject, Debug)]
pub(crate) struct MemberRef {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// The owner's key for the member.
    #[graphql(name = "ref")]
    reference: String,
}

#[derive(Clone, Default)]
pub(crate) struct MemberQuery;

#[Object]
impl MemberQuery {
    /// The member with this id or ref; null if it does not exist or the token has no access to it.
    async fn member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The member's id, or its memberbase and ref.")] by: MemberBy,
    ) -> Result<Option<Member>, Error> {
        let found = match by {
            MemberBy::Id(text) => member::find(ctx.app(), ctx.authorize_visible(Access::Read)?, id("id", &text)?).await,
            MemberBy::Ref(MemberRef { memberbase_id, reference }) => {
                match ctx.caller().authorize(id("memberbaseId", &memberbase_id)?, Access::Read) {
                    Ok(scope) => member::find_by_ref(ctx.app(), scope, reference).await,
                    Err(error) => Err(error),
                }
            }
        };
        Ok(null_if_not_found(found)?.map(Member::single))
    }

    /// A page of a memberbase's members, in the order that `orderBy` selects: by default in order of creation.
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the schema")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The memberbase's id (mb_...); NOT_FOUND if it does not exist or the token has no access to it."
        )]
        memberbase_id: ID,
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
    ) -> Result<Option<MemberConnection>, Error> {
        let scope = ctx.authorize(&memberbase_id, Access::Read)?;
        let paging = Paging { first, after, last, before };
        MemberConnection::load(ctx, scope, filter, order_by, paging).await.map(Some)
    }

    /// The member for each ref, in the order of `refs`. An entry is null if the memberbase has no member with its ref. Without access to the memberbase, the call fails with NOT_FOUND.
    async fn members_by_ref(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The memberbase's id (mb_...); NOT_FOUND if it does not exist or the token has no access to it."
        )]
        memberbase_id: ID,
        #[graphql(
            desc = "Refs of members, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES); LIMIT_EXCEEDED if there are more."
        )]
        refs: BulkRows<String>,
    ) -> Result<Option<RawListField<FoundMembers>>, Error> {
        let scope = ctx.authorize(&memberbase_id, Access::Read)?;
        let refs = refs.shared(ctx)?;
        let _turn = ctx.row_budget().turn(refs.len()).await;
        let found = member::in_order_of_refs(ctx.app(), scope, &refs).await?;
        Ok(Some(RawListField(FoundMembers(Member::from_batch(found)))))
    }
}

#[derive(MergedObject, Clone, Default)]
pub(crate) struct MemberMutation(bulk_upsert::BulkUpsertMembersMutation, delete::DeleteMutation);
