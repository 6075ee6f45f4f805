//! Creates the table of members. Its keys lead with the memberbase, so that a query of one memberbase reads one range of
//! each index; the index on `id` alone serves look-ups without a memberbase.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const SQLITE: [&str; 4] = [
    "CREATE TABLE member (
        memberbase_id BLOB NOT NULL REFERENCES memberbase (id) ON DELETE CASCADE,
        id BLOB NOT NULL,
        ref TEXT NOT NULL,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (memberbase_id, id)
    ) WITHOUT ROWID",
    "CREATE UNIQUE INDEX member_ref ON member (memberbase_id, ref)",
    "CREATE INDEX member_id ON member (id)",
    "CREATE INDEX member_updated_at ON member (memberbase_id, updated_at, id)",
];

// No foreign key to `memberbase`: its check of each row would cost a third of an insert. Every write in a memberbase
// holds the memberbase's shared advisory lock and checks that the memberbase exists.
const POSTGRES: [&str; 4] = [
    r#"CREATE TABLE member (
        memberbase_id uuid NOT NULL,
        id uuid NOT NULL,
        ref text COLLATE "C" NOT NULL,
        updated_at bigint NOT NULL,
        PRIMARY KEY (memberbase_id, id)
    )"#,
    "CREATE UNIQUE INDEX member_ref ON member (memberbase_id, ref)",
    "CREATE INDEX member_id ON member (id)",
    "CREATE INDEX member_updated_at ON member (memberbase_id, updated_at, id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &SQLITE, &POSTGRES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &["DROP TABLE member"], &["DROP TABLE member"]).await
    }
}
