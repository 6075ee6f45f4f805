//! The tables of Memberbase, migration by migration.

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

/// The ordered list of migrations.
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
        ]
    }
}

/// Sends each of the statements, which differ in more than SeaQuery can bridge (`WITHOUT ROWID`, `COLLATE`).
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
