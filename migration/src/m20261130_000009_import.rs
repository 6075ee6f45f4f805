//! Creates the table of imports that can be resumed, and the table of their rejected rows.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const SQLITE: [&str; 3] = [
    "CREATE TABLE import (
        id BLOB NOT NULL PRIMARY KEY,
        memberbase_id BLOB NOT NULL REFERENCES memberbase (id) ON DELETE CASCADE,
        parameters_hash BLOB NOT NULL,
        attempt INTEGER NOT NULL,
        state INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        sync_id BLOB,
        stored_rows INTEGER NOT NULL,
        next_line INTEGER NOT NULL,
        prefix_hash BLOB NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        unchanged INTEGER NOT NULL,
        stale INTEGER NOT NULL,
        skipped INTEGER NOT NULL,
        rejected INTEGER NOT NULL,
        unattributed INTEGER NOT NULL,
        body_bytes INTEGER NOT NULL,
        kept_bytes INTEGER NOT NULL,
        is_truncated INTEGER NOT NULL,
        last_event TEXT
    ) WITHOUT ROWID",
    "CREATE INDEX import_memberbase ON import (memberbase_id, updated_at)",
    "CREATE TABLE import_rejection (
        import_id BLOB NOT NULL REFERENCES import (id) ON DELETE CASCADE,
        line INTEGER NOT NULL,
        event TEXT NOT NULL,
        PRIMARY KEY (import_id, line)
    ) WITHOUT ROWID",
];

const POSTGRES: [&str; 3] = [
    "CREATE TABLE import (
        id uuid NOT NULL PRIMARY KEY,
        memberbase_id uuid NOT NULL REFERENCES memberbase (id) ON DELETE CASCADE,
        parameters_hash bytea NOT NULL,
        attempt integer NOT NULL,
        state integer NOT NULL,
        updated_at bigint NOT NULL,
        sync_id uuid,
        stored_rows bigint NOT NULL,
        next_line bigint NOT NULL,
        prefix_hash bytea NOT NULL,
        created bigint NOT NULL,
        updated bigint NOT NULL,
        unchanged bigint NOT NULL,
        stale bigint NOT NULL,
        skipped bigint NOT NULL,
        rejected bigint NOT NULL,
        unattributed bigint NOT NULL,
        body_bytes bigint NOT NULL,
        kept_bytes bigint NOT NULL,
        is_truncated boolean NOT NULL,
        last_event text
    )",
    "CREATE INDEX import_memberbase ON import (memberbase_id, updated_at)",
    "CREATE TABLE import_rejection (
        import_id uuid NOT NULL REFERENCES import (id) ON DELETE CASCADE,
        line bigint NOT NULL,
        event text NOT NULL,
        PRIMARY KEY (import_id, line)
    )",
];

const DOWN: [&str; 2] = ["DROP TABLE import_rejection", "DROP TABLE import"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &SQLITE, &POSTGRES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &DOWN, &DOWN).await
    }
}
