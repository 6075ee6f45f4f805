//! Syncs: make a memberbase mirror its source.
//!
//! While a sync is open, every upsert of members in its memberbase marks the members that its rows name. A commit can
//! then delete the members without a mark.
//!
//! Starting and ending a sync take the memberbase's lock exclusively, and so wait for upserts in progress. An upsert
//! after the start therefore sees the sync, a member without a mark existed before it, and no clocks are compared.
//!
//! - A partial unique index permits one open sync per memberbase.
//! - One statement reads the memberbase with its open sync, so that an upsert without a sync pays nothing.
//! - Setting the attributes of a member over RPC (`member.attributes/set`) is not an upsert and does not mark.
//! - Statements that join members with marks are planned for their values each time (custom plans).

mod count;
mod end;
mod list;
mod mark;
mod start;

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, Select, sea_query::Expr};

pub(crate) use count::{SyncCounts, counts};
pub use end::{OnMissing, commit};
pub(crate) use end::{abandon, preview_commit};
pub(super) use end::{delete_all, expire};
pub(crate) use list::{count, cursor, list, parse_cursor};
pub(super) use mark::{OpenSync, mark, require_open_sync, with_open_sync};
pub(crate) use start::{start, start_as};

use super::{Error, access::Visibility, filter::IdPredicate, member::DeletedCounts};
use crate::{
    app::App,
    entity::sync,
    types::{Id, MemberbaseId, SyncId, Time},
};

#[derive(Clone, Debug)]
pub struct Sync {
    /// Id, which holds the time of the start.
    pub(crate) id: SyncId,
    /// The memberbase that mirrors the source.
    pub(crate) memberbase: MemberbaseId,
    pub(crate) state: SyncState,
    /// Time of the end; `None` while the sync is open.
    pub(crate) ended_at: Option<Time>,
    /// Counts at the end; `None` if they are not stored, as while the sync is open.
    pub(crate) counts: Option<SyncCounts>,
    /// Rows that the commit deleted; `None` if the sync was not committed.
    pub(crate) deleted: Option<DeletedCounts>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncState {
    /// Upserts mark members.
    Open = 0,
    Committed = 1,
    Abandoned = 2,
    Expired = 3,
}

/// Returns the sync with this id; `None` if it does not exist or is not visible.
pub(crate) async fn find(app: &App, visibility: Visibility, id: SyncId) -> Result<Option<Sync>, Error> {
    Ok(find_many(app, visibility, &[id]).await?.pop())
}

/// Returns those of these syncs that exist and are visible, in any order.
pub(crate) async fn find_many(app: &App, visibility: Visibility, ids: &[SyncId]) -> Result<Vec<Sync>, Error> {
    let column = Expr::col((sync::Entity, sync::Column::Id));
    let requested = IdPredicate::In(ids.to_vec()).condition(app.db.backend(), column);
    let rows = within(visibility).filter(requested).all(&app.db.read().await?).await?;
    rows.into_iter().map(Sync::try_from).collect()
}

/// Returns the sync with this id. Fails if it does not exist or is not visible.
async fn get(session: &impl ConnectionTrait, visibility: Visibility, id: SyncId) -> Result<Sync, Error> {
    let found = within(visibility).filter(sync::Column::Id.eq(id.uuid())).one(session).await?;
    found.ok_or_else(|| not_found(id))?.try_into()
}

fn within(visibility: Visibility) -> Select<sync::Entity> {
    let bound = visibility.memberbase().map(|id| sync::Column::MemberbaseId.eq(id.uuid()));
    sync::Entity::find().filter(Condition::all().add_option(bound))
}

fn not_found(id: SyncId) -> Error {
    Error::NotFound(format!("sync {id} does not exist"))
}

impl Sync {
    fn not_open(&self) -> Error {
        let state = match self.state {
            SyncState::Open => "is open",
            SyncState::Committed => "was committed",
            SyncState::Abandoned => "was abandoned",
            SyncState::Expired => "has expired",
        };
        Error::Conflict(format!("sync {} is no longer open: it {state}", self.id))
    }
}

impl TryFrom<sync::Model> for Sync {
    type Error = Error;

    fn try_from(row: sync::Model) -> Result<Self, Error> {
        let expires_at = Time::from_micros(row.expires_at);
        let (state, ended_at) = match row.state {
            0 if expires_at <= Time::now() => (SyncState::Expired, Some(expires_at)),
            0 => (SyncState::Open, None),
            1 => (SyncState::Committed, row.ended_at.map(Time::from_micros)),
            2 => (SyncState::Abandoned, row.ended_at.map(Time::from_micros)),
            3 => (SyncState::Expired, row.ended_at.map(Time::from_micros)),
            other => return Err(Error::Internal(format!("state {other} of a sync is unknown").into())),
        };
        let rows = |count: Option<i64>| count.map(i64::cast_unsigned);
        let counts = rows(row.seen).zip(rows(row.missing)).map(|(seen, missing)| SyncCounts { seen, missing });
        let deleted = rows(row.deleted_members).map(|members| DeletedCounts {
            members,
            attributes: rows(row.deleted_attributes).unwrap_or_default(),
            clips: rows(row.deleted_clips).unwrap_or_default(),
            stamp_collections: rows(row.deleted_stamp_collections).unwrap_or_default(),
            transactions: rows(row.deleted_transactions).unwrap_or_default(),
        });
        let id = SyncId::from_uuid(row.id);
        let memberbase = MemberbaseId::from_uuid(row.memberbase_id);
        Ok(Self { id, memberbase, state, ended_at, counts, deleted })
    }
}
