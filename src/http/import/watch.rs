//! `GET /import/ID`: shows an import beside its upload, as server-sent events.
//!
//! Another server may run the import, so its state is read from the database.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, request},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::{
    pin,
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    event::{self, Done, Failure, Totals},
    run::PROGRESS_INTERVAL,
};
use crate::{
    app::App,
    auth::Bearer,
    domain::{
        self,
        access::{Access, Visibility},
        import::{self, Import, Rejection},
    },
    graphql::Code,
    http::{
        Service, connections::ConnectionAbort, permits::Permit, rejection::Rejection as Rejected,
        request_metrics::RequestMetrics, response, trace::RequestLog, trace_id::TraceId,
    },
    types::Time,
};

/// Time without a sign of a running attempt, besides the time that one transaction may take, after which its server is taken to
/// have stopped.
const MAX_SILENCE: Duration = Duration::from_secs(60);

/// A comment, which shows a client that the connection is alive.
const COMMENT: &str = ":\n\n";

/// The request of a client that watches an import.
struct Watch {
    service: Arc<Service>,
    bearer: Bearer,
    id: Uuid,
    trace: TraceId,
    _permit: Permit,
}

impl Service {
    /// Responds with the events of an import.
    pub(super) async fn watch_import(
        self: &Arc<Self>,
        head: &request::Parts,
        id: Uuid,
        trace: &TraceId,
        metrics: RequestMetrics,
    ) -> Result<Response, Rejected> {
        let started = Instant::now();
        let bearer = Bearer::of_request(head)?;
        let (caller, _) = self.admit(&head.extensions, bearer, started).await?;
        let permit = self.watches.acquire(&caller)?;
        let watch = Watch { service: Arc::clone(self), bearer, id, trace: trace.clone(), _permit: permit };
        let found = watch.find().await?.ok_or_else(|| import::not_found(id))?;
        let (sender, mut events) = mpsc::channel(1);
        let log = RequestLog::of_stream(metrics, started);
        let abort = head.extensions.get::<ConnectionAbort>().cloned().unwrap_or_default();
        self.tasks.spawn(watch.follow(found, sender, abort, log).in_current_span());
        let events = stream::poll_fn(move |context| events.poll_recv(context)).map(Ok::<_, Infallible>);
        let media = HeaderValue::from_static("text/event-stream; charset=utf-8");
        let mut response = response::build(StatusCode::OK, media, Body::from_stream(events), None);
        // nginx buffers responses by default, which delays events.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        Ok(response)
    }
}

impl Watch {
    /// Sends the events until the import has ended, the token is no longer valid, the client has gone or the server stops.
    async fn follow(self, found: Import, sender: mpsc::Sender<Bytes>, abort: ConnectionAbort, mut log: RequestLog) {
        let service = Arc::clone(&self.service);
        let token_end = service.tokens.end(&service.app, &service.tasks, self.bearer);
        let events = self.send_all(found, &sender, &abort);
        pin!(events, token_end);
        tokio::select! {
            () = &mut events => {}
            () = &mut token_end => {}
            () = service.stopping.cancelled() => {}
        }
        log.end(StatusCode::OK, "OK");
    }

    async fn send_all(&self, mut import: Import, sender: &mpsc::Sender<Bytes>, abort: &ConnectionAbort) {
        let keep_alive = self.service.app.limits.live.keep_alive;
        let mut ticks = interval(PROGRESS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last, mut sent_at) = (None, Instant::now());
        loop {
            ticks.tick().await;
            let totals = Totals::new(&import.counts, import.bytes);
            let progress = (totals, import.stored_rows);
            let text = if last != Some(progress) {
                Some(message(&event::progress(&totals, Some(import.stored_rows))))
            } else {
                (sent_at.elapsed() >= keep_alive).then(|| COMMENT.to_owned())
            };
            if let Some(text) = text {
                (last, sent_at) = (Some(progress), Instant::now());
                if self.send(sender, text, abort).await.is_none() {
                    return;
                }
            }
            if let Some(last_event) = self.last_event(&import, totals) {
                if self.send_rejections(&import, sender, abort).await.is_some() {
                    self.send(sender, message(&last_event), abort).await;
                }
                return;
            }
            match self.find().await {
                Ok(Some(found)) => import = found,
                // The memberbase was deleted.
                Ok(None) => return,
                Err(rejection) => {
                    let (code, message) = rejection.first_error();
                    tracing::debug!(code = code.as_str(), error = message, "an import can't be watched for the moment");
                }
            }
        }
    }

    /// Sends events. Returns `None` if the client does not read them, or has gone.
    async fn send(&self, sender: &mpsc::Sender<Bytes>, text: String, abort: &ConnectionAbort) -> Option<()> {
        match timeout(self.service.app.limits.live.keep_alive, sender.send(text.into())).await {
            Ok(sent) => sent.ok(),
            Err(_) => {
                abort.now();
                None
            }
        }
    }

    async fn send_rejections(
        &self,
        import: &Import,
        sender: &mpsc::Sender<Bytes>,
        abort: &ConnectionAbort,
    ) -> Option<()> {
        let mut after_line = 0;
        loop {
            let page = self.rejections(import, after_line).await.ok()?;
            let Some(last) = page.last() else { return Some(()) };
            after_line = last.line;
            let text = page.iter().map(|rejection| message(&rejection.event)).collect();
            self.send(sender, text, abort).await?;
        }
    }

    /// Returns the last event of an import that does not run any more.
    fn last_event(&self, import: &Import, totals: Totals) -> Option<String> {
        if let Some(event) = &import.last_event {
            return Some(event.clone());
        }
        let max_silence = self.service.app.limits.time.mutation + MAX_SILENCE;
        let silence = Time::now().micros().saturating_sub(import.updated_at.micros());
        let silence = Duration::from_micros(u64::try_from(silence).unwrap_or_default());
        (silence >= max_silence).then(|| {
            let message = "the server that ran the import has stopped: send the file again to continue the import";
            let failure = Failure::new(Code::ServiceUnavailable, message);
            let done =
                Done { totals, truncated: import.is_truncated, declared: Vec::new(), offset: Some(import.stored_rows) };
            event::failed(&failure, &self.trace, Some(done))
        })
    }

    async fn find(&self) -> Result<Option<Import>, Rejected> {
        let id = self.id;
        self.query(move |app, visibility| async move { import::find(&app, visibility, id).await }).await
    }

    async fn rejections(&self, import: &Import, after_line: u64) -> Result<Vec<Rejection>, Rejected> {
        let import = import.clone();
        let read = |app: App, _| async move { import::rejections(&app, &import, after_line).await };
        self.query(read).await
    }

    /// Runs a query with the limits of one.
    async fn query<T, Running>(&self, work: impl FnOnce(App, Visibility) -> Running) -> Result<T, Rejected>
    where
        T: Send + 'static,
        Running: Future<Output = Result<T, domain::Error>> + Send + 'static,
    {
        let (service, started) = (&self.service, Instant::now());
        let app = service.app.until(started + service.app.limits.time.query);
        let caller = service.tokens.caller(&app, &service.tasks, self.bearer).await?;
        let visibility = caller.authorize_visible(Access::Write)?;
        let budget = service.open_budget(true, started).await?;
        let run = |app: App| work(app.for_tenant(caller.tenant()), visibility);
        Ok(service.run_query(started, &budget, false, run).await??)
    }
}

/// Returns an event as a message of server-sent events
/// (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>).
fn message(event: &str) -> String {
    format!("data: {event}\n\n")
}
