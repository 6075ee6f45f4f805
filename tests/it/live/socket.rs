//! A WebSocket client that sends and receives single messages.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::CHANGED;

pub(super) const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// A WebSocket client.
pub(super) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Connects with these headers; returns the status if the server rejects the upgrade.
    pub(super) async fn open(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            // The client requested a subprotocol and the server selected none.
            Err(other) => panic!("{other}"),
        }
    }

    /// Connects with the graphql-transport-ws subprotocol.
    pub(super) async fn new(address: SocketAddr) -> Self {
        Self::open(address, &[("sec-websocket-protocol", "graphql-transport-ws")]).await.unwrap()
    }

    /// Connects with the older subprotocol graphql-ws.
    pub(super) async fn older(address: SocketAddr) -> Self {
        Self::open(address, &[("sec-websocket-protocol", "graphql-ws")]).await.unwrap()
    }

    /// Connects and authenticates with this secret.
    pub(super) async fn of(address: SocketAddr, secret: &str) -> Self {
        let mut socket = Self::new(address).await;
        let authorization = format!("Bearer {secret}");
        socket.send(json!({"type": "connection_init", "payload": {"Authorization": authorization}})).await;
        assert_eq!(socket.next_message().await, json!({"type": "connection_ack"}));
        socket
    }

    pub(super) async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub(super) async fn send_raw(&mut self, message: Message) {
        let _ = self.0.send(message).await;
    }

    /// Sends bytes that are not framed.
    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// Returns the next message.
    pub(super) async fn next_message(&mut self) -> Value {
        loop {
            match timeout(MESSAGE_TIMEOUT, self.0.next()).await.expect("a message in time").expect("a message").unwrap()
            {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Returns the next message that is not a keep-alive message.
    pub(super) async fn next_but_keep_alive(&mut self) -> Value {
        loop {
            let message = self.next_message().await;
            if message["type"] != "ka" {
                return message;
            }
        }
    }

    /// Returns the code and the reason of the server's close frame.
    pub(super) async fn closed(&mut self) -> (u16, String) {
        // Pings do not extend the time.
        let closed = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => {
                        return (frame.code.into(), frame.reason.as_str().to_owned());
                    }
                    Some(Ok(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        timeout(MESSAGE_TIMEOUT, closed).await.expect("an end in time")
    }

    /// Subscribes, and waits until the subscription is active: the server handles messages in order.
    pub(super) async fn subscribe(&mut self, id: &str, base: &str) {
        self.request(id, CHANGED, json!({"id": base})).await;
        self.send(json!({"type": "ping"})).await;
        assert_eq!(self.next_message().await, json!({"type": "pong"}));
    }

    pub(super) async fn request(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.send(json!({"id": id, "type": "subscribe", "payload": payload})).await;
    }

    /// Returns the change in the next message.
    pub(super) async fn change(&mut self, id: &str) -> Value {
        let mut message = self.next_message().await;
        assert_eq!((&message["id"], &message["type"]), (&json!(id), &json!("next")), "{message}");
        message["payload"]["data"]["memberbaseChanged"].take()
    }

    /// Returns the error code of a rejected operation.
    pub(super) async fn error_code(&mut self, id: &str) -> String {
        let message = self.next_message().await;
        assert_eq!((&message["id"], &message["type"]), (&json!(id), &json!("error")), "{message}");
        assert!(message["payload"][0]["extensions"]["traceId"].is_string(), "{message}");
        message["payload"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }
}
