//! The database schema, one module per migration. All pending migrations are applied in one transaction behind a lock.
//!
//! Column names are the names of the API in snake case. An id is a UUIDv7 of 16 bytes (`uuid` on PostgreSQL, a blob on
//! SQLite); its time is `createdAt`, so there is no such column. Other times are whole microseconds in integer columns.
//! Texts of member data are compared byte by byte: `COLLATE "C"` on PostgreSQL, the default `BINARY` on SQLite.
//!
//! | table | primary key | other keys and indexes |
//! | --- | --- | --- |
//! | `memberbase` | `id` | |
//! | `member` | `(memberbase_id, id)` | unique `(memberbase_id, ref)`; `(id)`; `(memberbase_id, updated_at, id)`; on PostgreSQL GIN on `attributes` |
//! | `clip` | `(memberbase_id, id)` | unique `(memberbase_id, member_id, deal_id)`; `(id)` |
//! | `stamp_collection` | `(memberbase_id, id)` | unique `(memberbase_id, member_id, loyalty_program_id)`; `(id)` |
//! | `transaction` | `(memberbase_id, id)` | unique `(memberbase_id, external_id)`; `(memberbase_id, member_id, authed_at, id)`; `(id)` |
//! | `api_token` | `id` | unique `(secret_hash)`; `(memberbase_id, id)` |
//! | `sync` | `id` | `(memberbase_id, id)`; unique `(memberbase_id)` where the sync has not ended |
//! | `sync_seen` | `(sync_id, member_id)` | |
//! | `import` | `id` | `(memberbase_id, updated_at)` |
//! | `import_rejection` | `(import_id, line)` | |
//!
//! The primary keys of member data lead with `memberbase_id`: a query of one memberbase reads one range of each index,
//! and the tables can later be distributed over machines by memberbase. On SQLite these tables are `WITHOUT ROWID`.
//!
//! The attributes of a member are one JSON document in its row (`jsonb` on PostgreSQL), null if there are none: an
//! upsert with attributes is still one statement, and reading them needs no join. The partial GIN index serves
//! equality; on SQLite a filter by attributes reads the whole memberbase. The attribute schema is a document in the
//! memberbase's row.
//!
//! Clips, stamp collections and transactions have a foreign key to their member as a safety net. Deletions remove them
//! explicitly, with one statement per table, after locking the members.

use sea_orm_migration::prelude::*;
pub use sea_orm_migration::{MigratorTrait, sea_orm};

mod m20261124_000001_memberbase;
mod m20261124_000002_member;
mod m20261124_000003_api_token;
mod m20261124_000004_attributes;
mod m20261124_000005_clip;
mod m20261124_000006_stamp_collection;
mod m20261124_000007_transaction;
mod m20261124_000008_sync;
mod m20261130_000009_import;

pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_memberbase::Migration),
            Box::new(m20261124_000002_member::Migration),
            Box::new(m20261124_000003_api_token::Migration),
            Box::new(m20261124_000004_attributes::Migration),
            Box::new(m20261124_000005_clip::Migration),
            Box::new(m20261124_000006_stamp_collection::Migration),
            Box::new(m20261124_000007_transaction::Migration),
            Box::new(m20261124_000008_sync::Migration),
            Box::new(m20261130_000009_import::Migration),
        ]
    }
}

/// Runs the statements for the database in use. They are plain SQL because SeaQuery does not cover their differences
/// (`WITHOUT ROWID`, `COLLATE`).
async fn run(manager: &SchemaManager<'_>, sqlite: &[&str], postgres: &[&str]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let statements = match manager.get_database_backend() {
        sea_orm::DbBackend::Sqlite => sqlite,
        _ => postgres,
    };
    for statement in statements {
        connection.execute_unprepared(statement).await?;
    }
    Ok(())
}
