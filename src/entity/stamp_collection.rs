//! Table `stamp_collection`: one row per stamp collection, with the primary key `(memberbase_id, id)`.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stamp_collection")]
pub struct Model {
    /// The memberbase's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub memberbase_id: Uuid,
    /// UUIDv7, which contains the time of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owning member's id.
    pub member_id: Uuid,
    /// The loyalty programme, unique per member.
    pub loyalty_program_id: String,
    /// Number of collected stamps.
    pub stamps: i32,
    /// Number of earned rewards.
    pub rewards_earned: i32,
    /// Time in microseconds since 1970.
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}
