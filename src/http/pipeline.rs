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
use tokio::{runtime::Handle, time::timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Service,
    admission::RequestPermit,
    body::{self, BodyLimit},
    coding::Coding,
    compute::{self, MIN_LARGE_BODY_BYTES},
    query_string,
    rejection::Rejection,
    request_metrics::RequestMetrics,
    response,
};
use crate::{
    app::App,
    auth::Bearer,
    budget::{Budget, Exceeded},
    domain::access::{Access, Caller},
    graphql::{Code, Error},
    types::MemoryLimits,
};

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
    pub(super) budget: Budget,
    pub(super) body: Vec<u8>,
    /// The length of the body, which is taken out to be parsed.
    body_bytes: usize,
}

/// The permit and the memory of a request, which it holds until the last byte of its response is written.
pub(super) struct InFlight {
    budget: Budget,
    _permit: Arc<RequestPermit>,
}

impl ReceivedRequest {
    pub(super) fn in_flight(&self) -> InFlight {
        InFlight { budget: self.budget.clone(), _permit: Arc::clone(&self.permit) }
    }
}

impl InFlight {
    /// Returns a response's body, which is all that is left of the request's memory. It holds this value until it is
    /// written or dropped.
    pub(super) fn body(self, bytes: Vec<u8>) -> Body {
        self.settle(bytes.capacity());
        Body::from(response::holding(bytes, self))
    }

    /// Keeps this much of the request's memory.
    pub(super) fn settle(&self, bytes: usize) {
        self.budget.settle(bytes);
    }
}

impl Service {
    /// Admits the request, and reads its body. `only_reads` returns true if the caller can only send a query, which has
    /// smaller limits. The body of a `GET` is its query string.
    pub(super) async fn receive(
        &self,
        head: &request::Parts,
        body: Body,
        only_reads: impl FnOnce(&Caller) -> bool,
    ) -> Result<ReceivedRequest, Rejection> {
        let started = Instant::now();
        let bearer = Bearer::of(&head.headers)?;
        let (caller, permit) = self.admit(&head.extensions, bearer, started).await?;
        let only_reads = only_reads(&caller);
        let budget = self.open_budget(only_reads, started).await?;
        let body = if head.method == Method::POST {
            let limit = BodyLimit::whole(only_reads, &self.app.limits.body);
            let time = if only_reads { self.app.limits.time.query } else { self.app.limits.time.mutation };
            // While it arrives: the body alone may be larger than what a mutation may use besides.
            let memory_per_byte = if only_reads { 0 } else { MemoryLimits::PER_BODY_BYTE };
            let reading = body::read(body, Coding::of_body(&head.headers)?, limit, &budget, memory_per_byte);
            timeout_at((started + time).into(), reading).await.map_err(|_| {
                let message = "the body was not received within the request's time limit";
                Rejection::with_status(StatusCode::REQUEST_TIMEOUT, Code::Timeout, message)
            })??
        } else {
            query_string::to_json(head.uri.query().unwrap_or_default())?
        };
        let body_bytes = body.len();
        Ok(ReceivedRequest { caller, bearer, permit: Arc::new(permit), started, budget, body, body_bytes })
    }

    /// Admits a request that an authenticated caller has sent in a message.
    pub(super) async fn receive_message(
        &self,
        caller: &Caller,
        bearer: Bearer,
        body: Vec<u8>,
    ) -> Result<ReceivedRequest, Rejection> {
        let started = Instant::now();
        let permit = Arc::new(self.admit_operation(caller)?);
        let only_reads = caller.access() == Access::Read;
        let budget = self.open_budget(only_reads, started).await?;
        let body_bytes = body.len();
        let request = ReceivedRequest { caller: caller.clone(), bearer, permit, started, budget, body, body_bytes };
        if !only_reads {
            self.allow_mutation(&request);
        }
        // The connection has allocated the body, and the request's work frees it.
        request.budget.reserve(body_bytes).await?;
        request.budget.adjust(i64::try_from(body_bytes).unwrap_or(i64::MAX));
        Ok(request)
    }

    /// Returns a part of a request that is admitted, with the limits of a mutation of its own. The part's rows have this many
    /// bytes, which do not count as its memory.
    pub(super) async fn receive_part(
        &self,
        caller: Caller,
        bearer: Bearer,
        permit: Arc<RequestPermit>,
        body_bytes: usize,
    ) -> Result<ReceivedRequest, Rejection> {
        let started = Instant::now();
        let budget = self.open_budget(false, started).await?;
        Ok(ReceivedRequest { caller, bearer, permit, started, budget, body: Vec::new(), body_bytes })
    }

    /// Opens the budget of a request. What may be a mutation has that of one.
    pub(super) async fn open_budget(&self, only_reads: bool, started: Instant) -> Result<Budget, Exceeded> {
        let (memory, time) = (&self.app.limits.memory, &self.app.limits.time);
        if only_reads {
            Budget::open(&self.app.memory, memory.of_query(), started + time.query).await
        } else {
            Budget::open(&self.app.memory, memory.of_mutation(), started + time.mutation).await
        }
    }

    /// Gives a request the budget of a mutation again: a query before it in a batch has set its own.
    pub(super) fn allow_mutation(&self, request: &ReceivedRequest) {
        let ReceivedRequest { budget, started, body_bytes, .. } = request;
        budget.set_limit(self.app.limits.memory.of_mutation());
        budget.allow(body_bytes.saturating_mul(MemoryLimits::PER_BODY_BYTE));
        budget.set_deadline(*started + self.app.limits.time.mutation);
    }

    /// Runs a query until its deadline, or until it exceeds its memory. It ends earlier if the client disconnects, which
    /// drops this future.
    pub(super) async fn run_query<Running>(
        &self,
        started: Instant,
        budget: &Budget,
        is_large: bool,
        run: impl FnOnce(App) -> Running,
    ) -> Result<Running::Output, Rejection>
    where
        Running: Future<Output: Send> + Send + 'static,
    {
        let time = self.app.limits.time.query;
        let deadline = started + time;
        budget.set_limit(self.app.limits.memory.of_query());
        budget.set_deadline(deadline);
        // Boxed early: the future is large, and is moved several times.
        let running = AssertUnwindSafe(Box::pin(run(self.app.until(deadline))));
        let running = budget.meter(running.catch_unwind(), true);
        let running = async { if is_large { compute::spawn(running).await } else { Ok(running.await) } };
        match timeout_at(deadline.into(), running).await {
            Ok(Ok(Ok(Ok(output)))) => budget.exceeded().map_or(Ok(output), |exceeded| Err(self.exceeded(exceeded))),
            Ok(Ok(Err(exceeded))) => Err(self.exceeded(exceeded)),
            Ok(Ok(Ok(Err(_))) | Err(_)) => Err(Rejection::panicked()),
            Err(_) => Err(self.exceeded(Exceeded::Time)),
        }
    }

    /// Returns the rejection of a query that has exceeded its budget.
    fn exceeded(&self, exceeded: Exceeded) -> Rejection {
        match exceeded {
            Exceeded::Time => {
                let time = self.app.limits.time.query;
                let message = format!("the query took longer than {time:?} (MEMBERBASE_QUERY_TIMEOUT)");
                Error::new(Code::Timeout, message).into()
            }
            exceeded => exceeded.into(),
        }
    }

    /// Runs a mutation in a task of its own, which completes even if the client disconnects: dropping a transaction in the
    /// middle is not safe. The database ends it at its deadline.
    pub(super) async fn run_mutation<Running>(
        &self,
        request: &ReceivedRequest,
        is_large: bool,
        metrics: &RequestMetrics,
        run: impl FnOnce(App) -> Running,
    ) -> Result<Running::Output, Rejection>
    where
        Running: Future<Output: Send> + Send + 'static,
    {
        let time = self.app.limits.time.mutation;
        let deadline = request.started + time;
        let client = CancellationToken::new();
        let app = self.app.per_request(deadline, client.clone());
        metrics.set_row_counters(&app.rows);
        // Cancelled when this future is dropped: with the response, or because the client has disconnected.
        let _client = client.drop_guard();
        self.allow_mutation(request);
        let running = request.budget.meter(Box::pin(run(app)), false);
        let permit = Arc::clone(&request.permit);
        let task = async move {
            let _permit = permit;
            running.await
        };
        let runtime = if is_large { compute::of_mutations() } else { Handle::current() };
        let task = self.tasks.spawn_on(task.in_current_span(), &runtime);
        match timeout_at((deadline + MUTATION_GRACE).into(), task).await {
            Ok(Ok(output)) => Ok(output?),
            Ok(Err(_)) => Err(Rejection::panicked()),
            Err(_) => {
                let message = format!(
                    "the mutation took longer than {time:?} (MEMBERBASE_MUTATION_TIMEOUT); it may have been committed"
                );
                Err(Error::new(Code::Timeout, message).into())
            }
        }
    }
}

/// Parses a body as work of its request; a large one on the threads for large operations.
pub(super) async fn parse<T, E>(
    body: Vec<u8>,
    budget: &Budget,
    parse: impl FnOnce(&[u8]) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Rejection> + Send + 'static,
{
    let is_large = body.len() >= MIN_LARGE_BODY_BYTES;
    let budget = budget.clone();
    let parse = move || {
        budget.measure(|| {
            let parsed = parse(&body);
            drop(body);
            parsed
        })
    };
    if !is_large {
        return parse();
    }
    compute::spawn(async { parse() }).await.unwrap_or_else(|_| Err(Rejection::panicked().into()))
}
