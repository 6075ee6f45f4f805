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
        bulk::{OnRowError, Unparsed, UpsertResults, UpsertSummary, options, undefinable},
        context::ContextExt,
        execute::BulkRows,
        paced_list::PacedList,
        raw_list::ScalarList,
        scalar::DateTime,
    },
    types::ClipId,
};

/// Input of bulkUpsertClips.
#[derive(InputObject, Debug)]
pub(crate) struct BulkUpsertClipsInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// The rows to store, in any number up to the size limit of the request. Rows of the same member and deal are applied in order.
    clips: BulkRows<ClipInput>,
    /// Handling of rows that fail. Default REJECT_BATCH: one failed row rejects the call.
    #[graphql(default_with = "OnRowError::RejectBatch")]
    on_error: OnRowError,
    /// If true, nothing is stored. The result is that of the real call, except that clips that would be created have no id, and `clips` has the stored values of the others. Default false.
    #[graphql(default = false)]
    dry_run: bool,
}

/// A row of bulkUpsertClips. A clip is identified by its member and `dealId`. Exactly one of `memberId` and `memberRef` is required. An omitted optional field keeps its stored value; null removes it.
#[derive(InputObject, Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ClipInput {
    /// The member's id (m_...). Can't be combined with `memberRef`.
    member_id: Option<Unparsed<ID>>,
    /// The member's ref. Can't be combined with `memberId`.
    member_ref: Option<String>,
    /// The deal's id: 1 to 1,024 bytes.
    deal_id: String,
    /// The creative that showed the deal: at most 1,024 bytes.
    creative_id: String,
    /// The variant of the creative: at most 1,024 bytes. Omitted: unchanged; null: removes the stored value.
    #[serde(default)]
    variant_id: MaybeUndefined<String>,
    /// Time of redemption. Omitted: unchanged; null: removes the stored time.
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
            variant_id: undefinable(input.variant_id, |text| text),
            redeemed_at: undefinable(input.redeemed_at, Unparsed::text),
        }
    }
}

#[derive(Debug)]
pub(crate) struct BulkUpsertClipsPayload {
    scope: Scope,
    upserted: Upserted<ClipId>,
}

/// Result of bulkUpsertClips.
#[Object]
impl BulkUpsertClipsPayload {
    /// The clip's id for each input row, in input order; null for a row that FAILED or that a dry run would create.
    async fn clip_ids(&self) -> Result<ScalarList<Option<ID>>, Error> {
        Ok(ScalarList::of_nullable_ids(&self.upserted.ids)?)
    }

    /// The clip for each input row, in input order; null in the entries in which `clipIds` is null. Loaded only if selected.
    async fn clips(&self, ctx: &Context<'_>) -> Result<PacedList<Option<Clip>>, Error> {
        Ok(Clip::from_batch(member_child::load(ctx.app(), self.scope, &self.upserted.ids).await?).into())
    }

    /// The outcome of each input row, in input order.
    async fn results(&self) -> UpsertResults<'_, ClipId> {
        UpsertResults::new(&self.upserted)
    }

    /// Number of rows by outcome.
    async fn summary(&self) -> UpsertSummary {
        UpsertSummary::of(&self.upserted)
    }
}

#[derive(Clone, Default)]
pub(crate) struct BulkUpsertClipsMutation;

#[Object]
impl BulkUpsertClipsMutation {
    /// Creates missing clips and updates changed ones, in one transaction. Idempotent: repeating the call changes nothing and returns the same ids. Requires a WRITE token.
    async fn bulk_upsert_clips(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows and the options of the call.")] input: BulkUpsertClipsInput,
    ) -> Result<Option<BulkUpsertClipsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let rows: Vec<_> = input.clips.take(ctx)?.into_iter().map(NewClip::from).collect();
        let upserted = bulk_upsert(ctx.app(), scope, &rows, options(input.on_error, input.dry_run)).await?;
        Ok(Some(BulkUpsertClipsPayload { scope, upserted }))
    }
}
