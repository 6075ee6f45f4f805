//! Server-sent events: the graphql-sse protocol in its distinct connections mode
//! (<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>).

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tracing::Instrument;

use super::{GlobalPermit, TokenPermit};
use crate::{
    auth::Bearer,
    graphql::{
        Code, Error,
        execute::{Answer, Answers, refusal},
    },
    http::{Service, connections::ConnectionAbort, request_metrics::ErrorCode, trace::TraceId},
};

/// How long a client may take for the rest when the server stops.
const REST: Duration = Duration::from_secs(1);

/// What keeps a stream that is silent from being taken for dead, and finds out whether it is.
const COMMENT: &[u8] = b":\n\n";

const COMPLETE: &[u8] = b"event: complete\ndata:\n\n";

/// What a stream of events goes on with.
pub(in crate::http) struct Stream {
    pub(in crate::http) answers: Answers,
    pub(in crate::http) bearer: Bearer,
    pub(in crate::http) abort: ConnectionAbort,
    pub(in crate::http) places: (GlobalPermit, Option<TokenPermit>),
    pub(in crate::http) trace: TraceId,
}

/// An answer as a whole stream: what came of it, and that it is complete.
pub(in crate::http) fn whole(answer: &Answer) -> Response {
    let code = answer.codes.first().copied();
    let mut response = respond(Body::from([&next(&answer.body)[..], COMPLETE].concat()));
    if let Some(code) = code {
        response.extensions_mut().insert(ErrorCode(code.as_str()));
    }
    response
}

fn respond(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep events until it has a buffer full of them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// An answer is JSON, in which a line break stands between tokens if anywhere.
fn next(answer: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(answer.len() + 32);
    event.extend_from_slice(b"event: next");
    for line in answer.split(|byte| matches!(byte, b'\n' | b'\r')) {
        event.extend_from_slice(b"\ndata: ");
        event.extend_from_slice(line);
    }
    event.extend_from_slice(b"\n\n");
    event
}

impl Service {
    /// Sends the answers of a subscription one by one, from a task of its own: a client that takes nothing is found out by it.
    pub(in crate::http) fn stream(self: &Arc<Self>, stream: Stream) -> Response {
        let (sender, receiver) = mpsc::channel::<Bytes>(1);
        self.tasks.spawn(Arc::clone(self).send(stream, sender).in_current_span());
        let frames = stream::unfold(receiver, |mut receiver| async {
            let frame = receiver.recv().await?;
            Some((Ok::<_, Infallible>(frame), receiver))
        });
        respond(Body::from_stream(frames))
    }

    async fn send(self: Arc<Self>, stream: Stream, sender: mpsc::Sender<Bytes>) {
        let Stream { mut answers, bearer, abort, places: _places, trace } = stream;
        let keep_alive = self.app.limits.live.keep_alive;
        let mut end = pin!(self.tokens.end(&self.app, &self.tasks, bearer));
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
                    Some(answer) => next(&answer.body).into(),
                    None => {
                        last = true;
                        Bytes::from_static(COMPLETE)
                    }
                },
                () = end.as_mut() => {
                    last = true;
                    let error = Error::new(Code::Unauthenticated, "the API token is no longer valid");
                    let answer = refusal(&[error], trace.as_str());
                    [&next(&answer.body)[..], COMPLETE].concat().into()
                }
                // Without `complete`, by which a client would take it for ended: so it comes back, to another server.
                () = self.stopping.cancelled() => return abort.after(REST),
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
    fn an_answer_is_an_event_of_whole_lines() {
        assert_eq!(next(b"{\"data\":null}"), b"event: next\ndata: {\"data\":null}\n\n");
        assert_eq!(next(b"{\n\r\n}"), b"event: next\ndata: {\ndata: \ndata: \ndata: }\n\n");
    }
}
