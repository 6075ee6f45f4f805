//! WebSockets: the handshake and the authentication.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_graphql::http::{ALL_WEBSOCKET_PROTOCOLS, WebSocketProtocols as Subprotocol};
use async_graphql_axum::GraphQLProtocol;
use axum::{
    extract::{
        FromRequestParts, WebSocketUpgrade,
        ws::{self, CloseFrame, WebSocket},
    },
    http::{HeaderValue, StatusCode, header, request},
    response::Response,
};
use tokio::time::timeout;
use tracing::{Instrument, Span, field::display};

pub(in crate::http) use super::handshake::is_upgrade;
use super::{
    ConnectionPermit,
    close::{End, close, stopping},
    handshake::is_allowed_origin,
    message::{self, InitToken, Message},
    operations::Operations,
    session::Session,
    transfer::{MessageLimit, receive, send},
};
use crate::{
    auth::Bearer,
    domain::{self, access::Caller},
    graphql::{Code, Error},
    http::{
        Service, connections::ConnectionHandle, evicting_pool::Place, rejection::Rejection,
        request_metrics::RequestMetrics, trace_id::TraceId,
    },
    metrics::Transport,
    types::LiveLimits,
};

/// Time for the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Size of the read and write buffers of a connection. Messages are small, and there can be many connections.
const BUFFER_BYTES: usize = 8 << 10;

/// Minimum number of unauthenticated WebSockets, so that a small limit of connections leaves time to authenticate.
const MIN_UNAUTHENTICATED: usize = 8;

/// Returns the maximum number of WebSockets that are not authenticated yet. They take none of the limited connections.
pub(in crate::http) fn max_unauthenticated(limits: &LiveLimits) -> usize {
    if limits.connections == 0 { 0 } else { (limits.connections / 10).max(MIN_UNAUTHENTICATED) }
}

impl Service {
    /// Upgrades a request to a WebSocket. A token in the head is checked first.
    pub(in crate::http) async fn upgrade(
        self: &Arc<Self>,
        head: &mut request::Parts,
        trace: &TraceId,
        metrics: &RequestMetrics,
    ) -> Result<Response, Rejection> {
        if !is_allowed_origin(&head.headers, &self.options.cors_origins) {
            let message = "this origin is not allowed (MEMBERBASE_CORS_ORIGINS)";
            return Err(Rejection::with_status(StatusCode::FORBIDDEN, Code::Forbidden, message));
        }
        let upgrade = WebSocketUpgrade::from_request_parts(head, &()).await.map_err(|refused| {
            Rejection::with_status(refused.status(), Code::BadRequest, "malformed WebSocket upgrade request")
        })?;
        let admission = self.admit_socket(head, metrics).await?;
        let LiveLimits { message, .. } = self.app.limits.live;
        let upgrade = upgrade.protocols(ALL_WEBSOCKET_PROTOCOLS).max_message_size(message).max_frame_size(message);
        let protocol = match upgrade.selected_protocol().cloned() {
            Some(selected) => selected_protocol(head, selected).await,
            None => None,
        };
        let upgrade = upgrade.read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
        // axum spawns the connection's task. This token makes the shutdown wait for it.
        let task = self.tasks.token();
        let (service, trace, metrics, span) = (Arc::clone(self), trace.clone(), metrics.clone(), Span::current());
        let handle = head.extensions.get().cloned();
        Ok(upgrade.on_upgrade(move |socket| {
            let connection = Connection { service, socket, handle, protocol, trace, metrics };
            async move {
                connection.serve(admission).await;
                drop(task);
            }
            .instrument(span)
        }))
    }

    /// Admits a WebSocket. Without a token in the head, its first message has to authenticate it.
    async fn admit_socket(&self, head: &request::Parts, metrics: &RequestMetrics) -> Result<Admission, Rejection> {
        if head.headers.contains_key(header::AUTHORIZATION) {
            let bearer = Bearer::of(&head.headers)?;
            let (caller, _permit) = self.admit(&head.extensions, bearer, Instant::now()).await?;
            let permit = self.acquire_connection(&caller, Transport::WebSocket, metrics)?;
            return Ok(Admission::Authenticated(Authenticated { bearer, caller, permit }));
        }
        let place = self.unauthenticated_sockets.enter().ok_or_else(|| {
            let message = "the server accepts no subscriptions (MEMBERBASE_MAX_LIVE_CONNECTIONS)";
            Error::new(Code::ServiceUnavailable, message)
        })?;
        Ok(Admission::Unauthenticated(place))
    }
}

/// Returns the selected subprotocol in the two forms that async-graphql has of it.
async fn selected_protocol(head: &mut request::Parts, selected: HeaderValue) -> Option<(Subprotocol, GraphQLProtocol)> {
    let subprotocol = selected.to_str().ok()?.parse().ok()?;
    // The extractor takes the first one that the client lists.
    head.headers.insert(header::SEC_WEBSOCKET_PROTOCOL, selected);
    Some((subprotocol, GraphQLProtocol::from_request_parts(head, &()).await.ok()?))
}

/// The admission of a WebSocket when it is opened.
enum Admission {
    /// Authenticated by the token in the head of the request.
    Authenticated(Authenticated),
    /// Until its first message.
    Unauthenticated(Place),
}

/// The caller of an authenticated WebSocket.
struct Authenticated {
    bearer: Bearer,
    caller: Caller,
    permit: ConnectionPermit,
}

struct Connection {
    service: Arc<Service>,
    socket: WebSocket,
    /// `None` in tests without a connection.
    handle: Option<ConnectionHandle>,
    protocol: Option<(Subprotocol, GraphQLProtocol)>,
    trace: TraceId,
    metrics: RequestMetrics,
}

impl Connection {
    async fn serve(mut self, admission: Admission) {
        let mut permit = None;
        let end = match self.authenticate(admission).await {
            Ok((authenticated, subprotocol, protocol)) => {
                let Authenticated { bearer, caller, permit: its_permit } = authenticated;
                permit = Some(its_permit);
                let Self { service, socket, trace, metrics, .. } = &mut self;
                let operations = Operations::new(Arc::clone(service), bearer, caller, trace.clone(), metrics.clone());
                let (service, trace) = (Arc::clone(service), trace.clone());
                let session = Session { service, socket, protocol: subprotocol, trace, bearer, operations };
                session.run(protocol).await
            }
            Err(end) => self.refuse(end).await,
        };
        let close = end.map(|close| {
            let frame = CloseFrame::from(close);
            tracing::debug!(code = frame.code, reason = frame.reason.as_str(), "closing a WebSocket");
            ws::Message::Close(Some(frame))
        });
        let _ = timeout(CLOSE_TIMEOUT, async {
            if let Some(close) = close {
                let _ = self.socket.send(close).await;
            }
            // Receiving also sends the response to the client's close frame.
            while let Some(Ok(_)) = self.socket.recv().await {}
        })
        .await;
        drop(permit);
    }

    /// Sends the reason for closing the connection to a client of graphql-ws, which has no close codes of its own.
    async fn refuse(&mut self, end: End) -> End {
        if let (Some(close), Some((Subprotocol::SubscriptionsTransportWS, _))) = (&end, self.protocol) {
            let _ = self.send(message::connection_error(close.reason())).await;
        }
        end
    }

    /// Authenticates the client by `connection_init`, or by the head of the request.
    async fn authenticate(
        &mut self,
        admission: Admission,
    ) -> Result<(Authenticated, Subprotocol, GraphQLProtocol), End> {
        let Some((subprotocol, protocol)) = self.protocol else {
            return Err(close(4406, "Subprotocol not acceptable"));
        };
        let (service, handle) = (Arc::clone(&self.service), self.handle.clone());
        let (known, place) = match admission {
            Admission::Authenticated(session) => (Some(session), None),
            Admission::Unauthenticated(place) => (None, Some(place)),
        };
        let evicted = async {
            match (&handle, &place) {
                (Some(handle), Some(place)) => tokio::select! {
                    () = handle.evicted() => {}
                    () = place.evicted().cancelled() => {}
                },
                (None, Some(place)) => place.evicted().cancelled().await,
                (_, None) => std::future::pending().await,
            }
        };
        let given = tokio::select! {
            given = timeout(service.app.limits.live.init, self.wait_for_init(subprotocol, known.is_some())) => {
                given.map_err(|_| close(4408, "Connection initialisation timeout"))??
            }
            () = evicted => return Err(close(1013, "the server has too many connections without a token")),
            () = service.stopping.cancelled() => return Err(stopping()),
        };
        let session = match (given, known) {
            (InitToken::Bearer(bearer), known) => {
                // The token of the head gives its permit back.
                drop(known);
                self.open_session(bearer).await?
            }
            (InitToken::Missing, Some(known)) => known,
            (InitToken::Missing | InitToken::Malformed, _) => return Err(close(4401, "Unauthorized")),
        };
        Ok((session, subprotocol, protocol))
    }

    async fn open_session(&mut self, bearer: Bearer) -> Result<Authenticated, End> {
        let Self { service, metrics, .. } = self;
        let unavailable = |error: Error| close(1013, error.message());
        let app = service.app.until(Instant::now() + service.app.limits.time.query);
        let caller = match service.tokens.caller(&app, &service.tasks, bearer).await {
            Ok(caller) => caller,
            Err(domain::Error::Unauthenticated) => return Err(close(4401, "Unauthorized")),
            Err(error) => return Err(unavailable(error.into())),
        };
        if let Some(token) = caller.token() {
            Span::current().record("token", display(token));
        }
        self.handle.as_ref().map_or(Ok(()), ConnectionHandle::authenticate).map_err(unavailable)?;
        let permit = service.acquire_connection(&caller, Transport::WebSocket, metrics).map_err(unavailable)?;
        Ok(Authenticated { bearer, caller, permit })
    }

    /// Waits for `connection_init`, and returns its token.
    async fn wait_for_init(&mut self, protocol: Subprotocol, authenticated: bool) -> Result<InitToken, End> {
        let max = MessageLimit::new(&self.service.app.limits.live, authenticated);
        loop {
            let Some(text) = receive(&mut self.socket, max).await? else { continue };
            match Message::parse(&text, protocol).map_err(|reason| close(4400, reason))? {
                Message::Init(payload) => return Ok(message::token(payload)),
                Message::Ping => self.send(message::PONG.to_owned()).await?,
                Message::Pong | Message::Complete { .. } => {}
                Message::Subscribe { .. } => return Err(close(4401, "Unauthorized")),
                // The client closes the connection.
                Message::Terminate => return Err(None),
            }
        }
    }

    async fn send(&mut self, text: String) -> Result<(), End> {
        send(&mut self.socket, &self.service.app.limits.live, text.into()).await
    }
}
