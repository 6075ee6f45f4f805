//! A WebSocket that is authenticated: relays messages between the client and async-graphql's protocol.
//!
//! The protocol keeps the running operations and the order of messages. What this server demands beyond it is decided
//! here: limits, close codes, the end of the token, pings, and the form of errors.

use std::{
    collections::{HashMap, HashSet},
    future::ready,
    pin::pin,
    sync::Arc,
};

use async_graphql::{Data, http::WebSocketProtocols as Subprotocol};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::extract::ws::{self, Utf8Bytes, WebSocket};
use futures_util::{sink, stream};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    close::{End, close, stopping},
    message::{self, LibraryMessage, Message},
    operations::{Operations, Outgoing},
    transfer::{MessageLimit, receive, send},
};
use crate::{
    auth::Bearer,
    graphql::{
        Code, Error,
        execute::{GraphqlResponse, request_error},
    },
    http::{Service, trace_id::TraceId},
};

/// Maximum number of messages that wait between the protocol and the client, in each direction.
const MAX_QUEUED_MESSAGES: usize = 4;

/// Free places for messages to the protocol while a message of the client is received: one for it, and one for each
/// message of the protocol that may have to be answered. So no message waits for a place, and the two directions never wait
/// for each other.
const FREE_PLACES: usize = MAX_QUEUED_MESSAGES + 2;

/// Maximum number of characters of an id in a close reason.
const MAX_REASON_ID_CHARACTERS: usize = 60;

pub(super) struct Session<'a> {
    pub(super) service: Arc<Service>,
    pub(super) socket: &'a mut WebSocket,
    pub(super) protocol: Subprotocol,
    pub(super) trace: TraceId,
    pub(super) bearer: Bearer,
    pub(super) operations: Operations,
}

impl Session<'_> {
    /// Serves operations until the connection ends.
    pub(super) async fn run(self, protocol: GraphQLProtocol) -> End {
        let (to_protocol, mut received) = mpsc::channel(MAX_QUEUED_MESSAGES + FREE_PLACES);
        let (written, from_protocol) = mpsc::channel(MAX_QUEUED_MESSAGES);
        let input = stream::poll_fn(move |context| received.poll_recv(context).map(|message| message.map(Ok)));
        let write =
            |written: mpsc::Sender<ws::Message>, message| async move { written.send(message).await.map(|()| written) };
        let output = pin!(sink::unfold(written, write));
        let operations = self.operations.clone();
        let library = GraphQLWebSocket::new_with_pair(output, input, operations.clone(), protocol)
            .on_connection_init(|_| ready(Ok(Data::default())))
            .on_ping(|_: Option<&Data>, _: Option<serde_json::Value>| async move {
                operations.all_active().await;
                Ok(None)
            });
        let relay = Relay { session: self, to_protocol, active: HashSet::new(), stopped: HashMap::new() };
        tokio::select! {
            end = relay.run(from_protocol) => end,
            () = library.serve() => out_of_step(),
        }
    }
}

struct Relay<'a> {
    session: Session<'a>,
    to_protocol: mpsc::Sender<ws::Message>,
    /// The ids of running operations.
    active: HashSet<String>,
    /// For each id, how many `complete` messages of the protocol are not for the client: it has stopped the operation, or
    /// an error has ended it.
    stopped: HashMap<String, usize>,
}

impl Relay<'_> {
    async fn run(mut self, mut from_protocol: mpsc::Receiver<ws::Message>) -> End {
        let service = Arc::clone(&self.session.service);
        let keep_alive = service.app.limits.live.keep_alive;
        let max = MessageLimit::new(&service.app.limits.live, true);
        let mut token_ends = pin!(service.tokens.end(&service.app, &service.tasks, self.session.bearer));
        let (mut last_received, mut pinged, mut keep_alive_at) = (Instant::now(), false, None);
        let mut done = self.instruct(message::INIT.to_owned());
        loop {
            if let Err(end) = done {
                return end;
            }
            done = tokio::select! {
                text = receive_if_free(self.session.socket, max, &self.to_protocol) => {
                    (last_received, pinged) = (Instant::now(), false);
                    match text {
                        Ok(Some(text)) => tokio::select! {
                            done = self.handle(&text) => done,
                            () = service.stopping.cancelled() => Err(stopping()),
                        },
                        Ok(None) => Ok(()),
                        Err(end) => Err(end),
                    }
                }
                Some(message) = from_protocol.recv() => {
                    let done = self.forward(message).await;
                    // The first message is the acknowledgement.
                    keep_alive_at.get_or_insert_with(Instant::now);
                    done
                }
                () = token_ends.as_mut() => Err(close(4403, "Forbidden")),
                () = service.stopping.cancelled() => Err(stopping()),
                () = sleep_until(last_received + keep_alive), if !pinged => {
                    pinged = true;
                    self.send(ws::Message::Ping(bytes::Bytes::new())).await
                }
                () = sleep_until(last_received + 2 * keep_alive), if pinged => {
                    tracing::debug!("client does not respond to pings, closing the connection");
                    Err(None)
                }
                () = keep_alive_due(self.session.protocol, keep_alive_at) => {
                    keep_alive_at = Some(Instant::now() + keep_alive);
                    self.send(message::KEEP_ALIVE.into()).await
                }
            };
        }
    }

    /// Sends a message to the protocol.
    fn instruct(&self, message: String) -> Result<(), End> {
        self.to_protocol.try_send(message.into()).map_err(|_| out_of_step())
    }

    /// Handles a message of the client.
    async fn handle(&mut self, text: &str) -> Result<(), End> {
        let protocol = self.session.protocol;
        let message = match Message::parse(text, protocol).map_err(|reason| close(4400, reason))? {
            Message::Init(_) => return Err(close(4429, "Too many initialisation requests")),
            Message::Terminate => return Err(close(1000, "")),
            Message::Ping => message::PING.to_owned(),
            Message::Pong => return Ok(()),
            Message::Complete { id } => {
                if !self.active.remove(&*id) {
                    return Ok(());
                }
                self.stop(id.into_owned())
            }
            Message::Subscribe { id, .. } if self.active.contains(&*id) => {
                let id: String = id.chars().take(MAX_REASON_ID_CHARACTERS).collect();
                return Err(close(4409, format!("Subscriber for {id} already exists")));
            }
            Message::Subscribe { id, payload } => {
                if let Some(refused) = self.refuse() {
                    return self.send(message::error(protocol, &id, &refused).into()).await;
                }
                self.session.operations.push_request(payload.get().as_bytes().to_vec());
                let start = message::start(&id);
                self.active.insert(id.into_owned());
                start
            }
        };
        self.instruct(message)
    }

    /// Returns the response to an operation for which the connection has no place.
    fn refuse(&self) -> Option<GraphqlResponse> {
        let max = self.session.service.app.limits.live.subscriptions;
        (self.active.len() >= max).then(|| {
            let message = format!("this connection has its maximum of {max} operations (MEMBERBASE_MAX_SUBSCRIPTIONS)");
            request_error(&[Error::new(Code::LimitExceeded, message)], self.session.trace.as_str())
        })
    }

    /// Returns the message that stops an operation, whose `complete` is not for the client.
    fn stop(&mut self, id: String) -> String {
        let message = message::stop(&id);
        *self.stopped.entry(id).or_default() += 1;
        message
    }

    /// Sends a message of the protocol to the client, with the response that belongs to it.
    async fn forward(&mut self, message: ws::Message) -> Result<(), End> {
        let ws::Message::Text(text) = &message else { return Err(out_of_step()) };
        let LibraryMessage { kind, id } = serde_json::from_str(text).map_err(|_| out_of_step())?;
        let protocol = self.session.protocol;
        let Some(id) = id else { return self.send(message).await };
        if kind == "complete" {
            if self.forget(&id) {
                return Ok(());
            }
            self.active.remove(&*id);
            return self.send(message).await;
        }
        let outgoing = self.session.operations.pop_response();
        if !self.active.contains(&*id) {
            // The client has stopped it.
            return Ok(());
        }
        match outgoing {
            Some(Outgoing::Next(event)) => {
                let next = message::next(protocol, &id, &event.response);
                let _holding = event.into_holding();
                self.send(next.into()).await
            }
            Some(Outgoing::Error(response)) => {
                self.active.remove(&*id);
                self.send(message::error(protocol, &id, &response).into()).await?;
                // So that exactly one `complete` follows, and before that of another operation with this id.
                let stop = self.stop(id.into_owned());
                self.instruct(stop)
            }
            None => Err(out_of_step()),
        }
    }

    /// Returns whether a `complete` is not for the client.
    fn forget(&mut self, id: &str) -> bool {
        let Some(count) = self.stopped.get_mut(id) else { return false };
        *count -= 1;
        if *count == 0 {
            self.stopped.remove(id);
        }
        true
    }

    async fn send(&mut self, message: ws::Message) -> Result<(), End> {
        send(self.session.socket, &self.session.service.app.limits.live, message).await
    }
}

/// The end of a connection for which the protocol has done what it should not. Clients connect again after this code.
fn out_of_step() -> End {
    tracing::error!("a WebSocket is out of step with its protocol");
    close(1013, "internal error")
}

/// Receives the next message as soon as there are places for messages to the protocol.
async fn receive_if_free(
    socket: &mut WebSocket,
    max: MessageLimit,
    to_protocol: &mpsc::Sender<ws::Message>,
) -> Result<Option<Utf8Bytes>, End> {
    drop(to_protocol.reserve_many(FREE_PLACES).await);
    receive(socket, max).await
}

/// Waits for the time of the next keep-alive message, which only graphql-ws has. The first one follows the acknowledgement.
async fn keep_alive_due(protocol: Subprotocol, at: Option<Instant>) {
    match (protocol, at) {
        (Subprotocol::SubscriptionsTransportWS, Some(at)) => sleep_until(at).await,
        _ => std::future::pending().await,
    }
}
