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
        bulk::{Ids, OnRowError, Unparsed, UpsertResults, UpsertSummary, given, options},
        context::ContextExt,
        execute::BulkRows,
    },
    types::StampCollectionId,
};

/// Rows to store, any number of them, in one transaction.
#[derive(InputObject, Debug)]
pub struct BulkUpsertStampCollectionsInput {
    /// The memberbase.
    memberbase_id: ID,
    /// The rows. Rows of the same member and loyalty program are taken in their order.
    stamp_collections: BulkRows<StampCollectionInput>,
    /// What bad rows do to the good ones.
    #[graphql(default_with = "OnRowError::RejectBatch")]
    on_error: OnRowError,
    /// Does everything but keep it: the answer is the real call's, but stamp collections that would be created have no id yet.
    #[graphql(default = false)]
    dry_run: bool,
}

/// A row: a stamp collection. A member has at most one in a loyalty program. Counts are 0 to 2^31-1; left out they start at 0 and then stay, null is 0. Exactly one of memberId and memberRef names the member; an optional field left out stays, null clears it.
#[derive(InputObject, Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StampCollectionInput {
    /// The member, by its id.
    member_id: Option<Unparsed<ID>>,
    /// The member, by its ref.
    member_ref: Option<String>,
    /// The loyalty program: 1 to 1,024 bytes.
    loyalty_program_id: String,
    /// How many stamps are collected.
    #[serde(default)]
    stamps: MaybeUndefined<Unparsed<i32>>,
    /// How many rewards were earned.
    #[serde(default)]
    rewards_earned: MaybeUndefined<Unparsed<i32>>,
}

impl From<StampCollectionInput> for NewStampCollection {
    fn from(input: StampCollectionInput) -> Self {
        Self {
            member_id: input.member_id.map(Unparsed::text),
            member_ref: input.member_ref,
            loyalty_program_id: input.loyalty_program_id,
            stamps: given(input.stamps, Unparsed::text),
            rewards_earned: given(input.rewards_earned, Unparsed::text),
        }
    }
}

/// What became of the rows.
#[derive(Debug)]
pub struct BulkUpsertStampCollectionsPayload {
    scope: Scope,
    upserted: Upserted<StampCollectionId>,
}

/// What became of the rows.
#[Object]
impl BulkUpsertStampCollectionsPayload {
    /// One for each input row, in input order; null for a row that FAILED or that a dry run would create.
    async fn stamp_collection_ids(&self) -> Ids {
        Ids::new(&self.upserted.ids)
    }

    /// The same rows in full. Loaded only when asked for.
    async fn stamp_collections(&self, ctx: &Context<'_>) -> Result<Vec<Option<StampCollection>>, Error> {
        Ok(StampCollection::from_batch(member_child::load(ctx.app(), self.scope, &self.upserted.ids).await?))
    }

    /// What became of each row, in input order.
    async fn results(&self) -> UpsertResults<'_, StampCollectionId> {
        UpsertResults::new(&self.upserted)
    }

    /// Counts rows.
    async fn summary(&self) -> UpsertSummary {
        UpsertSummary::of(&self.upserted)
    }
}

#[derive(Clone, Default)]
pub struct BulkUpsertStampCollectionsMutation;

#[Object]
impl BulkUpsertStampCollectionsMutation {
    /// Creates the stamp collections that are not there and updates those that are different, in one transaction. Idempotent: the same call again changes nothing and answers the same ids. Needs a WRITE token.
    async fn bulk_upsert_stamp_collections(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows, and how to store them.")] input: BulkUpsertStampCollectionsInput,
    ) -> Result<Option<BulkUpsertStampCollectionsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let rows: Vec<_> = input.stamp_collections.take(ctx)?.into_iter().map(NewStampCollection::from).collect();
        let upserted = bulk_upsert(ctx.app(), scope, &rows, options(input.on_error, input.dry_run)).await?;
        Ok(Some(BulkUpsertStampCollectionsPayload { scope, upserted }))
    }
}
