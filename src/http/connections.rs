//! HTTP/1.1 connections over TCP. Limits the time for a request head, and keeps a connection open while a rejected client
//! still sends (<https://www.rfc-editor.org/rfc/rfc9112#section-9.6>); `axum::serve` does neither.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    http::{
        HeaderValue, StatusCode, Version,
        header::{HOST, TRANSFER_ENCODING},
    },
};
use hyper::{Request, body::Incoming, server::conn::http1, service::Service as _};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep},
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::TaskTracker,
};

/// Time within which the head of a request has to arrive, and after which an idle connection is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The smallest buffer that hyper accepts.
const MIN_BUFFER_BYTES: usize = 8 << 10;

/// Total time for which the input of a client that still sends is discarded after the response.
const MAX_LINGER: Duration = Duration::from_secs(30);

/// Time without input after which lingering ends.
const MAX_LINGER_IDLE: Duration = Duration::from_secs(5);

/// Time until the next attempt if accepting fails, for example because all file descriptors are in use.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves connections until `stop`. Then it accepts no new ones, completes the running requests and closes idle
/// connections; `tasks` is empty when all of this is done.
///
/// A request whose head exceeds `max_head` bytes is rejected (431).
pub async fn serve(
    listener: TcpListener,
    router: Router,
    max_head: usize,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => drop(tasks.spawn(connection(stream, router.clone(), max_head, stop.clone()))),
            Err(error) if is_per_connection_error(&error) => {}
            Err(cause) => {
                tracing::error!(%cause, "accepting a connection failed");
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

fn is_per_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Aborts the connection of a request, even if its client does not read what is sent to it.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionAbort(CancellationToken);

impl ConnectionAbort {
    pub(super) fn now(&self) {
        self.0.cancel();
    }

    /// Aborts the connection after this time, unless it has ended.
    pub(super) fn after(self, time: Duration) {
        tokio::spawn(async move {
            sleep(time).await;
            self.now();
        });
    }
}

/// A violation of HTTP/1.1 that hyper does not reject, as an extension of the request.
#[derive(Clone, Copy)]
pub(super) struct ProtocolError(pub(super) StatusCode, pub(super) &'static str);

fn protocol_error(request: &Request<Incoming>) -> Option<ProtocolError> {
    // <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Some(ProtocolError(StatusCode::BAD_REQUEST, "a request must have one Host header"));
    }
    // <https://www.rfc-editor.org/rfc/rfc9112#section-6.1>. hyper rejects a list that does not end in `chunked` (400).
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if !codings.all(is_chunked) {
        return Some(ProtocolError(StatusCode::NOT_IMPLEMENTED, "the only transfer coding is chunked"));
    }
    None
}

async fn connection(stream: TcpStream, router: Router, max_head: usize, stop: CancellationToken) {
    if let Err(cause) = stream.set_nodelay(true) {
        tracing::debug!(%cause, "setting TCP_NODELAY failed, small responses can be slow");
    }
    let stream = Lingering::new(stream, stop.clone());
    let (abort, router) = (ConnectionAbort::default(), TowerToHyperService::new(router));
    let request_abort = abort.clone();
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(request_abort.clone());
        if let Some(error) = protocol_error(&request) {
            request.extensions_mut().insert(error);
        }
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(max_head)
        .max_buf_size(max_head.max(MIN_BUFFER_BYTES))
        // Some clients look headers up by their usual spelling only, among them Python's gql.
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = abort.0.cancelled() => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = abort.0.cancelled() => return,
            }
        }
    };
    if let Err(cause) = ended {
        tracing::debug!(%cause, "connection failed");
    }
}

/// A stream that is not closed while its client still sends. Closing a socket with unread bytes resets the connection, and
/// the client may lose the response that rejects its request (<https://www.rfc-editor.org/rfc/rfc9112#section-9.6>).
struct Lingering {
    stream: TcpStream,
    closing: Closing,
}

enum Closing {
    No(CancellationToken),
    Lingers { total: Pin<Box<Sleep>>, idle: Pin<Box<Sleep>>, stop: Pin<Box<WaitForCancellationFutureOwned>> },
}

impl Lingering {
    fn new(stream: TcpStream, stop: CancellationToken) -> Self {
        Self { stream, closing: Closing::No(stop) }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes the sending side, and then discards input until the client closes its side.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, closing } = self.get_mut();
        if let Closing::No(stop) = closing {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            let stop = Box::pin(stop.clone().cancelled_owned());
            *closing =
                Closing::Lingers { total: Box::pin(sleep(MAX_LINGER)), idle: Box::pin(sleep(MAX_LINGER_IDLE)), stop };
        }
        let Closing::Lingers { total, idle, stop } = closing else { return Poll::Ready(Ok(())) };
        let mut discarded = [0; 16 << 10];
        loop {
            if total.as_mut().poll(cx).is_ready() || stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut discarded);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    idle.as_mut().reset(Instant::now() + MAX_LINGER_IDLE);
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return idle.as_mut().poll(cx).map(Ok),
            }
        }
    }
}
