//! One import: its state, which the parts share, and its course from the first row to the last event.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures_util::future::{join, join_all};
use serde_json::value::RawValue;
use tokio::{
    pin,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    batch::FailedRow,
    event::{self, Done, Failure, RejectedRow, Summary, Totals},
    outbox::Outbox,
    parameters::Parameters,
    partitions::Batch,
    reading::{self, Job, Reading},
};
use crate::{
    app::App,
    auth::Bearer,
    domain::{
        self,
        access::{Caller, Scope, Visibility},
        sync::Sync,
        text,
    },
    graphql::{Code, RowErrorCode},
    http::{
        Service, admission::RequestPermit, rejection::Rejection, request_metrics::RequestMetrics, trace::RequestLog,
        trace_id::TraceId,
    },
    members_file::{INVALID_REF, RowFault, columns::ColumnNames, rows::Row},
    types::{RowOutcome, excerpt},
};

const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// A transient failure of the database is retried for about a minute.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_max_delay(Duration::from_secs(10))
    .with_total_delay(Some(Duration::from_secs(60)))
    .with_jitter()
    .without_max_times();

/// Time that running batches have to complete when the server stops.
const STOP_BATCHES_TIME: Duration = Duration::from_secs(5);

/// Time limit of abandoning a sync.
const ABANDON_TIME: Duration = Duration::from_secs(4);

/// Maximum length of a member's JSON in an event.
const MAX_ROW_BYTES: usize = 8 << 10;

/// The caller of an import, and what the caller has access to.
pub(super) struct Target {
    pub(super) scope: Scope,
    pub(super) visibility: Visibility,
    pub(super) bearer: Bearer,
    pub(super) permit: Arc<RequestPermit>,
}

/// The state of an import.
pub(super) struct Import {
    service: Arc<Service>,
    target: Target,
    parameters: Parameters,
    trace: TraceId,
    metrics: RequestMetrics,
    started: Instant,
    counts: Counts,
    columns: OnceLock<ColumnNames>,
    /// The first failure.
    failure: OnceLock<Failure>,
    /// Cancelled by the first failure.
    ended: CancellationToken,
    /// Cancelled when the client has disconnected, or has read the last event.
    pub(super) client: CancellationToken,
    outbox: Outbox,
}

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    /// In the order of [`RowOutcome::ALL`].
    outcomes: [AtomicU64; RowOutcome::ALL.len()],
    /// Rows that can't be attributed to a member.
    unattributed: AtomicU64,
    /// Those of them that have an outcome.
    unattributed_outcomes: AtomicU64,
}

/// The parts of an import that run concurrently.
pub(super) struct Course {
    pub(super) job: Job,
    /// The task that receives the body.
    pub(super) receiving: JoinHandle<()>,
    pub(super) events: mpsc::Sender<Bytes>,
}

impl Import {
    pub(super) fn new(
        service: Arc<Service>,
        target: Target,
        parameters: Parameters,
        trace: TraceId,
        metrics: RequestMetrics,
        started: Instant,
    ) -> Self {
        Self {
            service,
            target,
            parameters,
            trace,
            metrics,
            started,
            counts: Counts::default(),
            columns: OnceLock::new(),
            failure: OnceLock::new(),
            ended: CancellationToken::new(),
            client: CancellationToken::new(),
            outbox: Outbox::default(),
        }
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(super) fn scope(&self) -> Scope {
        self.target.scope
    }

    pub(super) fn visibility(&self) -> Visibility {
        self.target.visibility
    }

    /// Ends the import. The first failure is reported.
    pub(super) fn fail(&self, failure: Failure) {
        let _ = self.failure.set(failure);
        self.ended.cancel();
    }

    /// Returns a token that is cancelled when the import has failed.
    pub(super) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Returns a token that is cancelled when the server stops.
    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.service.stopping
    }

    pub(super) fn set_columns(&self, columns: ColumnNames) {
        let _ = self.columns.set(columns);
    }

    pub(super) fn count_bytes(&self, bytes: usize) {
        self.counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts rows by outcome.
    pub(super) fn count(&self, rows: &[u64; RowOutcome::ALL.len()]) {
        for (count, rows) in self.counts.outcomes.iter().zip(rows) {
            count.fetch_add(*rows, Ordering::Relaxed);
        }
    }

    /// Counts rows of a batch that was not stored because of them.
    pub(super) fn count_failed(&self, rows: usize) {
        self.counts.outcomes[RowOutcome::Failed as usize].fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Reports a row that was not sent to the database, because it can't be attributed to a member.
    pub(super) fn reject_unattributed(&self, row: &Row, fault: &RowFault) {
        self.counts.unattributed.fetch_add(1, Ordering::Relaxed);
        let json = if row.text.is_empty() { &row.json } else { &row.text };
        let reference = (!row.reference.is_empty()).then_some(&*row.reference);
        self.push_rejected(row.line, reference, fault, json);
    }

    /// Reports a row of a batch that failed.
    pub(super) fn reject(&self, batch: &Batch, row: &FailedRow) {
        let FailedRow { index, reference, error } = row;
        // What was found while the row was read is more specific than the database's finding in its place.
        if let Some(known) = batch.known_fault(*index) {
            return self.push_rejected(batch.line(*index), Some(reference), &known.fault, &known.text);
        }
        let fault = RowFault {
            code: RowErrorCode::from(error.code).as_str().to_owned(),
            message: error.message().to_owned(),
            path: error.path().map(str::to_owned).collect(),
        };
        if fault.code == INVALID_REF {
            self.counts.unattributed.fetch_add(1, Ordering::Relaxed);
            self.counts.unattributed_outcomes.fetch_add(1, Ordering::Relaxed);
        }
        self.push_rejected(batch.line(*index), Some(reference), &fault, batch.row(*index));
    }

    fn push_rejected(&self, line: u64, reference: Option<&str>, fault: &RowFault, json: &[u8]) {
        let RowFault { code, message, path } = fault;
        let column = self.columns.get().and_then(|columns| columns.of(path)).map(excerpt);
        let row = std::str::from_utf8(json).ok().filter(|json| (1..=MAX_ROW_BYTES).contains(&json.len()));
        // A value in a row can be an escape that is half a character, which clients can't parse.
        let row = row.filter(|json| serde_json::from_str::<serde_json::Value>(json).is_ok());
        let row = row.and_then(|json| serde_json::from_str::<&RawValue>(json).ok());
        let path = path.iter().map(String::as_str).collect();
        let row = RejectedRow { line, column, reference: reference.map(excerpt_of_ref), code, message, path, row };
        self.outbox.push(&event::rejected(&row));
    }

    /// Returns the number of rows that can't be attributed to a member.
    pub(super) fn unattributed(&self) -> u64 {
        self.counts.unattributed.load(Ordering::Relaxed)
    }

    pub(super) fn totals(&self) -> Totals {
        let outcome = |outcome: RowOutcome| self.counts.outcomes[outcome as usize].load(Ordering::Relaxed);
        let all: u64 = RowOutcome::ALL.into_iter().map(outcome).sum();
        let without_outcome =
            self.unattributed().saturating_sub(self.counts.unattributed_outcomes.load(Ordering::Relaxed));
        Totals {
            rows: all + without_outcome,
            bytes: self.counts.bytes.load(Ordering::Relaxed),
            created: outcome(RowOutcome::Created),
            updated: outcome(RowOutcome::Updated),
            unchanged: outcome(RowOutcome::Unchanged),
            stale: outcome(RowOutcome::Stale),
            skipped: outcome(RowOutcome::Skipped),
            rejected: outcome(RowOutcome::Failed) + without_outcome,
        }
    }

    /// Runs a mutation with the limits of one, after a check that the token is still valid. A transient failure is retried:
    /// `work` must be idempotent.
    pub(super) async fn mutate<T, Running>(&self, bytes: usize, work: impl Fn(App) -> Running) -> Result<T, Failure>
    where
        T: Send + 'static,
        Running: Future<Output = Result<T, domain::Error>> + Send + 'static,
    {
        let attempt = || async {
            let started = Instant::now();
            let app = self.service.app.until(started + self.service.app.limits.time.query);
            let caller = self.service.tokens.caller(&app, &self.service.tasks, self.target.bearer).await?;
            self.run(caller, bytes, &work).await
        };
        attempt
            .retry(BACKOFF)
            .when(|failure| failure.code == Code::ServiceUnavailable && !self.ended.is_cancelled())
            .notify(|failure, wait| {
                tracing::info!(error = failure.message, wait_ms = wait.as_millis(), "an import waits for the database");
            })
            .await
    }

    /// Runs a mutation that ends what the import has begun, also if the token is no longer valid.
    pub(super) async fn abandon<T, Running>(&self, work: impl Fn(App) -> Running) -> Result<T, Failure>
    where
        T: Send + 'static,
        Running: Future<Output = Result<T, domain::Error>> + Send + 'static,
    {
        let late = || Failure::new(Code::Timeout, "the database did not respond in time");
        timeout(ABANDON_TIME, self.run(Caller::operator(), 0, &work)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn run<T, Running>(&self, caller: Caller, bytes: usize, work: &impl Fn(App) -> Running) -> Result<T, Failure>
    where
        T: Send + 'static,
        Running: Future<Output = Result<T, domain::Error>> + Send + 'static,
    {
        let Target { bearer, permit, .. } = &self.target;
        let tenant = caller.tenant();
        let part = self.service.receive_part(caller, *bearer, Arc::clone(permit), bytes).await?;
        let run = |app: App| work(app.for_tenant(tenant));
        let metrics = self.metrics.for_next_operation();
        Ok(self.service.run_mutation(&part, true, &metrics, run).await??)
    }

    /// Runs the import. `begin` is sent when the response can begin: with the status of the import, or the reason why it has not
    /// begun. For a client that reads events at once that is as soon as the header of the file is understood.
    pub(super) async fn follow(self: Arc<Self>, course: Course, begin: oneshot::Sender<Result<StatusCode, Rejection>>) {
        let Course { job, receiving, events } = course;
        let mut reading = reading::start(job, Arc::clone(&self));
        let sync = match self.prepare(&mut reading).await {
            Ok(sync) => sync,
            Err(failure) => {
                receiving.abort();
                self.ended.cancel();
                let _ = begin.send(Err(reading::rejection(failure)));
                return;
            }
        };
        let mut log = RequestLog::of_stream(self.metrics.clone(), self.started);
        // If the client has disconnected, its body is incomplete.
        let mut begin = Some(begin);
        if self.parameters.reads_at_once
            && let Some(begin) = begin.take()
        {
            let _ = begin.send(Ok(StatusCode::OK));
        }
        tokio::spawn(Arc::clone(&self).deliver(events.clone()).in_current_span());
        let outcome = self.store_all(reading, sync.as_ref()).await;
        if let Some(sync) = &sync
            && (outcome.is_err() || self.parameters.dry_run)
        {
            self.abandon_sync(sync).await;
        }
        let truncated = self.outbox.is_truncated();
        let totals = self.totals();
        let (deleted, code, status) = match &outcome {
            Ok(deleted) => (*deleted, "OK", StatusCode::OK),
            Err(failure) => (0, failure.code.as_str(), failure.status()),
        };
        let last = match &outcome {
            Ok(_) => event::summary(&Summary {
                memberbase_id: self.scope().memberbase().to_string(),
                sync_id: sync.as_ref().map(|sync| sync.id.to_string()),
                dry_run: self.parameters.dry_run,
                totals,
                deleted,
                truncated,
                seconds: (self.started.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            }),
            Err(failure) => event::failed(failure, &self.trace, Some(Done { totals, truncated })),
        };
        self.log_end(&totals, deleted, outcome.as_ref().err());
        self.outbox.close(last);
        if let Some(begin) = begin {
            let _ = begin.send(Ok(status));
        }
        // The response ends when the body has ended: some clients read nothing before they have sent everything.
        let _ = receiving.await;
        drop(events);
        log.end(status, code);
    }

    /// Waits for the header of the file, and starts the sync of a mirror.
    async fn prepare(&self, reading: &mut Reading) -> Result<Option<Sync>, Failure> {
        match (&mut reading.begun).await {
            Ok(Ok(())) => self.start_sync().await,
            Ok(Err(failure)) => Err(self.first_failure(failure)),
            Err(_) => Err(self.first_failure(panicked())),
        }
    }

    /// Stores all rows, and commits the sync of a mirror. Returns the number of deleted members.
    async fn store_all(&self, reading: Reading, sync: Option<&Sync>) -> Result<u64, Failure> {
        let Reading { ended, partitions, .. } = reading;
        let id = sync.map(|sync| sync.id);
        let storing = join_all(partitions.into_iter().map(|partition| self.store_partition(partition, id)));
        let working = join(storing, ended);
        pin!(working);
        let (_, read) = tokio::select! {
            done = &mut working => done,
            () = self.stopping().cancelled() => {
                self.fail(stopping());
                timeout(STOP_BATCHES_TIME, working).await.map_err(|_| stopping())?
            }
        };
        let rows = match read.unwrap_or_else(|_| Err(panicked())) {
            Ok(rows) => rows,
            Err(failure) => return Err(self.first_failure(failure)),
        };
        if let Some(failure) = self.failure.get() {
            return Err(failure.clone());
        }
        match sync {
            Some(sync) => self.commit_sync(sync, rows).await,
            None => Ok(0),
        }
    }

    /// Sends events to the client: rejected rows, the last event, and progress to a client that reads it.
    async fn deliver(self: Arc<Self>, events: mpsc::Sender<Bytes>) {
        let mut ticks = interval(PROGRESS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                biased;
                _ = ticks.tick(), if self.parameters.reads_at_once => event::progress(&self.totals()),
                event = self.outbox.next() => match event {
                    Some(event) => event,
                    None => return,
                },
            };
            if events.send(event).await.is_err() {
                return self.outbox.discard();
            }
        }
    }

    fn log_end(&self, totals: &Totals, deleted: u64, failure: Option<&Failure>) {
        let Totals { rows, bytes, created, updated, unchanged, stale, skipped, rejected } = totals;
        tracing::info!(
            memberbase = %self.scope().memberbase(),
            error = failure.map(|failure| &*failure.message),
            rows,
            bytes,
            created,
            updated,
            unchanged,
            stale,
            skipped,
            rejected,
            deleted,
            "import ended"
        );
    }

    /// Returns the first failure, of which this one may be a consequence.
    fn first_failure(&self, failure: Failure) -> Failure {
        self.fail(failure.clone());
        self.failure.get().cloned().unwrap_or(failure)
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let (code, message) = rejection.first_error();
        Self { code, message }
    }
}

/// Returns a failure because the server stops. The reason is also that of a batch that was cut off.
pub(super) fn stopping() -> Failure {
    Failure::new(Code::ServiceUnavailable, "the server is stopping: import the file again")
}

fn panicked() -> Failure {
    tracing::error!("reading the file of an import panicked");
    Failure::new(Code::InternalServerError, "internal error")
}

/// Returns a ref; of one that is too long, the beginning.
fn excerpt_of_ref(reference: &str) -> &str {
    if reference.len() > text::MAX_BYTES { excerpt(reference) } else { reference }
}
