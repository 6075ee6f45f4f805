//! Syncs: a memberbase is made to mirror its source.
//!
//! While a sync is open, every upsert of members in its memberbase marks those that it names. A commit may then delete
//! whoever has no mark. Starts and ends hold the memberbase's lock exclusively, and so wait for upserts in flight:
//! whoever upserts after the start sees the sync, and whoever has no mark was there before it.

mod count;
mod end;
mod list;
mod mark;
mod start;

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, Select, sea_query::Expr};

pub use count::{SyncCounts, counts};
pub use end::{OnMissing, abandon, commit};
pub(super) use end::{delete_all, expire};
pub use list::{count, cursor, list, parse_cursor};
pub(super) use mark::{Open, mark, require_open_sync, with_open_sync};
pub use start::start;

use super::{Error, access::Visibility, filter::IdPredicate, member::DeletedCounts};
use crate::{
    app::App,
    entity::sync,
    types::{Id, MemberbaseId, SyncId, Time},
};

/// A sync.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Its id.
    pub id: SyncId,
    /// The memberbase that is to mirror the source.
    pub memberbase: MemberbaseId,
    /// How it stands.
    pub state: State,
    /// When it ended; none while it is open.
    pub ended_at: Option<Time>,
    /// What it had seen at its end; none where that is still to be counted.
    pub counts: Option<SyncCounts>,
    /// What its commit deleted; none where it was not committed.
    pub deleted: Option<DeletedCounts>,
}

/// How a sync stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Upserts mark.
    Open = 0,
    /// Ended by a commit.
    Committed = 1,
    /// Ended without one.
    Abandoned = 2,
    /// Ended by its age.
    Expired = 3,
}

/// The sync with this id, where it is within reach.
pub async fn find(app: &App, reach: Visibility, id: SyncId) -> Result<Option<Sync>, Error> {
    Ok(find_many(app, reach, &[id]).await?.pop())
}

/// Those of these syncs that are there and within reach, in any order.
pub async fn find_many(app: &App, reach: Visibility, ids: &[SyncId]) -> Result<Vec<Sync>, Error> {
    let asked = IdPredicate::In(ids.to_vec()).condition(app.db.backend(), Expr::col((sync::Entity, sync::Column::Id)));
    let rows = within(reach).filter(asked).all(&app.db.read().await?).await?;
    rows.into_iter().map(Sync::try_from).collect()
}

/// The sync with this id; fails where it is not there or out of reach.
async fn get(session: &impl ConnectionTrait, reach: Visibility, id: SyncId) -> Result<Sync, Error> {
    let found = within(reach).filter(sync::Column::Id.eq(id.uuid())).one(session).await?;
    found.ok_or_else(|| not_found(id))?.try_into()
}

fn within(reach: Visibility) -> Select<sync::Entity> {
    let bound = reach.memberbase().map(|id| sync::Column::MemberbaseId.eq(id.uuid()));
    sync::Entity::find().filter(Condition::all().add_option(bound))
}

fn not_found(id: SyncId) -> Error {
    Error::NotFound(format!("sync {id} does not exist"))
}

impl Sync {
    /// That it has ended.
    fn not_open(&self) -> Error {
        let how = match self.state {
            State::Open => "is open",
            State::Committed => "was committed",
            State::Abandoned => "was abandoned",
            State::Expired => "has expired",
        };
        Error::Conflict(format!("sync {} is not open any more: it {how}", self.id))
    }
}

impl TryFrom<sync::Model> for Sync {
    type Error = Error;

    fn try_from(row: sync::Model) -> Result<Self, Error> {
        let expires_at = Time::from_micros(row.expires_at);
        let (state, ended_at) = match row.state {
            0 if expires_at <= Time::now() => (State::Expired, Some(expires_at)),
            0 => (State::Open, None),
            1 => (State::Committed, row.ended_at.map(Time::from_micros)),
            2 => (State::Abandoned, row.ended_at.map(Time::from_micros)),
            3 => (State::Expired, row.ended_at.map(Time::from_micros)),
            other => return Err(Error::Internal(format!("state {other} of a sync is unknown").into())),
        };
        let rows = |count: Option<i64>| count.map(i64::cast_unsigned);
        let figures = rows(row.seen).zip(rows(row.missing)).map(|(seen, missing)| SyncCounts { seen, missing });
        let deleted = rows(row.deleted_members).map(|members| DeletedCounts {
            members,
            attributes: rows(row.deleted_attributes).unwrap_or_default(),
            clips: rows(row.deleted_clips).unwrap_or_default(),
            stamp_collections: rows(row.deleted_stamp_collections).unwrap_or_default(),
            transactions: rows(row.deleted_transactions).unwrap_or_default(),
        });
        let (id, memberbase) = (SyncId::from_uuid(row.id), MemberbaseId::from_uuid(row.memberbase_id));
        Ok(Self { id, memberbase, state, ended_at, counts: figures, deleted })
    }
}
