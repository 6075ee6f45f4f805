//! HTTP/1.1 connections over TCP. Limits their number, in total, without a token and per client, and the time that they
//! take without progress. It also keeps a connection open while a rejected client still sends
//! (<https://www.rfc-editor.org/rfc/rfc9112#section-9.6>); `axum::serve` does none of this.
//!
//! Every connection begins without a token, in a pool of at most a tenth of all connections. If that pool is full, a new
//! connection replaces the one that has waited longest for a request, so that silent clients do not keep others out. The
//! first request with a valid token moves its connection to the other nine tenths.

mod bodies;
mod client_address;
mod handle;
mod stream;
mod timer;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{
        HeaderValue, Response, StatusCode, Version,
        header::{HOST, TRANSFER_ENCODING},
    },
};
use hyper::{Request, body::Incoming, server::conn::http1, service::Service as _};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use ipnet::IpNet;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) use self::handle::{ConnectionHandle, IncompleteResponse, Upload, authenticate};
use self::{
    bodies::{RequestBody, ResponseBody},
    client_address::ClientAddresses,
    handle::AuthenticatedPool,
    stream::Stream,
};
use super::{evicting_pool::EvictingPool, negotiate::MediaType, rejection::Rejection, trace_id::TraceId};
use crate::graphql::{Code, Error};

/// Maximum size of a WebSocket message before authentication. `connection_init` with a token takes about 120 bytes.
pub(super) const MAX_UNAUTHENTICATED_MESSAGE_BYTES: usize = 4 << 10;

/// Minimum number of connections without a token: all connections begin as such.
const MIN_UNAUTHENTICATED: usize = 8;

/// Maximum number of connections without a token. Each can hold the head of a request that is not complete, about 70 KiB.
const MAX_UNAUTHENTICATED: usize = 1_000;

/// The smallest buffer that hyper accepts.
const MIN_BUFFER_BYTES: usize = 8 << 10;

/// Time until the next attempt if accepting fails, for example because all file descriptors are in use.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Number of rejected connections that are open at the same time, so that their clients receive the reason. Further ones
/// are closed without a response.
const MAX_REJECTED: usize = 32;

/// Time for which a rejected connection stays open.
const REJECTED_TIMEOUT: Duration = Duration::from_secs(1);

/// The settings of connections.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    /// Maximum number of connections, of which a tenth may be without a token.
    pub max: usize,
    /// Maximum number of connections per client address.
    pub max_per_address: usize,
    /// Networks of the proxies whose `X-Forwarded-For` header is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Maximum size of a request's head, in bytes. A larger one is rejected (431).
    pub max_head: usize,
    pub timeouts: Timeouts,
}

/// The time limits of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Time within which the head of a request has to arrive, from the first byte or, for the first request, from the
    /// connection's begin.
    pub head: Duration,
    /// Time between two requests.
    pub idle: Duration,
    /// Time without progress while a client has to send a body or to read a response.
    pub stall: Duration,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            max: 1024,
            max_per_address: 512,
            trusted_proxies: Vec::new(),
            max_head: 64 << 10,
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), idle: Duration::from_secs(60), stall: Duration::from_secs(30) }
    }
}

/// The settings and pools that all connections share.
struct Connections {
    router: Router,
    max_head: usize,
    timeouts: Timeouts,
    unauthenticated: Arc<EvictingPool>,
    authenticated: AuthenticatedPool,
    addresses: Arc<ClientAddresses>,
    rejected: Arc<Semaphore>,
    stop: CancellationToken,
}

/// Serves connections until `stop`. Then it accepts no new ones, completes the running requests and closes idle
/// connections; `tasks` is empty when all of this is done.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ConnectionOptions,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let connections = Arc::new(Connections::new(router, options, stop));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = connections.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => match connections.accept(peer.ip()) {
                Ok(handle) => {
                    let is_proxy = connections.addresses.is_trusted_proxy(peer.ip());
                    tasks.spawn(Arc::clone(&connections).serve(stream, handle, is_proxy));
                }
                Err(message) => connections.reject(stream, message, &tasks),
            },
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

/// The reason why a request is not executed, as an extension of the request: a violation of HTTP/1.1 that hyper does not
/// reject, or a client with too many connections.
#[derive(Clone)]
pub(super) struct RefusedRequest {
    pub(super) status: StatusCode,
    pub(super) code: Code,
    pub(super) message: String,
}

impl RefusedRequest {
    pub(super) fn reject(&self, trace: &TraceId) -> Response<Body> {
        let rejection = Rejection::with_status(self.status, self.code, &*self.message);
        rejection.close_after(true).respond(MediaType::Json, trace)
    }
}

fn protocol_error(request: &Request<Incoming>) -> Option<RefusedRequest> {
    let refused =
        |status, message: &str| Some(RefusedRequest { status, code: Code::BadRequest, message: message.into() });
    // <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return refused(StatusCode::BAD_REQUEST, "a request must have one Host header");
    }
    // <https://www.rfc-editor.org/rfc/rfc9112#section-6.1>. hyper rejects a list that does not end in `chunked` (400).
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if !codings.all(is_chunked) {
        return refused(StatusCode::NOT_IMPLEMENTED, "the only transfer coding is chunked");
    }
    None
}

impl Connections {
    fn new(router: Router, options: ConnectionOptions, stop: CancellationToken) -> Self {
        let ConnectionOptions { max, max_per_address, trusted_proxies, max_head, timeouts } = options;
        let unauthenticated = (max / 10).clamp(MIN_UNAUTHENTICATED, MAX_UNAUTHENTICATED);
        Self {
            router,
            max_head,
            timeouts,
            unauthenticated: EvictingPool::new(unauthenticated),
            authenticated: AuthenticatedPool::new(max.saturating_sub(unauthenticated).max(1)),
            addresses: ClientAddresses::new(max_per_address, trusted_proxies),
            rejected: Arc::new(Semaphore::new(MAX_REJECTED)),
            stop,
        }
    }

    /// Gives a connection its place, or returns the message of its rejection.
    fn accept(&self, peer: IpAddr) -> Result<ConnectionHandle, String> {
        let is_proxy = self.addresses.is_trusted_proxy(peer);
        let address = if is_proxy { None } else { Some(self.addresses.count(peer)?) };
        let place = self.unauthenticated.enter().ok_or_else(|| {
            let max = self.unauthenticated.max();
            format!("the server has its maximum of {max} connections without a token (MEMBERBASE_MAX_CONNECTIONS)")
        })?;
        Ok(ConnectionHandle::new(place, self.authenticated.clone(), address))
    }

    /// Sends the reason to the client of a rejected connection.
    fn reject(&self, mut stream: TcpStream, message: String, tasks: &TaskTracker) {
        tracing::debug!(message, "connection rejected");
        let Ok(permit) = Arc::clone(&self.rejected).try_acquire_owned() else { return };
        let error = Rejection::from(Error::new(Code::ServiceUnavailable, message));
        let body = error.answer(&TraceId::default()).body;
        tasks.spawn(timeout(REJECTED_TIMEOUT, async move {
            let head = format!(
                "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n\
                Content-Length: {}\r\nRetry-After: 1\r\n\r\n",
                body.len()
            );
            stream.write_all(&[head.as_bytes(), &body].concat()).await?;
            stream.shutdown().await?;
            // Closing a socket with unread bytes would reset the connection before the client has read the reason.
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
            drop(permit);
            io::Result::Ok(())
        }));
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, handle: ConnectionHandle, is_proxy: bool) {
        if let Err(cause) = stream.set_nodelay(true) {
            tracing::debug!(%cause, "setting TCP_NODELAY failed, small responses can be slow");
        }
        let abort = ConnectionAbort::default();
        let stream = Stream::new(stream, handle.clone(), self.timeouts, self.stop.clone());
        let service = hyper::service::service_fn(|request| self.respond(request, &handle, is_proxy, &abort));
        let connection = http1::Builder::new()
            // The stream limits the time for a head.
            .header_read_timeout(None)
            .max_header_size(self.max_head)
            .max_buf_size(self.max_head.max(MIN_BUFFER_BYTES))
            // Some clients look headers up by their usual spelling only, among them Python's gql.
            .title_case_headers(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let aborted = async {
            tokio::select! {
                () = abort.0.cancelled() => {}
                () = handle.evicted() => {
                    tracing::debug!("closing a connection without a token in favour of a new one");
                }
            }
        };
        let mut aborted = std::pin::pin!(aborted);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = &mut aborted => return,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = aborted => return,
                }
            }
        };
        if let Err(cause) = ended {
            tracing::debug!(%cause, "connection failed");
        }
    }

    /// Responds to a request, which is in progress until its response is written.
    async fn respond(
        &self,
        request: Request<Incoming>,
        handle: &ConnectionHandle,
        is_proxy: bool,
        abort: &ConnectionAbort,
    ) -> Result<Response<ResponseBody>, std::convert::Infallible> {
        let mut running = handle.begin_request();
        let mut refused = protocol_error(&request);
        if is_proxy && let Some(client) = self.addresses.forwarded_client(request.headers()) {
            match self.addresses.count(client) {
                Ok(client) => running.set_client(client),
                Err(message) => {
                    let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, Code::ServiceUnavailable);
                    refused = refused.or(Some(RefusedRequest { status, code, message }));
                }
            }
        }
        let stall_timeout = self.timeouts.stall;
        let request_body = |body| RequestBody::new(body, handle.clone(), abort.clone(), stall_timeout);
        let mut request = request.map(|body| Body::new(request_body(body)));
        request.extensions_mut().insert(abort.clone());
        request.extensions_mut().insert(handle.clone());
        if let Some(refused) = refused {
            request.extensions_mut().insert(refused);
        }
        let response = TowerToHyperService::new(self.router.clone()).call(request).await?;
        let running = if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            running.upgrade();
            None
        } else {
            Some(running)
        };
        Ok(response.map(|body| ResponseBody::new(body, running)))
    }
}
