//! `sync`: one row a sync, kept after its end. What it has seen is in `sync_seen`, for as long as it is open.

use sea_orm::entity::prelude::*;

/// A row.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync")]
pub struct Model {
    /// A UUIDv7, whose time is that of the start.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The memberbase.
    pub memberbase_id: Uuid,
    /// 0 OPEN, 1 COMMITTED, 2 ABANDONED, 3 EXPIRED. One that is past its time may still be OPEN here.
    pub state: i32,
    /// When it is forgotten, in microseconds since 1970.
    pub expires_at: i64,
    /// Microseconds since 1970; null exactly while it is OPEN.
    pub ended_at: Option<i64>,
    /// How many members it had seen at its end.
    pub seen: Option<i64>,
    /// How many members it had not seen at its end.
    pub missing: Option<i64>,
    /// How many members its commit deleted; null where it was not committed.
    pub deleted_members: Option<i64>,
    /// Values of their attributes.
    pub deleted_attributes: Option<i64>,
    /// Their clips.
    pub deleted_clips: Option<i64>,
    /// Their stamp collections.
    pub deleted_stamp_collections: Option<i64>,
    /// Their transactions.
    pub deleted_transactions: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
