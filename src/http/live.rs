//! Subscriptions: what both transports (WebSocket and server-sent events) have in common.

mod message;
mod places;
pub(super) mod sse;
pub(super) mod websocket;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use futures_util::StreamExt;
use tokio::time::timeout_at;
use tracing::Span;

pub(super) use self::places::{GlobalPermit, LiveConnections, TokenPermit};
use super::{Service, answer::Rejection, trace::TraceId};
use crate::{
    domain::access::Caller,
    graphql::{
        Code, Error, context,
        execute::{Answer, Answers, Operation},
    },
};

/// Why a subscription did not begin.
pub(super) enum SubscribeError {
    /// It was not tried.
    Rejected(Rejection),
    /// It was, and this came of it.
    Response(Answer),
}

impl Service {
    /// Begins a subscription, in the time of a query. Its end has a line in the log.
    pub(super) async fn subscribe(
        &self,
        operation: Operation,
        caller: Caller,
        started: Instant,
        trace: &TraceId,
    ) -> Result<Answers, SubscribeError> {
        let time = self.app.limits.time.query;
        let data = context::data(self.app.until(started + time), caller);
        let subscribed = self.executor.subscribe(operation, data, trace.as_str());
        let answers = timeout_at((started + time).into(), subscribed).await.map_err(|_| {
            let message = format!("the subscription took longer than {time:?} to start (MEMBERBASE_QUERY_TIMEOUT)");
            SubscribeError::Rejected(Error::new(Code::Timeout, message).into())
        })?;
        let answers = answers.map_err(SubscribeError::Response)?;
        let line = Line { begun: Instant::now(), events: AtomicU64::new(0), span: Span::current() };
        Ok(answers.inspect(move |_| line.count()).boxed())
    }
}

/// The line in the log at the end of a subscription, whoever ends it.
struct Line {
    begun: Instant,
    events: AtomicU64,
    span: Span,
}

impl Line {
    fn count(&self) {
        self.events.fetch_add(1, Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Self { begun, events, span } = self;
        let (events, seconds) = (events.load(Relaxed), begun.elapsed().as_secs());
        span.in_scope(|| tracing::info!(events, seconds, "subscription ended"));
    }
}
