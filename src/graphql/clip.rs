//! Clips: the deals that members saved.

mod bulk_upsert;

use async_graphql::{Context, ID, InputObject, MergedObject, Object, SimpleObject};

pub use bulk_upsert::ClipInput;

use super::{
    Error,
    child::Child,
    context::{ContextExt, ids},
    member::Member,
    scalar::DateTime,
};
use crate::{
    domain::{access::Access, clip, member_child},
    types::{ClipId, Id},
};

/// A deal that a member saved. A member has at most one clip of a deal.
pub type Clip = Child<clip::Clip>;

/// A deal that a member saved. A member has at most one clip of a deal.
#[Object(name = "Clip")]
impl Child<clip::Clip> {
    /// Its id, which begins with clip_.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The member whose it is.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, Error> {
        self.parent(ctx).await
    }

    /// The deal.
    async fn deal_id(&self) -> &str {
        &self.row.deal_id
    }

    /// The creative by which the deal was shown.
    async fn creative_id(&self) -> &str {
        &self.row.creative_id
    }

    /// The variant of the creative.
    async fn variant_id(&self) -> Option<&str> {
        self.row.variant_id.as_deref()
    }

    /// When the deal was redeemed; null: not yet.
    async fn redeemed_at(&self) -> Option<DateTime> {
        self.row.redeemed_at.map(DateTime)
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

/// Ids that name no clip of this memberbase are reported, not an error: a retry succeeds.
#[derive(InputObject, Debug)]
pub struct DeleteClipsInput {
    /// The memberbase.
    memberbase_id: ID,
    /// The clips.
    clip_ids: Vec<ID>,
}

/// What was deleted, and what was not there.
#[derive(SimpleObject, Debug)]
pub struct DeleteClipsPayload {
    /// The clips that went, in the order of the input, each once.
    deleted_clip_ids: Vec<ID>,
    /// Ids that named no clip of this memberbase.
    not_found_clip_ids: Vec<ID>,
}

#[derive(Clone, Default)]
pub struct DeleteClipsMutation;

#[Object]
impl DeleteClipsMutation {
    /// Deletes clips by id, in one transaction. Needs a WRITE token.
    async fn delete_clips(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: DeleteClipsInput,
    ) -> Result<Option<DeleteClipsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let doomed: Vec<ClipId> = ids("clipIds", &input.clip_ids)?;
        let deletion = member_child::delete::<clip::Clip>(ctx.app(), scope, doomed).await?;
        let texts = |ids: Vec<ClipId>| ids.iter().map(|id| id.to_string().into()).collect();
        Ok(Some(DeleteClipsPayload {
            deleted_clip_ids: texts(deletion.ids),
            not_found_clip_ids: texts(deletion.unknown_ids),
        }))
    }
}

/// Mutations of clips.
#[derive(MergedObject, Clone, Default)]
pub struct ClipMutation(bulk_upsert::BulkUpsertClipsMutation, DeleteClipsMutation);
