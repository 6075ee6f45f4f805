//! The state of an import in the database, if the client has chosen an id: it can be resumed, and watched beside the upload.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use backon::Retryable;
use tokio::time::sleep;
use tracing::Instrument;

use super::{
    event::{self, Failure},
    run::{BACKOFF, Import},
};
use crate::{
    app::App,
    domain::{
        self,
        import::{self, Attempt, Begun, Counts, NewAttempt, Position, Record, Rejection, State},
    },
    graphql::Code,
    types::SyncId,
};

/// Maximum size of the rejected rows of an import that are kept in the database.
const MAX_KEPT_BYTES: u64 = 16 << 20;

/// Maximum size of those of a batch.
const MAX_KEPT_BATCH_BYTES: usize = 1 << 20;

/// Number of kept rows that are read at a time.
const KEPT_ROWS_PER_PAGE: u64 = 500;

/// Interval at which an attempt without progress shows that it is still running.
const TOUCH_INTERVAL: Duration = Duration::from_secs(10);

/// An attempt that is running.
pub(super) struct RunningAttempt {
    attempt: Attempt,
    /// The end of the rows that earlier attempts have stored.
    pub(super) from: Position,
    /// The sync of a mirror, which may not be started yet.
    pub(super) sync: Option<SyncId>,
    kept_bytes: AtomicU64,
    /// True if not all rejected rows are kept.
    is_truncated: AtomicBool,
}

/// The outcome of a batch.
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
                async move { import::rejections(&app, &import, after_line, KEPT_ROWS_PER_PAGE).await }
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
    pub(super) fn record(&self, attempt: &RunningAttempt, batch: BatchOutcome, stored: Option<Position>) -> Record {
        let BatchOutcome { counts, mut rejections } = batch;
        let total = rejections.len();
        if attempt.kept_bytes.load(Ordering::Relaxed) >= MAX_KEPT_BYTES {
            rejections.clear();
        }
        let mut bytes = 0;
        let kept = rejections.iter().take_while(|rejection| {
            bytes += rejection.event.len();
            bytes <= MAX_KEPT_BATCH_BYTES
        });
        rejections.truncate(kept.count());
        let (is_truncated, bytes) = (rejections.len() < total, self.ending.received_bytes());
        Record { attempt: attempt.attempt, stored, counts, rejections, is_truncated, bytes }
    }

    /// Adds a record that is stored.
    pub(super) fn recorded(&self, record: &Record) {
        let Some(attempt) = self.attempt() else { return };
        let bytes: usize = record.rejections.iter().map(|rejection| rejection.event.len()).sum();
        attempt.kept_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        attempt.is_truncated.fetch_or(record.is_truncated, Ordering::Relaxed);
    }

    /// Records the end of the file, whose rows are all stored.
    pub(super) async fn record_end(&self) -> Result<(), Failure> {
        let Some(attempt) = self.attempt() else { return Ok(()) };
        let nothing = BatchOutcome { counts: Counts::default(), rejections: Vec::new() };
        let record = self.record(attempt, nothing, self.checkpoints.reached());
        let (record, scope) = (Arc::new(record), self.scope());
        let write = |app: App| {
            let record = Arc::clone(&record);
            async move { import::record_apart(&app, scope, &record).await }
        };
        self.mutate(0, write).await
    }

    /// Shows from time to time that the attempt is running. Returns when another one has begun.
    pub(super) async fn keep_alive(&self) -> Failure {
        let Some(attempt) = self.attempt().map(|running| running.attempt) else {
            let never: Infallible = std::future::pending().await;
            match never {}
        };
        let scope = self.scope();
        loop {
            sleep(TOUCH_INTERVAL).await;
            let touch = move |app: App| async move { import::touch(&app, scope, attempt).await };
            match self.mutate(0, touch).await {
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

    /// Stores the last event. If the database is away, that is tried again in the background for a while.
    pub(super) async fn end_attempt(self: &Arc<Self>, state: State, last_event: &str) {
        if self.attempt().is_none() {
            return;
        }
        let Err(Failure { message, .. }) = self.try_end(state, last_event).await else { return };
        tracing::info!(error = message, "the end of an import could not be stored yet");
        if self.ending.stopping().is_cancelled() {
            return;
        }
        let (import, last_event) = (Arc::clone(self), last_event.to_owned());
        let again = async move {
            if let Err(Failure { message, .. }) = (|| import.try_end(state, &last_event)).retry(BACKOFF).await {
                tracing::warn!(error = message, "the end of an import could not be stored");
            }
        };
        self.tasks().spawn(again.in_current_span());
    }

    async fn try_end(&self, state: State, last_event: &str) -> Result<(), Failure> {
        let Some(attempt) = self.attempt().map(|running| running.attempt) else { return Ok(()) };
        let (scope, last_event) = (self.scope(), Arc::<str>::from(last_event));
        let end = |app: App| {
            let last_event = Arc::clone(&last_event);
            async move { import::end(&app, scope, attempt, state, &last_event).await }
        };
        self.abandon(end).await
    }

    /// Returns true if another attempt is running, to which the sync belongs now.
    pub(super) async fn is_continued(&self, app: &App) -> Result<bool, domain::Error> {
        match self.attempt() {
            Some(running) => import::is_continued(app, running.attempt).await,
            None => Ok(false),
        }
    }
}

/// Returns true if an import with an id that fails for this reason can be continued: its sync stays open.
pub(super) fn can_be_continued(failure: &Failure) -> bool {
    // BAD_REQUEST is a body that is incomplete.
    failure.code.retryable() || failure.code == Code::BadRequest
}
