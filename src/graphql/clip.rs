//! Clips: deals that members saved.

mod bulk_upsert;

use async_graphql::{Context, ID, InputObject, MergedObject, Object, SimpleObject};

pub(crate) use bulk_upsert::ClipInput;

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
    domain::{access::Access, clip, member_child},
    types::{ClipId, Id},
};

pub(crate) type Clip = Child<clip::Clip>;

/// A deal that a member saved. A member has at most one clip per deal.
#[Object(name = "Clip")]
impl Child<clip::Clip> {
    /// The clip's id (clip_...).
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The member that saved the deal.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, Error> {
        self.parent(ctx).await
    }

    /// The deal's id, as the owner of the memberbase knows it.
    async fn deal_id(&self) -> &str {
        &self.row.deal_id
    }

    /// The creative that showed the deal: at most 1,024 bytes.
    async fn creative_id(&self) -> &str {
        &self.row.creative_id
    }

    /// The variant of the creative; null if none is stored.
    async fn variant_id(&self) -> Option<&str> {
        self.row.variant_id.as_deref()
    }

    /// Time of redemption; null if the deal is not redeemed.
    async fn redeemed_at(&self) -> Option<DateTime> {
        self.row.redeemed_at.map(DateTime)
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

/// Input of deleteClips.
#[derive(InputObject, Debug)]
pub(crate) struct DeleteClipsInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// Ids of the clips to delete (clip_...). Ids of clips that do not exist in this memberbase are reported as not found and are not an error, so that a repeated call succeeds.
    clip_ids: BulkRows<ID>,
}

/// Result of deleteClips.
#[derive(SimpleObject, Debug)]
pub(crate) struct DeleteClipsPayload {
    /// Ids of the deleted clips, each once, in input order.
    deleted_clip_ids: ScalarList<ID>,
    /// Requested ids of clips that do not exist in this memberbase.
    not_found_clip_ids: ScalarList<ID>,
}

#[derive(Clone, Default)]
pub(crate) struct DeleteClipsMutation;

#[Object]
impl DeleteClipsMutation {
    /// Deletes clips by id, in one transaction. Requires a WRITE token.
    async fn delete_clips(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The clips to delete.")] input: DeleteClipsInput,
    ) -> Result<Option<DeleteClipsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let requested: Vec<ClipId> = ids("clipIds", &input.clip_ids.take(ctx)?)?;
        let outcome = member_child::delete::<clip::Clip>(ctx.app(), scope, requested).await?;
        Ok(Some(DeleteClipsPayload {
            deleted_clip_ids: ScalarList::of_ids(&outcome.ids)?,
            not_found_clip_ids: ScalarList::of_ids(&outcome.unknown_ids)?,
        }))
    }
}

#[derive(MergedObject, Clone, Default)]
pub(crate) struct ClipMutation(bulk_upsert::BulkUpsertClipsMutation, DeleteClipsMutation);
