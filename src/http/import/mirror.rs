//! The sync around an import that deletes the members that are not in its file.

use std::sync::Arc;

use uuid::Uuid;

use super::{ending::stopping, event::Failure, parameters::MirrorOptions, run::Import};
use crate::{
    app::App,
    domain::{
        self,
        sync::{self, OnMissing, Sync},
    },
    graphql::Code,
    types::{Id, SyncId},
};

impl Import {
    /// Starts the sync of a mirror; `None` if the import is none.
    pub(super) async fn start_sync(self: &Arc<Self>) -> Result<Option<Sync>, Failure> {
        let Some(MirrorOptions { abandon_open, .. }) = self.parameters().mirror else { return Ok(None) };
        let of_attempt = self.attempt().and_then(|attempt| attempt.sync);
        let id = of_attempt.unwrap_or_else(|| SyncId::from_uuid(Uuid::now_v7()));
        let (scope, visibility) = (self.scope(), self.visibility());
        let start = |app: App| async move {
            // An earlier attempt has started it, or the result of the start was lost.
            match sync::find(&app, visibility, id).await? {
                Some(started) => Ok(started),
                None => sync::start_as(&app, scope, id, abandon_open).await,
            }
        };
        let started = tokio::select! {
            started = self.mutate(0, start) => started,
            () = self.ending.stopping().cancelled() => Err(stopping()),
        };
        if started.as_ref().is_err_and(|failure| failure.code != Code::Conflict && !self.keeps_sync(failure)) {
            // It may have been started all the same.
            self.abandon_sync(id).await;
        }
        started.map(Some)
    }

    /// Deletes the members that are missing, after the rows of the file were stored. Returns the number of deleted members; in a
    /// dry run, of those that would be deleted.
    pub(super) async fn commit_sync(&self, sync: &Sync, rows: u64) -> Result<u64, Failure> {
        if rows == 0 {
            return Err(Failure::new(Code::BadUserInput, "the file has no rows, so no member is deleted"));
        }
        if let Some(message) = unattributed(self.counts.unattributed()) {
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
        // If the result of the commit is lost, another attempt skips all rows, and learns it from the sync.
        self.record_position().await?;
        let commit = |app: App| async move { sync::commit(&app, visibility, id, OnMissing::Delete, percent).await };
        let committed = tokio::select! {
            committed = self.mutate(0, commit) => committed?,
            () = self.ending.stopping().cancelled() => {
                let message = "the server is stopping; members may have been deleted or not: import the file again";
                return Err(Failure::new(Code::ServiceUnavailable, message));
            }
        };
        Ok(committed.deleted.map_or(0, |deleted| deleted.members))
    }

    /// Ends the sync without deleting members, unless another request has continued the import. A sync that stays open, because
    /// the database is away, deletes no members either, but the next mirror has to abandon it.
    pub(super) async fn abandon_sync(self: &Arc<Self>, id: SyncId) {
        let (visibility, import) = (self.visibility(), Arc::clone(self));
        let abandon = move |app: App| {
            let import = Arc::clone(&import);
            async move {
                if import.is_continued(&app).await? {
                    return Ok(());
                }
                match sync::abandon(&app, visibility, id).await {
                    // It was not started, or has been committed.
                    Ok(_) | Err(domain::Error::NotFound(_) | domain::Error::Conflict(_)) => Ok(()),
                    Err(error) => Err(error),
                }
            }
        };
        self.settle("abandoning the sync of an import", abandon).await;
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
