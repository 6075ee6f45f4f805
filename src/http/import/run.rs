//! One import: its state, which the parts share, and its course from the first row to the last event.

use std::{
    iter::repeat_n,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures_util::future::{join, join_all};
use tokio::{
    pin,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    attempt::RunningAttempt,
    batches::CONCURRENT,
    checkpoints::Checkpoints,
    counts::Counts,
    ending::{Ending, panicked, stopping},
    event::{self, DeclaredAttribute, Done, Failure, Summary, Totals},
    outbox::Outbox,
    parameters::Parameters,
    reading::{self, Job, Reading},
};
use crate::{
    app::App,
    auth::Bearer,
    domain::{
        self,
        access::{Caller, Scope, Visibility},
        attribute::{Definition, Schema},
        import::State,
        sync::Sync,
    },
    graphql::Code,
    http::{
        Service, admission::RequestPermit, permits::Permit, request_metrics::RequestMetrics, trace::RequestLog,
        trace_id::TraceId,
    },
    members_file::columns::ColumnNames,
    types::ImportLimits,
};

pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// A transient failure of the database is retried for about a minute.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_max_delay(Duration::from_secs(10))
    .with_total_delay(Some(Duration::from_secs(60)))
    .with_jitter()
    .without_max_times();

/// Time that running batches have to complete when the server stops.
const STOP_BATCHES_TIME: Duration = Duration::from_secs(4);

/// Time limit of storing the end of an import, and of abandoning its sync.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// The caller of an import, and what the caller has access to.
pub(super) struct Target {
    pub(super) scope: Scope,
    /// The attribute schema of the memberbase.
    pub(super) schema: Schema,
    pub(super) visibility: Visibility,
    pub(super) bearer: Bearer,
    pub(super) permit: Arc<RequestPermit>,
    /// Returned when the import has ended, which may be before its body has.
    pub(super) import_permit: Mutex<Option<Permit>>,
}

/// The state of an import.
pub(super) struct Import {
    service: Arc<Service>,
    target: Target,
    parameters: Parameters,
    trace: TraceId,
    metrics: RequestMetrics,
    started: Instant,
    pub(super) counts: Counts,
    /// Set before the file is read, if the client has chosen an id.
    pub(super) attempt: OnceLock<RunningAttempt>,
    pub(super) checkpoints: Arc<Checkpoints>,
    /// The names of the columns, once the header is read.
    pub(super) columns: OnceLock<ColumnNames>,
    /// The attribute schema with the attributes that the import declares, once the header is read.
    pub(super) schema: OnceLock<Schema>,
    /// The attributes that the import has declared; in a dry run, those that it would declare.
    pub(super) declared: OnceLock<Vec<Definition>>,
    pub(super) ending: Arc<Ending>,
    /// Cancelled when the client has disconnected, or has read the last event.
    pub(super) client: CancellationToken,
    pub(super) outbox: Outbox,
}

/// The parts of an import that run concurrently.
pub(super) struct Course {
    pub(super) job: Job,
    /// The task that receives the body.
    pub(super) receiving: JoinHandle<()>,
    pub(super) events: mpsc::Sender<Bytes>,
}

/// The result of an import that has stored the whole file.
enum Outcome {
    /// The number of members that a mirror has deleted, and its sync.
    Stored { deleted: u64, sync: Option<Sync> },
    /// The last event of an earlier attempt, which has stored the file.
    Known(String),
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
        let stopping = service.stopping.clone();
        Self {
            service,
            target,
            parameters,
            trace,
            metrics,
            started,
            counts: Counts::default(),
            attempt: OnceLock::new(),
            checkpoints: Arc::default(),
            columns: OnceLock::new(),
            schema: OnceLock::new(),
            declared: OnceLock::new(),
            ending: Arc::new(Ending::new(stopping)),
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

    pub(super) fn schema(&self) -> &Schema {
        self.schema.get().unwrap_or(&self.target.schema)
    }

    pub(super) fn visibility(&self) -> Visibility {
        self.target.visibility
    }

    /// Returns the attempt; `None` if the client has chosen no id.
    pub(super) fn attempt(&self) -> Option<&RunningAttempt> {
        self.attempt.get()
    }

    pub(super) fn limits(&self) -> &ImportLimits {
        &self.service.app.limits.import
    }

    pub(super) fn totals(&self) -> Totals {
        self.counts.totals(self.ending.received_bytes())
    }

    /// Runs a mutation with the limits of one, after a check that the token is still valid. A transient failure is retried:
    /// `work` must be idempotent.
    pub(super) async fn mutate<T, Running>(&self, bytes: usize, work: impl Fn(App) -> Running) -> Result<T, Failure>
    where
        T: Send + 'static,
        Running: Future<Output = Result<T, domain::Error>> + Send + 'static,
    {
        let ending = Arc::clone(&self.ending);
        let attempt = || async {
            if let Some(failure) = self.ending.failure() {
                return Err(failure.clone());
            }
            let started = Instant::now();
            let app = self.service.app.until(started + self.service.app.limits.time.query);
            let caller = self.service.tokens.caller(&app, &self.service.tasks, self.target.bearer).await?;
            self.run(caller, bytes, &work).await
        };
        attempt
            .retry(BACKOFF)
            .when(|failure| failure.code == Code::ServiceUnavailable && !self.ending.ended().is_cancelled())
            .sleep(move |wait| {
                let ending = Arc::clone(&ending);
                async move {
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = ending.ended().cancelled() => {}
                    }
                }
            })
            .notify(|failure, wait| {
                tracing::info!(error = failure.message, wait_ms = wait.as_millis(), "an import waits for the database");
            })
            .await
    }

    /// Runs a mutation that ends what the import has begun, also if the token is no longer valid. If the database is away, that
    /// is tried again in the background for a while. `what` is what the mutation does, for the log.
    pub(super) async fn settle<Running>(
        self: &Arc<Self>,
        what: &'static str,
        work: impl Fn(App) -> Running + Send + std::marker::Sync + 'static,
    ) where
        Running: Future<Output = Result<(), domain::Error>> + Send + 'static,
    {
        let Err(Failure { message, .. }) = self.try_to_settle(&work).await else { return };
        tracing::info!(error = message, "{what} has failed for the moment");
        if self.ending.stopping().is_cancelled() {
            return;
        }
        let import = Arc::clone(self);
        let again = async move {
            if let Err(Failure { message, .. }) = (|| import.try_to_settle(&work)).retry(BACKOFF).await {
                tracing::warn!(error = message, "{what} has failed");
            }
        };
        self.service.tasks.spawn(again.in_current_span());
    }

    async fn try_to_settle<Running>(&self, work: &impl Fn(App) -> Running) -> Result<(), Failure>
    where
        Running: Future<Output = Result<(), domain::Error>> + Send + 'static,
    {
        let late = || Failure::new(Code::Timeout, "the database did not respond in time");
        timeout(SETTLE_TIME, self.run(Caller::operator(), 0, work)).await.unwrap_or_else(|_| Err(late()))
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

    /// Runs the import. `begin` is sent with the status when the response can begin. For a client that reads events at once that
    /// is as soon as the header of the file is understood.
    pub(super) async fn follow(self: Arc<Self>, course: Course, begin: oneshot::Sender<StatusCode>) {
        let Course { job, receiving, events } = course;
        let mut log = RequestLog::of_stream(self.metrics.clone(), self.started);
        let work = async {
            let (code, status) = self.work(job, begin).await;
            // The response ends when the body has ended: some clients read nothing before they have sent everything.
            let _ = receiving.await;
            (code, status)
        };
        let ((code, status), ()) = join(work, self.deliver(&events)).await;
        drop(events);
        log.end(status, code);
    }

    /// Does the work, up to the last event.
    async fn work(self: &Arc<Self>, job: Job, begin: oneshot::Sender<StatusCode>) -> (&'static str, StatusCode) {
        let mut begin = Some(begin);
        let outcome = {
            let storing = self.outcome(job, &mut begin);
            pin!(storing);
            tokio::select! {
                outcome = &mut storing => outcome,
                superseded = self.keep_alive() => {
                    self.ending.fail(superseded);
                    storing.await
                }
            }
        };
        let (code, status) = match &outcome {
            Ok(_) => ("OK", StatusCode::OK),
            Err(failure) => (failure.code.as_str(), failure.status()),
        };
        let state = if outcome.is_ok() { State::Complete } else { State::Failed };
        let last_event = self.last_event(outcome);
        self.ending.finish();
        self.end_attempt(state, &last_event).await;
        self.outbox.close(event::line(&last_event));
        self.ending.reported().cancel();
        drop(self.target.import_permit.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(begin) = begin {
            let _ = begin.send(status);
        }
        (code, status)
    }

    /// Stores the file. `begin` is taken if the response can begin before the end.
    async fn outcome(
        self: &Arc<Self>,
        job: Job,
        begin: &mut Option<oneshot::Sender<StatusCode>>,
    ) -> Result<Outcome, Failure> {
        let begun = tokio::select! {
            begun = self.begin_attempt() => begun,
            () = self.ending.stopping().cancelled() => Err(stopping()),
        };
        if let Some(last_event) = begun.map_err(|failure| self.ending.first_failure(failure))? {
            return Ok(Outcome::Known(last_event));
        }
        let (reading, sync) = self.prepare(job).await?;
        if self.parameters.reads_at_once
            && let Some(begin) = begin.take()
        {
            // If the client has disconnected, its body is incomplete.
            let _ = begin.send(StatusCode::OK);
        }
        let stored = self.store_all(reading, sync.as_ref()).await;
        if let Some(sync) = &sync
            && (self.parameters.dry_run || stored.as_ref().is_err_and(|failure| !self.keeps_sync(failure)))
        {
            self.abandon_sync(sync.id).await;
        }
        stored.map(|deleted| Outcome::Stored { deleted, sync })
    }

    /// Waits for the header of the file, and starts the sync of a mirror.
    async fn prepare(self: &Arc<Self>, job: Job) -> Result<(Reading, Option<Sync>), Failure> {
        let mut reading = reading::start(job, Arc::clone(self));
        let begun = (&mut reading.begun).await.unwrap_or_else(|_| Err(panicked()));
        let sync = async {
            tokio::select! {
                declared = self.declare(begun?) => declared?,
                () = self.ending.stopping().cancelled() => return Err(stopping()),
            }
            self.start_sync().await
        };
        let sync = sync.await.map_err(|failure| self.ending.first_failure(failure))?;
        Ok((reading, sync))
    }

    /// Stores all rows, and commits the sync of a mirror. Returns the number of deleted members.
    async fn store_all(self: &Arc<Self>, reading: Reading, sync: Option<&Sync>) -> Result<u64, Failure> {
        let Reading { ended, queue, .. } = reading;
        let id = sync.map(|sync| sync.id);
        let storing = join_all(repeat_n(queue, CONCURRENT).map(|queue| self.store_batches(queue, id)));
        let working = join(storing, ended);
        pin!(working);
        let (service, bearer) = (&self.service, self.target.bearer);
        let (_, read) = tokio::select! {
            done = &mut working => done,
            () = self.ending.stopping().cancelled() => {
                self.ending.stop();
                timeout(STOP_BATCHES_TIME, working).await.map_err(|_| stopping())?
            }
            () = service.tokens.end(&service.app, &service.tasks, bearer) => {
                self.ending.fail(domain::Error::Unauthenticated.into());
                working.await
            }
        };
        let rows = match read.unwrap_or_else(|_| Err(panicked())) {
            Ok(rows) => rows,
            Err(failure) => return Err(self.ending.first_failure(failure)),
        };
        if let Some(failure) = self.ending.failure() {
            return Err(failure.clone());
        }
        match sync {
            Some(sync) => self.commit_sync(sync, rows).await,
            None => Ok(0),
        }
    }

    /// Sends events to the client: rejected rows, the last event, and progress to a client that reads it.
    async fn deliver(&self, events: &mpsc::Sender<Bytes>) {
        let mut ticks = interval(PROGRESS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                biased;
                _ = ticks.tick(), if self.parameters.reads_at_once => {
                    event::line(&event::progress(&self.totals(), self.offset()))
                }
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

    /// Returns the event of the import's outcome, and logs it.
    fn last_event(&self, outcome: Result<Outcome, Failure>) -> String {
        let (totals, truncated) = (self.totals(), self.is_truncated());
        let declared: Vec<_> = self.declared().iter().map(DeclaredAttribute::from).collect();
        let Totals { rows, bytes, created, updated, unchanged, stale, skipped, rejected } = totals;
        let deleted = match &outcome {
            Ok(Outcome::Stored { deleted, .. }) => *deleted,
            Ok(Outcome::Known(_)) | Err(_) => 0,
        };
        let error = outcome.as_ref().err().map(|failure| &*failure.message);
        let memberbase = self.scope().memberbase();
        // A command reports the outcome itself.
        if !self.metrics.is_of_operator() {
            tracing::info!(
                %memberbase, error, rows, bytes, created, updated, unchanged, stale, skipped, rejected, deleted,
                "import ended"
            );
        }
        match outcome {
            Ok(Outcome::Known(event)) => event,
            Ok(Outcome::Stored { deleted, sync }) => event::summary(&Summary {
                memberbase_id: memberbase.to_string(),
                sync_id: sync.map(|sync| sync.id.to_string()),
                dry_run: self.parameters.dry_run,
                totals,
                deleted,
                truncated,
                declared,
                seconds: (self.started.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            }),
            Err(failure) => {
                let is_begun = self.columns.get().is_some();
                let done = is_begun.then(|| Done { totals, truncated, declared, offset: self.offset() });
                event::failed(&failure, &self.trace, done)
            }
        }
    }
}
