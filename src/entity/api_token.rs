//! Table `api_token`: one row per token, with the hash of its secret.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_token")]
pub struct Model {
    /// UUIDv7, which contains the time of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// SHA-256 of the secret.
    #[sea_orm(unique)]
    pub secret_hash: Vec<u8>,
    /// Purpose of the token, as entered by its creator.
    pub description: String,
    /// 0 READ, 1 WRITE, 2 ADMIN.
    pub access: i32,
    /// The memberbase to which the token is bound; null if it is not bound.
    pub memberbase_id: Option<Uuid>,
    /// Time in microseconds since 1970; null if the token does not expire.
    pub expires_at: Option<i64>,
    /// Time in microseconds since 1970; null if the token was never used.
    pub last_used_at: Option<i64>,
    /// Time in microseconds since 1970; null if not revoked.
    pub revoked_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
