//! `/graphql`: GraphQL over HTTP (<https://graphql.github.io/graphql-over-http/draft/>).
//!
//! The cheapest checks come first, and no body is read before the caller is authenticated.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, request},
    response::Response,
};
use hyper::body::Body as _;
use serde_json::value::RawValue;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    Service,
    admission::RequestPermit,
    answer::{self, Rejection},
    body::{self, Limit},
    connections::ConnectionAbort,
    live::{
        SubscribeError,
        sse::{self, Stream},
        websocket,
    },
    negotiate::{self, Accepted, MediaType},
    query_string,
    request_metrics::RequestMetrics,
    trace::TraceId,
};
use crate::{
    auth::Bearer,
    domain::access::{Access, Caller},
    graphql::{
        Code, Error, context,
        execute::{self, Answer, Executor, Kind, Operation},
    },
    metrics::{Api, Transport, Type},
    types::{BodyLimits, Limits},
};

/// Sent with any value, it asks for `extensions.cost` in the answer.
const COST: &str = "x-graphql-cost";

const METHODS: &str = "GET, HEAD, POST";

/// From this size on a body is parsed on a thread where it keeps nobody waiting.
pub(super) const LARGE: usize = 64 << 10;

/// As much of a name that a client gave to its operation is logged.
const LONGEST_NAME: usize = 64;

/// How much longer than the database a mutation is waited for, so that what the database says of its end is answered.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A request that has arrived whole.
struct ReceivedRequest {
    caller: Caller,
    method: Method,
    body: Vec<u8>,
    started: Instant,
    /// Whether the answer is to tell what the operation costs.
    with_cost: bool,
    permit: Arc<RequestPermit>,
    bearer: Bearer,
}

impl ReceivedRequest {
    fn is_batch(&self) -> bool {
        self.body.trim_ascii_start().first() == Some(&b'[')
    }
}

/// Serves `/graphql`, whatever the method.
pub(super) async fn serve(
    State(service): State<Arc<Service>>,
    Extension(trace): Extension<TraceId>,
    Extension(metrics): Extension<RequestMetrics>,
    request: Request,
) -> Response {
    metrics.set_api(Api::Graphql);
    let (mut head, body) = request.into_parts();
    if websocket::is_upgrade(&head) {
        let upgraded = service.upgrade(&mut head, &trace, &metrics).await;
        return upgraded.unwrap_or_else(|rejection| rejection.respond(MediaType::Json, &trace));
    }
    let accepted = Accepted::of(&head.headers);
    let abort = head.extensions.get().cloned().unwrap_or_default();
    let has_body = !body.is_end_stream();
    let outcome = match service.receive(head, body, accepted).await {
        Ok(arrived) if arrived.is_batch() => service.execute_batch(arrived, &trace, &metrics).await,
        Ok(mut arrived) => match service.begin(&mut arrived, &metrics).await {
            Ok(operation) if accepted.events && operation.kind() == Kind::Subscription => {
                match service.listen(operation, arrived, abort, &trace, &metrics).await {
                    Ok(response) => return response,
                    Err(SubscribeError::Response(answer)) if !answer::has_http_status(&answer) => {
                        return sse::whole(&answer);
                    }
                    Err(SubscribeError::Response(answer)) => Ok(answer),
                    Err(SubscribeError::Rejected(rejection)) => Err(rejection),
                }
            }
            Ok(operation) => service.execute(operation, arrived, &trace, &metrics).await,
            Err(rejection) => Err(rejection),
        },
        Err(rejection) => Err(rejection.close_after(has_body)),
    };
    match (outcome, accepted.media) {
        (Ok(answer), Some(media)) => answer::respond(media, answer, &trace),
        (Err(rejection), Some(media)) => rejection.respond(media, &trace),
        (Ok(answer), None) if !answer::has_http_status(&answer) => sse::whole(&answer),
        (Err(rejection), None) if !rejection.has_http_status() => sse::whole(&rejection.answer(&trace)),
        // What comes before the media type is known, or instead of it, is JSON.
        (Ok(answer), None) => answer::respond(MediaType::Json, answer, &trace),
        (Err(rejection), None) => rejection.respond(MediaType::Json, &trace),
    }
}

impl Service {
    /// Judges the head, then the caller, and only then reads the body.
    async fn receive(
        &self,
        head: request::Parts,
        body: Body,
        accepted: Accepted,
    ) -> Result<ReceivedRequest, Rejection> {
        let started = Instant::now();
        check_head(&head, accepted)?;
        let limits = &self.app.limits;
        let bearer = Bearer::of(&head.headers)?;
        let (caller, permit) = self.admit(bearer, started).await?;
        let limit = Limit::of(&caller, &limits.body);
        let body = if head.method == Method::POST {
            // What the operation is does not show before the body is there; who may only ask has the time of a query.
            let time = if caller.access() == Access::Read { limits.time.query } else { limits.time.mutation };
            timeout_at((started + time).into(), body::read(body, limit)).await.map_err(|_| body::body_timeout())??
        } else {
            query_string::body(head.uri.query().unwrap_or_default())?
        };
        let with_cost = head.headers.contains_key(COST);
        Ok(ReceivedRequest { caller, method: head.method, body, started, with_cost, permit: Arc::new(permit), bearer })
    }

    /// Parses and validates.
    async fn begin(&self, arrived: &mut ReceivedRequest, metrics: &RequestMetrics) -> Result<Operation, Rejection> {
        let mut operation = self.prepare(mem::take(&mut arrived.body)).await?;
        if arrived.with_cost {
            operation = operation.telling_cost();
        }
        name(&operation);
        metrics.set_operation(kind(&operation), operation.root());
        Ok(operation)
    }

    /// Begins a stream of events. It takes no place among requests any more, but one of those that go on.
    async fn listen(
        self: &Arc<Self>,
        operation: Operation,
        arrived: ReceivedRequest,
        abort: ConnectionAbort,
        trace: &TraceId,
        metrics: &RequestMetrics,
    ) -> Result<Response, SubscribeError> {
        let ReceivedRequest { caller, started, permit, bearer, .. } = arrived;
        let reject = |error: Error| SubscribeError::Rejected(error.into());
        let place = self.places.acquire(Transport::Events, metrics).map_err(reject)?;
        let turn = caller.token().map(|token| self.places.acquire_for_token(token)).transpose().map_err(reject)?;
        let answers = self.subscribe(operation, caller, started, trace).await?;
        drop(permit);
        Ok(self.stream(Stream { answers, bearer, abort, places: (place, turn), trace: trace.clone() }))
    }

    /// Runs.
    async fn execute(
        &self,
        operation: Operation,
        arrived: ReceivedRequest,
        trace: &TraceId,
        metrics: &RequestMetrics,
    ) -> Result<Answer, Rejection> {
        let ReceivedRequest { caller, method, started, permit, .. } = arrived;
        match operation.kind() {
            Kind::Query => self.run_query(operation, caller, started, trace).await,
            Kind::Mutation if method == Method::POST => {
                self.run_mutation(operation, caller, started, trace, permit, metrics).await
            }
            Kind::Mutation => Err(Rejection::method("POST", "a mutation must be sent by POST")),
            Kind::Subscription => {
                let message = "a subscription needs text/event-stream or a WebSocket, and is not allowed in a batch";
                Err(Rejection::with_status(StatusCode::NOT_ACCEPTABLE, Code::BadRequest, message))
            }
        }
    }

    /// Answers a list of requests with the list of their answers, one after another.
    async fn execute_batch(
        &self,
        arrived: ReceivedRequest,
        trace: &TraceId,
        metrics: &RequestMetrics,
    ) -> Result<Answer, Rejection> {
        let reject = |message: String| Err(Error::new(Code::BadRequest, message).into());
        let Some(most) = self.app.limits.traffic.batch else {
            return reject("batched requests are not accepted (MEMBERBASE_MAX_BATCH)".to_owned());
        };
        let requests: Vec<&RawValue> = match serde_json::from_slice(&arrived.body) {
            Ok(requests) => requests,
            Err(error) => return reject(format!("malformed JSON: {error}")),
        };
        if requests.is_empty() || requests.len() > most.get() {
            let count = requests.len();
            return reject(format!("the batch has {count} requests, 1 to {most} are allowed (MEMBERBASE_MAX_BATCH)"));
        }
        let mut all = Answer { refused: false, body: vec![b'['], codes: Vec::new() };
        for (place, request) in requests.into_iter().enumerate() {
            let ReceivedRequest { caller, method, body: _, started, with_cost, permit, bearer } = &arrived;
            let mut one = ReceivedRequest {
                caller: caller.clone(),
                method: method.clone(),
                body: request.get().as_bytes().to_vec(),
                started: *started,
                with_cost: *with_cost,
                permit: Arc::clone(permit),
                bearer: *bearer,
            };
            let answer = match self.begin(&mut one, metrics).await {
                Ok(operation) => self.execute(operation, one, trace, metrics).await,
                Err(rejection) => Err(rejection),
            };
            let answer = answer.unwrap_or_else(|rejection| rejection.answer(trace));
            if place > 0 {
                all.body.push(b',');
            }
            all.body.extend_from_slice(&answer.body);
        }
        all.body.push(b']');
        Ok(all)
    }

    pub(super) async fn prepare(&self, body: Vec<u8>) -> Result<Operation, Rejection> {
        let (executor, limits) = (Arc::clone(&self.executor), Arc::clone(&self.app.limits));
        if body.len() < LARGE {
            return prepare(&executor, &limits, &body);
        }
        let span = Span::current();
        let task = tokio::task::spawn_blocking(move || span.in_scope(|| prepare(&executor, &limits, &body)));
        task.await.unwrap_or_else(|_| Err(panicked()))
    }

    /// A query ends with its time, or when its client hangs up.
    async fn run_query(
        &self,
        operation: Operation,
        caller: Caller,
        started: Instant,
        trace: &TraceId,
    ) -> Result<Answer, Rejection> {
        let time = self.app.limits.time.query;
        let data = context::data(self.app.until(started + time), caller);
        let answer = self.executor.run(operation, data, trace.as_str());
        timeout_at((started + time).into(), answer).await.map_err(|_| {
            let message = format!("the query took longer than {time:?} (MEMBERBASE_QUERY_TIMEOUT)");
            Error::new(Code::Timeout, message).into()
        })
    }

    /// A mutation is never dropped in its middle, whoever hangs up: the database ends it when its time is over.
    async fn run_mutation(
        &self,
        operation: Operation,
        caller: Caller,
        started: Instant,
        trace: &TraceId,
        permit: Arc<RequestPermit>,
        metrics: &RequestMetrics,
    ) -> Result<Answer, Rejection> {
        let time = self.app.limits.time.mutation;
        let client = CancellationToken::new();
        let app = self.app.per_request(started + time, client.clone());
        // Dropped with this future, which ends with its answer or because the client has gone.
        let _client = client.drop_guard();
        metrics.set_row_counters(&app.rows);
        let data = context::data(app, caller);
        let (executor, trace) = (Arc::clone(&self.executor), trace.clone());
        let run = async move {
            let _permit = permit;
            executor.run(operation, data, trace.as_str()).await
        };
        let task = self.tasks.spawn(run.in_current_span());
        match timeout_at((started + time + GRACE).into(), task).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(panicked()),
            Err(_) => {
                let message = format!(
                    "the mutation took longer than {time:?} (MEMBERBASE_MUTATION_TIMEOUT); it may have been committed"
                );
                Err(Error::new(Code::Timeout, message).into())
            }
        }
    }
}

/// Judges a request by its head alone.
fn check_head(head: &request::Parts, accepted: Accepted) -> Result<(), Rejection> {
    match head.method {
        Method::GET | Method::HEAD => {}
        Method::POST if negotiate::is_json(&head.headers) => {}
        Method::POST => {
            let message = "the content type must be application/json in UTF-8, without a content encoding";
            return Err(Rejection::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadRequest, message));
        }
        _ => return Err(Rejection::method(METHODS, format!("the method must be one of {METHODS}"))),
    }
    if !accepted.any() {
        let message =
            "the response can only be application/graphql-response+json, application/json or text/event-stream";
        return Err(Rejection::with_status(StatusCode::NOT_ACCEPTABLE, Code::BadRequest, message));
    }
    Ok(())
}

/// Names the request in the log.
pub(super) fn name(operation: &Operation) {
    if let Some(name) = operation.name() {
        Span::current().record("operation", name.get(..LONGEST_NAME).unwrap_or(name));
    }
}

pub(super) fn kind(operation: &Operation) -> Type {
    match operation.kind() {
        Kind::Query => Type::Query,
        Kind::Mutation => Type::Mutation,
        Kind::Subscription => Type::Subscription,
    }
}

fn prepare(executor: &Executor, limits: &Limits, body: &[u8]) -> Result<Operation, Rejection> {
    let limits: &BodyLimits = &limits.body;
    let request = execute::Request::from_json(body)?;
    let variables = request.variables.map_or(0, |text| text.get().len());
    Limit::envelope(limits).allow(body.len() - variables)?;
    let operation = executor.prepare(request)?;
    if let Some(limit) = Limit::variables(operation.kind(), limits) {
        limit.allow(variables)?;
    }
    Ok(operation)
}

fn panicked() -> Rejection {
    tracing::error!("request handler panicked");
    Error::new(Code::InternalServerError, "internal error").into()
}
