//! Stamp collections: progress of members in loyalty programs.

mod bulk_upsert;

use async_graphql::{Context, ID, InputObject, MergedObject, Object, SimpleObject};

pub(crate) use bulk_upsert::StampCollectionInput;

use super::{
    Error,
    child::Child,
    context::{ContextExt, ids},
    execute::BulkRows,
    member::Member,
    raw_list::ScalarList,
    scalar::DateTime,
};
use crate::{
    domain::{access::Access, member_child, stamp_collection},
    types::{Id, StampCollectionId},
};

pub(crate) type StampCollection = Child<stamp_collection::StampCollection>;

/// A member's progress in a loyalty program. A member has at most one stamp collection per loyalty program.
#[Object(name = "StampCollection")]
impl Child<stamp_collection::StampCollection> {
    /// The stamp collection's id (sc_...).
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The member that collects the stamps.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, Error> {
        self.parent(ctx).await
    }

    /// The loyalty program's id, as the owner of the memberbase knows it.
    async fn loyalty_program_id(&self) -> &str {
        &self.row.loyalty_program_id
    }

    /// Number of collected stamps.
    async fn stamps(&self) -> i32 {
        self.row.stamps
    }

    /// Number of earned rewards.
    async fn rewards_earned(&self) -> i32 {
        self.row.rewards_earned
    }

    /// Creation time in whole milliseconds; the id contains this time.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.id.created_at())
    }

    /// Time of creation or of the last change. An upsert that changes nothing does not set it.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

/// Input of deleteStampCollections.
#[derive(InputObject, Debug)]
pub(crate) struct DeleteStampCollectionsInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// Ids of the stamp collections to delete (sc_...). Ids of stamp collections that do not exist in this memberbase are reported as not found and are not an error, so that a repeated call succeeds.
    stamp_collection_ids: BulkRows<ID>,
}

/// Result of deleteStampCollections.
#[derive(SimpleObject, Debug)]
pub(crate) struct DeleteStampCollectionsPayload {
    /// Ids of the deleted stamp collections, each once, in input order.
    deleted_stamp_collection_ids: ScalarList<ID>,
    /// Requested ids of stamp collections that do not exist in this memberbase.
    not_found_stamp_collection_ids: ScalarList<ID>,
}

#[derive(Clone, Default)]
pub(crate) struct DeleteStampCollectionsMutation;

#[Object]
impl DeleteStampCollectionsMutation {
    /// Deletes stamp collections by id, in one transaction. Requires a WRITE token.
    async fn delete_stamp_collections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The stamp collections to delete.")] input: DeleteStampCollectionsInput,
    ) -> Result<Option<DeleteStampCollectionsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let requested: Vec<StampCollectionId> = ids("stampCollectionIds", &input.stamp_collection_ids.take(ctx)?)?;
        let outcome = member_child::delete::<stamp_collection::StampCollection>(ctx.app(), scope, requested).await?;
        Ok(Some(DeleteStampCollectionsPayload {
            deleted_stamp_collection_ids: ScalarList::of_ids(&outcome.ids)?,
            not_found_stamp_collection_ids: ScalarList::of_ids(&outcome.unknown_ids)?,
        }))
    }
}

#[derive(MergedObject, Clone, Default)]
pub(crate) struct StampCollectionMutation(
    bulk_upsert::BulkUpsertStampCollectionsMutation,
    DeleteStampCollectionsMutation,
);
