//! `bulkUpsertStampCollections`.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use serde::Deserialize;

use super::StampCollection;
use crate::{
    domain::{
        access::{Access, Scope},
        bulk::Upserted,
        member_child,
        stamp_collection::bulk_upsert::{NewStampCollection, bulk_upsert},
    },
    graphql::{
        Error,
        bulk::{OnRowError, Unparsed, UpsertResults, UpsertSummary, options, undefinable},
        context::ContextExt,
        execute::BulkRows,
        paced_list::PacedList,
        raw_list::ScalarList,
    },
    types::StampCollectionId,
};

/// Input of bulkUpsertStampCollections.
#[derive(InputObject, Debug)]
pub(crate) struct BulkUpsertStampCollectionsInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// The rows to store, in any number up to the size limit of the request. Rows of the same member and loyalty program are applied in order.
    stamp_collections: BulkRows<StampCollectionInput>,
    /// Handling of rows that fail. Default REJECT_BATCH: one failed row rejects the call.
    #[graphql(default_with = "OnRowError::RejectBatch")]
    on_error: OnRowError,
    /// If true, nothing is stored. The result is that of the real call, except that stamp collections that would be created have no id, and `stampCollections` has the stored values of the others. Default false.
    #[graphql(default = false)]
    dry_run: bool,
}

/// A row of bulkUpsertStampCollections. A stamp collection is identified by its member and `loyaltyProgramId`. Exactly one of `memberId` and `memberRef` is required.
#[derive(InputObject, Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct StampCollectionInput {
    /// The member's id (m_...). Can't be combined with `memberRef`.
    member_id: Option<Unparsed<ID>>,
    /// The member's ref. Can't be combined with `memberId`.
    member_ref: Option<String>,
    /// The loyalty program's id: 1 to 1,024 bytes.
    loyalty_program_id: String,
    /// Number of collected stamps, 0 to 2^31-1. Omitted: unchanged, or 0 if the row creates the stamp collection; null: 0.
    #[serde(default)]
    stamps: MaybeUndefined<Unparsed<i32>>,
    /// Number of earned rewards, 0 to 2^31-1. Omitted: unchanged, or 0 if the row creates the stamp collection; null: 0.
    #[serde(default)]
    rewards_earned: MaybeUndefined<Unparsed<i32>>,
}

impl From<StampCollectionInput> for NewStampCollection {
    fn from(input: StampCollectionInput) -> Self {
        Self {
            member_id: input.member_id.map(Unparsed::text),
            member_ref: input.member_ref,
            loyalty_program_id: input.loyalty_program_id,
            stamps: undefinable(input.stamps, Unparsed::text),
            rewards_earned: undefinable(input.rewards_earned, Unparsed::text),
        }
    }
}

#[derive(Debug)]
pub(crate) struct BulkUpsertStampCollectionsPayload {
    scope: Scope,
    upserted: Upserted<StampCollectionId>,
}

/// Result of bulkUpsertStampCollections.
#[Object]
impl BulkUpsertStampCollectionsPayload {
    /// The stamp collection's id for each input row, in input order; null for a row that FAILED or that a dry run would create.
    async fn stamp_collection_ids(&self) -> Result<ScalarList<Option<ID>>, Error> {
        Ok(ScalarList::of_nullable_ids(&self.upserted.ids)?)
    }

    /// The stamp collection for each input row, in input order; null in the entries in which `stampCollectionIds` is null. Loaded only if selected.
    async fn stamp_collections(&self, ctx: &Context<'_>) -> Result<PacedList<Option<StampCollection>>, Error> {
        Ok(StampCollection::from_batch(member_child::load(ctx.app(), self.scope, &self.upserted.ids).await?).into())
    }

    /// The outcome of each input row, in input order.
    async fn results(&self) -> UpsertResults<'_, StampCollectionId> {
        UpsertResults::new(&self.upserted)
    }

    /// Number of rows by outcome.
    async fn summary(&self) -> UpsertSummary {
        UpsertSummary::of(&self.upserted)
    }
}

#[derive(Clone, Default)]
pub(crate) struct BulkUpsertStampCollectionsMutation;

#[Object]
impl BulkUpsertStampCollectionsMutation {
    /// Creates missing stamp collections and updates changed ones, in one transaction. Idempotent: repeating the call changes nothing and returns the same ids. Requires a WRITE token.
    async fn bulk_upsert_stamp_collections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows and the options of the call.")] input: BulkUpsertStampCollectionsInput,
    ) -> Result<Option<BulkUpsertStampCollectionsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let rows: Vec<_> = input.stamp_collections.take(ctx)?.into_iter().map(NewStampCollection::from).collect();
        let upserted = bulk_upsert(ctx.app(), scope, &rows, options(input.on_error, input.dry_run)).await?;
        Ok(Some(BulkUpsertStampCollectionsPayload { scope, upserted }))
    }
}
