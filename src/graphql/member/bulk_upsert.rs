//! `bulkUpsertMembers`.

use async_graphql::{Context, ID, InputObject, Object};
use serde::Deserialize;

use super::{FoundMembers, Member};
use crate::{
    domain::{
        access::{Access, Scope},
        bulk::{Options, Upserted},
        member::bulk_upsert::{Row, bulk_upsert, load},
    },
    graphql::{
        Error,
        bulk::{BoxedUndefined, MemberUpsertResults, OnRowError, Unparsed, UpsertMode, UpsertSummary},
        context::{ContextExt, id},
        execute::BulkRows,
        raw_list::{RawListField, ScalarList},
        scalar::{Attributes, DateTime},
    },
    types::{MemberId, SyncId},
};

/// Input of bulkUpsertMembers.
#[derive(InputObject, Debug)]
pub(crate) struct BulkUpsertMembersInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// The rows to store, in any number up to the size limit of the request. Rows with the same ref are applied in order.
    members: BulkRows<MemberInput>,
    /// Handling of rows that fail. Default REJECT_BATCH: one failed row rejects the call.
    #[graphql(default_with = "OnRowError::RejectBatch")]
    on_error: OnRowError,
    /// Which rows to store, depending on whether the member exists. Default UPSERT: all rows.
    #[graphql(default_with = "UpsertMode::Upsert")]
    mode: UpsertMode,
    /// If true, no member is stored. The result is that of the real call, except that members that would be created have no id, and `members` has the stored values of the others. With `syncId`, the sync still marks existing members as seen. Default false.
    #[graphql(default = false)]
    dry_run: bool,
    /// The open sync that this call belongs to (sync_...). The call fails with CONFLICT if the sync is not open. While a sync is open in the memberbase, calls without `syncId` mark members as seen too, except dry runs.
    sync_id: Option<ID>,
}

/// A row of bulkUpsertMembers. A member is identified by its `ref`.
#[derive(InputObject, Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct MemberInput {
    /// The owner's key for the member: 1 to 1,024 bytes of UTF-8 without NUL. Compared byte for byte, without trimming or case folding.
    #[graphql(name = "ref")]
    #[serde(rename = "ref")]
    reference: String,
    /// Attribute values by key. An omitted key keeps its value; a null value removes it. If the field is omitted, all values are kept; null removes all.
    #[serde(default)]
    attributes: BoxedUndefined<Attributes>,
    /// Time of the owner's last change to the member. A row that is older than the stored time is not applied (STALE). Omitted: unchanged; null: removes the stored time.
    #[serde(default)]
    source_updated_at: BoxedUndefined<Unparsed<DateTime>>,
}

impl From<MemberInput> for Row {
    fn from(input: MemberInput) -> Self {
        let attributes = input.attributes.map(|attributes| attributes.0);
        Self::new(input.reference, attributes, input.source_updated_at.map(Unparsed::text))
    }
}

#[derive(Debug)]
pub(crate) struct BulkUpsertMembersPayload {
    scope: Scope,
    rows: Vec<Row>,
    upserted: Upserted<MemberId>,
}

/// Result of bulkUpsertMembers.
#[Object]
impl BulkUpsertMembersPayload {
    /// The member's id for each input row, in input order; null for a row that FAILED, that UPDATE_ONLY SKIPPED, or that a dry run would create.
    async fn member_ids(&self) -> Result<ScalarList<Option<ID>>, Error> {
        Ok(ScalarList::of_nullable_ids(&self.upserted.ids)?)
    }

    /// The member for each input row, in input order; null in the entries in which `memberIds` is null. Loaded only if selected.
    async fn members(&self, ctx: &Context<'_>) -> Result<RawListField<FoundMembers>, Error> {
        let members = load(ctx.app(), self.scope, &self.upserted.ids).await?;
        Ok(RawListField(FoundMembers(Member::from_batch(members))))
    }

    /// The outcome of each input row, in input order.
    async fn results(&self) -> MemberUpsertResults<'_> {
        MemberUpsertResults::new(&self.upserted, &self.rows)
    }

    /// Number of rows by outcome.
    async fn summary(&self) -> UpsertSummary {
        UpsertSummary::of(&self.upserted)
    }
}

#[derive(Clone, Default)]
pub(crate) struct BulkUpsertMembersMutation;

#[Object]
impl BulkUpsertMembersMutation {
    /// Creates missing members and updates changed ones, in one transaction. Idempotent: repeating the call changes nothing and returns the same ids. Requires a WRITE token.
    async fn bulk_upsert_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows and the options of the call.")] input: BulkUpsertMembersInput,
    ) -> Result<Option<BulkUpsertMembersPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let sync = input.sync_id.map(|text| id::<SyncId>("syncId", &text)).transpose()?;
        let rows: Vec<_> = input.members.take(ctx)?.into_iter().map(Row::from).collect();
        let options = Options { on_error: input.on_error.into(), mode: input.mode.into(), dry_run: input.dry_run };
        let upserted = bulk_upsert(ctx.app(), scope, &rows, options, sync).await?;
        Ok(Some(BulkUpsertMembersPayload { scope, rows, upserted }))
    }
}
