//! `memberbase migrate`: applies, reverts and lists migrations.

use super::{Error, failed, open, open_and_migrate, print, print_notice, reject_unknown_migrations};
use crate::{
    cli::{Migrate, MigrateAction},
    config::Database,
    db::Db,
    types::Limits,
};

pub(super) async fn run(settings: Migrate) -> Result<(), Error> {
    let database = &settings.database;
    let limits = Limits::default();
    if let MigrateAction::Up = settings.action {
        let (db, applied) = open_and_migrate(database, &limits).await?;
        for name in applied {
            print_notice(format_args!("applied  {name}"));
        }
        print_notice("all migrations are applied");
        db.close().await;
        return Ok(());
    }
    let db = open(database, &limits).await?;
    let outcome = act(&db, database, settings.action).await;
    db.close().await;
    outcome
}

async fn act(db: &Db, database: &Database, action: MigrateAction) -> Result<(), Error> {
    let migrations = db.migrations().await.map_err(|cause| failed(database, cause))?;
    if let MigrateAction::Down { steps } = action {
        reject_unknown_migrations(database, &migrations)?;
        for name in db.migrate_down(steps).await.map_err(|cause| failed(database, cause))? {
            print_notice(format_args!("reverted  {name}"));
        }
        return Ok(());
    }
    for migration in &migrations {
        let state = match (migration.applied, migration.known) {
            (_, false) => "unknown",
            (true, true) => "applied",
            (false, true) => "pending",
        };
        print(format_args!("{state}  {}", migration.name))?;
    }
    reject_unknown_migrations(database, &migrations)
}
