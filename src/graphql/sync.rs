//! Syncs: runs that make a memberbase mirror its source.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use tokio::sync::OnceCell;

use super::{
    Error,
    connection::{PageInfo, Paging},
    context::{ContextExt, id, null_if_not_found},
    member::DeletedRows,
    memberbase::Memberbase,
    paced_list::PacedList,
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

/// State of a sync.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "sync::SyncState")]
pub(crate) enum SyncState {
    /// Open: every upsert of members in the memberbase marks the members that it names as seen.
    Open,
    /// Ended by commitSync.
    Committed,
    /// Ended by abandonSync, or by startSync with `abandonOpen: true`. No member was deleted.
    Abandoned,
    /// Left open for longer than the time limit, 24 hours by default (MEMBERBASE_SYNC_EXPIRY). No member was deleted, and a new sync can be started.
    Expired,
}

/// Handling of members that were not seen while the sync was open, at its commit.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "sync::OnMissing")]
pub(crate) enum OnMissing {
    /// Keeps them.
    Keep,
    /// Deletes them with their attributes, clips, stamp collections and transactions.
    Delete,
}

#[derive(Clone, Debug)]
pub(crate) struct Sync {
    row: Arc<sync::Sync>,
    counts: Arc<OnceCell<Result<SyncCounts, Error>>>,
}

impl From<sync::Sync> for Sync {
    fn from(found: sync::Sync) -> Self {
        Self { row: Arc::new(found), counts: Arc::default() }
    }
}

impl Sync {
    /// Returns the counts, which are computed once for all fields that need them.
    async fn counts(&self, ctx: &Context<'_>) -> Result<SyncCounts, Error> {
        let count = async || Ok(sync::counts(ctx.app(), ctx.authorize_visible(Access::Read)?, &self.row).await?);
        self.counts.get_or_init(count).await.clone()
    }
}

/// A run that makes a memberbase mirror its source, which is the owner's own list of the members, such as a file or a table that is uploaded with bulkUpsertMembers.
///
/// While the sync is open, every bulkUpsertMembers call in the memberbase, with or without `syncId`, marks each member that its rows name as seen, whatever the outcome of the row (including FAILED, STALE and SKIPPED). A commit can then delete the members that were not seen. After the sync has ended, `seen`, `missing` and `deleted` keep their values.
#[Object]
impl Sync {
    /// The sync's id (sync_...).
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The memberbase that mirrors the source.
    async fn memberbase(&self, ctx: &Context<'_>) -> Result<Memberbase, Error> {
        let id = self.row.memberbase;
        let found = ctx.memberbases().load_one(id).await?;
        let missing = || domain::Error::NotFound(format!("memberbase {id} no longer exists"));
        Ok(found.map(Memberbase).ok_or_else(missing)?)
    }

    /// State of the sync.
    async fn state(&self) -> SyncState {
        self.row.state.into()
    }

    /// Start time in whole milliseconds; the id contains this time.
    async fn started_at(&self) -> DateTime {
        DateTime(self.row.id.created_at())
    }

    /// Time of the commit, abandonment or expiry; null while the sync is open.
    async fn ended_at(&self) -> Option<DateTime> {
        self.row.ended_at.map(DateTime)
    }

    /// Number of existing members that were seen while the sync was open. While it is open, computed only if selected.
    async fn seen(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(self.counts(ctx).await?.seen))
    }

    /// Number of members that a commit with `onMissing: DELETE` would delete: created before the sync started and not seen since. While it is open, computed only if selected.
    async fn missing(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(self.counts(ctx).await?.missing))
    }

    /// Number of rows that the commit deleted by type, all 0 if it kept missing members; null if the sync is not committed.
    async fn deleted(&self) -> Option<DeletedRows> {
        self.row.deleted.map(DeletedRows::from)
    }
}

#[derive(Debug)]
pub(crate) struct SyncConnection {
    scope: Scope,
    rows: Vec<Sync>,
    info: PageInfo,
}

impl SyncConnection {
    pub(super) async fn load(ctx: &Context<'_>, scope: Scope, paging: Paging) -> Result<Self, Error> {
        let page = paging.page(ctx, ctx.app().limits.page, |cursor| sync::parse_cursor(scope, cursor))?;
        let read = Box::pin(sync::list(ctx.app(), scope, &page));
        let slice = ctx.row_budget().page(page.size, read, Slice::size).await?;
        let info = PageInfo::new(&slice, |row| sync::cursor(scope, row.id));
        Ok(Self { scope, rows: slice.rows.into_iter().map(Sync::from).collect(), info })
    }
}

/// A page of a memberbase's syncs.
#[Object]
impl SyncConnection {
    /// The syncs of the page with their cursors.
    async fn edges(&self) -> PacedList<SyncEdge> {
        let edge = |row: &Sync| SyncEdge { cursor: sync::cursor(self.scope, row.row.id), node: row.clone() };
        self.rows.iter().map(edge).collect()
    }

    /// The syncs of the page.
    async fn nodes(&self) -> PacedList<&Sync> {
        self.rows.iter().collect()
    }

    /// Page info: the first and last cursors of the page, and whether more entries exist.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// Number of entries in the whole list, independent of the page. Computed only if selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Count, Error> {
        Ok(Count(sync::count(ctx.app(), self.scope).await?))
    }
}

/// A sync and its cursor.
#[derive(SimpleObject, Debug)]
pub(crate) struct SyncEdge {
    /// Opaque cursor of this entry, for `after` and `before`. Valid for the same memberbase.
    cursor: String,
    /// The sync.
    node: Sync,
}

/// Input of startSync.
#[derive(InputObject, Debug)]
pub(crate) struct StartSyncInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// If true, abandons a sync that is still open instead of failing with CONFLICT. Default false.
    #[graphql(default = false)]
    abandon_open: bool,
}

/// Result of startSync.
#[derive(SimpleObject, Debug)]
pub(crate) struct StartSyncPayload {
    /// The new sync.
    sync: Sync,
}

/// Input of commitSync.
#[derive(InputObject, Debug)]
pub(crate) struct CommitSyncInput {
    /// The sync's id (sync_...).
    sync_id: ID,
    /// Handling of members that were not seen. Default KEEP. DELETE fails with CONFLICT if the sync has seen no member at all.
    #[graphql(default_with = "OnMissing::Keep")]
    on_missing: OnMissing,
    /// Maximum share of the memberbase's members that DELETE may delete, in percent: 0 to 100, default 10. If more would be deleted, the call fails with LIMIT_EXCEEDED, nothing is deleted and the sync stays open.
    #[graphql(default = 10.0)]
    max_deleted_percent: f64,
}

/// Result of commitSync.
#[derive(SimpleObject, Debug)]
pub(crate) struct CommitSyncPayload {
    /// The sync after it ended.
    sync: Sync,
}

/// Input of abandonSync.
#[derive(InputObject, Debug)]
pub(crate) struct AbandonSyncInput {
    /// The sync's id (sync_...).
    sync_id: ID,
}

/// Result of abandonSync.
#[derive(SimpleObject, Debug)]
pub(crate) struct AbandonSyncPayload {
    /// The sync after it ended.
    sync: Sync,
}

#[derive(Clone, Default)]
pub(crate) struct SyncQuery;

#[Object]
impl SyncQuery {
    /// The sync with this id; null if it does not exist or the token has no access to it.
    async fn sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sync's id (sync_...).")] id: ID,
    ) -> Result<Option<Sync>, Error> {
        let id = super::context::id("id", &id)?;
        Ok(null_if_not_found(sync::find(ctx.app(), ctx.authorize_visible(Access::Read)?, id).await)?.map(Sync::from))
    }
}

#[derive(Clone, Default)]
pub(crate) struct SyncMutation;

#[Object]
impl SyncMutation {
    /// Opens a sync of a memberbase, after the memberbase's running upserts have finished. A memberbase has at most one open sync: starting a second fails with CONFLICT, and the error names the first. Requires a WRITE token.
    async fn start_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The memberbase and the options of the call.")] input: StartSyncInput,
    ) -> Result<Option<StartSyncPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let started = sync::start(ctx.app(), scope, input.abandon_open).await?;
        Ok(Some(StartSyncPayload { sync: started.into() }))
    }

    /// Commits a sync, after the memberbase's running upserts have finished. With `onMissing: DELETE`, deletes the members that were not seen, with their attributes, clips, stamp collections and transactions, in one transaction. Idempotent: committing again, with any arguments, deletes nothing and returns the same result. Committing a sync that was abandoned or has expired fails with CONFLICT. Requires a WRITE token.
    async fn commit_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sync and the options of the call.")] input: CommitSyncInput,
    ) -> Result<Option<CommitSyncPayload>, Error> {
        let id = id::<SyncId>("syncId", &input.sync_id)?;
        let visibility = ctx.authorize_visible(Access::Write)?;
        let on_missing = input.on_missing.into();
        let committed = sync::commit(ctx.app(), visibility, id, on_missing, input.max_deleted_percent).await?;
        Ok(Some(CommitSyncPayload { sync: committed.into() }))
    }

    /// Ends a sync without deleting members. Idempotent: abandoning again returns the same result, and an expired sync is returned unchanged. Abandoning a committed sync fails with CONFLICT. Requires a WRITE token.
    async fn abandon_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sync to abandon.")] input: AbandonSyncInput,
    ) -> Result<Option<AbandonSyncPayload>, Error> {
        let id = id::<SyncId>("syncId", &input.sync_id)?;
        let abandoned = sync::abandon(ctx.app(), ctx.authorize_visible(Access::Write)?, id).await?;
        Ok(Some(AbandonSyncPayload { sync: abandoned.into() }))
    }
}
