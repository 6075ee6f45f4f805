//! The operations of a WebSocket, as the executor that async-graphql's protocol drives.
//!
//! The protocol starts and stops operations, and says which of them an outgoing message belongs to. Requests and
//! responses do not pass through it: it would parse variables into a tree, and write a response anew for each
//! connection. It handles one message after another, so that both wait in queues beside it.

use std::{
    collections::VecDeque,
    future::ready,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use async_graphql::{Data, Executor, Request, Response};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{SubscribeError, event::Event};
use crate::{
    auth::Bearer,
    domain::access::Caller,
    graphql::execute::{GraphqlResponse, OperationType},
    http::{
        Service, compute::MIN_LARGE_CALL_BYTES, pipeline::ReceivedRequest, rejection::Rejection,
        request_metrics::RequestMetrics, trace_id::TraceId,
    },
    metrics::Api,
};

/// A response of an operation on its way to the client.
pub(super) enum Outgoing {
    Next(Event),
    /// The operation was not executed.
    Error(GraphqlResponse),
}

/// The operations of a connection. Clones share them.
#[derive(Clone)]
pub(super) struct Operations(Arc<Inner>);

struct Inner {
    service: Arc<Service>,
    bearer: Bearer,
    caller: Caller,
    trace: TraceId,
    metrics: RequestMetrics,
    requests: Mutex<VecDeque<Vec<u8>>>,
    responses: Mutex<VecDeque<Outgoing>>,
    /// Number of operations that are not active yet.
    starting: watch::Sender<usize>,
}

/// Counts an operation as starting until it is dropped.
struct Starting(Operations);

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.0.starting.send_modify(|count| *count -= 1);
    }
}

impl Operations {
    pub(super) fn new(
        service: Arc<Service>,
        bearer: Bearer,
        caller: Caller,
        trace: TraceId,
        metrics: RequestMetrics,
    ) -> Self {
        let (requests, responses, starting) = Default::default();
        Self(Arc::new(Inner { service, bearer, caller, trace, metrics, requests, responses, starting }))
    }

    /// Adds the request of the next operation that the protocol starts.
    pub(super) fn push_request(&self, request: Vec<u8>) {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner).push_back(request);
    }

    /// Takes the response of the next message that the protocol writes.
    pub(super) fn pop_response(&self) -> Option<Outgoing> {
        self.0.responses.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Waits until all subscriptions that were started are active.
    pub(super) async fn all_active(&self) {
        let mut starting = self.0.starting.subscribe();
        // Fails only without a sender.
        let _ = starting.wait_for(|count| *count == 0).await;
    }

    fn starting(&self) -> Starting {
        self.0.starting.send_modify(|count| *count += 1);
        Starting(self.clone())
    }

    /// Runs the operation of a request, and logs that. A subscription is active when this returns.
    async fn start(self, request: Vec<u8>, starting: Starting) -> BoxStream<'static, Outgoing> {
        let started = Instant::now();
        let metrics = self.0.metrics.for_next_operation();
        metrics.set_api(Api::Graphql);
        let outcome = self.run(request, &metrics, starting).await;
        let outcome = outcome.map_err(|failed| match failed {
            SubscribeError::Rejected(rejection) => rejection.answer(&self.0.trace),
            SubscribeError::Response(response) => response,
        });
        let time = started.elapsed();
        let milliseconds = (time.as_secs_f64() * 1e6).round() / 1000.0;
        let first_code = |response: &GraphqlResponse| response.codes.first().map_or("OK", |code| code.as_str());
        let (code, message) = match &outcome {
            Ok(Started::Subscription(_)) => ("OK", "subscription started"),
            Ok(Started::Response(event)) => (first_code(&event.response), "operation completed"),
            Err(response) => (first_code(response), "operation failed to start"),
        };
        tracing::info!(milliseconds, code, message);
        metrics.finish(code, time);
        match outcome {
            Ok(Started::Subscription(events)) => events.map(Outgoing::Next).boxed(),
            Ok(Started::Response(event)) => stream::once(ready(Outgoing::Next(event))).boxed(),
            Err(response) => stream::once(ready(Outgoing::Error(response))).boxed(),
        }
    }

    async fn run(
        &self,
        request: Vec<u8>,
        metrics: &RequestMetrics,
        starting: Starting,
    ) -> Result<Started, SubscribeError> {
        let Inner { service, bearer, caller, trace, .. } = &*self.0;
        let mut request = service.receive_message(caller, *bearer, request).await.map_err(SubscribeError::Rejected)?;
        let body = std::mem::take(&mut request.body);
        let is_large = body.len() >= MIN_LARGE_CALL_BYTES;
        let operation = service.prepare(body, &request.budget, metrics).await.map_err(SubscribeError::Rejected)?;
        if operation.kind() == OperationType::Subscription {
            let ReceivedRequest { caller, started, permit: _permit, .. } = request;
            return service.subscribe(operation, caller, started, trace).await.map(Started::Subscription);
        }
        drop(starting);
        let response = service.execute(operation, is_large, &request, metrics, trace).await;
        let response = response.map_err(SubscribeError::Rejected)?;
        if response.is_request_error {
            return Err(SubscribeError::Response(response));
        }
        Ok(Started::Response(Event::of_request(response, request.in_flight())))
    }
}

/// An operation that has started.
enum Started {
    Subscription(super::Events),
    /// A query or a mutation has run.
    Response(Event),
}

impl Executor for Operations {
    /// The protocol calls only [`Operations::execute_stream`].
    async fn execute(&self, _: Request) -> Response {
        Response::default()
    }

    /// Starts the next request in a task of its own, so that the connection's other operations do not wait for it.
    fn execute_stream(&self, _: Request, _: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let request = self.0.requests.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let span = tracing::info_span!("operation", operation = tracing::field::Empty);
        let start = self.clone().start(request.unwrap_or_default(), self.starting()).instrument(span);
        let started = AbortOnDropHandle::new(tokio::spawn(start));
        let (trace, operations) = (self.0.trace.clone(), self.clone());
        let outgoing = stream::once(started).flat_map(move |started| {
            started.unwrap_or_else(|_| {
                let panicked = Rejection::panicked().answer(&trace);
                stream::once(ready(Outgoing::Error(panicked))).boxed()
            })
        });
        let queue = move |outgoing| {
            operations.0.responses.lock().unwrap_or_else(PoisonError::into_inner).push_back(outgoing);
            Response::default()
        };
        outgoing.map(queue).boxed()
    }
}
