//! `memberbase migrate`: the tables of the database.

use super::{Error, failed, open, print, tell};
use crate::{
    cli::{Migrate, MigrateAction},
    db::Migration,
    types::Limits,
};

pub(super) async fn run(settings: Migrate) -> Result<(), Error> {
    let database = &settings.database;
    let db = open(database, &Limits::default()).await?;
    match settings.action {
        MigrateAction::Up => {
            for name in db.migrate_up().await.map_err(|cause| failed(database, cause))? {
                tell(format_args!("applied  {name}"));
            }
            tell("every migration is applied");
        }
        MigrateAction::Status => {
            for Migration { name, applied } in db.migrations().await.map_err(|cause| failed(database, cause))? {
                print(format_args!("{}  {name}", if applied { "applied" } else { "pending" }))?;
            }
        }
        MigrateAction::Down { steps } => {
            for name in db.migrate_down(steps).await.map_err(|cause| failed(database, cause))? {
                tell(format_args!("taken back  {name}"));
            }
        }
    }
    db.close().await;
    Ok(())
}
