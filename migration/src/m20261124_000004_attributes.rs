//! Adds attributes: a schema per memberbase and a document per member, with the time of the source.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const SQLITE: [&str; 3] = [
    "ALTER TABLE memberbase ADD COLUMN attribute_schema TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE member ADD COLUMN attributes TEXT",
    "ALTER TABLE member ADD COLUMN source_updated_at INTEGER",
];

// A member without attributes has NULL instead of an empty document, so the partial index does not contain it, and
// upserts of such members do not update the index.
const POSTGRES: [&str; 4] = [
    "ALTER TABLE memberbase ADD COLUMN attribute_schema jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE member ADD COLUMN attributes jsonb",
    "ALTER TABLE member ADD COLUMN source_updated_at bigint",
    "CREATE INDEX member_attributes ON member USING gin (attributes jsonb_path_ops) WHERE attributes IS NOT NULL",
];

const DOWN: [&str; 3] = [
    "ALTER TABLE member DROP COLUMN source_updated_at",
    "ALTER TABLE member DROP COLUMN attributes",
    "ALTER TABLE memberbase DROP COLUMN attribute_schema",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &SQLITE, &POSTGRES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &DOWN, &DOWN).await
    }
}
