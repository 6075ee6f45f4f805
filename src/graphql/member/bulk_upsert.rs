//! `bulkUpsertMembers`.

use async_graphql::{Context, ID, InputObject, Object};
use serde::Deserialize;

use super::Member;
use crate::{
    domain::{
        access::{Access, Scope},
        bulk::{Options, Upserted},
        member::bulk_upsert::{Row, bulk_upsert, load},
    },
    graphql::{
        Error,
        bulk::{BoxedUndefined, Ids, MemberUpsertResults, OnRowError, Unparsed, UpsertMode, UpsertSummary},
        context::{ContextExt, id},
        execute::BulkRows,
        scalar::{Attributes, DateTime},
    },
    types::{MemberId, SyncId},
};

/// Rows to store, any number of them, in one transaction.
#[derive(InputObject, Debug)]
pub struct BulkUpsertMembersInput {
    /// The memberbase.
    memberbase_id: ID,
    /// The rows. Rows with the same ref are taken in their order.
    members: BulkRows<MemberInput>,
    /// What bad rows do to the good ones.
    #[graphql(default_with = "OnRowError::RejectBatch")]
    on_error: OnRowError,
    /// Which rows are to be stored.
    #[graphql(default_with = "UpsertMode::Upsert")]
    mode: UpsertMode,
    /// Does everything but keep it: the answer is the real call's, but members that would be created have no id yet. With syncId the marks of the open sync are kept, and they alone.
    #[graphql(default = false)]
    dry_run: bool,
    /// The open sync that this call is part of; CONFLICT where it is no longer open. While a sync is open in the memberbase, a call without it marks too, unless it is a dry run.
    sync_id: Option<ID>,
}

/// A row: a member as the owner knows it.
#[derive(InputObject, Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MemberInput {
    /// 1 to 1,024 bytes of UTF-8 without NUL; compared byte for byte: no trimming, no case folding.
    #[graphql(name = "ref")]
    #[serde(rename = "ref")]
    reference: String,
    /// A key left out stays; a key given as null is removed. Left out, all of them stay; null removes all.
    #[serde(default)]
    attributes: BoxedUndefined<Attributes>,
    /// When the owner last changed the member. Where given, a row older than what is stored is left alone (STALE). Left out, the stored time stays; null forgets it.
    #[serde(default)]
    source_updated_at: BoxedUndefined<Unparsed<DateTime>>,
}

impl From<MemberInput> for Row {
    fn from(input: MemberInput) -> Self {
        let attributes = input.attributes.given(|attributes| attributes.0);
        Self::new(input.reference, attributes, input.source_updated_at.given(Unparsed::text))
    }
}

/// What became of the rows.
#[derive(Debug)]
pub struct BulkUpsertMembersPayload {
    scope: Scope,
    rows: Vec<Row>,
    upserted: Upserted<MemberId>,
}

/// What became of the rows.
#[Object]
impl BulkUpsertMembersPayload {
    /// One for each input row, in input order; null for a row that FAILED, that UPDATE_ONLY SKIPPED, or that a dry run would create.
    async fn member_ids(&self) -> Ids {
        Ids::new(&self.upserted.ids)
    }

    /// The same rows in full. Loaded only when asked for.
    async fn members(&self, ctx: &Context<'_>) -> Result<Vec<Option<Member>>, Error> {
        Ok(Member::from_batch(load(ctx.app(), self.scope, &self.upserted.ids).await?))
    }

    /// What became of each row, in input order.
    async fn results(&self) -> MemberUpsertResults<'_> {
        MemberUpsertResults::new(&self.upserted, &self.rows)
    }

    /// Counts rows.
    async fn summary(&self) -> UpsertSummary {
        UpsertSummary::of(&self.upserted)
    }
}

#[derive(Clone, Default)]
pub struct BulkUpsertMembersMutation;

#[Object]
impl BulkUpsertMembersMutation {
    /// Creates the members that are not there and updates those that are different, in one transaction. Idempotent: the same call again changes nothing and answers the same ids. Needs a WRITE token.
    async fn bulk_upsert_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows, and how to store them.")] input: BulkUpsertMembersInput,
    ) -> Result<Option<BulkUpsertMembersPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let sync = input.sync_id.map(|text| id::<SyncId>("syncId", &text)).transpose()?;
        let rows: Vec<_> = input.members.take(ctx)?.into_iter().map(Row::from).collect();
        let options = Options { on_error: input.on_error.into(), mode: input.mode.into(), dry_run: input.dry_run };
        let upserted = bulk_upsert(ctx.app(), scope, &rows, options, sync).await?;
        Ok(Some(BulkUpsertMembersPayload { scope, rows, upserted }))
    }
}
