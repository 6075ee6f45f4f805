//! Stamp collections: how far members are in loyalty programs.

mod bulk_upsert;

use async_graphql::{Context, ID, InputObject, MergedObject, Object, SimpleObject};

pub use bulk_upsert::StampCollectionInput;

use super::{
    Error,
    child::Child,
    context::{ContextExt, ids},
    member::Member,
    scalar::DateTime,
};
use crate::{
    domain::{access::Access, member_child, stamp_collection},
    types::{Id, StampCollectionId},
};

/// A member's progress in a loyalty program. A member has at most one stamp collection in it.
pub type StampCollection = Child<stamp_collection::StampCollection>;

/// A member's progress in a loyalty program. A member has at most one stamp collection in it.
#[Object(name = "StampCollection")]
impl Child<stamp_collection::StampCollection> {
    /// Its id, which begins with sc_.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The member whose it is.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, Error> {
        self.parent(ctx).await
    }

    /// The loyalty program.
    async fn loyalty_program_id(&self) -> &str {
        &self.row.loyalty_program_id
    }

    /// How many stamps are collected.
    async fn stamps(&self) -> i32 {
        self.row.stamps
    }

    /// How many rewards were earned.
    async fn rewards_earned(&self) -> i32 {
        self.row.rewards_earned
    }

    /// The time in its id.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.id.created_at())
    }

    /// When it was created or last changed. An upsert that changes nothing leaves it.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

/// Ids that name no stamp collection of this memberbase are reported, not an error: a retry succeeds.
#[derive(InputObject, Debug)]
pub struct DeleteStampCollectionsInput {
    /// The memberbase.
    memberbase_id: ID,
    /// The stamp collections.
    stamp_collection_ids: Vec<ID>,
}

/// What was deleted, and what was not there.
#[derive(SimpleObject, Debug)]
pub struct DeleteStampCollectionsPayload {
    /// The stamp collections that went, in the order of the input, each once.
    deleted_stamp_collection_ids: Vec<ID>,
    /// Ids that named no stamp collection of this memberbase.
    not_found_stamp_collection_ids: Vec<ID>,
}

#[derive(Clone, Default)]
pub struct DeleteStampCollectionsMutation;

#[Object]
impl DeleteStampCollectionsMutation {
    /// Deletes stamp collections by id, in one transaction. Needs a WRITE token.
    async fn delete_stamp_collections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: DeleteStampCollectionsInput,
    ) -> Result<Option<DeleteStampCollectionsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let doomed: Vec<StampCollectionId> = ids("stampCollectionIds", &input.stamp_collection_ids)?;
        let deletion = member_child::delete::<stamp_collection::StampCollection>(ctx.app(), scope, doomed).await?;
        let texts = |ids: Vec<StampCollectionId>| ids.iter().map(|id| id.to_string().into()).collect();
        Ok(Some(DeleteStampCollectionsPayload {
            deleted_stamp_collection_ids: texts(deletion.ids),
            not_found_stamp_collection_ids: texts(deletion.unknown_ids),
        }))
    }
}

/// Mutations of stamp collections.
#[derive(MergedObject, Clone, Default)]
pub struct StampCollectionMutation(bulk_upsert::BulkUpsertStampCollectionsMutation, DeleteStampCollectionsMutation);
