//! The body of an export. A task reads the next page while the client receives the one before.

use std::{
    io,
    time::{Duration, Instant},
};

use axum::{body::Body, http::StatusCode};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::pages::{Pages, WrittenPage};
use crate::{
    graphql::Code,
    http::{
        admission::RequestPermit,
        compress::StreamEncoder,
        compute,
        connections::{ConnectionAbort, IncompleteResponse},
        failure::Failure,
        permits::Permit,
        request_metrics::RequestMetrics,
        response::holding,
        trace::RequestLog,
    },
    types::MemberbaseId,
};

/// Time that the end of an export has to reach the client when the server stops. A client that does not read is disconnected.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// An export whose response begins.
pub(super) struct Export {
    pub(super) pages: Pages,
    pub(super) encoder: Option<StreamEncoder>,
    /// `None` without a connection.
    pub(super) connection: Option<IncompleteResponse>,
    pub(super) abort: ConnectionAbort,
    /// Held until the export has ended.
    pub(super) _permits: (RequestPermit, Permit),
}

/// The pieces of a body, and the task that sends them. The task is aborted when the body is dropped.
type Pieces = (mpsc::Receiver<Bytes>, AbortOnDropHandle<Result<(), Failure>>);

impl Export {
    /// Starts the task that writes the file, and returns the body.
    pub(super) fn stream(self, first: WrittenPage, metrics: RequestMetrics, started: Instant) -> Body {
        let (sender, receiver) = mpsc::channel(1);
        let tasks = self.pages.service().tasks.clone();
        let log = ExportLog::new(metrics, started, self.pages.memberbase());
        let task = tasks.spawn(self.run(first, sender, log).in_current_span());
        Body::from_stream(stream::try_unfold((receiver, AbortOnDropHandle::new(task)), next_piece))
    }

    async fn run(mut self, first: WrittenPage, sender: mpsc::Sender<Bytes>, mut log: ExportLog) -> Result<(), Failure> {
        let stopping = self.pages.service().stopping.clone();
        let outcome = tokio::select! {
            outcome = self.write(first, &sender, &mut log) => outcome,
            () = stopping.cancelled() => {
                self.abort.clone().after(STOP_TIMEOUT);
                Err(Failure::new(Code::ServiceUnavailable, "the server is stopping"))
            }
        };
        if outcome.is_ok()
            && let Some(connection) = &self.connection
        {
            connection.complete();
        }
        log.end(&outcome);
        outcome
    }

    /// Writes all pages.
    async fn write(
        &mut self,
        first: WrittenPage,
        sender: &mpsc::Sender<Bytes>,
        log: &mut ExportLog,
    ) -> Result<(), Failure> {
        let mut page = first;
        loop {
            log.rows += page.rows;
            log.bytes += page.text.len() as u64;
            let next = page.next.take();
            let piece = self.encode(page, next.is_none()).await?;
            if !piece.is_empty() {
                // An error means that the client has gone, and with it the body, which aborts this task.
                let _ = sender.send(piece).await;
            }
            let Some(next) = next else { return Ok(()) };
            page = self.pages.next(&next).await?;
        }
    }

    /// Returns a page as it is sent. It holds the memory of the page until then.
    async fn encode(&mut self, page: WrittenPage, is_last: bool) -> Result<Bytes, Failure> {
        let WrittenPage { text, budget, .. } = page;
        let Some(mut encoder) = self.encoder.take() else { return Ok(holding(text, budget)) };
        let encoding = compute::spawn(async move {
            let mut encoded = encoder.write(&text)?;
            if is_last {
                encoded.append(&mut encoder.finish()?);
                return Ok((encoded, None));
            }
            Ok::<_, io::Error>((encoded, Some(encoder)))
        });
        let internal = |cause: &dyn std::error::Error| {
            tracing::error!(%cause, "compressing an export failed");
            Failure::new(Code::InternalServerError, "internal error")
        };
        let encoded = encoding.await.map_err(|error| internal(&error))?;
        let (encoded, encoder) = encoded.map_err(|error| internal(&error))?;
        self.encoder = encoder;
        budget.settle(encoded.capacity());
        Ok(holding(encoded, budget))
    }
}

/// Receives the next piece. The end of the pieces is that of the file only if the task has succeeded.
async fn next_piece((mut pieces, mut task): Pieces) -> io::Result<Option<(Bytes, Pieces)>> {
    if let Some(piece) = pieces.recv().await {
        return Ok(Some((piece, (pieces, task))));
    }
    match (&mut task).await {
        Ok(Ok(())) => Ok(None),
        Ok(Err(failure)) => Err(io::Error::other(failure.message)),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Writes the log line of an export on drop, so that one whose client disconnects has it too.
struct ExportLog {
    request: RequestLog,
    memberbase: MemberbaseId,
    started: Instant,
    rows: u64,
    bytes: u64,
    error: Option<String>,
    is_logged: bool,
}

impl ExportLog {
    fn new(metrics: RequestMetrics, started: Instant, memberbase: MemberbaseId) -> Self {
        let is_logged = !metrics.is_of_operator();
        let request = RequestLog::of_stream(metrics, started);
        let error = Some("the client has disconnected".to_owned());
        Self { request, memberbase, started, rows: 0, bytes: 0, error, is_logged }
    }

    fn end(&mut self, outcome: &Result<(), Failure>) {
        self.error = outcome.as_ref().err().map(|failure| failure.message.clone());
        let code = outcome.as_ref().err().map_or("OK", |failure| failure.code.as_str());
        self.request.end(StatusCode::OK, code);
    }
}

impl Drop for ExportLog {
    fn drop(&mut self) {
        if self.is_logged {
            let Self { memberbase, started, rows, bytes, error, .. } = self;
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(%memberbase, error, rows, bytes, milliseconds, "export ended");
        }
    }
}
