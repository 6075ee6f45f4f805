//! `deleteMembers`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::{
    domain::{
        access::Access,
        member::{self, DeleteOutcome, DeleteRequest, DeletedCounts},
    },
    graphql::{
        Error,
        context::{ContextExt, ids},
        execute::BulkRows,
        raw_list::ScalarList,
        scalar::Count,
    },
};

/// Input of deleteMembers. Ids and refs of members that do not exist in this memberbase are reported as not found and are not an error, so that a repeated call succeeds.
#[derive(InputObject, Debug)]
pub(crate) struct DeleteMembersInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// Ids of members to delete (m_...). Default: none.
    #[graphql(default)]
    member_ids: BulkRows<ID>,
    /// Refs of members to delete. Default: none.
    #[graphql(default)]
    refs: BulkRows<String>,
    /// Maximum number of members to delete; LIMIT_EXCEEDED if there are more, and nothing is deleted. Default: no maximum.
    at_most: Option<Count>,
    /// If true, nothing is deleted, and the result is that of the real call. Default false.
    #[graphql(default = false)]
    dry_run: bool,
}

#[derive(Debug)]
pub(crate) struct DeleteMembersPayload(DeleteOutcome);

/// Result of deleteMembers.
#[Object]
impl DeleteMembersPayload {
    /// Ids of the deleted members, each once, in input order.
    async fn deleted_member_ids(&self) -> Result<ScalarList<ID>, Error> {
        Ok(ScalarList::of_ids(&self.0.ids)?)
    }

    /// Requested ids of members that do not exist in this memberbase.
    async fn not_found_member_ids(&self) -> Result<ScalarList<ID>, Error> {
        Ok(ScalarList::of_ids(&self.0.unknown_ids)?)
    }

    /// Requested refs of members that do not exist in this memberbase.
    async fn not_found_refs(&self) -> Result<ScalarList<String>, Error> {
        Ok(ScalarList::of_texts(&self.0.unknown_refs)?)
    }

    /// Number of deleted rows by type.
    async fn deleted(&self) -> DeletedRows {
        self.0.deleted.into()
    }
}

/// Number of rows that a deletion removed, by type.
#[derive(SimpleObject, Debug)]
pub(crate) struct DeletedRows {
    /// Number of deleted members.
    members: Count,
    /// Number of deleted attribute values of these members.
    attributes: Count,
    /// Number of deleted clips of these members.
    clips: Count,
    /// Number of deleted stamp collections of these members.
    stamp_collections: Count,
    /// Number of deleted transactions of these members.
    transactions: Count,
}

impl From<DeletedCounts> for DeletedRows {
    fn from(deleted: DeletedCounts) -> Self {
        Self {
            members: Count(deleted.members),
            attributes: Count(deleted.attributes),
            clips: Count(deleted.clips),
            stamp_collections: Count(deleted.stamp_collections),
            transactions: Count(deleted.transactions),
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct DeleteMutation;

#[Object]
impl DeleteMutation {
    /// Deletes members by id and ref, with their attributes, clips, stamp collections and transactions, in one transaction. Requires a WRITE token.
    async fn delete_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The members to delete and the options of the call.")] input: DeleteMembersInput,
    ) -> Result<Option<DeleteMembersPayload>, Error> {
        let DeleteMembersInput { memberbase_id, member_ids, refs, at_most, dry_run } = input;
        let scope = ctx.authorize(&memberbase_id, Access::Write)?;
        let ids = ids("memberIds", &member_ids.take(ctx)?)?;
        let refs = refs.take(ctx)?;
        let request = DeleteRequest { ids, refs, at_most: at_most.map(|count| count.0), dry_run };
        Ok(Some(DeleteMembersPayload(member::delete(ctx.app(), scope, request).await?)))
    }
}
