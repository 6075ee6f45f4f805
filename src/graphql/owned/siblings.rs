//! Members that were read together know each other: what belongs to them is read together too, by one statement for
//! each list that is asked for, whichever of them asks first.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::Context;
use tokio::sync::OnceCell;

use super::Kind;
use crate::{
    domain::{
        access::Access,
        clip::Clip,
        member::Member,
        owned::{self, Position},
        stamp_collection::StampCollection,
        transaction::Transaction,
    },
    graphql::{Error, context::Found},
    types::{MemberId, Page, Slice, Start},
};

/// Members that one resolver answered together.
#[derive(Debug)]
pub struct Siblings {
    members: Vec<owned::Owner>,
    clips: Batches<Clip>,
    stamp_collections: Batches<StampCollection>,
    transactions: Batches<Transaction>,
}

/// What of one kind siblings have, as far as it was asked for. What failed stays so: they don't all try again.
#[derive(Debug)]
pub struct Batches<T> {
    pages: Mutex<HashMap<Asked, Arc<OnceCell<Pages<T>>>>>,
    counts: OnceCell<Result<HashMap<MemberId, u64>, Error>>,
}

/// The same page of all siblings; or one beside a cursor, which is of a single member.
type Asked = (Option<MemberId>, Page<Position>);

type Pages<T> = Result<HashMap<MemberId, Slice<Arc<T>>>, Error>;

impl Siblings {
    /// Of these members; who is there twice is read once.
    pub fn new<'a>(members: impl Iterator<Item = &'a Member>) -> Self {
        let mut members: Vec<_> = members.map(|member| (member.memberbase, member.id)).collect();
        members.sort_unstable();
        members.dedup();
        Self {
            members,
            clips: Batches::default(),
            stamp_collections: Batches::default(),
            transactions: Batches::default(),
        }
    }

    /// A page of one of them.
    pub(super) async fn page<T: Kind>(
        &self,
        ctx: &Context<'_>,
        member: owned::Owner,
        page: Page<Position>,
    ) -> Result<Slice<Arc<T>>, Error> {
        let alone = matches!(page.start, Start::Beside(_)).then_some(member);
        let members = alone.as_ref().map_or(&self.members[..], std::slice::from_ref);
        let batch = T::batches(self).batch((alone.map(|(_, id)| id), page.clone()));
        let pages = batch.get_or_init(|| load(ctx, members, &page)).await.as_ref().map_err(Clone::clone)?;
        let nothing = || Slice { rows: Vec::new(), has_next: false, has_previous: false };
        Ok(pages.get(&member.1).cloned().unwrap_or_else(nothing))
    }

    /// How many one of them has.
    pub(super) async fn count<T: Kind>(&self, ctx: &Context<'_>, member: MemberId) -> Result<u64, Error> {
        let count = || async {
            let reach = ctx.reach(Access::Read)?;
            Ok(owned::count_of_members::<T>(ctx.app(), reach, &self.members).await?)
        };
        let counts = T::batches(self).counts.get_or_init(count).await.as_ref().map_err(Clone::clone)?;
        Ok(counts.get(&member).copied().unwrap_or_default())
    }
}

async fn load<T: Kind>(ctx: &Context<'_>, members: &[owned::Owner], page: &Page<Position>) -> Pages<T> {
    let reach = ctx.reach(Access::Read)?;
    let read = |most_rows| owned::of_members::<T>(ctx.app(), reach, members, page, most_rows);
    let shared = |(member, slice): (MemberId, Slice<T>)| {
        let Slice { rows, has_next, has_previous } = slice;
        (member, Slice { rows: rows.into_iter().map(Arc::new).collect(), has_next, has_previous })
    };
    Ok(ctx.share().pages(read).await?.into_iter().map(shared).collect())
}

impl<T> Batches<T> {
    fn batch(&self, asked: Asked) -> Arc<OnceCell<Pages<T>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).entry(asked).or_default().clone()
    }
}

impl<T> Default for Batches<T> {
    fn default() -> Self {
        Self { pages: Mutex::default(), counts: OnceCell::new() }
    }
}

impl Kind for Clip {
    fn batches(siblings: &Siblings) -> &Batches<Self> {
        &siblings.clips
    }
}

impl Kind for StampCollection {
    fn batches(siblings: &Siblings) -> &Batches<Self> {
        &siblings.stamp_collections
    }
}

impl Kind for Transaction {
    fn batches(siblings: &Siblings) -> &Batches<Self> {
        &siblings.transactions
    }
}
