//! Creates the table of clips: deals that members saved.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const SQLITE: [&str; 3] = [
    "CREATE TABLE clip (
        memberbase_id BLOB NOT NULL,
        id BLOB NOT NULL,
        member_id BLOB NOT NULL,
        deal_id TEXT NOT NULL,
        creative_id TEXT NOT NULL,
        variant_id TEXT,
        redeemed_at INTEGER,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (memberbase_id, id),
        FOREIGN KEY (memberbase_id, member_id) REFERENCES member (memberbase_id, id) ON DELETE CASCADE
    ) WITHOUT ROWID",
    "CREATE UNIQUE INDEX clip_deal ON clip (memberbase_id, member_id, deal_id)",
    "CREATE INDEX clip_id ON clip (id)",
];

const POSTGRES: [&str; 3] = [
    r#"CREATE TABLE clip (
        memberbase_id uuid NOT NULL,
        id uuid NOT NULL,
        member_id uuid NOT NULL,
        deal_id text COLLATE "C" NOT NULL,
        creative_id text COLLATE "C" NOT NULL,
        variant_id text COLLATE "C",
        redeemed_at bigint,
        updated_at bigint NOT NULL,
        PRIMARY KEY (memberbase_id, id),
        FOREIGN KEY (memberbase_id, member_id) REFERENCES member (memberbase_id, id) ON DELETE CASCADE
    )"#,
    "CREATE UNIQUE INDEX clip_deal ON clip (memberbase_id, member_id, deal_id)",
    "CREATE INDEX clip_id ON clip (id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &SQLITE, &POSTGRES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &["DROP TABLE clip"], &["DROP TABLE clip"]).await
    }
}
