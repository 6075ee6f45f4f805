//! `transaction`: one row a card payment, in the order of ids within each memberbase.

use sea_orm::entity::prelude::*;

/// A row.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "transaction")]
pub struct Model {
    /// The memberbase.
    #[sea_orm(primary_key, auto_increment = false)]
    pub memberbase_id: Uuid,
    /// A UUIDv7, whose time is that of the creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The member whose it is.
    pub member_id: Uuid,
    /// The owner's own key, unique in the memberbase.
    pub external_id: String,
    /// The code of its authorisation.
    pub auth_code: String,
    /// 0 VISA, 1 MASTERCARD, 2 AMEX, 3 OTHER.
    pub network: i32,
    /// The first digits of the card's number.
    pub bin: String,
    /// The merchant.
    pub merchant_id: String,
    /// What stands on the member's statement.
    pub statement_descriptor: Option<String>,
    /// In minor units.
    pub amount: Option<i64>,
    /// A code of ISO 4217.
    pub currency: Option<String>,
    /// Microseconds since 1970.
    pub authed_at: i64,
    /// Microseconds since 1970; null: not cleared.
    pub cleared_at: Option<i64>,
    /// Microseconds since 1970; null: not reverted.
    pub reverted_at: Option<i64>,
    /// Microseconds since 1970.
    pub updated_at: i64,
    /// The member itself.
    #[sea_orm(belongs_to, from = "(memberbase_id, member_id)", to = "(memberbase_id, id)")]
    pub member: BelongsTo<super::member::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
