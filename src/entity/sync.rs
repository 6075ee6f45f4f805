//! Table `sync`: one row per sync, kept after its end. While a sync is open, `sync_seen` has a mark for each member
//! that it has seen.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync")]
pub struct Model {
    /// UUIDv7, which contains the time of the start.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub memberbase_id: Uuid,
    /// 0 OPEN, 1 COMMITTED, 2 ABANDONED, 3 EXPIRED. A sync whose time has passed may still be stored as OPEN.
    pub state: i32,
    /// Time of expiry in microseconds since 1970.
    pub expires_at: i64,
    /// Time in microseconds since 1970; null exactly while the state is OPEN.
    pub ended_at: Option<i64>,
    /// Number of members that were seen, counted at the end; null while the sync is open.
    pub seen: Option<i64>,
    /// Number of members that were not seen, counted at the end; null while the sync is open.
    pub missing: Option<i64>,
    /// Number of members that the commit deleted; null if the sync was not committed.
    pub deleted_members: Option<i64>,
    /// Number of their attribute values.
    pub deleted_attributes: Option<i64>,
    pub deleted_clips: Option<i64>,
    pub deleted_stamp_collections: Option<i64>,
    pub deleted_transactions: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
