//! The stream of a connection. It limits the time without progress, and closes in a way that the client can notice.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    Timeouts,
    handle::{ConnectionHandle, Phase},
    timer::Timer,
};

/// Total time for which the input of a client that still sends is discarded after the response.
const MAX_LINGER: Duration = Duration::from_secs(30);

/// Time without input after which lingering ends.
const MAX_LINGER_IDLE: Duration = Duration::from_secs(5);

/// Maximum number of bytes that are read from a WebSocket before it is authenticated: twice the size of a message, because
/// pings are allowed. The WebSocket library applies one size to all messages of a connection, which after authentication
/// is far larger.
const MAX_UNAUTHENTICATED_BYTES: usize = 2 * super::MAX_UNAUTHENTICATED_MESSAGE_BYTES;

/// A stream with time limits.
///
/// It is not closed while its client still sends. Closing a socket with unread bytes resets the connection, and the client
/// may lose the response that rejects its request (<https://www.rfc-editor.org/rfc/rfc9112#section-9.6>).
pub(super) struct Stream {
    tcp: TcpStream,
    connection: ConnectionHandle,
    timeouts: Timeouts,
    head: Head,
    head_timer: Timer,
    write: Option<PendingWrite>,
    has_timed_out: bool,
    unauthenticated_bytes: usize,
    closing: Closing,
}

/// A write that waits for the client to read.
struct PendingWrite {
    /// The time at which it fails.
    deadline: Instant,
    timer: Timer,
    /// True if the deadline was set while the client uploaded a file, and so read nothing perhaps.
    is_set_in_upload: bool,
}

/// The head of a request that the connection waits for.
struct Head {
    /// The number of requests before it.
    number: u64,
    has_begun: bool,
    /// `None` until the connection has to wait for it.
    deadline: Option<Instant>,
}

enum Closing {
    No(CancellationToken),
    Lingers { total: Pin<Box<Sleep>>, idle: Pin<Box<Sleep>>, stop: Pin<Box<WaitForCancellationFutureOwned>> },
}

impl Stream {
    pub(super) fn new(
        tcp: TcpStream,
        connection: ConnectionHandle,
        timeouts: Timeouts,
        stop: CancellationToken,
    ) -> Self {
        // A new connection is for a request that is sent at once: its first head counts as begun.
        let deadline = Instant::now() + timeouts.head;
        Self {
            tcp,
            connection,
            timeouts,
            head: Head { number: 0, has_begun: true, deadline: Some(deadline) },
            head_timer: Timer::new(deadline),
            write: None,
            has_timed_out: false,
            unauthenticated_bytes: 0,
            closing: Closing::No(stop),
        }
    }

    /// Reads, and fails if the head of the next request does not arrive in time.
    fn poll_read_head(&mut self, number: u64, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.head.number != number {
            self.head = Head { number, has_begun: false, deadline: None };
        }
        let filled = buffer.filled().len();
        match Pin::new(&mut self.tcp).poll_read(cx, buffer) {
            Poll::Ready(read) => {
                if !self.head.has_begun && buffer.filled().len() > filled {
                    self.head.has_begun = true;
                    self.head.deadline = None;
                }
                Poll::Ready(read)
            }
            Poll::Pending => {
                let timeout = if self.head.has_begun { self.timeouts.head } else { self.timeouts.idle };
                let mut deadline = *self.head.deadline.get_or_insert_with(|| Instant::now() + timeout);
                ready!(self.head_timer.poll_passed(deadline, cx));
                while self.write.is_some() && !self.head.has_begun {
                    // The client still reads the last response, which has a time limit of its own.
                    deadline = Instant::now() + timeout;
                    self.head.deadline = Some(deadline);
                    ready!(self.head_timer.poll_passed(deadline, cx));
                }
                self.has_timed_out = true;
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no request in time")))
            }
        }
    }

    /// Reads from a WebSocket that is not authenticated.
    fn poll_read_unauthenticated(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = MAX_UNAUTHENTICATED_BYTES - self.unauthenticated_bytes;
        if left == 0 {
            let message = "messages are too long before authentication";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        let mut bytes = [0; MAX_UNAUTHENTICATED_BYTES];
        let mut part = ReadBuf::new(&mut bytes[..left.min(buffer.remaining())]);
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut part))?;
        self.unauthenticated_bytes += part.filled().len();
        buffer.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }

    /// Limits the time for which a write is pending.
    fn watch_write(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write = None;
            // A response that is still being read is no idle time.
            if !self.head.has_begun {
                self.head.deadline = Some(Instant::now() + self.timeouts.idle);
            }
            return written;
        }
        let (stall_timeout, connection) = (self.timeouts.stall, &self.connection);
        let write = self.write.get_or_insert_with(|| {
            let deadline = Instant::now() + stall_timeout;
            PendingWrite { deadline, timer: Timer::new(deadline), is_set_in_upload: connection.is_uploading() }
        });
        ready!(write.timer.poll_passed(write.deadline, cx));
        // After an upload the client has the whole time to begin to read.
        while write.is_set_in_upload || connection.is_uploading() {
            write.is_set_in_upload = connection.is_uploading();
            write.deadline = Instant::now() + stall_timeout;
            ready!(write.timer.poll_passed(write.deadline, cx));
        }
        tracing::debug!("client does not read its response, closing the connection");
        self.has_timed_out = true;
        // Without this the kernel keeps the bytes that the client does not read for minutes.
        let _ = self.tcp.set_zero_linger();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.connection.has_incomplete_response() {
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.connection.phase() {
            Phase::BetweenRequests(number) => self.poll_read_head(number, cx, buffer),
            Phase::InRequest | Phase::Upgraded { authenticated: true } => Pin::new(&mut self.tcp).poll_read(cx, buffer),
            Phase::Upgraded { authenticated: false } => self.poll_read_unauthenticated(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, buffer);
        self.watch_write(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, buffers);
        self.watch_write(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    /// Closes the sending side, and then discards input until the client closes its side.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, closing, has_timed_out, .. } = self.get_mut();
        if let Closing::No(stop) = closing {
            ready!(Pin::new(&mut *tcp).poll_shutdown(cx))?;
            let stop = Box::pin(stop.clone().cancelled_owned());
            *closing =
                Closing::Lingers { total: Box::pin(sleep(MAX_LINGER)), idle: Box::pin(sleep(MAX_LINGER_IDLE)), stop };
        }
        let Closing::Lingers { total, idle, stop } = closing else { return Poll::Ready(Ok(())) };
        let mut discarded = [0; 16 << 10];
        loop {
            if *has_timed_out || total.as_mut().poll(cx).is_ready() || stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut discarded);
            match Pin::new(&mut *tcp).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    idle.as_mut().reset(Instant::now() + MAX_LINGER_IDLE);
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return idle.as_mut().poll(cx).map(Ok),
            }
        }
    }
}
