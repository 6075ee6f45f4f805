//! Creates the table of stamp collections: the progress of members in loyalty programmes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const SQLITE: [&str; 3] = [
    "CREATE TABLE stamp_collection (
        memberbase_id BLOB NOT NULL,
        id BLOB NOT NULL,
        member_id BLOB NOT NULL,
        loyalty_program_id TEXT NOT NULL,
        stamps INTEGER NOT NULL,
        rewards_earned INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (memberbase_id, id),
        FOREIGN KEY (memberbase_id, member_id) REFERENCES member (memberbase_id, id) ON DELETE CASCADE
    ) WITHOUT ROWID",
    "CREATE UNIQUE INDEX stamp_collection_program ON stamp_collection (memberbase_id, member_id, loyalty_program_id)",
    "CREATE INDEX stamp_collection_id ON stamp_collection (id)",
];

const POSTGRES: [&str; 3] = [
    r#"CREATE TABLE stamp_collection (
        memberbase_id uuid NOT NULL,
        id uuid NOT NULL,
        member_id uuid NOT NULL,
        loyalty_program_id text COLLATE "C" NOT NULL,
        stamps integer NOT NULL,
        rewards_earned integer NOT NULL,
        updated_at bigint NOT NULL,
        PRIMARY KEY (memberbase_id, id),
        FOREIGN KEY (memberbase_id, member_id) REFERENCES member (memberbase_id, id) ON DELETE CASCADE
    )"#,
    "CREATE UNIQUE INDEX stamp_collection_program ON stamp_collection (memberbase_id, member_id, loyalty_program_id)",
    "CREATE INDEX stamp_collection_id ON stamp_collection (id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &SQLITE, &POSTGRES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &["DROP TABLE stamp_collection"], &["DROP TABLE stamp_collection"]).await
    }
}
