//! The application state: everything that a request can reach.

mod changes;
mod relay;
mod shared_json;

use std::{ops::Deref, sync::Arc, time::Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use changes::{ChangeReceiver, Changes, PublishedChange};
pub(crate) use shared_json::ChangeSelection;

use uuid::Uuid;

use crate::{
    budget::Account,
    db::{Db, LookupBatcher},
    entity::member,
    types::{Limits, RegexBudget, RowCounters},
};

/// The application state for one request: its database, counters and budget of regexes, and what it shares with all
/// others. Clones are cheap.
#[derive(Clone)]
pub struct App {
    /// The database, with the request's deadline.
    pub db: Db,
    pub(crate) rows: RowCounters,
    pub(crate) regexes: RegexBudget,
    shared: Arc<Shared>,
}

/// State that all requests share. An [`App`] dereferences to it.
pub struct Shared {
    pub limits: Limits,
    /// The memory of all requests.
    pub(crate) memory: Account,
    /// The part of it that responses of subscriptions may use.
    pub(crate) event_memory: Account,
    /// Look-ups of members by memberbase and ref; concurrent ones are coalesced.
    pub(crate) members_by_ref: Arc<LookupBatcher<(Uuid, String), member::Model>>,
    pub changes: Changes,
    /// Counts the changes by this server that may have invalidated tokens.
    token_changes: watch::Sender<u64>,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl App {
    pub fn new(db: Db, limits: Limits) -> Self {
        Self {
            db,
            rows: RowCounters::default(),
            regexes: RegexBudget::default(),
            shared: Arc::new(Shared {
                memory: Account::new(limits.memory.requests()),
                event_memory: Account::new(limits.memory.events()),
                limits,
                members_by_ref: Arc::default(),
                changes: Changes::default(),
                token_changes: watch::Sender::default(),
            }),
        }
    }

    /// Returns the state of a query, with a deadline for all statements of the database.
    pub(crate) fn until(&self, deadline: Instant) -> Self {
        Self { regexes: RegexBudget::per_request(), ..self.with_db(self.db.with_deadline(deadline)) }
    }

    /// Returns the state for work of a tenant, which shares the database's connections with others.
    pub(crate) fn for_tenant(&self, tenant: Option<Uuid>) -> Self {
        self.with_db(self.db.for_tenant(tenant))
    }

    /// Returns the state for background work: its statements are counted separately from those of requests.
    pub(crate) fn untracked(&self) -> Self {
        self.with_db(self.db.untracked())
    }

    /// Returns the state of a request that may change data, which also counts the request's own rows. The token is cancelled when the
    /// client disconnects.
    pub fn per_request(&self, deadline: Instant, client: CancellationToken) -> Self {
        let db = self.db.with_deadline(deadline).with_client(client);
        Self { rows: self.rows.per_request(), regexes: RegexBudget::per_request(), ..self.with_db(db) }
    }

    /// Returns a state whose work also stops when the client disconnects, if it is a dry run: only the client needs its
    /// result.
    pub(crate) fn dry_run_if(&self, dry_run: bool) -> Self {
        if dry_run { self.with_db(self.db.stopping_with_client()) } else { self.clone() }
    }

    fn with_db(&self, db: Db) -> Self {
        Self { db, rows: self.rows.clone(), regexes: self.regexes.clone(), shared: Arc::clone(&self.shared) }
    }

    /// Records that tokens may have been invalidated, which invalidates all cached ones.
    pub(crate) fn tokens_changed(&self) {
        self.token_changes.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn token_changes(&self) -> u64 {
        *self.token_changes.borrow()
    }

    pub(crate) fn watch_tokens(&self) -> watch::Receiver<u64> {
        self.token_changes.subscribe()
    }

    /// Returns the state of an empty SQLite database, which exists as long as the folder.
    #[cfg(test)]
    pub(crate) async fn temporary() -> (Self, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = crate::db::Settings::small(format!("sqlite://{}/test.db", folder.path().display()));
        let db = Db::connect(&settings).await.expect("a database");
        db.migrate_up().await.expect("tables");
        (Self::new(db, Limits::default()), folder)
    }
}
