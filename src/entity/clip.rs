//! `clip`: one row a clip, in the order of ids within each memberbase.

use sea_orm::entity::prelude::*;

/// A row.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clip")]
pub struct Model {
    /// The memberbase.
    #[sea_orm(primary_key, auto_increment = false)]
    pub memberbase_id: Uuid,
    /// A UUIDv7, whose time is that of the creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The member whose it is.
    pub member_id: Uuid,
    /// The deal, unique with the member.
    pub deal_id: String,
    /// The creative by which the deal was shown.
    pub creative_id: String,
    /// The variant of the creative.
    pub variant_id: Option<String>,
    /// Microseconds since 1970; null: not redeemed.
    pub redeemed_at: Option<i64>,
    /// Microseconds since 1970.
    pub updated_at: i64,
    /// The member itself.
    #[sea_orm(belongs_to, from = "(memberbase_id, member_id)", to = "(memberbase_id, id)")]
    pub member: BelongsTo<super::member::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
