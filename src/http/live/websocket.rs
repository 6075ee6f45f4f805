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
        ws::{self, CloseFrame, Utf8Bytes, WebSocket},
    },
    http::{HeaderMap, Method, StatusCode, header, request},
    response::Response,
};
use futures_util::{
    StreamExt,
    stream::{self, AbortHandle, BoxStream, SelectAll},
};
use tokio::time::{sleep_until, timeout, timeout_at};
use tracing::{Instrument, Span, field::display};

use super::{
    SubscribeError,
    message::{self, InitToken, Message, PROTOCOL},
};
use crate::{
    auth::Bearer,
    domain::{self, access::Caller},
    graphql::{
        Code, Error,
        execute::{GraphqlResponse, OperationType, ResponseStream},
    },
    http::{Service, permits::TokenPermit, rejection::Rejection, request_metrics::RequestMetrics, trace_id::TraceId},
    metrics::{Api, Transport},
    types::LiveLimits,
};

/// Time for the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum size of the reason in a close frame (<https://www.rfc-editor.org/rfc/rfc6455#section-5.5>).
const MAX_REASON_BYTES: usize = 123;

/// Size of the read and write buffers of a connection. Messages are small, and there can be many connections.
const BUFFER_BYTES: usize = 8 << 10;

/// The code and reason of a close frame: codes below 4000 are of RFC 6455, the others of graphql-transport-ws.
struct Close(u16, String);

/// The end of a connection: with a close frame, or `None` if the client has disconnected.
type End = Option<Close>;

fn close(code: u16, reason: impl Into<String>) -> End {
    Some(Close(code, reason.into()))
}

fn stopping() -> End {
    close(1001, "the server is stopping")
}

/// Returns true if a request asks for a WebSocket.
pub(in crate::http) fn is_upgrade(head: &request::Parts) -> bool {
    let wanted =
        head.headers.get(header::UPGRADE).is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"));
    wanted && head.method == Method::GET
}

/// Returns true if the request is not from a page, or its origin is this server or an allowed one. Browsers send no preflight
/// for WebSockets.
fn is_allowed_origin(headers: &HeaderMap, origins: &[header::HeaderValue]) -> bool {
    let mut all = headers.get_all(header::ORIGIN).iter();
    let origin = match (all.next(), all.next()) {
        (None, _) => return true,
        (Some(origin), None) => origin,
        _ => return false,
    };
    let own = headers.get(header::HOST).is_some_and(|host| {
        let authority =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        authority.is_some_and(|authority| authority.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
    });
    own || origins.contains(origin)
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
        let mut known = None;
        if head.headers.contains_key(header::AUTHORIZATION) {
            let bearer = Bearer::of(&head.headers)?;
            let (caller, _permit) = self.admit(&head.extensions, bearer, Instant::now()).await?;
            known = Some((bearer, caller));
        }
        let permit = self.acquire_connection(Transport::WebSocket, metrics)?;
        let LiveLimits { message, .. } = self.app.limits.live;
        let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(message).max_frame_size(message);
        let upgrade = upgrade.read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
        // axum spawns the connection's task. This token makes the shutdown wait for it.
        let task = self.tasks.token();
        let (service, trace, metrics, span) = (Arc::clone(self), trace.clone(), metrics.clone(), Span::current());
        Ok(upgrade.on_upgrade(move |socket| {
            let connection =
                Connection { service, socket, trace, metrics, operations: SelectAll::new(), ids: HashMap::new() };
            async move {
                connection.serve(known).await;
                drop((permit, task));
            }
            .instrument(span)
        }))
    }
}

/// The responses of an operation with its id, and `None` when it has ended.
type Outgoing = BoxStream<'static, (String, Option<GraphqlResponse>)>;

struct Connection {
    service: Arc<Service>,
    socket: WebSocket,
    trace: TraceId,
    metrics: RequestMetrics,
    operations: SelectAll<Outgoing>,
    ids: HashMap<String, AbortHandle>,
}

impl Connection {
    async fn serve(mut self, known: Option<(Bearer, Caller)>) {
        let end = match self.authenticate(known).await {
            Ok((bearer, caller, permit)) => {
                let end = self.run(bearer, &caller).await;
                drop(permit);
                end
            }
            Err(end) => end,
        };
        // Ends running operations, so that their log lines precede that of the connection.
        (self.operations, self.ids) = Default::default();
        let close = end.map(|Close(code, mut reason)| {
            tracing::debug!(code, reason, "closing a WebSocket");
            reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
            ws::Message::Close(Some(CloseFrame { code, reason: reason.into() }))
        });
        let _ = timeout(CLOSE_TIMEOUT, async {
            if let Some(close) = close {
                let _ = self.socket.send(close).await;
            }
            // Receiving also sends the response to the client's close frame.
            while let Some(Ok(_)) = self.socket.recv().await {}
        })
        .await;
    }

    /// Authenticates the client by `connection_init`, or by the head of the request.
    async fn authenticate(
        &mut self,
        known: Option<(Bearer, Caller)>,
    ) -> Result<(Bearer, Caller, Option<TokenPermit>), End> {
        if self.socket.protocol().is_none() {
            return Err(close(4406, "Subprotocol not acceptable"));
        }
        let (service, init) = (Arc::clone(&self.service), self.service.app.limits.live.init);
        let given = tokio::select! {
            given = timeout(init, self.wait_for_init()) => {
                given.map_err(|_| close(4408, "Connection initialisation timeout"))??
            }
            () = service.stopping.cancelled() => return Err(stopping()),
        };
        let unauthorized = || close(4401, "Unauthorized");
        let (bearer, caller) = match (given, known) {
            (InitToken::Bearer(bearer), _) => {
                let app = service.app.until(Instant::now() + service.app.limits.time.query);
                match service.tokens.caller(&app, &service.tasks, bearer).await {
                    Ok(caller) => (bearer, caller),
                    Err(domain::Error::Unauthenticated) => return Err(unauthorized()),
                    Err(error) => return Err(close(1013, Error::from(error).message())),
                }
            }
            (InitToken::Missing, Some(known)) => known,
            (InitToken::Missing | InitToken::Malformed, _) => return Err(unauthorized()),
        };
        let mut permit = None;
        if let Some(token) = caller.token() {
            Span::current().record("token", display(token));
            let acquired = service.connections.acquire_for_token(token);
            permit = Some(acquired.map_err(|error| close(1013, error.message()))?);
        }
        self.send(message::ACK.to_owned()).await?;
        Ok((bearer, caller, permit))
    }

    /// Waits for `connection_init`, and returns its token.
    async fn wait_for_init(&mut self) -> Result<InitToken, End> {
        loop {
            let Some(text) = receive(&mut self.socket, self.service.app.limits.live).await? else { continue };
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
        let mut token_ends = pin!(service.tokens.end(&service.app, &service.tasks, bearer));
        let (mut last_received, mut pinged) = (tokio::time::Instant::now(), false);
        loop {
            let done = tokio::select! {
                text = receive(&mut self.socket, service.app.limits.live) => {
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
        let operation = self.service.prepare(request.as_bytes().to_vec(), metrics).await;
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

/// Receives the next message; `None` for a ping or pong.
async fn receive(socket: &mut WebSocket, limits: LiveLimits) -> Result<Option<Utf8Bytes>, End> {
    match socket.recv().await {
        Some(Ok(ws::Message::Text(text))) => Ok(Some(text)),
        Some(Ok(ws::Message::Binary(_))) => Err(close(4400, "a message must be text")),
        Some(Ok(ws::Message::Ping(_) | ws::Message::Pong(_))) => Ok(None),
        Some(Ok(ws::Message::Close(_))) | None => Err(None),
        Some(Err(error)) => Err(receive_error(&error, limits.message)),
    }
}

/// Returns the end of a broken connection. Only a message that is too large has a close frame.
fn receive_error(error: &axum::Error, max: usize) -> End {
    tracing::debug!(%error, "WebSocket connection failed");
    // axum hides the type of the error.
    let too_large = error.to_string().contains("too long");
    if !too_large {
        return None;
    }
    close(1009, format!("a message is limited to {max} bytes (MEMBERBASE_MAX_LIVE_MESSAGE)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_server_and_allowed_origins_may_connect() {
        let list = [header::HeaderValue::from_static("https://admin.example.com")];
        for (origin, known) in [
            (None, true),
            (Some("http://localhost:8080"), true),
            (Some("https://LOCALHOST:8080"), true),
            (Some("https://admin.example.com"), true),
            (Some("https://admin.example.com.evil.com"), false),
            (Some("http://localhost:8081"), false),
            (Some("http://localhost"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, header::HeaderValue::from_static("localhost:8080"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("a header's value"));
            }
            assert_eq!(is_allowed_origin(&headers, &list), known, "{origin:?}");
        }
    }
}
