//! Creates the table of syncs, and the table of marks for the members that open syncs have seen.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const SQLITE: [&str; 4] = [
    "CREATE TABLE sync (
        id BLOB NOT NULL PRIMARY KEY,
        memberbase_id BLOB NOT NULL REFERENCES memberbase (id) ON DELETE CASCADE,
        state INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ended_at INTEGER,
        seen INTEGER,
        missing INTEGER,
        deleted_members INTEGER,
        deleted_attributes INTEGER,
        deleted_clips INTEGER,
        deleted_stamp_collections INTEGER,
        deleted_transactions INTEGER,
        CHECK ((state = 0) = (ended_at IS NULL))
    ) WITHOUT ROWID",
    "CREATE INDEX sync_memberbase ON sync (memberbase_id, id)",
    "CREATE UNIQUE INDEX sync_open ON sync (memberbase_id) WHERE ended_at IS NULL",
    "CREATE TABLE sync_seen (
        sync_id BLOB NOT NULL,
        member_id BLOB NOT NULL,
        PRIMARY KEY (sync_id, member_id)
    ) WITHOUT ROWID",
];

// Marks have no foreign keys, which would cost most of their insert. They may refer to deleted members, so they are only
// counted by joining them with existing members; they are deleted at the end of their sync.
const POSTGRES: [&str; 4] = [
    "CREATE TABLE sync (
        id uuid NOT NULL PRIMARY KEY,
        memberbase_id uuid NOT NULL REFERENCES memberbase (id) ON DELETE CASCADE,
        state integer NOT NULL,
        expires_at bigint NOT NULL,
        ended_at bigint,
        seen bigint,
        missing bigint,
        deleted_members bigint,
        deleted_attributes bigint,
        deleted_clips bigint,
        deleted_stamp_collections bigint,
        deleted_transactions bigint,
        CHECK ((state = 0) = (ended_at IS NULL))
    )",
    "CREATE INDEX sync_memberbase ON sync (memberbase_id, id)",
    "CREATE UNIQUE INDEX sync_open ON sync (memberbase_id) WHERE ended_at IS NULL",
    "CREATE TABLE sync_seen (
        sync_id uuid NOT NULL,
        member_id uuid NOT NULL,
        PRIMARY KEY (sync_id, member_id)
    )",
];

const DOWN: [&str; 2] = ["DROP TABLE sync_seen", "DROP TABLE sync"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &SQLITE, &POSTGRES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &DOWN, &DOWN).await
    }
}
