//! `api_token`: one row a token, with the hash of its secret.

use sea_orm::entity::prelude::*;

/// A row.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_token")]
pub struct Model {
    /// A UUIDv7, whose time is that of the creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// SHA-256 of the secret.
    #[sea_orm(unique)]
    pub secret_hash: Vec<u8>,
    /// What it is for.
    pub description: String,
    /// 0 READ, 1 WRITE, 2 ADMIN.
    pub access: i32,
    /// The memberbase that it is bound to; null: none.
    pub memberbase_id: Option<Uuid>,
    /// Microseconds since 1970; null: never.
    pub expires_at: Option<i64>,
    /// Microseconds since 1970; null: never.
    pub last_used_at: Option<i64>,
    /// Microseconds since 1970; null: not revoked.
    pub revoked_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
