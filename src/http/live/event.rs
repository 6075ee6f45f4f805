//! The responses of subscriptions, within the memory of the process.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use futures_util::{Stream, StreamExt};

use crate::{
    app::App,
    budget::{Budget, Exceeded, Held},
    graphql::{
        Error,
        execute::{GraphqlResponse, LostEvent, ResponseStream, request_error},
    },
    http::{pipeline::InFlight, trace_id::TraceId},
};

/// The size of a response from which its memory is held. Smaller ones need no more than the buffers of a connection.
const MIN_HELD_BYTES: usize = 16 << 10;

/// Copies of a response while it is sent: the message of the protocol, and the buffer of the connection.
const COPIES: usize = 2;

/// A response of an operation. Its memory is held until this is dropped, after it was sent.
pub(in crate::http) struct Event {
    pub(in crate::http) response: GraphqlResponse,
    holding: Holding,
}

/// Holds the memory of a response until it is dropped.
pub(super) enum Holding {
    /// A response of a subscription; `None` if it is small.
    Memory(#[expect(dead_code, reason = "it is held")] Option<[Held; 2]>),
    /// The response of a query or a mutation.
    Request(#[expect(dead_code, reason = "it is held")] InFlight),
}

impl Event {
    /// Returns the response of a query or a mutation.
    pub(super) fn of_request(response: GraphqlResponse, in_flight: InFlight) -> Self {
        in_flight.settle(response.body.len().saturating_mul(COPIES));
        Self { response, holding: Holding::Request(in_flight) }
    }

    /// Returns what holds the memory of the response.
    pub(super) fn into_holding(self) -> Holding {
        self.holding
    }
}

/// The responses of a subscription. Each is made within the budget of a query.
pub(in crate::http) struct Events {
    app: App,
    trace: TraceId,
    responses: ResponseStream,
    lost: LostEvent,
}

impl Events {
    pub(super) fn new(app: App, trace: TraceId, responses: ResponseStream, lost: LostEvent) -> Self {
        Self { app, trace, responses, lost }
    }

    fn hold(&self, response: GraphqlResponse) -> Event {
        let bytes = response.body.len().saturating_mul(COPIES);
        if bytes < MIN_HELD_BYTES {
            return Event { response, holding: Holding::Memory(None) };
        }
        let held = self.app.event_memory.try_hold(bytes).zip(self.app.memory.try_hold(bytes));
        match held.map(<[Held; 2]>::from) {
            Some(held) => Event { response, holding: Holding::Memory(Some(held)) },
            None => {
                let error = Error::from(Exceeded::ProcessMemory);
                let response = request_error(&[error], self.trace.as_str());
                Event { response, holding: Holding::Memory(None) }
            }
        }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let limits = &self.app.limits;
        // The deadline counts from the event, of which this is the only poll that works.
        let deadline = Instant::now() + limits.time.query;
        let budget = Budget::new(&self.app.memory, limits.memory.of_query(), deadline);
        let polled = budget.measure(|| self.responses.poll_next_unpin(context));
        polled.map(|next| {
            let event = self.hold(next?);
            if !event.response.codes.is_empty() {
                // The client does not know what has changed.
                self.lost.set();
            }
            Some(event)
        })
    }
}
