//! Creates the table of transactions: card payments of members.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const SQLITE: [&str; 4] = [
    r#"CREATE TABLE "transaction" (
        memberbase_id BLOB NOT NULL,
        id BLOB NOT NULL,
        member_id BLOB NOT NULL,
        external_id TEXT NOT NULL,
        auth_code TEXT NOT NULL,
        network INTEGER NOT NULL,
        bin TEXT NOT NULL,
        merchant_id TEXT NOT NULL,
        statement_descriptor TEXT,
        amount INTEGER,
        currency TEXT,
        authed_at INTEGER NOT NULL,
        cleared_at INTEGER,
        reverted_at INTEGER,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (memberbase_id, id),
        FOREIGN KEY (memberbase_id, member_id) REFERENCES member (memberbase_id, id) ON DELETE CASCADE
    ) WITHOUT ROWID"#,
    r#"CREATE UNIQUE INDEX transaction_external_id ON "transaction" (memberbase_id, external_id)"#,
    r#"CREATE INDEX transaction_authed_at ON "transaction" (memberbase_id, member_id, authed_at, id)"#,
    r#"CREATE INDEX transaction_id ON "transaction" (id)"#,
];

const POSTGRES: [&str; 4] = [
    r#"CREATE TABLE "transaction" (
        memberbase_id uuid NOT NULL,
        id uuid NOT NULL,
        member_id uuid NOT NULL,
        external_id text COLLATE "C" NOT NULL,
        auth_code text COLLATE "C" NOT NULL,
        network integer NOT NULL,
        bin text COLLATE "C" NOT NULL,
        merchant_id text COLLATE "C" NOT NULL,
        statement_descriptor text COLLATE "C",
        amount bigint,
        currency text COLLATE "C",
        authed_at bigint NOT NULL,
        cleared_at bigint,
        reverted_at bigint,
        updated_at bigint NOT NULL,
        PRIMARY KEY (memberbase_id, id),
        FOREIGN KEY (memberbase_id, member_id) REFERENCES member (memberbase_id, id) ON DELETE CASCADE
    )"#,
    r#"CREATE UNIQUE INDEX transaction_external_id ON "transaction" (memberbase_id, external_id)"#,
    r#"CREATE INDEX transaction_authed_at ON "transaction" (memberbase_id, member_id, authed_at, id)"#,
    r#"CREATE INDEX transaction_id ON "transaction" (id)"#,
];

const DOWN: [&str; 1] = [r#"DROP TABLE "transaction""#];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &SQLITE, &POSTGRES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &DOWN, &DOWN).await
    }
}
