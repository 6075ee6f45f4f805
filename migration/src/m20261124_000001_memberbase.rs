//! Creates the table of memberbases.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const SQLITE: [&str; 1] = ["CREATE TABLE memberbase (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID"];

const POSTGRES: [&str; 1] = [r#"CREATE TABLE memberbase (
    id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    updated_at bigint NOT NULL
)"#];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &SQLITE, &POSTGRES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &["DROP TABLE memberbase"], &["DROP TABLE memberbase"]).await
    }
}
