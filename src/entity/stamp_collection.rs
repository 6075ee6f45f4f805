//! Table `stamp_collection`: one row per stamp collection, with the primary key `(memberbase_id, id)`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stamp_collection")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub memberbase_id: Uuid,
    /// UUIDv7, which contains the time of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub member_id: Uuid,
    /// The loyalty program, unique per member.
    pub loyalty_program_id: String,
    pub stamps: i32,
    pub rewards_earned: i32,
    /// Time in microseconds since 1970.
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}
