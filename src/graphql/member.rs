//! Members.

mod bulk_upsert;
mod delete;
mod list;

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MergedObject, Object, OneofObject};

pub use bulk_upsert::MemberInput;
pub use delete::DeletedRows;
pub use list::{MemberConnection, MemberFilter, MemberOrder};

use super::{
    Error,
    child::{Connection, MemberBatch},
    connection::Paging,
    context::{ContextExt, id, null_if_not_found},
    memberbase::Memberbase,
    scalar::{AttributeValue, Attributes, DateTime},
};
use crate::{
    domain::{self, access::Access, clip, member, stamp_collection, transaction},
    types::Id,
};

/// An individual user within a memberbase, known by the owner's own ref.
#[derive(Clone, Debug)]
pub struct Member(pub(super) Arc<member::Member>, pub(super) Arc<MemberBatch>);

impl Member {
    /// A member that was read alone.
    pub(super) fn single(row: member::Member) -> Self {
        let siblings = MemberBatch::new(std::iter::once(&row));
        Self(Arc::new(row), Arc::new(siblings))
    }

    /// Members that were read together.
    pub(super) fn all(rows: Vec<member::Member>) -> Vec<Self> {
        let siblings = Arc::new(MemberBatch::new(rows.iter()));
        rows.into_iter().map(|row| Self(Arc::new(row), siblings.clone())).collect()
    }

    /// Members that were read together, each at its place.
    pub(super) fn from_batch(rows: Vec<Option<member::Member>>) -> Vec<Option<Self>> {
        let siblings = Arc::new(MemberBatch::new(rows.iter().flatten()));
        rows.into_iter().map(|row| row.map(|row| Self(Arc::new(row), siblings.clone()))).collect()
    }
}

/// An individual user within a memberbase, known by the owner's own ref.
#[Object]
impl Member {
    /// Its id, which begins with m_. A member that is deleted and upserted again has another.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The owner's own key for the member, unique in the memberbase.
    #[graphql(name = "ref")]
    async fn reference(&self) -> &str {
        &self.0.reference
    }

    /// The id of the memberbase.
    async fn memberbase_id(&self) -> ID {
        self.0.memberbase.to_string().into()
    }

    /// The memberbase.
    async fn memberbase(&self, ctx: &Context<'_>) -> Result<Memberbase, Error> {
        let id = self.0.memberbase;
        let found = ctx.memberbases().load_one(id).await?;
        let missing = || domain::Error::NotFound(format!("memberbase {id} does not exist any more"));
        Ok(found.map(Memberbase).ok_or_else(missing)?)
    }

    /// What the owner keeps of the member, by key.
    async fn attributes(&self) -> Attributes {
        Attributes(self.0.attributes.json().into())
    }

    /// The value of one attribute; null where the member has no value, or the schema no such key.
    async fn attribute(
        &self,
        #[graphql(desc = "The key, as the attribute schema has it.")] key: String,
    ) -> Result<Option<AttributeValue>, Error> {
        let attributes = self.0.attributes.read()?;
        Ok(attributes.get(&key).map(|value| AttributeValue(value.to_json())))
    }

    /// The time in its id.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.id.created_at())
    }

    /// When the member was created or its attributes last changed. An upsert that changes nothing leaves it; clips, stamp collections and transactions have their own.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When the owner last changed the member, as an upsert told; null where none did.
    async fn source_updated_at(&self) -> Option<DateTime> {
        self.0.source_updated_at.map(DateTime)
    }

    /// The deals that the member saved, in the order of their ids.
    async fn clips(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Connection<clip::Clip>, Error> {
        Connection::load(ctx, self, Paging { first, after, last, before }).await
    }

    /// The member's progress in loyalty programs, in the order of their ids.
    async fn stamp_collections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Connection<stamp_collection::StampCollection>, Error> {
        Connection::load(ctx, self, Paging { first, after, last, before }).await
    }

    /// The member's card payments, newest first, by authedAt.
    async fn transactions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Connection<transaction::Transaction>, Error> {
        Connection::load(ctx, self, Paging { first, after, last, before }).await
    }
}

/// Names a member in one of two ways.
#[derive(OneofObject, Debug)]
pub enum MemberBy {
    /// By its id, which begins with m_.
    Id(ID),
    /// By its memberbase and ref.
    Ref(MemberRef),
}

/// Names a member by its memberbase and the owner's own key.
#[derive(InputObject, Debug)]
pub struct MemberRef {
    /// The memberbase.
    memberbase_id: ID,
    /// The owner's own key for the member.
    #[graphql(name = "ref")]
    reference: String,
}

/// Queries for members.
#[derive(Clone, Default)]
pub struct MemberQuery;

#[Object]
impl MemberQuery {
    /// One member, by id or by ref; null where there is none that the token sees.
    async fn member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which member.")] by: MemberBy,
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

    /// The members of a memberbase.
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the schema")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The memberbase; NOT_FOUND where there is none that the token sees.")] memberbase_id: ID,
        #[graphql(desc = "Which members; left out: all.")] filter: Option<MemberFilter>,
        #[graphql(desc = "In which order; left out: that of their creation.")] order_by: Option<MemberOrder>,
        #[graphql(desc = "How many from the start.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Option<MemberConnection>, Error> {
        let scope = ctx.authorize(&memberbase_id, Access::Read)?;
        let paging = Paging { first, after, last, before };
        MemberConnection::load(ctx, scope, filter, order_by, paging).await.map(Some)
    }

    /// One entry for each ref, in the order given; null where there is no such member.
    async fn members_by_ref(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The memberbase; NOT_FOUND where there is none that the token sees.")] memberbase_id: ID,
        #[graphql(desc = "The refs, 100,000 at most.")] refs: Vec<String>,
    ) -> Result<Option<Vec<Option<Member>>>, Error> {
        let scope = ctx.authorize(&memberbase_id, Access::Read)?;
        let found = member::in_order_of_refs(ctx.app(), scope, &refs).await?;
        Ok(Some(Member::from_batch(found)))
    }
}

/// Mutations of members.
#[derive(MergedObject, Clone, Default)]
pub struct MemberMutation(bulk_upsert::BulkUpsertMembersMutation, delete::DeleteMutation);
