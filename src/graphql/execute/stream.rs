//! Subscriptions (<https://spec.graphql.org/draft/#sec-Subscription>).

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_graphql::Data;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio_util::sync::CancellationToken;

use super::{Code, Error, Executor, GraphqlResponse, Operation, executor::internal_error, request_error};
use crate::app::ChangeSelection;

/// A response for each event.
pub(crate) type ResponseStream = BoxStream<'static, GraphqlResponse>;

/// A subscription that receives events.
pub(crate) struct ActiveSubscription {
    pub(crate) responses: ResponseStream,
    pub(crate) lost: LostEvent,
}

/// A mark that the client did not get an event, which the subscription's next event reports. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LostEvent(Arc<AtomicBool>);

impl LostEvent {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether an event was lost since the last call.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// A signal from a subscription's resolver that it receives events from now on. async-graphql reports nothing before
/// the first event.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubscriptionReady(CancellationToken);

impl SubscriptionReady {
    /// Sends the signal.
    pub(crate) fn begin(&self) {
        self.0.cancel();
    }
}

impl Executor {
    /// Starts a subscription with the data for its resolver, and returns once it receives events. If it can't start,
    /// returns the response with the reason.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        operation: Operation,
        mut data: Data,
        trace_id: &str,
    ) -> Result<ActiveSubscription, GraphqlResponse> {
        let (ready, lost) = (SubscriptionReady::default(), LostEvent::default());
        data.insert(ready.clone());
        data.insert(lost.clone());
        data.insert(ChangeSelection::new(operation.collected.clone()));
        let (request, pending) =
            operation.into_request(&self.types, data).map_err(|errors| request_error(&errors, trace_id))?;
        if let Some(failure) = &pending.collected.root.failure {
            let error = Error::new(Code::BadUserInput, failure.message.as_str());
            let error = failure.locations.iter().fold(error, |error, pos| error.at(pos.line, pos.column));
            return Err(request_error(&[error], trace_id));
        }
        let (executor, trace) = (Arc::clone(self), trace_id.to_owned());
        let mut responses = AssertUnwindSafe((self.engine.subscribe)(request))
            .catch_unwind()
            .map(move |response| match response {
                Ok(response) => executor.complete(&pending, response, &trace),
                Err(_) => {
                    tracing::error!("subscription resolver panicked");
                    internal_error(&trace)
                }
            })
            .boxed();
        let first = tokio::select! {
            biased;
            first = responses.next() => first,
            () = ready.0.cancelled() => return Ok(ActiveSubscription { responses, lost }),
        };
        match first {
            // The first event came as soon as the resolver was ready.
            first if ready.0.is_cancelled() => {
                Ok(ActiveSubscription { responses: stream::iter(first).chain(responses).boxed(), lost })
            }
            Some(failed) => Err(failed),
            None => Err(internal_error(trace_id)),
        }
    }
}
