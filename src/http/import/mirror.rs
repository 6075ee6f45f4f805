//! The sync around an import that deletes the members that are not in its file.

use super::{event::Failure, parameters::MirrorOptions, run::Import};
use crate::{
    app::App,
    domain::sync::{self, OnMissing, Sync},
    graphql::Code,
};

impl Import {
    /// Starts the sync of a mirror; `None` if the import is none.
    pub(super) async fn start_sync(&self) -> Result<Option<Sync>, Failure> {
        let Some(MirrorOptions { abandon_open, .. }) = self.parameters().mirror else { return Ok(None) };
        let scope = self.scope();
        self.mutate(0, |app: App| async move { sync::start(&app, scope, abandon_open).await }).await.map(Some)
    }

    /// Deletes the members that are missing, after a file with so many rows was stored. Returns how many were deleted, or would
    /// be in a dry run.
    pub(super) async fn commit_sync(&self, sync: &Sync, rows: u64) -> Result<u64, Failure> {
        if rows == 0 {
            return Err(Failure::new(Code::BadUserInput, "the file has no rows, so no member is deleted"));
        }
        if let Some(message) = unattributed(self.unattributed()) {
            return Err(Failure::new(Code::BadUserInput, message));
        }
        if self.client.is_cancelled() {
            return Err(Failure::new(Code::BadRequest, "the client has disconnected, so no member is deleted"));
        }
        let percent = self.parameters().mirror.map_or(0.0, |mirror| mirror.max_deleted_percent);
        let (visibility, id) = (self.visibility(), sync.id);
        if self.parameters().dry_run {
            let (sync, created) = (sync.clone(), self.totals().created);
            let preview = move |app: App| {
                let sync = sync.clone();
                async move { sync::preview_commit(&app, visibility, &sync, created, percent).await }
            };
            return self.mutate(0, preview).await;
        }
        let commit = |app: App| async move { sync::commit(&app, visibility, id, OnMissing::Delete, percent).await };
        let committed = self.mutate(0, commit).await?;
        Ok(committed.deleted.map_or(0, |deleted| deleted.members))
    }

    /// Ends the sync without deleting members. If that fails, the sync stays open, and deletes no members either.
    pub(super) async fn abandon_sync(&self, sync: &Sync) {
        let (visibility, id) = (self.visibility(), sync.id);
        let abandoned = self.abandon(|app: App| async move { sync::abandon(&app, visibility, id).await }).await;
        if let Err(Failure { message, .. }) = abandoned {
            tracing::warn!(sync = %id, error = message, "the sync of an import could not be abandoned");
        }
    }
}

fn unattributed(rows: u64) -> Option<String> {
    let rows = match rows {
        0 => return None,
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    Some(format!(
        "{rows} can't be attributed to a member, so no member is deleted: correct the rejected rows that have no ref and \
        import the file again"
    ))
}
