//! `/graphql`: GraphQL over HTTP (<https://graphql.github.io/graphql-over-http/draft/>).

use std::{mem, sync::Arc};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, request},
    response::Response,
};
use hyper::body::Body as _;
use serde_json::value::RawValue;

use super::{
    Service,
    compute::{MIN_LARGE_CALL_BYTES, MIN_LARGE_WORK},
    connections::ConnectionAbort,
    live::{EventFormat, SubscribeError, event_stream, websocket},
    negotiate::{self, Accepted, MediaType},
    pipeline::{InFlight, ReceivedRequest},
    rejection::Rejection,
    request_metrics::RequestMetrics,
    response,
    trace_id::TraceId,
};
use crate::{
    domain::access::Access,
    graphql::{
        Code, Error, context,
        execute::{GraphqlResponse, Operation, OperationType},
    },
    metrics::{Api, Transport},
};

/// A request header that, with any value, adds `extensions.cost` to the response.
const COST: &str = "x-graphql-cost";

const METHODS: &str = "GET, HEAD, POST";

/// The result of a request that was not rejected.
enum Outcome {
    Response(GraphqlResponse, InFlight),
    Stream(Response),
}

/// Handles one request.
struct Handler {
    service: Arc<Service>,
    head: request::Parts,
    accepted: Accepted,
    trace: TraceId,
    metrics: RequestMetrics,
}

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
    let handler = Handler { service, head, accepted, trace, metrics };
    let has_body = !body.is_end_stream();
    let outcome = match handler.receive(body).await {
        Ok(request) => handler.handle(request).await,
        Err(rejection) => Err(rejection.close_after(has_body)),
    };
    handler.respond(outcome)
}

impl Service {
    /// Runs a query or a mutation.
    pub(super) async fn execute(
        &self,
        operation: Operation,
        is_large: bool,
        request: &ReceivedRequest,
        metrics: &RequestMetrics,
        trace: &TraceId,
    ) -> Result<GraphqlResponse, Rejection> {
        let is_large = is_large || operation.work() >= MIN_LARGE_WORK;
        let (caller, executor, trace) = (request.caller.clone(), Arc::clone(&self.executor), trace.clone());
        let kind = operation.kind();
        let run = |app| async move { executor.run(operation, context::data(app, caller), trace.as_str()).await };
        match kind {
            OperationType::Query => self.run_query(request.started, &request.budget, is_large, run).await,
            OperationType::Mutation => self.run_mutation(request, is_large, metrics, run).await,
            OperationType::Subscription => {
                let message = "a subscription needs text/event-stream, multipart/mixed; subscriptionSpec=1.0 or a WebSocket, and is not \
                    allowed in a batch";
                Err(Rejection::with_status(StatusCode::NOT_ACCEPTABLE, Code::BadRequest, message))
            }
        }
    }
}

impl Handler {
    async fn receive(&self, body: Body) -> Result<ReceivedRequest, Rejection> {
        self.check_head()?;
        // The operation is not known yet, but a caller with READ access can only send queries.
        self.service.receive(&self.head, body, |caller| caller.access() == Access::Read).await
    }

    /// Checks everything that the head alone decides.
    fn check_head(&self) -> Result<(), Rejection> {
        match self.head.method {
            Method::GET | Method::HEAD => {}
            Method::POST => negotiate::check_json(&self.head.headers)?,
            _ => return Err(Rejection::method(METHODS, format!("the method must be one of {METHODS}"))),
        }
        if !self.accepted.any() {
            let message = "the response can only be application/graphql-response+json, application/json, text/event-stream or \
                 multipart/mixed; subscriptionSpec=1.0";
            return Err(Rejection::with_status(StatusCode::NOT_ACCEPTABLE, Code::BadRequest, message));
        }
        Ok(())
    }

    async fn handle(&self, mut request: ReceivedRequest) -> Result<Outcome, Rejection> {
        let body = mem::take(&mut request.body);
        if body.trim_ascii_start().first() == Some(&b'[') {
            let response = self.execute_batch(body, &request).await?;
            return Ok(Outcome::Response(response, request.in_flight()));
        }
        let is_large = body.len() >= MIN_LARGE_CALL_BYTES;
        let operation = self.service.prepare(body, &request.budget, &self.metrics).await?;
        if let Some(format) = self.accepted.events
            && operation.kind() == OperationType::Subscription
        {
            return self.stream_events(format, operation, request).await;
        }
        let response = self.execute(operation, is_large, &request).await?;
        Ok(Outcome::Response(response, request.in_flight()))
    }

    async fn execute(
        &self,
        mut operation: Operation,
        is_large: bool,
        request: &ReceivedRequest,
    ) -> Result<GraphqlResponse, Rejection> {
        if self.head.headers.contains_key(COST) {
            operation = operation.with_cost_extension();
        }
        if operation.kind() == OperationType::Mutation && self.head.method != Method::POST {
            return Err(Rejection::method("POST", "a mutation must be sent by POST"));
        }
        self.service.execute(operation, is_large, request, &self.metrics, &self.trace).await
    }

    /// Executes a list of requests one after another, and returns the list of their responses.
    async fn execute_batch(&self, body: Vec<u8>, request: &ReceivedRequest) -> Result<GraphqlResponse, Rejection> {
        let reject = |message: String| Err(Error::new(Code::BadRequest, message).into());
        let Some(max) = self.service.app.limits.traffic.batch else {
            return reject("batched requests are not accepted (MEMBERBASE_MAX_BATCH)".to_owned());
        };
        let operations: Vec<&RawValue> = match serde_json::from_slice(&body) {
            Ok(operations) => operations,
            Err(error) => return reject(format!("malformed JSON: {error}")),
        };
        if operations.is_empty() || operations.len() > max.get() {
            let count = operations.len();
            return reject(format!("the batch has {count} requests, 1 to {max} are allowed (MEMBERBASE_MAX_BATCH)"));
        }
        let mut responses = Vec::new();
        for operation in operations {
            let body = operation.get().as_bytes().to_vec();
            let is_large = body.len() >= MIN_LARGE_CALL_BYTES;
            if request.caller.access() != Access::Read {
                self.service.allow_mutation(request);
            }
            let answer = match self.service.prepare(body, &request.budget, &self.metrics).await {
                Ok(operation) => self.execute(operation, is_large, request).await,
                Err(rejection) => Err(rejection),
            };
            responses.push(answer.unwrap_or_else(|rejection| rejection.answer(&self.trace)).body);
        }
        let body = [b"[", &*responses.join(&b','), b"]"].concat();
        Ok(GraphqlResponse { is_request_error: false, body, codes: Vec::new() })
    }

    /// Starts a subscription. The permit of its connection replaces that of the request.
    async fn stream_events(
        &self,
        format: EventFormat,
        operation: Operation,
        request: ReceivedRequest,
    ) -> Result<Outcome, Rejection> {
        let Self { service, head, trace, metrics, .. } = self;
        let in_flight = request.in_flight();
        let ReceivedRequest { caller, bearer, permit: _permit, started, .. } = request;
        let permit = service.acquire_connection(&caller, Transport::Events, metrics)?;
        let answers = match service.subscribe(operation, caller, started, trace).await {
            Ok(answers) => answers,
            Err(SubscribeError::Rejected(rejection)) => return Err(rejection),
            Err(SubscribeError::Response(answer)) if response::has_http_status(&answer) => {
                return Ok(Outcome::Response(answer, in_flight));
            }
            Err(SubscribeError::Response(answer)) => {
                return Ok(Outcome::Stream(event_stream::single(format, answer, Some(in_flight))));
            }
        };
        let abort = head.extensions.get::<ConnectionAbort>().cloned().unwrap_or_default();
        let subscription = event_stream::Subscription { format, answers, bearer, abort, permit, trace: trace.clone() };
        Ok(Outcome::Stream(service.stream(subscription)))
    }

    /// Writes the response as JSON, or as an event stream if the client accepts nothing else. Errors with a status of their
    /// own are always JSON: a client that does not accept it understands the status.
    fn respond(&self, outcome: Result<Outcome, Rejection>) -> Response {
        let trace = &self.trace;
        let media = |is_http: bool| self.accepted.media.or_else(|| is_http.then_some(MediaType::Json));
        // Only a client that accepts nothing else gets a stream.
        let format = self.accepted.events.unwrap_or(EventFormat::ServerSentEvents);
        match outcome {
            Ok(Outcome::Stream(response)) => response,
            Ok(Outcome::Response(answer, in_flight)) => match media(response::has_http_status(&answer)) {
                Some(media) => response::respond(media, answer, trace, Some(in_flight)),
                None => event_stream::single(format, answer, Some(in_flight)),
            },
            Err(rejection) => match media(rejection.has_http_status()) {
                Some(media) => rejection.respond(media, trace),
                None => event_stream::single(format, rejection.answer(trace), None),
            },
        }
    }
}
