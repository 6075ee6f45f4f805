//! Event streams: the responses of a subscription as the body of one HTTP response.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tracing::Instrument;

use super::{ConnectionPermit, Events, event_format::EventFormat};
use crate::{
    auth::Bearer,
    graphql::{
        Code, Error,
        execute::{GraphqlResponse, request_error},
    },
    http::{Service, connections::ConnectionAbort, pipeline::InFlight, response, trace_id::TraceId},
};

/// Time that a client has to read the rest of a stream when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A subscription that has started.
pub(in crate::http) struct Subscription {
    pub(in crate::http) format: EventFormat,
    pub(in crate::http) answers: Events,
    pub(in crate::http) bearer: Bearer,
    pub(in crate::http) abort: ConnectionAbort,
    pub(in crate::http) permit: ConnectionPermit,
    pub(in crate::http) trace: TraceId,
}

/// Returns a single GraphQL response as an event stream.
pub(in crate::http) fn single(format: EventFormat, answer: GraphqlResponse, in_flight: Option<InFlight>) -> Response {
    let code = answer.codes.first().map(|code| code.as_str());
    let events = [format.opening(), &format.next(&answer.body), format.complete()].concat();
    drop(answer);
    respond(format, response::held(events, in_flight), code)
}

fn respond(format: EventFormat, body: impl Into<Body>, code: Option<&'static str>) -> Response {
    let mut response = response::build(StatusCode::OK, format.content_type(), body, code);
    // nginx buffers responses by default, which delays events.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Service {
    /// Streams the responses of a subscription. A task of its own sends them, which detects a client that does not read.
    pub(in crate::http) fn stream(self: &Arc<Self>, subscription: Subscription) -> Response {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(1);
        let format = subscription.format;
        self.tasks.spawn(Arc::clone(self).send(subscription, sender).in_current_span());
        let frames = stream::poll_fn(move |context| receiver.poll_recv(context)).map(Ok::<_, Infallible>);
        respond(format, Body::from_stream(frames), None)
    }

    async fn send(self: Arc<Self>, subscription: Subscription, sender: mpsc::Sender<Bytes>) {
        let Subscription { format, mut answers, bearer, abort, permit: _permit, trace } = subscription;
        let keep_alive = self.app.limits.live.keep_alive;
        let mut token_end = pin!(self.tokens.end(&self.app, &self.tasks, bearer));
        let mut frame = Bytes::from([format.opening(), format.keep_alive()].concat());
        let mut last = false;
        loop {
            match timeout(keep_alive, sender.send(frame)).await {
                Ok(Ok(())) if !last => {}
                Ok(_) => return,
                Err(_) => {
                    tracing::debug!("client does not read its events, closing the connection");
                    return abort.now();
                }
            }
            frame = tokio::select! {
                answer = answers.next() => match answer {
                    Some(event) => {
                        let frame = format.next(&event.response.body);
                        response::holding(frame, event.into_holding())
                    }
                    None => {
                        last = true;
                        Bytes::from_static(format.complete())
                    }
                },
                () = token_end.as_mut() => {
                    last = true;
                    let error = Error::new(Code::Unauthenticated, "the API token is no longer valid");
                    let answer = request_error(&[error], trace.as_str());
                    [&format.failure(&answer.body)[..], format.complete()].concat().into()
                }
                // No `complete`: clients reconnect, and reach another server.
                () = self.stopping.cancelled() => return abort.after(STOP_TIMEOUT),
                () = sender.closed() => return,
                () = sleep(keep_alive) => Bytes::from_static(format.keep_alive()),
            };
        }
    }
}
