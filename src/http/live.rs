//! Subscriptions: what their transports, WebSockets and event streams, have in common.

mod close;
mod event;
mod event_format;
pub(super) mod event_stream;
mod handshake;
mod message;
mod operations;
mod session;
mod transfer;
pub(super) mod websocket;

use std::time::Instant;

use futures_util::StreamExt;
use tokio::time::timeout_at;
use tracing::Span;

pub(in crate::http) use self::{event::Events, event_format::EventFormat};
use super::{Service, permits::Permit, rejection::Rejection, request_metrics::RequestMetrics, trace_id::TraceId};
use crate::{
    domain::access::Caller,
    graphql::{
        Code, Error, context,
        execute::{ActiveSubscription, GraphqlResponse, Operation},
    },
    metrics::Transport,
};

/// The permit of a connection with subscriptions, which the metrics count until it is dropped.
pub(super) struct ConnectionPermit {
    metrics: RequestMetrics,
    transport: Transport,
    _permit: Permit,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.metrics.server().disconnected(self.transport);
    }
}

/// The reason why a subscription did not start.
pub(super) enum SubscribeError {
    /// It was rejected before it was executed.
    Rejected(Rejection),
    /// Its execution failed with this response.
    Response(GraphqlResponse),
}

impl From<Error> for SubscribeError {
    fn from(error: Error) -> Self {
        Self::Rejected(error.into())
    }
}

impl Service {
    /// Issues a permit for a connection with subscriptions to an authenticated caller.
    pub(super) fn acquire_connection(
        &self,
        caller: &Caller,
        transport: Transport,
        metrics: &RequestMetrics,
    ) -> Result<ConnectionPermit, Error> {
        let permit = self.connections.acquire(caller)?;
        metrics.server().connected(transport);
        Ok(ConnectionPermit { metrics: metrics.clone(), transport, _permit: permit })
    }

    /// Starts a subscription, within the time of a query. When its stream is dropped, its end is logged.
    pub(super) async fn subscribe(
        &self,
        operation: Operation,
        caller: Caller,
        started: Instant,
        trace: &TraceId,
    ) -> Result<Events, SubscribeError> {
        let time = self.app.limits.time.query;
        let data = context::data(self.app.until(started + time), caller);
        let subscribed = self.executor.subscribe(operation, data, trace.as_str());
        let answers = timeout_at((started + time).into(), subscribed).await.map_err(|_| {
            let message = format!("the subscription took longer than {time:?} to start (MEMBERBASE_QUERY_TIMEOUT)");
            Error::new(Code::Timeout, message)
        })?;
        let ActiveSubscription { responses, lost } = answers.map_err(SubscribeError::Response)?;
        let mut log = SubscriptionLog { started: Instant::now(), events: 0, span: Span::current() };
        let responses = responses.inspect(move |_| log.count()).boxed();
        Ok(Events::new(self.app.clone(), trace.clone(), responses, lost))
    }
}

/// Logs the end of a subscription on drop.
struct SubscriptionLog {
    started: Instant,
    events: u64,
    span: Span,
}

impl SubscriptionLog {
    // A method, so that the closure that calls it captures the whole log.
    fn count(&mut self) {
        self.events += 1;
    }
}

impl Drop for SubscriptionLog {
    fn drop(&mut self) {
        let (events, seconds) = (self.events, self.started.elapsed().as_secs());
        self.span.in_scope(|| tracing::info!(events, seconds, "subscription ended"));
    }
}
