//! The state of an import in the database, if the client has chosen an id: it can be resumed, and watched beside the upload.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;

use super::{
    event::{self, Failure},
    run::Import,
};
use crate::{
    app::App,
    domain::{
        self,
        import::{self, Attempt, Begun, Counts, End, NewAttempt, Position, Record, Rejection, State},
    },
    graphql::Code,
    types::SyncId,
};

/// Maximum size of the rejected rows of an import that are kept in the database.
const MAX_KEPT_BYTES: u64 = 16 << 20;

/// Maximum size of those of a batch.
const MAX_KEPT_BATCH_BYTES: usize = 1 << 20;

/// Interval at which the position is recorded apart from batches: those that were stored at the same time do not know of each
/// other, and none may follow for a while.
const RECORD_INTERVAL: Duration = Duration::from_secs(5);

/// An attempt that is running.
pub(super) struct RunningAttempt {
    attempt: Attempt,
    /// The end of the rows that earlier attempts have stored.
    pub(super) from: Position,
    /// The sync of a mirror, which may not be started yet.
    pub(super) sync: Option<SyncId>,
    /// True once the rows that earlier attempts have stored are read.
    pub(super) has_read_stored: AtomicBool,
    /// Rejected rows because of which the attempt fails.
    fatal: Mutex<Vec<Rejection>>,
    kept_bytes: AtomicU64,
    /// True if not all rejected rows are kept.
    is_truncated: AtomicBool,
}

/// The outcome of a batch.
#[derive(Default)]
pub(super) struct BatchOutcome {
    pub(super) counts: Counts,
    pub(super) rejections: Vec<Rejection>,
}

impl Import {
    /// Begins the attempt, if the client has chosen an id. Returns the last event if an earlier attempt has stored everything.
    pub(super) async fn begin_attempt(self: &Arc<Self>) -> Result<Option<String>, Failure> {
        let parameters = self.parameters();
        let Some(id) = parameters.import else { return Ok(None) };
        let (is_mirror, is_dry_run) = (parameters.mirror.is_some(), parameters.dry_run);
        let requested = NewAttempt { id, parameters_hash: parameters.hash, is_mirror, is_dry_run };
        let scope = self.scope();
        let begin = move |app: App| async move { import::begin(&app, scope, &requested).await };
        match self.mutate(0, begin).await? {
            Begun::Running { import, attempt, from, sync, kept_bytes } => {
                self.counts.add(&import.counts);
                self.checkpoints.begin(from);
                let attempt = RunningAttempt {
                    attempt,
                    from,
                    sync,
                    has_read_stored: AtomicBool::new(from.rows == 0),
                    fatal: Mutex::default(),
                    kept_bytes: AtomicU64::new(kept_bytes),
                    is_truncated: AtomicBool::new(import.is_truncated),
                };
                // It is set only once.
                let _ = self.attempt.set(attempt);
                self.report_kept(import).await?;
                Ok(None)
            }
            Begun::Complete(import) => {
                let last_event = import.last_event.clone().unwrap_or_default();
                self.report_kept(import).await?;
                Ok(Some(last_event))
            }
        }
    }

    /// Reports the rows that earlier attempts have rejected.
    async fn report_kept(&self, import: import::Import) -> Result<(), Failure> {
        let (import, mut after_line) = (Arc::new(import), 0);
        loop {
            let read = |app: App| {
                let import = Arc::clone(&import);
                async move { import::rejections(&app, &import, after_line).await }
            };
            let page = self.mutate(0, read).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after_line = last.line;
            page.iter().for_each(|rejection| self.report(rejection));
        }
    }

    /// Reports a rejected row to the client.
    pub(super) fn report(&self, rejection: &Rejection) {
        self.outbox.push(&event::line(&rejection.event));
    }

    /// Returns the record of a batch. If the batch is stored, `stored` is the end of the rows that are stored then.
    pub(super) fn record(&self, attempt: &RunningAttempt, batch: &BatchOutcome, stored: Option<Position>) -> Record {
        let is_full = attempt.kept_bytes.load(Ordering::Relaxed) >= MAX_KEPT_BYTES;
        let (max_bytes, mut bytes) = (if is_full { 0 } else { MAX_KEPT_BATCH_BYTES }, 0);
        let kept = batch.rejections.iter().take_while(|rejection| {
            bytes += rejection.event.len();
            bytes <= max_bytes
        });
        let rejections: Vec<_> = kept.cloned().collect();
        Record {
            attempt: attempt.attempt,
            stored,
            counts: batch.counts,
            is_truncated: rejections.len() < batch.rejections.len(),
            rejections,
            bytes: self.ending.received_bytes(),
        }
    }

    /// Adds a record that is stored.
    pub(super) fn recorded(&self, record: &Record) {
        let Some(attempt) = self.attempt() else { return };
        let bytes: usize = record.rejections.iter().map(|rejection| rejection.event.len()).sum();
        attempt.kept_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        attempt.is_truncated.fetch_or(record.is_truncated, Ordering::Relaxed);
    }

    /// Records how much of the file is stored, which shows that the attempt is running. Fails if another one has begun.
    pub(super) async fn record_position(&self) -> Result<(), Failure> {
        let Some(attempt) = self.attempt() else { return Ok(()) };
        let stored = self.checkpoints.reached().filter(|_| !self.parameters().dry_run);
        let record = Arc::new(self.record(attempt, &BatchOutcome::default(), stored));
        let write = |app: App| {
            let record = Arc::clone(&record);
            async move { import::record_apart(&app, &record).await }
        };
        self.mutate(0, write).await
    }

    /// Records the position from time to time. Returns when another attempt has begun.
    pub(super) async fn keep_alive(&self) -> Failure {
        loop {
            sleep(RECORD_INTERVAL).await;
            match self.record_position().await {
                Err(failure) if failure.code == Code::Conflict => return failure,
                _ => {}
            }
        }
    }

    /// Returns true if rejected rows are missing in the response, or among those that are kept.
    pub(super) fn is_truncated(&self) -> bool {
        let is_kept_in_part = self.attempt().is_some_and(|attempt| attempt.is_truncated.load(Ordering::Relaxed));
        self.outbox.is_truncated() || is_kept_in_part
    }

    /// Returns the number of rows that another attempt would skip; `None` if the import has no id.
    pub(super) fn offset(&self) -> Option<u64> {
        if self.parameters().dry_run {
            return self.attempt().map(|_| 0);
        }
        self.attempt().map(|attempt| self.checkpoints.reached().unwrap_or(attempt.from).rows)
    }

    /// Stores the last event, and the rows because of which the attempt has failed.
    pub(super) async fn end_attempt(self: &Arc<Self>, state: State, last_event: &str) {
        let Some(running) = self.attempt() else { return };
        let rejections = std::mem::take(&mut *running.fatal.lock().unwrap_or_else(PoisonError::into_inner));
        let stored = self.checkpoints.reached().filter(|_| !self.parameters().dry_run);
        let last_event = last_event.to_owned();
        let end = Arc::new(End { attempt: running.attempt, state, last_event, stored, rejections });
        let scope = self.scope();
        let write = move |app: App| {
            let end = Arc::clone(&end);
            async move { import::end(&app, scope, &end).await }
        };
        self.settle("storing the end of an import", write).await;
    }

    /// Reports rows because of which the import fails.
    pub(super) fn report_fatal(&self, rejections: Vec<Rejection>) {
        rejections.iter().for_each(|rejection| self.report(rejection));
        if let Some(attempt) = self.attempt() {
            attempt.fatal.lock().unwrap_or_else(PoisonError::into_inner).extend(rejections);
        }
    }

    /// Returns true if the sync of a mirror stays open after this failure, so that another request can continue the import.
    pub(super) fn keeps_sync(&self, failure: &Failure) -> bool {
        // BAD_REQUEST is a body that is incomplete. Before an attempt has read the rows that are stored, for example of another
        // file, it changes nothing.
        let can_be_continued = failure.code.retryable() || failure.code == Code::BadRequest;
        self.attempt().is_some_and(|attempt| can_be_continued || !attempt.has_read_stored.load(Ordering::Relaxed))
    }

    /// Returns true if another attempt is running, to which the sync belongs now.
    pub(super) async fn is_continued(&self, app: &App) -> Result<bool, domain::Error> {
        match self.attempt() {
            Some(running) => import::is_continued(app, running.attempt).await,
            None => Ok(false),
        }
    }
}
