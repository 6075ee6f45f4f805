//! Child records of members (clips, stamp collections, transactions) and connections of them.

mod loader;

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Description, Object, OutputType};
use tokio::sync::OnceCell;

pub(crate) use loader::{ChildLoader, MemberBatch};

use super::{
    Error,
    connection::{PageInfo, Paging},
    context::ContextExt,
    member::Member,
    paced_list::PacedList,
    scalar::Count,
};
use crate::{
    domain::{
        self,
        access::Access,
        clip::Clip,
        member,
        member_child::{MemberChild, Position},
        stamp_collection::StampCollection,
        transaction::Transaction,
    },
    types::MemberId,
};

/// A type of child record that is loaded for a batch of members at once.
pub(crate) trait BatchedChild: MemberChild {
    /// Description of [`Connection`] in the schema.
    const CONNECTION_DESCRIPTION: &str;

    /// Description of [`Edge`] in the schema.
    const EDGE_DESCRIPTION: &str;

    /// Returns the batch's loader for this type.
    fn loader(batch: &MemberBatch) -> &ChildLoader<Self>;
}

/// A child record, from which its member can be loaded.
#[derive(Clone, Debug)]
pub(crate) struct Child<T> {
    pub(super) row: Arc<T>,
    parent: Parent,
}

#[derive(Clone, Debug)]
enum Parent {
    /// The member through whose field the record was read.
    Known(Member),
    /// One of the members of a batch of records.
    Among(Arc<ParentBatch>),
}

/// The members of a batch of records, loaded by one statement when the first of them is selected.
#[derive(Debug)]
struct ParentBatch {
    ids: Vec<MemberId>,
    found: OnceCell<Result<HashMap<MemberId, Member>, Error>>,
}

impl<T: MemberChild> Child<T> {
    /// Wraps a batch of records, keeping their positions.
    pub(crate) fn from_batch(rows: Vec<Option<Arc<T>>>) -> Vec<Option<Self>> {
        let mut ids: Vec<_> = rows.iter().flatten().map(|row| row.member()).collect();
        ids.sort_unstable();
        ids.dedup();
        let batch = Arc::new(ParentBatch { ids, found: OnceCell::new() });
        let child = |row| Self { row, parent: Parent::Among(batch.clone()) };
        rows.into_iter().map(|row| row.map(child)).collect()
    }

    pub(super) async fn parent(&self, ctx: &Context<'_>) -> Result<Member, Error> {
        let batch = match &self.parent {
            Parent::Known(member) => return Ok(member.clone()),
            Parent::Among(batch) => batch,
        };
        let found = batch.found.get_or_init(|| batch.load(ctx)).await.as_ref().map_err(Clone::clone)?;
        let id = self.row.member();
        let missing = || domain::Error::NotFound(format!("member {id} no longer exists"));
        Ok(found.get(&id).cloned().ok_or_else(missing)?)
    }
}

impl ParentBatch {
    async fn load(&self, ctx: &Context<'_>) -> Result<HashMap<MemberId, Member>, Error> {
        let found = member::find_all(ctx.app(), ctx.authorize_visible(Access::Read)?, &self.ids).await?;
        Ok(Member::all(found).into_iter().map(|member| (member.0.id, member)).collect())
    }
}

#[derive(Debug)]
pub(crate) struct Connection<T> {
    member: Member,
    rows: Vec<Arc<T>>,
    info: PageInfo,
}

impl<T: BatchedChild> Connection<T> {
    /// Loads the requested page, and the same page of the other members of the batch.
    pub(super) async fn load(ctx: &Context<'_>, member: &Member, paging: Paging) -> Result<Self, Error> {
        let memberbase = member.0.memberbase;
        let id = member.0.id;
        let parse = |cursor: &str| Position::parse::<T>(cursor, memberbase, id);
        let page = paging.page(ctx, ctx.app().limits.page, parse)?;
        let slice = member.1.page::<T>(ctx, (memberbase, id), page).await?;
        ctx.row_budget().charge(slice.rows.len() as u64)?;
        let info = PageInfo::new(&slice, |row| Position::of(&**row).cursor::<T>(memberbase, id));
        Ok(Self { member: member.clone(), rows: slice.rows, info })
    }

    fn node(&self, row: &Arc<T>) -> Child<T> {
        Child { row: row.clone(), parent: Parent::Known(self.member.clone()) }
    }
}

impl<T: BatchedChild> Description for Connection<T> {
    fn description() -> &'static str {
        T::CONNECTION_DESCRIPTION
    }
}

/// A page of records that belong to one member.
#[Object(
    use_type_description,
    concrete(name = "ClipConnection", params(Clip)),
    concrete(name = "StampCollectionConnection", params(StampCollection)),
    concrete(name = "TransactionConnection", params(Transaction))
)]
impl<T: BatchedChild> Connection<T>
where
    Child<T>: OutputType,
    Edge<T>: OutputType,
{
    /// The records of the page with their cursors.
    async fn edges(&self) -> PacedList<Edge<T>> {
        let edge = |row: &Arc<T>| Edge {
            cursor: Position::of(&**row).cursor::<T>(row.memberbase(), row.member()),
            node: self.node(row),
        };
        self.rows.iter().map(edge).collect()
    }

    /// The records of the page.
    async fn nodes(&self) -> PacedList<Child<T>> {
        self.rows.iter().map(|row| self.node(row)).collect()
    }

    /// Page info: the first and last cursors of the page, and whether more entries exist.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// Number of entries in the whole list, independent of the page. Computed only if selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(self.member.1.count::<T>(ctx, self.member.0.id).await?))
    }
}

/// A record of a member and its cursor.
#[derive(Debug)]
pub(crate) struct Edge<T> {
    cursor: String,
    node: Child<T>,
}

impl<T: BatchedChild> Description for Edge<T> {
    fn description() -> &'static str {
        T::EDGE_DESCRIPTION
    }
}

#[Object(
    use_type_description,
    concrete(name = "ClipEdge", params(Clip)),
    concrete(name = "StampCollectionEdge", params(StampCollection)),
    concrete(name = "TransactionEdge", params(Transaction))
)]
impl<T: BatchedChild> Edge<T>
where
    Child<T>: OutputType,
{
    /// Opaque cursor of this entry, for `after` and `before`. Valid for the same list of the same member.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The record.
    async fn node(&self) -> &Child<T> {
        &self.node
    }
}
