//! The bodies of requests and responses, which observe the progress of their connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use super::{ConnectionAbort, ConnectionHandle, handle::RunningRequest, timer::Timer};

/// The body of a request. Its connection is aborted if the body is read and does not arrive.
pub(super) struct RequestBody {
    incoming: Incoming,
    connection: ConnectionHandle,
    abort: ConnectionAbort,
    stall_timeout: Duration,
    /// The time at which a pending read fails, and its timer.
    read: Option<(Instant, Timer)>,
}

impl RequestBody {
    pub(super) fn new(
        incoming: Incoming,
        connection: ConnectionHandle,
        abort: ConnectionAbort,
        stall_timeout: Duration,
    ) -> Self {
        Self { incoming, connection, abort, stall_timeout, read: None }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { incoming, connection, abort, stall_timeout, read } = &mut *self;
        if let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) {
            *read = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        if connection.is_uploading() {
            return Poll::Pending;
        }
        let (deadline, timer) = read.get_or_insert_with(|| {
            let deadline = Instant::now() + *stall_timeout;
            (deadline, Timer::new(deadline))
        });
        ready!(timer.poll_passed(*deadline, cx));
        tracing::debug!("client does not send the rest of its request, closing the connection");
        abort.now();
        // The request is dropped with its connection.
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// The body of a response. Its request is in progress until this is dropped.
pub(super) struct ResponseBody {
    body: Body,
    _request: Option<RunningRequest>,
}

impl ResponseBody {
    pub(super) fn new(body: Body, request: Option<RunningRequest>) -> Self {
        Self { body, _request: request }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
