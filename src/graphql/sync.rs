//! Syncs: a memberbase is made to mirror its source.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use tokio::sync::OnceCell;

use super::{
    Error,
    connection::{PageInfo, Paging},
    context::{ContextExt, id, null_if_not_found},
    member::DeletedRows,
    memberbase::Memberbase,
    scalar::{Count, DateTime},
};
use crate::{
    domain::{
        self,
        access::{Access, Scope},
        sync::{self, SyncCounts},
    },
    types::{Id, Slice, SyncId},
};

/// How a sync stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "sync::State")]
pub enum SyncState {
    /// Every upsert in the memberbase marks the members that it names.
    Open,
    /// Ended by commitSync.
    Committed,
    /// Ended by abandonSync, or by startSync with abandonOpen; it deleted nobody.
    Abandoned,
    /// Forgotten after its time (24 hours, unless the server is set otherwise); it deleted nobody and stands in nobody's way.
    Expired,
}

/// What a commit does with members who were not seen while the sync was open.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "sync::OnMissing")]
pub enum OnMissing {
    /// They stay.
    Keep,
    /// They go, with all that belongs to them.
    Delete,
}

/// A run that makes a memberbase mirror its source. While it is open, every upsert of members in the memberbase marks those that its rows name as seen: with or without syncId, members new, changed or unchanged, and also where a row FAILED, was STALE or was SKIPPED. A commit may then delete whoever was not seen. After its end, seen, missing and deleted stay as they were at that moment.
#[derive(Clone, Debug)]
pub struct Sync {
    row: Arc<sync::Sync>,
    figures: Arc<OnceCell<Result<SyncCounts, Error>>>,
}

impl From<sync::Sync> for Sync {
    fn from(found: sync::Sync) -> Self {
        Self { row: Arc::new(found), figures: Arc::default() }
    }
}

impl Sync {
    /// Counted once, whichever of them is asked for.
    async fn figures(&self, ctx: &Context<'_>) -> Result<SyncCounts, Error> {
        let count = async || Ok(sync::counts(ctx.app(), ctx.authorize_visible(Access::Read)?, &self.row).await?);
        self.figures.get_or_init(count).await.clone()
    }
}

/// A run that makes a memberbase mirror its source. While it is open, every upsert of members in the memberbase marks those that its rows name as seen: with or without syncId, members new, changed or unchanged, and also where a row FAILED, was STALE or was SKIPPED. A commit may then delete whoever was not seen. After its end, seen, missing and deleted stay as they were at that moment.
#[Object]
impl Sync {
    /// Its id, which begins with sync_.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The memberbase that is to mirror the source.
    async fn memberbase(&self, ctx: &Context<'_>) -> Result<Memberbase, Error> {
        let id = self.row.memberbase;
        let found = ctx.memberbases().load_one(id).await?;
        let missing = || domain::Error::NotFound(format!("memberbase {id} does not exist any more"));
        Ok(found.map(Memberbase).ok_or_else(missing)?)
    }

    /// How it stands.
    async fn state(&self) -> SyncState {
        self.row.state.into()
    }

    /// The time in its id.
    async fn started_at(&self) -> DateTime {
        DateTime(self.row.id.created_at())
    }

    /// When it was committed or abandoned, or has expired; null while it is open.
    async fn ended_at(&self) -> Option<DateTime> {
        self.row.ended_at.map(DateTime)
    }

    /// Members that were seen while this sync was open, and are there. While it is open, they are counted when asked for.
    async fn seen(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(self.figures(ctx).await?.seen))
    }

    /// Members that a commit with onMissing DELETE would delete now: not seen while this sync was open, and created before it started. While it is open, they are counted when asked for.
    async fn missing(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(self.figures(ctx).await?.missing))
    }

    /// How many rows went with its commit, all 0 where that kept who was missing; null where it was not committed.
    async fn deleted(&self) -> Option<DeletedRows> {
        self.row.deleted.map(DeletedRows::from)
    }
}

/// A part of the list of a memberbase's syncs.
#[derive(Debug)]
pub struct SyncConnection {
    scope: Scope,
    rows: Vec<Sync>,
    info: PageInfo,
}

impl SyncConnection {
    /// The page that is asked for.
    pub(super) async fn load(ctx: &Context<'_>, scope: Scope, paging: Paging) -> Result<Self, Error> {
        let page = paging.page(ctx, ctx.app().limits.page, |cursor| sync::parse_cursor(scope, cursor))?;
        let read = Box::pin(sync::list(ctx.app(), scope, &page));
        let slice = ctx.row_budget().page(page.size, read, Slice::size).await?;
        let info = PageInfo::new(&slice, |row| sync::cursor(scope, row.id));
        Ok(Self { scope, rows: slice.rows.into_iter().map(Sync::from).collect(), info })
    }
}

/// A part of the list of a memberbase's syncs.
#[Object]
impl SyncConnection {
    /// The syncs with their cursors.
    async fn edges(&self) -> Vec<SyncEdge> {
        let edge = |row: &Sync| SyncEdge { cursor: sync::cursor(self.scope, row.row.id), node: row.clone() };
        self.rows.iter().map(edge).collect()
    }

    /// The syncs.
    async fn nodes(&self) -> &[Sync] {
        &self.rows
    }

    /// What lies around this part.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// Of the whole list, whatever the page; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(sync::count(ctx.app(), self.scope).await?))
    }
}

/// A sync in the list.
#[derive(SimpleObject, Debug)]
pub struct SyncEdge {
    /// Where it stands in the list: good for this memberbase.
    cursor: String,
    /// The sync.
    node: Sync,
}

/// Which memberbase is to mirror its source.
#[derive(InputObject, Debug)]
pub struct StartSyncInput {
    /// The memberbase.
    memberbase_id: ID,
    /// Abandons one that is still open, in place of CONFLICT.
    #[graphql(default = false)]
    abandon_open: bool,
}

/// What was started.
#[derive(SimpleObject, Debug)]
pub struct StartSyncPayload {
    /// The new sync.
    sync: Sync,
}

/// Which sync is to be committed, and what becomes of members who were not seen.
#[derive(InputObject, Debug)]
pub struct CommitSyncInput {
    /// An id that begins with sync_.
    sync_id: ID,
    /// What becomes of members who were not seen. DELETE where nobody was seen at all is CONFLICT.
    #[graphql(default_with = "OnMissing::Keep")]
    on_missing: OnMissing,
    /// Refuses (LIMIT_EXCEEDED, nothing deleted, sync still open) where more than this share of the memberbase's members would go. 0 to 100.
    #[graphql(default = 10.0)]
    max_deleted_percent: f64,
}

/// What was committed.
#[derive(SimpleObject, Debug)]
pub struct CommitSyncPayload {
    /// The sync, as it ended.
    sync: Sync,
}

/// Which sync is to be abandoned.
#[derive(InputObject, Debug)]
pub struct AbandonSyncInput {
    /// An id that begins with sync_.
    sync_id: ID,
}

/// What was abandoned.
#[derive(SimpleObject, Debug)]
pub struct AbandonSyncPayload {
    /// The sync, as it ended.
    sync: Sync,
}

/// Queries for syncs.
#[derive(Clone, Default)]
pub struct SyncQuery;

#[Object]
impl SyncQuery {
    /// The sync with this id; null where there is none that the token sees.
    async fn sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An id that begins with sync_.")] id: ID,
    ) -> Result<Option<Sync>, Error> {
        let id = super::context::id("id", &id)?;
        Ok(null_if_not_found(sync::find(ctx.app(), ctx.authorize_visible(Access::Read)?, id).await)?.map(Sync::from))
    }
}

/// Mutations of syncs.
#[derive(Clone, Default)]
pub struct SyncMutation;

#[Object]
impl SyncMutation {
    /// Opens a sync of a memberbase, once no upsert is in flight there. There is one open sync a memberbase: a second is CONFLICT and names the first. Needs a WRITE token.
    async fn start_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which memberbase, and how.")] input: StartSyncInput,
    ) -> Result<Option<StartSyncPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let started = sync::start(ctx.app(), scope, input.abandon_open).await?;
        Ok(Some(StartSyncPayload { sync: started.into() }))
    }

    /// Ends a sync, once no upsert is in flight, and deletes whoever was not seen if onMissing says so, with all that belongs to them, in one transaction. Again, with whatever arguments, it deletes nobody more and answers the same. One that was abandoned or has expired is CONFLICT. Needs a WRITE token.
    async fn commit_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sync, and how.")] input: CommitSyncInput,
    ) -> Result<Option<CommitSyncPayload>, Error> {
        let id = id::<SyncId>("syncId", &input.sync_id)?;
        let (reach, on_missing) = (ctx.authorize_visible(Access::Write)?, input.on_missing.into());
        let committed = sync::commit(ctx.app(), reach, id, on_missing, input.max_deleted_percent).await?;
        Ok(Some(CommitSyncPayload { sync: committed.into() }))
    }

    /// Ends a sync without deleting anybody. Again, it answers the same; one that has expired is answered as it is. One that was committed is CONFLICT. Needs a WRITE token.
    async fn abandon_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sync.")] input: AbandonSyncInput,
    ) -> Result<Option<AbandonSyncPayload>, Error> {
        let id = id::<SyncId>("syncId", &input.sync_id)?;
        let abandoned = sync::abandon(ctx.app(), ctx.authorize_visible(Access::Write)?, id).await?;
        Ok(Some(AbandonSyncPayload { sync: abandoned.into() }))
    }
}
