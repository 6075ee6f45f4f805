//! `bulkUpsertClips`.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use serde::Deserialize;

use super::Clip;
use crate::{
    domain::{
        access::{Access, Scope},
        bulk::Upserted,
        clip::bulk_upsert::{NewClip, bulk_upsert},
        member_child,
    },
    graphql::{
        Error,
        bulk::{Ids, OnRowError, Unparsed, UpsertResults, UpsertSummary, given, options},
        context::ContextExt,
        execute::BulkRows,
        scalar::DateTime,
    },
    types::ClipId,
};

/// Rows to store, any number of them, in one transaction.
#[derive(InputObject, Debug)]
pub struct BulkUpsertClipsInput {
    /// The memberbase.
    memberbase_id: ID,
    /// The rows. Rows of the same member and deal are taken in their order.
    clips: BulkRows<ClipInput>,
    /// What bad rows do to the good ones.
    #[graphql(default_with = "OnRowError::RejectBatch")]
    on_error: OnRowError,
    /// Does everything but keep it: the answer is the real call's, but clips that would be created have no id yet.
    #[graphql(default = false)]
    dry_run: bool,
}

/// A row: a clip. A member has at most one clip of a deal. Exactly one of memberId and memberRef names the member; an optional field left out stays, null clears it.
#[derive(InputObject, Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClipInput {
    /// The member, by its id.
    member_id: Option<Unparsed<ID>>,
    /// The member, by its ref.
    member_ref: Option<String>,
    /// The deal: 1 to 1,024 bytes.
    deal_id: String,
    /// The creative by which the deal was shown.
    creative_id: String,
    /// The variant of the creative.
    #[serde(default)]
    variant_id: MaybeUndefined<String>,
    /// When the deal was redeemed.
    #[serde(default)]
    redeemed_at: MaybeUndefined<Unparsed<DateTime>>,
}

impl From<ClipInput> for NewClip {
    fn from(input: ClipInput) -> Self {
        Self {
            member_id: input.member_id.map(Unparsed::text),
            member_ref: input.member_ref,
            deal_id: input.deal_id,
            creative_id: input.creative_id,
            variant_id: given(input.variant_id, |text| text),
            redeemed_at: given(input.redeemed_at, Unparsed::text),
        }
    }
}

/// What became of the rows.
#[derive(Debug)]
pub struct BulkUpsertClipsPayload {
    scope: Scope,
    upserted: Upserted<ClipId>,
}

/// What became of the rows.
#[Object]
impl BulkUpsertClipsPayload {
    /// One for each input row, in input order; null for a row that FAILED or that a dry run would create.
    async fn clip_ids(&self) -> Ids {
        Ids::new(&self.upserted.ids)
    }

    /// The same rows in full. Loaded only when asked for.
    async fn clips(&self, ctx: &Context<'_>) -> Result<Vec<Option<Clip>>, Error> {
        Ok(Clip::from_batch(member_child::load(ctx.app(), self.scope, &self.upserted.ids).await?))
    }

    /// What became of each row, in input order.
    async fn results(&self) -> UpsertResults<'_, ClipId> {
        UpsertResults::new(&self.upserted)
    }

    /// Counts rows.
    async fn summary(&self) -> UpsertSummary {
        UpsertSummary::of(&self.upserted)
    }
}

#[derive(Clone, Default)]
pub struct BulkUpsertClipsMutation;

#[Object]
impl BulkUpsertClipsMutation {
    /// Creates the clips that are not there and updates those that are different, in one transaction. Idempotent: the same call again changes nothing and answers the same ids. Needs a WRITE token.
    async fn bulk_upsert_clips(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows, and how to store them.")] input: BulkUpsertClipsInput,
    ) -> Result<Option<BulkUpsertClipsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let rows: Vec<_> = input.clips.take(ctx)?.into_iter().map(NewClip::from).collect();
        let upserted = bulk_upsert(ctx.app(), scope, &rows, options(input.on_error, input.dry_run)).await?;
        Ok(Some(BulkUpsertClipsPayload { scope, upserted }))
    }
}
