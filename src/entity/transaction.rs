//! Table `transaction`: one row per card payment, with the primary key `(memberbase_id, id)`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "transaction")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub memberbase_id: Uuid,
    /// UUIDv7, which contains the time of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub member_id: Uuid,
    /// The owner's key for the transaction, unique in the memberbase.
    pub external_id: String,
    /// Authorization code.
    pub auth_code: String,
    /// 0 VISA, 1 MASTERCARD, 2 AMEX, 3 OTHER.
    pub network: i32,
    /// Bank identification number: the first digits of the card number.
    pub bin: String,
    pub merchant_id: String,
    /// Text on the member's account statement.
    pub statement_descriptor: Option<String>,
    /// Amount in minor units of the currency.
    pub amount: Option<i64>,
    /// ISO 4217 code.
    pub currency: Option<String>,
    /// Time in microseconds since 1970.
    pub authed_at: i64,
    /// Time in microseconds since 1970; null if not cleared.
    pub cleared_at: Option<i64>,
    /// Time in microseconds since 1970; null if not reverted.
    pub reverted_at: Option<i64>,
    /// Time in microseconds since 1970.
    pub updated_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}
