//! Creates the table of API tokens.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const SQLITE: [&str; 2] = [
    "CREATE TABLE api_token (
        id BLOB NOT NULL PRIMARY KEY,
        secret_hash BLOB NOT NULL UNIQUE,
        description TEXT NOT NULL,
        access INTEGER NOT NULL,
        memberbase_id BLOB REFERENCES memberbase (id) ON DELETE CASCADE,
        expires_at INTEGER,
        last_used_at INTEGER,
        revoked_at INTEGER
    ) WITHOUT ROWID",
    "CREATE INDEX api_token_memberbase ON api_token (memberbase_id, id)",
];

const POSTGRES: [&str; 2] = [
    "CREATE TABLE api_token (
        id uuid NOT NULL PRIMARY KEY,
        secret_hash bytea NOT NULL UNIQUE,
        description text NOT NULL,
        access integer NOT NULL,
        memberbase_id uuid REFERENCES memberbase (id) ON DELETE CASCADE,
        expires_at bigint,
        last_used_at bigint,
        revoked_at bigint
    )",
    "CREATE INDEX api_token_memberbase ON api_token (memberbase_id, id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &SQLITE, &POSTGRES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &["DROP TABLE api_token"], &["DROP TABLE api_token"]).await
    }
}
