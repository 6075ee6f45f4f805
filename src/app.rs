//! All that a request may reach.

mod changes;
mod relay;

use std::{sync::Arc, time::Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use changes::{ChangeCounts, ChangeReceiver, Changes};

use uuid::Uuid;

use crate::{
    db::{Db, LookupBatcher},
    entity::member,
    types::{Limits, RowCounters},
};

/// All that a request may reach. A clone is cheap and shares the database.
#[derive(Clone)]
pub struct App {
    /// The database, with the request's deadline.
    pub db: Db,
    /// What a request may ask for.
    pub limits: Arc<Limits>,
    /// What became of the rows that were sent.
    pub rows: RowCounters,
    /// Members by memberbase and ref, those asked for at the same time together.
    pub members_by_ref: Arc<LookupBatcher<(Uuid, String), member::Model>>,
    /// Who is told of what was committed.
    pub changes: Changes,
    /// Counts the changes of this server's that may have ended tokens.
    token_changes: Arc<watch::Sender<u64>>,
}

impl App {
    /// What a server or a command reaches.
    pub fn new(db: Db, limits: Limits) -> Self {
        Self {
            db,
            limits: Arc::new(limits),
            rows: RowCounters::default(),
            members_by_ref: Arc::default(),
            changes: Changes::default(),
            token_changes: Arc::default(),
        }
    }

    /// The same, with a database whose statements end at this time.
    pub fn until(&self, deadline: Instant) -> Self {
        Self { db: self.db.with_deadline(deadline), ..self.clone() }
    }

    /// The same, for what no request asks for itself: its statements are counted apart.
    pub fn untracked(&self) -> Self {
        Self { db: self.db.untracked(), ..self.clone() }
    }

    /// Returns the `App` of one call, which also counts the call's own rows. The token is cancelled when the client goes.
    pub fn per_request(&self, deadline: Instant, client: CancellationToken) -> Self {
        let db = self.db.with_deadline(deadline).with_client(client);
        Self { rows: self.rows.per_request(), db, ..self.clone() }
    }

    /// Returns an `App` whose work also stops when the client goes, if it is a dry run: only the client needs the result.
    pub fn dry_run_if(&self, dry_run: bool) -> Self {
        let db = if dry_run { self.db.stopping_with_client() } else { self.db.clone() };
        Self { db, ..self.clone() }
    }

    /// Says that tokens may have ended: what is remembered of them is not to be believed any more.
    pub fn tokens_changed(&self) {
        self.token_changes.send_modify(|changes| *changes += 1);
    }

    /// How often that was said.
    pub fn token_changes(&self) -> u64 {
        *self.token_changes.borrow()
    }

    /// Says when it is said again.
    pub fn watch_tokens(&self) -> watch::Receiver<u64> {
        self.token_changes.subscribe()
    }
}
