//! `memberbase migrate`: the tables of the database.

use super::{Error, failed, open, print, tell};
use crate::{
    cli::{Migrate, MigrateAction},
    types::Limits,
};

pub(super) async fn run(settings: Migrate) -> Result<(), Error> {
    let database = &settings.database;
    let db = open(database, &Limits::default()).await?;
    match settings.action {
        MigrateAction::Up => {
            db.migrate_up().await.map_err(|cause| failed(database, cause))?;
            tell("every migration is applied");
        }
        MigrateAction::Status => {
            for (name, applied) in db.migrate_status().await.map_err(|cause| failed(database, cause))? {
                print(format_args!("{}  {name}", if applied { "applied" } else { "pending" }))?;
            }
        }
        MigrateAction::Down { steps } => {
            db.migrate_down(steps).await.map_err(|cause| failed(database, cause))?;
            tell(format_args!("{steps} taken back"));
        }
    }
    db.close().await;
    Ok(())
}
