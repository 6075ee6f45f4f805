//! Server-sent events: the graphql-sse protocol in its distinct connections mode
//! (<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>).

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

use super::{ConnectionPermit, Events};
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

/// A comment, which keeps idle connections open and detects broken ones.
const COMMENT: &[u8] = b":\n\n";

/// The event has an empty `data` line, because parsers discard an event without one
/// (<https://html.spec.whatwg.org/multipage/server-sent-events.html#dispatchMessage>). axum's `Event` can't write that.
const COMPLETE: &[u8] = b"event: complete\ndata:\n\n";

/// A subscription that has started.
pub(in crate::http) struct Subscription {
    pub(in crate::http) answers: Events,
    pub(in crate::http) bearer: Bearer,
    pub(in crate::http) abort: ConnectionAbort,
    pub(in crate::http) permit: ConnectionPermit,
    pub(in crate::http) trace: TraceId,
}

/// Returns a single GraphQL response as an event stream.
pub(in crate::http) fn single(answer: GraphqlResponse, in_flight: Option<InFlight>) -> Response {
    let code = answer.codes.first().map(|code| code.as_str());
    let mut events = next(&answer.body);
    drop(answer);
    events.extend_from_slice(COMPLETE);
    respond(response::held(events, in_flight), code)
}

fn respond(body: impl Into<Body>, code: Option<&'static str>) -> Response {
    let content_type = HeaderValue::from_static("text/event-stream; charset=utf-8");
    let mut response = response::build(StatusCode::OK, content_type, body, code);
    // nginx buffers responses by default, which delays events.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Writes a `next` event. JSON has line breaks between tokens only, so they can become separate `data` lines.
fn next(json: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(json.len() + 32);
    event.extend_from_slice(b"event: next");
    for line in json.split(|byte| matches!(byte, b'\n' | b'\r')) {
        event.extend_from_slice(b"\ndata: ");
        event.extend_from_slice(line);
    }
    event.extend_from_slice(b"\n\n");
    event
}

impl Service {
    /// Streams the responses of a subscription. A task of its own sends them, which detects a client that does not read.
    pub(in crate::http) fn stream(self: &Arc<Self>, subscription: Subscription) -> Response {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(1);
        self.tasks.spawn(Arc::clone(self).send(subscription, sender).in_current_span());
        let frames = stream::poll_fn(move |context| receiver.poll_recv(context)).map(Ok::<_, Infallible>);
        respond(Body::from_stream(frames), None)
    }

    async fn send(self: Arc<Self>, subscription: Subscription, sender: mpsc::Sender<Bytes>) {
        let Subscription { mut answers, bearer, abort, permit: _permit, trace } = subscription;
        let keep_alive = self.app.limits.live.keep_alive;
        let mut token_end = pin!(self.tokens.end(&self.app, &self.tasks, bearer));
        let mut frame = Bytes::from_static(COMMENT);
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
                        let frame = next(&event.response.body);
                        response::holding(frame, event.into_holding())
                    }
                    None => {
                        last = true;
                        Bytes::from_static(COMPLETE)
                    }
                },
                () = token_end.as_mut() => {
                    last = true;
                    let error = Error::new(Code::Unauthenticated, "the API token is no longer valid");
                    let answer = request_error(&[error], trace.as_str());
                    [&next(&answer.body)[..], COMPLETE].concat().into()
                }
                // No `complete`: clients reconnect, and reach another server.
                () = self.stopping.cancelled() => return abort.after(STOP_TIMEOUT),
                () = sender.closed() => return,
                () = sleep(keep_alive) => Bytes::from_static(COMMENT),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_become_data_lines() {
        assert_eq!(next(b"{\"data\":null}"), b"event: next\ndata: {\"data\":null}\n\n");
        assert_eq!(next(b"{\n\r\n}"), b"event: next\ndata: {\ndata: \ndata: \ndata: }\n\n");
    }
}
