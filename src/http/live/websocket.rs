//! Subscriptions over WebSocket: the graphql-transport-ws protocol.

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
    SubscribeError, TokenPermit,
    message::{self, InitToken, Message, PROTOCOL},
};
use crate::{
    auth::Bearer,
    domain::{self, access::Caller},
    graphql::{
        Code, Error,
        execute::{Answer, Answers, Kind, Operation},
    },
    http::{Service, answer::Rejection, graphql::kind, request_metrics::RequestMetrics, trace::TraceId},
    metrics::{Api, Transport},
    types::LiveLimits,
};

/// How long a client may take to hear that its connection is closed.
const CLOSING: Duration = Duration::from_secs(1);

/// The most bytes of the reason of a close (RFC 6455, section 5.5).
const REASON: usize = 123;

/// Buffers of a connection: its messages are small, and there may be many connections.
const BUFFER: usize = 8 << 10;

/// Why a connection is closed: codes of RFC 6455 below 4000, of graphql-transport-ws above.
struct Close(u16, String);

impl Close {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        Self(code, reason.into())
    }

    fn stopping() -> Self {
        Self::new(1001, "the server is stopping")
    }
}

/// Whether a request wants to be a WebSocket.
pub(in crate::http) fn is_upgrade(head: &request::Parts) -> bool {
    let wanted =
        head.headers.get(header::UPGRADE).is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"));
    wanted && head.method == Method::GET
}

/// Whether the page that asks, if it is one, is ours or may call the API: no browser asks beforehand.
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
    /// Makes a request a WebSocket. What costs least is judged first; a token in its head is judged before it is one.
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
            let (caller, _permit) = self.admit(bearer, Instant::now()).await?;
            known = Some((bearer, caller));
        }
        let place = self.places.acquire(Transport::WebSocket, metrics)?;
        let LiveLimits { message, .. } = self.app.limits.live;
        let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(message).max_frame_size(message);
        let upgrade = upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER);
        // axum's task is not ours: the server waits for this.
        let task = self.tasks.token();
        let (service, trace, metrics, span) = (Arc::clone(self), trace.clone(), metrics.clone(), Span::current());
        Ok(upgrade.on_upgrade(move |socket| {
            let connection =
                Connection { service, socket, trace, metrics, operations: SelectAll::new(), ids: HashMap::new() };
            async move {
                connection.serve(known).await;
                drop((place, task));
            }
            .instrument(span)
        }))
    }
}

/// The answers of an operation with its id, and nothing when it is over.
type Outgoing = BoxStream<'static, (String, Option<Answer>)>;

struct Connection {
    service: Arc<Service>,
    socket: WebSocket,
    trace: TraceId,
    metrics: RequestMetrics,
    operations: SelectAll<Outgoing>,
    ids: HashMap<String, AbortHandle>,
}

/// The client is gone, or the connection is to be closed.
type End = Option<Close>;

impl Connection {
    async fn serve(mut self, known: Option<(Bearer, Caller)>) {
        let end = match self.begin(known).await {
            Ok((bearer, caller, turn)) => {
                let end = self.run(bearer, &caller).await;
                drop(turn);
                end
            }
            Err(end) => end,
        };
        // What still runs ends first: its line in the log comes before the connection's.
        (self.operations, self.ids) = Default::default();
        let close = end.map(|Close(code, mut reason)| {
            tracing::debug!(code, reason, "closing a WebSocket");
            reason.truncate(reason.floor_char_boundary(REASON));
            ws::Message::Close(Some(CloseFrame { code, reason: reason.into() }))
        });
        let _ = timeout(CLOSING, async {
            if let Some(close) = close {
                let _ = self.socket.send(close).await;
            }
            // Until both sides have closed: what answers the client's close is sent while it is listened to.
            while let Some(Ok(_)) = self.socket.recv().await {}
        })
        .await;
    }

    /// Waits for `connection_init`, and finds out who it is.
    async fn begin(&mut self, known: Option<(Bearer, Caller)>) -> Result<(Bearer, Caller, Option<TokenPermit>), End> {
        if self.socket.protocol().is_none() {
            return Err(Some(Close::new(4406, "Subprotocol not acceptable")));
        }
        let (service, init) = (Arc::clone(&self.service), self.service.app.limits.live.init);
        let given = tokio::select! {
            given = timeout(init, self.wait_for_init()) => {
                given.map_err(|_| Some(Close::new(4408, "Connection initialisation timeout")))??
            }
            () = service.stopping.cancelled() => return Err(Some(Close::stopping())),
        };
        let unauthorized = || Some(Close::new(4401, "Unauthorized"));
        let (bearer, caller) = match (given, known) {
            (InitToken::Bearer(bearer), _) => {
                let app = service.app.until(Instant::now() + service.app.limits.time.query);
                match service.tokens.caller(&app, &service.tasks, bearer).await {
                    Ok(caller) => (bearer, caller),
                    Err(domain::Error::Unauthenticated) => return Err(unauthorized()),
                    Err(error) => return Err(Some(Close::new(1013, Error::from(error).message()))),
                }
            }
            (InitToken::Missing, Some(known)) => known,
            (InitToken::Missing | InitToken::Malformed, _) => return Err(unauthorized()),
        };
        let turn = match caller.token() {
            Some(token) => {
                Span::current().record("token", display(token));
                let turn = service.places.acquire_for_token(token);
                Some(turn.map_err(|error| Some(Close::new(1013, error.message())))?)
            }
            None => None,
        };
        self.send(message::ACK.to_owned()).await?;
        Ok((bearer, caller, turn))
    }

    /// What the client says of its token.
    async fn wait_for_init(&mut self) -> Result<InitToken, End> {
        loop {
            let Some(text) = receive(&mut self.socket, self.service.app.limits.live).await? else { continue };
            match Message::read(&text).map_err(|reason| Some(Close::new(4400, reason)))? {
                Message::Init(payload) => return Ok(message::token(payload)),
                Message::Ping => self.send(message::PONG.to_owned()).await?,
                Message::Pong | Message::Complete { .. } => {}
                Message::Subscribe { .. } => return Err(Some(Close::new(4401, "Unauthorized"))),
            }
        }
    }

    /// Serves operations until the connection ends.
    async fn run(&mut self, bearer: Bearer, caller: &Caller) -> End {
        let service = Arc::clone(&self.service);
        let keep_alive = service.app.limits.live.keep_alive;
        let mut token_ends = pin!(service.tokens.end(&service.app, &service.tasks, bearer));
        let (mut heard, mut asked) = (tokio::time::Instant::now(), false);
        loop {
            let done = tokio::select! {
                text = receive(&mut self.socket, service.app.limits.live) => {
                    (heard, asked) = (tokio::time::Instant::now(), false);
                    match text {
                        Ok(Some(text)) => tokio::select! {
                            done = self.handle_message(&text, caller) => done,
                            () = service.stopping.cancelled() => Err(Some(Close::stopping())),
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
                () = token_ends.as_mut() => Err(Some(Close::new(4403, "Forbidden"))),
                () = service.stopping.cancelled() => Err(Some(Close::stopping())),
                () = sleep_until(heard + keep_alive), if !asked => {
                    asked = true;
                    self.put(ws::Message::Ping(bytes::Bytes::new())).await
                }
                () = sleep_until(heard + 2 * keep_alive), if asked => {
                    tracing::debug!("client does not respond to pings, closing the connection");
                    Err(None)
                }
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Does what a message asks for.
    async fn handle_message(&mut self, text: &str, caller: &Caller) -> Result<(), End> {
        match Message::read(text).map_err(|reason| Some(Close::new(4400, reason)))? {
            Message::Init(_) => Err(Some(Close::new(4429, "Too many initialisation requests"))),
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
                Err(Some(Close::new(4409, format!("Subscriber for {id} already exists"))))
            }
            Message::Subscribe { id, payload } => {
                let metrics = self.metrics.another();
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

    /// Begins an operation, with a line in the log as a request has it. An answer says why it did not begin.
    async fn subscribe(&mut self, request: &str, caller: &Caller, metrics: &RequestMetrics) -> Result<Answers, Answer> {
        let started = Instant::now();
        let subscribed = self.try_subscribe(request, caller, metrics, started).await.map_err(|failed| match failed {
            SubscribeError::Rejected(rejection) => rejection.answer(&self.trace),
            SubscribeError::Response(answer) => answer,
        });
        let time = started.elapsed();
        let milliseconds = (time.as_secs_f64() * 1e6).round() / 1000.0;
        let code = match &subscribed {
            Ok(_) => {
                tracing::info!(milliseconds, code = "OK", "subscription started");
                "OK"
            }
            Err(answer) => {
                let code = answer.codes.first().map_or("", |code| code.as_str());
                tracing::info!(milliseconds, code, "subscription failed to start");
                code
            }
        };
        metrics.finish(code, time);
        subscribed
    }

    async fn try_subscribe(
        &mut self,
        request: &str,
        caller: &Caller,
        metrics: &RequestMetrics,
        started: Instant,
    ) -> Result<Answers, SubscribeError> {
        let reject = |error: Error| SubscribeError::Rejected(error.into());
        let most = self.service.app.limits.live.subscriptions;
        if self.ids.len() >= most {
            let message =
                format!("this connection has its maximum of {most} subscriptions (MEMBERBASE_MAX_SUBSCRIPTIONS)");
            return Err(reject(Error::new(Code::LimitExceeded, message)));
        }
        let _permit = self.service.admit_operation(caller).map_err(reject)?;
        let operation = self.service.prepare(request.as_bytes().to_vec()).await.map_err(SubscribeError::Rejected)?;
        self.name(&operation, metrics);
        if operation.kind() != Kind::Subscription {
            let message = "only subscriptions are supported over a WebSocket; send queries and mutations by POST";
            return Err(reject(Error::new(Code::BadRequest, message)));
        }
        self.service.subscribe(operation, caller.clone(), started, &self.trace).await
    }

    fn name(&self, operation: &Operation, metrics: &RequestMetrics) {
        crate::http::graphql::name(operation);
        metrics.set_operation(kind(operation), operation.root());
    }

    fn add(&mut self, id: String, answers: Answers) {
        let (of, last) = (id.clone(), (id.clone(), None));
        let answers = answers.map(move |answer| (of.clone(), Some(answer))).chain(stream::iter([last]));
        let (answers, handle) = stream::abortable(answers);
        self.ids.insert(id, handle);
        self.operations.push(answers.boxed());
    }

    async fn send(&mut self, text: String) -> Result<(), End> {
        self.put(ws::Message::Text(text.into())).await
    }

    /// A client that does not take what it is sent is gone.
    async fn put(&mut self, message: ws::Message) -> Result<(), End> {
        let deadline = tokio::time::Instant::now() + self.service.app.limits.live.keep_alive;
        match timeout_at(deadline, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => {
                tracing::debug!("client does not read its events, closing the connection");
                Err(None)
            }
        }
    }
}

/// The next text; none for what is no text and of no concern.
async fn receive(socket: &mut WebSocket, limits: LiveLimits) -> Result<Option<Utf8Bytes>, End> {
    match socket.recv().await {
        Some(Ok(ws::Message::Text(text))) => Ok(Some(text)),
        Some(Ok(ws::Message::Binary(_))) => Err(Some(Close::new(4400, "a message must be text"))),
        Some(Ok(ws::Message::Ping(_) | ws::Message::Pong(_))) => Ok(None),
        Some(Ok(ws::Message::Close(_))) | None => Err(None),
        Some(Err(error)) => Err(broken(&error, limits.message)),
    }
}

/// What is too large is told.
fn broken(error: &axum::Error, most: usize) -> End {
    tracing::debug!(%error, "WebSocket connection failed");
    // axum shows the error as a text alone.
    let too_large = error.to_string().contains("too long");
    too_large.then(|| Close::new(1009, format!("a message is limited to {most} bytes (MEMBERBASE_MAX_LIVE_MESSAGE)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_to_be_ours_or_on_the_list() {
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
