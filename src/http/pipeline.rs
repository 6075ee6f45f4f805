//! The steps that the requests of both APIs share: admit the caller, read the body, parse it, run the operation. The
//! cheapest comes first, and nothing of a body is read before its caller is authenticated.
//!
//! An API checks the head before these steps, provides the parser and the operation, and writes the response.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Method, StatusCode, request},
};
use futures_util::FutureExt;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    Service,
    admission::RequestPermit,
    body::{self, BodyLimit},
    query_string,
    rejection::Rejection,
    request_metrics::RequestMetrics,
};
use crate::{
    app::App,
    auth::Bearer,
    domain::access::Caller,
    graphql::{Code, Error},
};

/// Size of a body from which it is parsed on a blocking thread, where parsing does not delay other requests.
const MIN_BLOCKING_PARSE_BYTES: usize = 64 << 10;

/// Time from a mutation's deadline until the client gets a response without its result. The database ends the
/// transaction at the deadline, and its error says more.
const MUTATION_GRACE: Duration = Duration::from_secs(1);

/// A request that is admitted and whose body is read.
pub(super) struct ReceivedRequest {
    pub(super) caller: Caller,
    pub(super) bearer: Bearer,
    /// Shared by the operations of a batch.
    pub(super) permit: Arc<RequestPermit>,
    pub(super) started: Instant,
    pub(super) body: Vec<u8>,
}

impl Service {
    /// Admits the request, and reads its body within the time that `body_timeout` returns. The body of a `GET` is its query
    /// string.
    pub(super) async fn receive(
        &self,
        head: &request::Parts,
        body: Body,
        body_timeout: impl FnOnce(&Caller) -> Duration,
    ) -> Result<ReceivedRequest, Rejection> {
        let started = Instant::now();
        let bearer = Bearer::of(&head.headers)?;
        let (caller, permit) = self.admit(&head.extensions, bearer, started).await?;
        let body = if head.method == Method::POST {
            let limit = BodyLimit::for_caller(&caller, &self.app.limits.body);
            let deadline = started + body_timeout(&caller);
            timeout_at(deadline.into(), body::read(body, limit)).await.map_err(|_| {
                let message = "the body was not received within the request's time limit";
                Rejection::with_status(StatusCode::REQUEST_TIMEOUT, Code::Timeout, message)
            })??
        } else {
            query_string::to_json(head.uri.query().unwrap_or_default())?
        };
        Ok(ReceivedRequest { caller, bearer, permit: Arc::new(permit), started, body })
    }

    /// Runs a query until its deadline. It ends earlier if the client disconnects, which drops this future.
    pub(super) async fn run_query<Running: Future>(
        &self,
        started: Instant,
        run: impl FnOnce(App) -> Running,
    ) -> Result<Running::Output, Rejection> {
        let time = self.app.limits.time.query;
        let deadline = started + time;
        let running = AssertUnwindSafe(run(self.app.until(deadline))).catch_unwind();
        match timeout_at(deadline.into(), running).await {
            Ok(output) => output.map_err(|_| Rejection::panicked()),
            Err(_) => {
                let message = format!("the query took longer than {time:?} (MEMBERBASE_QUERY_TIMEOUT)");
                Err(Error::new(Code::Timeout, message).into())
            }
        }
    }

    /// Runs a mutation in a task of its own, which completes even if the client disconnects: dropping a transaction in the
    /// middle is not safe. The database ends it at its deadline.
    pub(super) async fn run_mutation<Running>(
        &self,
        started: Instant,
        permit: Arc<RequestPermit>,
        metrics: &RequestMetrics,
        run: impl FnOnce(App) -> Running,
    ) -> Result<Running::Output, Rejection>
    where
        Running: Future<Output: Send> + Send + 'static,
    {
        let time = self.app.limits.time.mutation;
        let deadline = started + time;
        let client = CancellationToken::new();
        let app = self.app.per_request(deadline, client.clone());
        metrics.set_row_counters(&app.rows);
        // Cancelled when this future is dropped: with the response, or because the client has disconnected.
        let _client = client.drop_guard();
        let running = run(app);
        let task = self.tasks.spawn(
            async move {
                let _permit = permit;
                running.await
            }
            .in_current_span(),
        );
        match timeout_at((deadline + MUTATION_GRACE).into(), task).await {
            Ok(output) => output.map_err(|_| Rejection::panicked()),
            Err(_) => {
                let message = format!(
                    "the mutation took longer than {time:?} (MEMBERBASE_MUTATION_TIMEOUT); it may have been committed"
                );
                Err(Error::new(Code::Timeout, message).into())
            }
        }
    }
}

/// Parses a body; a large one on a blocking thread.
pub(super) async fn parse<T, E>(
    body: Vec<u8>,
    parse: impl FnOnce(&[u8]) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Rejection> + Send + 'static,
{
    if body.len() < MIN_BLOCKING_PARSE_BYTES {
        return parse(&body);
    }
    let span = Span::current();
    let task = tokio::task::spawn_blocking(move || span.in_scope(|| parse(&body)));
    task.await.unwrap_or_else(|_| Err(Rejection::panicked().into()))
}
