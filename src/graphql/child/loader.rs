//! Members that were read together know each other: what belongs to them is read together too, by one statement for
//! each list that is asked for, whichever of them asks first.

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

/// Members that one resolver answered together.
#[derive(Debug)]
pub struct MemberBatch {
    members: Vec<member_child::MemberKey>,
    clips: ChildLoader<Clip>,
    stamp_collections: ChildLoader<StampCollection>,
    transactions: ChildLoader<Transaction>,
}

/// What of one kind siblings have, as far as it was asked for. What failed stays so: they don't all try again.
#[derive(Debug)]
pub struct ChildLoader<T> {
    pages: Mutex<HashMap<PageKey, Arc<OnceCell<Pages<T>>>>>,
    counts: OnceCell<Result<HashMap<MemberId, u64>, Error>>,
}

/// The same page of all siblings; or one beside a cursor, which is of a single member.
type PageKey = (Option<MemberId>, Page<Position>);

type Pages<T> = Result<HashMap<MemberId, Slice<Arc<T>>>, Error>;

impl MemberBatch {
    /// Of these members; who is there twice is read once.
    pub fn new<'a>(members: impl Iterator<Item = &'a Member>) -> Self {
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

    /// A page of one of them.
    pub(super) async fn page<T: BatchedChild>(
        &self,
        ctx: &Context<'_>,
        member: member_child::MemberKey,
        page: Page<Position>,
    ) -> Result<Slice<Arc<T>>, Error> {
        let alone = matches!(page.anchor, Anchor::Cursor(_)).then_some(member);
        let members = alone.as_ref().map_or(&self.members[..], std::slice::from_ref);
        let batch = T::loader(self).batch((alone.map(|(_, id)| id), page.clone()));
        let pages = batch.get_or_init(|| load(ctx, members, &page)).await.as_ref().map_err(Clone::clone)?;
        let nothing = || Slice { rows: Vec::new(), has_next: false, has_previous: false };
        Ok(pages.get(&member.1).cloned().unwrap_or_else(nothing))
    }

    /// How many one of them has.
    pub(super) async fn count<T: BatchedChild>(&self, ctx: &Context<'_>, member: MemberId) -> Result<u64, Error> {
        let count = || async {
            let reach = ctx.authorize_visible(Access::Read)?;
            Ok(member_child::count_of_members::<T>(ctx.app(), reach, &self.members).await?)
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
    let reach = ctx.authorize_visible(Access::Read)?;
    let read = |most_rows| member_child::of_members::<T>(ctx.app(), reach, members, page, most_rows);
    let shared = |(member, slice): (MemberId, Slice<T>)| {
        let Slice { rows, has_next, has_previous } = slice;
        (member, Slice { rows: rows.into_iter().map(Arc::new).collect(), has_next, has_previous })
    };
    Ok(ctx.row_budget().pages(read).await?.into_iter().map(shared).collect())
}

impl<T> ChildLoader<T> {
    fn batch(&self, asked: PageKey) -> Arc<OnceCell<Pages<T>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).entry(asked).or_default().clone()
    }
}

impl<T> Default for ChildLoader<T> {
    fn default() -> Self {
        Self { pages: Mutex::default(), counts: OnceCell::new() }
    }
}

impl BatchedChild for Clip {
    fn loader(siblings: &MemberBatch) -> &ChildLoader<Self> {
        &siblings.clips
    }
}

impl BatchedChild for StampCollection {
    fn loader(siblings: &MemberBatch) -> &ChildLoader<Self> {
        &siblings.stamp_collections
    }
}

impl BatchedChild for Transaction {
    fn loader(siblings: &MemberBatch) -> &ChildLoader<Self> {
        &siblings.transactions
    }
}
