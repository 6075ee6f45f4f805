//! Subscriptions: what both transports (WebSocket and server-sent events) have in common.

pub(super) mod events;
mod message;
mod places;
pub(super) mod socket;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use futures_util::StreamExt;
use tokio::time::timeout_at;
use tracing::Span;

pub(super) use self::places::{Place, Places, Turn};
use super::{Service, answer::Refusal, trace::TraceId};
use crate::{
    domain::access::Caller,
    graphql::{
        Code, Error, context,
        execute::{Answer, Answers, Operation},
    },
};

/// Why a subscription did not begin.
pub(super) enum Failed {
    /// It was not tried.
    Refused(Refusal),
    /// It was, and this came of it.
    Answered(Answer),
}

impl Service {
    /// Begins a subscription, in the time of a query. Its end has a line in the log.
    pub(super) async fn subscribe(
        &self,
        operation: Operation,
        caller: Caller,
        started: Instant,
        trace: &TraceId,
    ) -> Result<Answers, Failed> {
        let time = self.app.limits.time.query;
        let data = context::data(self.app.until(started + time), caller);
        let subscribed = self.executor.subscribe(operation, data, trace.as_str());
        let answers = timeout_at((started + time).into(), subscribed).await.map_err(|_| {
            let message = format!("the subscription took longer than {time:?} to start (MEMBERBASE_QUERY_TIMEOUT)");
            Failed::Refused(Error::new(Code::Timeout, message).into())
        })?;
        let answers = answers.map_err(Failed::Answered)?;
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
