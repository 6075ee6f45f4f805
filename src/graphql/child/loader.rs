//! Batch loading of child records. Members that were read together form a batch; the first of them whose list is selected
//! loads that list for all of them by one statement. This avoids a statement per member (the N+1 problem).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::Context;
use tokio::sync::OnceCell;

use super::BatchedChild;
use crate::{
    domain::{
        access::Access,
        clip::Clip,
        member::Member,
        member_child::{self, Position},
        stamp_collection::StampCollection,
        transaction::Transaction,
    },
    graphql::{Error, context::ContextExt},
    types::{Anchor, MemberId, Page, Slice},
};

/// Members that one resolver returned together, with loaders for their child records.
#[derive(Debug)]
pub(crate) struct MemberBatch {
    members: Vec<member_child::MemberKey>,
    clips: ChildLoader<Clip>,
    stamp_collections: ChildLoader<StampCollection>,
    transactions: ChildLoader<Transaction>,
}

/// Loaded pages and counts of one type of child record for a batch of members. A failure is kept, so that a failed statement
/// is not repeated for each member.
#[derive(Debug)]
pub(crate) struct ChildLoader<T> {
    pages: Mutex<HashMap<PageKey, Arc<OnceCell<Pages<T>>>>>,
    counts: OnceCell<Result<HashMap<MemberId, u64>, Error>>,
}

/// A page of all members of the batch (`None`), or a page bounded by a cursor, which belongs to a single member.
type PageKey = (Option<MemberId>, Page<Position>);

type Pages<T> = Result<HashMap<MemberId, Slice<Arc<T>>>, Error>;

impl MemberBatch {
    /// Creates a batch of these members. A member that occurs twice is read once.
    pub(crate) fn new<'a>(members: impl Iterator<Item = &'a Member>) -> Self {
        let mut members: Vec<_> = members.map(|member| (member.memberbase, member.id)).collect();
        members.sort_unstable();
        members.dedup();
        Self {
            members,
            clips: ChildLoader::default(),
            stamp_collections: ChildLoader::default(),
            transactions: ChildLoader::default(),
        }
    }

    pub(super) async fn page<T: BatchedChild>(
        &self,
        ctx: &Context<'_>,
        member: member_child::MemberKey,
        page: Page<Position>,
    ) -> Result<Slice<Arc<T>>, Error> {
        let single = (matches!(page.anchor, Anchor::Cursor(_)) || page.until.is_some()).then_some(member);
        let members = single.as_ref().map_or(&self.members[..], std::slice::from_ref);
        let batch = T::loader(self).batch((single.map(|(_, id)| id), page.clone()));
        let pages = batch.get_or_init(|| load(ctx, members, &page)).await.as_ref().map_err(Clone::clone)?;
        let empty = || Slice { rows: Vec::new(), has_next: false, has_previous: false };
        Ok(pages.get(&member.1).cloned().unwrap_or_else(empty))
    }

    /// Returns the number of child records of one member.
    pub(super) async fn count<T: BatchedChild>(&self, ctx: &Context<'_>, member: MemberId) -> Result<u64, Error> {
        let count = || async {
            let visibility = ctx.authorize_visible(Access::Read)?;
            Ok(member_child::count_of_members::<T>(ctx.app(), visibility, &self.members).await?)
        };
        let counts = T::loader(self).counts.get_or_init(count).await.as_ref().map_err(Clone::clone)?;
        Ok(counts.get(&member).copied().unwrap_or_default())
    }
}

async fn load<T: BatchedChild>(
    ctx: &Context<'_>,
    members: &[member_child::MemberKey],
    page: &Page<Position>,
) -> Pages<T> {
    let visibility = ctx.authorize_visible(Access::Read)?;
    let read = |most_rows| member_child::of_members::<T>(ctx.app(), visibility, members, page, most_rows);
    let shared = |(member, slice): (MemberId, Slice<T>)| {
        let Slice { rows, has_next, has_previous } = slice;
        (member, Slice { rows: rows.into_iter().map(Arc::new).collect(), has_next, has_previous })
    };
    Ok(ctx.row_budget().pages(read).await?.into_iter().map(shared).collect())
}

impl<T> ChildLoader<T> {
    fn batch(&self, key: PageKey) -> Arc<OnceCell<Pages<T>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }
}

impl<T> Default for ChildLoader<T> {
    fn default() -> Self {
        Self { pages: Mutex::default(), counts: OnceCell::new() }
    }
}

impl BatchedChild for Clip {
    const CONNECTION_DESCRIPTION: &str = "A page of a member's clips.";
    const EDGE_DESCRIPTION: &str = "A clip of a member and its cursor.";

    fn loader(batch: &MemberBatch) -> &ChildLoader<Self> {
        &batch.clips
    }
}

impl BatchedChild for StampCollection {
    const CONNECTION_DESCRIPTION: &str = "A page of a member's stamp collections.";
    const EDGE_DESCRIPTION: &str = "A stamp collection of a member and its cursor.";

    fn loader(batch: &MemberBatch) -> &ChildLoader<Self> {
        &batch.stamp_collections
    }
}

impl BatchedChild for Transaction {
    const CONNECTION_DESCRIPTION: &str = "A page of a member's transactions.";
    const EDGE_DESCRIPTION: &str = "A transaction of a member and its cursor.";

    fn loader(batch: &MemberBatch) -> &ChildLoader<Self> {
        &batch.transactions
    }
}
