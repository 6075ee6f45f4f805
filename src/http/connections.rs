//! HTTP/1.1 connections over TCP. Limits the time for a request head, and keeps a connection open while a rejected client
//! still sends (RFC 9112, section 9.6); `axum::serve` does neither.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::Router;
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

/// How long the head of a request may take to arrive, and how long a connection may idle between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// hyper takes no smaller limit.
const MIN_BUFFER_BYTES: usize = 8 << 10;

/// How long a client that still sends is listened to after its answer: in all, and without hearing anything.
const LINGER: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(5));

/// How long to wait before another connection is accepted when the system has no room for one.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves connections until `stop`; then takes no new ones, lets the requests that run finish and closes the idle
/// connections. `tasks` are done when all that was begun is done.
///
/// A request whose head has more than `max_head` bytes is answered 431.
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

/// Ends the connection that a request came by, also where its client takes nothing of what is sent to it.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionAbort(CancellationToken);

impl ConnectionAbort {
    /// At once.
    pub(super) fn now(&self) {
        self.0.cancel();
    }

    /// Unless it ends by itself in this time.
    pub(super) fn after(self, time: Duration) {
        tokio::spawn(async move {
            sleep(time).await;
            self.now();
        });
    }
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
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(max_head.max(MIN_BUFFER_BYTES))
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

/// A connection that is not closed while its client still sends: a system that closes a socket with unread bytes resets
/// the connection, and then the client loses the very answer that told it to stop (RFC 9112, section 9.6).
struct Lingering {
    stream: TcpStream,
    closing: Closing,
}

enum Closing {
    No(CancellationToken),
    Lingers { whole: Pin<Box<Sleep>>, idle: Pin<Box<Sleep>>, stop: Pin<Box<WaitForCancellationFutureOwned>> },
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

    /// Says that nothing more comes, and then hears the client out.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, closing } = self.get_mut();
        if let Closing::No(stop) = closing {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            let (whole, idle) = LINGER;
            let stop = Box::pin(stop.clone().cancelled_owned());
            *closing = Closing::Lingers { whole: Box::pin(sleep(whole)), idle: Box::pin(sleep(idle)), stop };
        }
        let Closing::Lingers { whole, idle, stop } = closing else { return Poll::Ready(Ok(())) };
        // A stack's worth at a time; what is read is thrown away.
        let mut waste = [0; 16 << 10];
        loop {
            if whole.as_mut().poll(cx).is_ready() || stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut waste);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => idle.as_mut().reset(Instant::now() + LINGER.1),
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return idle.as_mut().poll(cx).map(Ok),
            }
        }
    }
}
