//! Subscriptions over WebSocket: the graphql-transport-ws protocol
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>).

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{
        FromRequestParts, WebSocketUpgrade,
        ws::{self, CloseFrame, WebSocket},
    },
    http::{StatusCode, header, request},
    response::Response,
};
use futures_util::{
    StreamExt,
    stream::{self, AbortHandle, BoxStream, SelectAll},
};
use tokio::time::{sleep_until, timeout, timeout_at};
use tracing::{Instrument, Span, field::display};

pub(in crate::http) use super::handshake::is_upgrade;
use super::{
    ConnectionPermit, SubscribeError,
    close::{End, close, stopping},
    handshake::is_allowed_origin,
    message::{self, InitToken, Message, PROTOCOL},
    receive::{MessageLimit, receive},
};
use crate::{
    auth::Bearer,
    domain::{self, access::Caller},
    graphql::{
        Code, Error,
        execute::{GraphqlResponse, OperationType, ResponseStream},
    },
    http::{
        Service, connections::ConnectionHandle, evicting_pool::Place, rejection::Rejection,
        request_metrics::RequestMetrics, trace_id::TraceId,
    },
    metrics::{Api, Transport},
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
        let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(message).max_frame_size(message);
        let upgrade = upgrade.read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
        // axum spawns the connection's task. This token makes the shutdown wait for it.
        let task = self.tasks.token();
        let (service, trace, metrics, span) = (Arc::clone(self), trace.clone(), metrics.clone(), Span::current());
        let handle = head.extensions.get().cloned();
        let (operations, ids) = (SelectAll::new(), HashMap::new());
        Ok(upgrade.on_upgrade(move |socket| {
            let connection = Connection { service, socket, handle, trace, metrics, operations, ids };
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
            return Ok(Admission::Authenticated(Session { bearer, caller, permit }));
        }
        let place = self.unauthenticated_sockets.enter().ok_or_else(|| {
            let message = "the server accepts no subscriptions (MEMBERBASE_MAX_LIVE_CONNECTIONS)";
            Error::new(Code::ServiceUnavailable, message)
        })?;
        Ok(Admission::Unauthenticated(place))
    }
}

/// The admission of a WebSocket when it is opened.
enum Admission {
    /// Authenticated by the token in the head of the request.
    Authenticated(Session),
    /// Until its first message.
    Unauthenticated(Place),
}

/// An authenticated WebSocket.
struct Session {
    bearer: Bearer,
    caller: Caller,
    permit: ConnectionPermit,
}

/// The responses of an operation with its id, and `None` when it has ended.
type Outgoing = BoxStream<'static, (String, Option<GraphqlResponse>)>;

struct Connection {
    service: Arc<Service>,
    socket: WebSocket,
    /// `None` in tests without a connection.
    handle: Option<ConnectionHandle>,
    trace: TraceId,
    metrics: RequestMetrics,
    operations: SelectAll<Outgoing>,
    ids: HashMap<String, AbortHandle>,
}

impl Connection {
    async fn serve(mut self, admission: Admission) {
        let mut permit = None;
        let end = match self.authenticate(admission).await {
            Ok(session) => {
                permit = Some(session.permit);
                self.run(session.bearer, &session.caller).await
            }
            Err(end) => end,
        };
        // Ends running operations, so that their log lines precede that of the connection.
        (self.operations, self.ids) = Default::default();
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

    /// Authenticates the client by `connection_init`, or by the head of the request.
    async fn authenticate(&mut self, admission: Admission) -> Result<Session, End> {
        if self.socket.protocol().is_none() {
            return Err(close(4406, "Subprotocol not acceptable"));
        }
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
            given = timeout(service.app.limits.live.init, self.wait_for_init(known.is_some())) => {
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
        self.send(message::ACK.to_owned()).await?;
        Ok(session)
    }

    async fn open_session(&mut self, bearer: Bearer) -> Result<Session, End> {
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
        Ok(Session { bearer, caller, permit })
    }

    /// Waits for `connection_init`, and returns its token.
    async fn wait_for_init(&mut self, authenticated: bool) -> Result<InitToken, End> {
        let max = MessageLimit::new(&self.service.app.limits.live, authenticated);
        loop {
            let Some(text) = receive(&mut self.socket, max).await? else { continue };
            match Message::parse(&text).map_err(|reason| close(4400, reason))? {
                Message::Init(payload) => return Ok(message::token(payload)),
                Message::Ping => self.send(message::PONG.to_owned()).await?,
                Message::Pong | Message::Complete { .. } => {}
                Message::Subscribe { .. } => return Err(close(4401, "Unauthorized")),
            }
        }
    }

    /// Serves operations until the connection ends.
    async fn run(&mut self, bearer: Bearer, caller: &Caller) -> End {
        let service = Arc::clone(&self.service);
        let keep_alive = service.app.limits.live.keep_alive;
        let max = MessageLimit::new(&service.app.limits.live, true);
        let mut token_ends = pin!(service.tokens.end(&service.app, &service.tasks, bearer));
        let (mut last_received, mut pinged) = (tokio::time::Instant::now(), false);
        loop {
            let done = tokio::select! {
                text = receive(&mut self.socket, max) => {
                    (last_received, pinged) = (tokio::time::Instant::now(), false);
                    match text {
                        Ok(Some(text)) => tokio::select! {
                            done = self.handle_message(&text, caller) => done,
                            () = service.stopping.cancelled() => Err(stopping()),
                        },
                        Ok(None) => Ok(()),
                        Err(end) => Err(end),
                    }
                }
                Some((id, answer)) = self.operations.next(), if !self.operations.is_empty() => match answer {
                    Some(answer) => self.send(message::next(&id, &answer)).await,
                    None => {
                        self.ids.remove(&id);
                        self.send(message::complete(&id)).await
                    }
                },
                () = token_ends.as_mut() => Err(close(4403, "Forbidden")),
                () = service.stopping.cancelled() => Err(stopping()),
                () = sleep_until(last_received + keep_alive), if !pinged => {
                    pinged = true;
                    self.send_frame(ws::Message::Ping(bytes::Bytes::new())).await
                }
                () = sleep_until(last_received + 2 * keep_alive), if pinged => {
                    tracing::debug!("client does not respond to pings, closing the connection");
                    Err(None)
                }
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn handle_message(&mut self, text: &str, caller: &Caller) -> Result<(), End> {
        match Message::parse(text).map_err(|reason| close(4400, reason))? {
            Message::Init(_) => Err(close(4429, "Too many initialisation requests")),
            Message::Ping => self.send(message::PONG.to_owned()).await,
            Message::Pong => Ok(()),
            Message::Complete { id } => {
                if let Some(operation) = self.ids.remove(&*id) {
                    operation.abort();
                }
                Ok(())
            }
            Message::Subscribe { id, .. } if self.ids.contains_key(&*id) => {
                let id: String = id.chars().take(60).collect();
                Err(close(4409, format!("Subscriber for {id} already exists")))
            }
            Message::Subscribe { id, payload } => {
                let metrics = self.metrics.for_next_operation();
                metrics.set_api(Api::Graphql);
                let span = tracing::info_span!("subscription", operation = tracing::field::Empty);
                match self.subscribe(payload.get(), caller, &metrics).instrument(span).await {
                    Ok(answers) => {
                        self.add(id.into_owned(), answers);
                        Ok(())
                    }
                    Err(answer) => self.send(message::error(&id, &answer)).await,
                }
            }
        }
    }

    /// Starts an operation, and logs that. Returns the response if it fails.
    async fn subscribe(
        &mut self,
        request: &str,
        caller: &Caller,
        metrics: &RequestMetrics,
    ) -> Result<ResponseStream, GraphqlResponse> {
        let started = Instant::now();
        let subscribed = self.try_subscribe(request, caller, metrics, started).await.map_err(|failed| match failed {
            SubscribeError::Rejected(rejection) => rejection.answer(&self.trace),
            SubscribeError::Response(answer) => answer,
        });
        let time = started.elapsed();
        let milliseconds = (time.as_secs_f64() * 1e6).round() / 1000.0;
        let code = match &subscribed {
            Ok(_) => "OK",
            Err(answer) => answer.codes.first().map_or("", |code| code.as_str()),
        };
        match &subscribed {
            Ok(_) => tracing::info!(milliseconds, code, "subscription started"),
            Err(_) => tracing::info!(milliseconds, code, "subscription failed to start"),
        }
        metrics.finish(code, time);
        subscribed
    }

    async fn try_subscribe(
        &mut self,
        request: &str,
        caller: &Caller,
        metrics: &RequestMetrics,
        started: Instant,
    ) -> Result<ResponseStream, SubscribeError> {
        let max = self.service.app.limits.live.subscriptions;
        if self.ids.len() >= max {
            let message =
                format!("this connection has its maximum of {max} subscriptions (MEMBERBASE_MAX_SUBSCRIPTIONS)");
            return Err(Error::new(Code::LimitExceeded, message).into());
        }
        let _permit = self.service.admit_operation(caller)?;
        let budget = self.service.open_budget(true, started).await.map_err(Error::from)?;
        let operation = self.service.prepare(request.as_bytes().to_vec(), &budget, metrics).await;
        let operation = operation.map_err(SubscribeError::Rejected)?;
        if operation.kind() != OperationType::Subscription {
            let message = "only subscriptions are supported over a WebSocket; send queries and mutations by POST";
            return Err(Error::new(Code::BadRequest, message).into());
        }
        self.service.subscribe(operation, caller.clone(), started, &self.trace).await
    }

    fn add(&mut self, id: String, answers: ResponseStream) {
        let (of, last) = (id.clone(), (id.clone(), None));
        let answers = answers.map(move |answer| (of.clone(), Some(answer))).chain(stream::iter([last]));
        let (answers, handle) = stream::abortable(answers);
        self.ids.insert(id, handle);
        self.operations.push(answers.boxed());
    }

    async fn send(&mut self, text: String) -> Result<(), End> {
        self.send_frame(ws::Message::Text(text.into())).await
    }

    /// Sends a message. A client that does not read is disconnected.
    async fn send_frame(&mut self, message: ws::Message) -> Result<(), End> {
        let deadline = tokio::time::Instant::now() + self.service.app.limits.live.keep_alive;
        let sent = timeout_at(deadline, self.socket.send(message)).await;
        if sent.is_err() {
            tracing::debug!("client does not read its events, closing the connection");
        }
        if let Ok(Ok(())) = sent { Ok(()) } else { Err(None) }
    }
}
