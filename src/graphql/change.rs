//! Changes as they happen.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Subscription};
use futures_util::{Stream, stream};

use super::{Error, context::ContextExt, execute::Begun, scalar::Count};
use crate::{
    domain::{access::Access, change},
    types::{Change, MemberId, Touched},
};

/// What can be listened to: over a WebSocket (graphql-transport-ws), or as server-sent events (graphql-sse, distinct connections mode).
#[derive(Clone, Copy, Debug, Default)]
pub struct Subscription;

/// What can be listened to: over a WebSocket (graphql-transport-ws), or as server-sent events (graphql-sse, distinct connections mode).
#[Subscription]
impl Subscription {
    /// An event after each committed write in the memberbase: of its members, of their attributes, and of their clips, stamp collections and transactions. None for a call that changes nothing, is refused, or is a dry run. An event is a hint to load what is shown anew, and may get lost; where the server knows that, the next one says so (missed). It ends with the deletion of the memberbase, after an event for its members.
    async fn memberbase_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The memberbase to listen to.")] memberbase_id: ID,
    ) -> Result<impl Stream<Item = MemberbaseChange> + use<>, Error> {
        let scope = ctx.authorize(&memberbase_id, Access::Read)?;
        let heard = change::subscribe(ctx.app(), scope).await?;
        ctx.data_unchecked::<Begun>().begin();
        Ok(stream::unfold(heard, |mut heard| async {
            let (change, missed) = heard.next().await?;
            Some((MemberbaseChange { change, missed }, heard))
        }))
    }
}

/// What one committed write did to the members of a memberbase.
#[derive(Clone, Debug)]
pub struct MemberbaseChange {
    change: Arc<Change>,
    missed: bool,
}

/// What one committed write did to the members of a memberbase.
#[Object]
impl MemberbaseChange {
    /// The memberbase.
    async fn memberbase_id(&self) -> ID {
        self.change.memberbase.to_string().into()
    }

    /// How many members are new.
    async fn created(&self) -> Count {
        Count(self.change.created.count)
    }

    /// How many members have other attributes now, or another clip, stamp collection or transaction: one that is new, changed or deleted.
    async fn updated(&self) -> Count {
        Count(self.change.updated.count)
    }

    /// How many members are deleted.
    async fn deleted(&self) -> Count {
        Count(self.change.deleted.count)
    }

    /// Who is new. Empty where created, updated and deleted are more than 1,000 together (then truncated is true), as are the other lists.
    async fn created_member_ids(&self) -> Vec<ID> {
        ids(&self.change.created)
    }

    /// Who is updated.
    async fn updated_member_ids(&self) -> Vec<ID> {
        ids(&self.change.updated)
    }

    /// Who is deleted.
    async fn deleted_member_ids(&self) -> Vec<ID> {
        ids(&self.change.deleted)
    }

    /// Whether the members are more than 1,000, so that their ids are left out.
    async fn truncated(&self) -> bool {
        self.change.is_truncated()
    }

    /// Events before this one were lost: reload. All counts may be 0 then.
    async fn missed(&self) -> bool {
        self.missed
    }
}

fn ids(touched: &Touched) -> Vec<ID> {
    touched.ids.iter().map(MemberId::to_string).map(ID::from).collect()
}
