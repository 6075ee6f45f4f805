//! `deleteMembers`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::{
    domain::{
        access::Access,
        member::{self, DeleteRequest, DeletedCounts},
    },
    graphql::{
        Error,
        context::{ContextExt, ids},
        scalar::Count,
    },
    types::MemberId,
};

/// Ids and refs that name no member of this memberbase are reported, not an error: a retry succeeds.
#[derive(InputObject, Debug)]
pub struct DeleteMembersInput {
    /// The memberbase.
    memberbase_id: ID,
    /// Members by id.
    #[graphql(default)]
    member_ids: Vec<ID>,
    /// Members by ref.
    #[graphql(default)]
    refs: Vec<String>,
    /// Where more members than this would go, nothing is deleted (LIMIT_EXCEEDED).
    at_most: Option<Count>,
    /// Answers as the real call would, and deletes nothing.
    #[graphql(default = false)]
    dry_run: bool,
}

/// What was deleted, and what was not there.
#[derive(SimpleObject, Debug)]
pub struct DeleteMembersPayload {
    /// The members that went, in the order of the input, each once.
    deleted_member_ids: Vec<ID>,
    /// Ids that named no member of this memberbase.
    not_found_member_ids: Vec<ID>,
    /// Refs that named no member of this memberbase.
    not_found_refs: Vec<String>,
    /// How many rows went.
    deleted: DeletedRows,
}

/// How many rows went with a deletion.
#[derive(SimpleObject, Debug)]
pub struct DeletedRows {
    /// Members.
    members: Count,
    /// Values of their attributes.
    attributes: Count,
    /// Their clips.
    clips: Count,
    /// Their stamp collections.
    stamp_collections: Count,
    /// Their transactions.
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
pub struct DeleteMutation;

#[Object]
impl DeleteMutation {
    /// Deletes members, by id and ref, with all that belongs to them, in one transaction. Needs a WRITE token.
    async fn delete_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and how.")] input: DeleteMembersInput,
    ) -> Result<Option<DeleteMembersPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let doomed = DeleteRequest {
            ids: ids("memberIds", &input.member_ids)?,
            refs: input.refs,
            at_most: input.at_most.map(|count| count.0),
            dry_run: input.dry_run,
        };
        let deletion = member::delete(ctx.app(), scope, doomed).await?;
        let texts = |ids: Vec<MemberId>| ids.iter().map(|id| id.to_string().into()).collect();
        Ok(Some(DeleteMembersPayload {
            deleted_member_ids: texts(deletion.ids),
            not_found_member_ids: texts(deletion.unknown_ids),
            not_found_refs: deletion.unknown_refs,
            deleted: deletion.deleted.into(),
        }))
    }
}
