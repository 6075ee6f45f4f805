//! Table `clip`: one row per clip, with the primary key `(memberbase_id, id)`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clip")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub memberbase_id: Uuid,
    /// UUIDv7, which contains the time of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub member_id: Uuid,
    /// The deal, unique per member.
    pub deal_id: String,
    /// The creative that presented the deal.
    pub creative_id: String,
    /// The variant of the creative.
    pub variant_id: Option<String>,
    /// Time in microseconds since 1970; null if not redeemed.
    pub redeemed_at: Option<i64>,
    /// Time in microseconds since 1970.
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}
