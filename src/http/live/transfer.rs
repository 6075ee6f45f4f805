//! Receives and sends WebSocket messages within their limits of size and time.

use axum::extract::ws::{self, Utf8Bytes, WebSocket};
use tokio::time::timeout;

use super::close::{End, close};
use crate::{http::connections::MAX_UNAUTHENTICATED_MESSAGE_BYTES, types::LiveLimits};

/// The maximum size of a client's message.
#[derive(Clone, Copy)]
pub(super) struct MessageLimit {
    bytes: usize,
    /// The setting of the limit, or when it applies.
    source: &'static str,
}

impl MessageLimit {
    pub(super) fn new(limits: &LiveLimits, authenticated: bool) -> Self {
        if authenticated || limits.message <= MAX_UNAUTHENTICATED_MESSAGE_BYTES {
            return Self { bytes: limits.message, source: "MEMBERBASE_MAX_LIVE_MESSAGE" };
        }
        Self { bytes: MAX_UNAUTHENTICATED_MESSAGE_BYTES, source: "before authentication" }
    }

    fn close(self) -> End {
        let Self { bytes, source } = self;
        close(1009, format!("a message is limited to {bytes} bytes ({source})"))
    }
}

/// Receives the next message; `None` for a ping or pong.
pub(super) async fn receive(socket: &mut WebSocket, max: MessageLimit) -> Result<Option<Utf8Bytes>, End> {
    match socket.recv().await {
        Some(Ok(ws::Message::Text(text))) if text.len() > max.bytes => Err(max.close()),
        Some(Ok(ws::Message::Text(text))) => Ok(Some(text)),
        Some(Ok(ws::Message::Binary(_))) => Err(close(4400, "a message must be text")),
        Some(Ok(ws::Message::Ping(_) | ws::Message::Pong(_))) => Ok(None),
        Some(Ok(ws::Message::Close(_))) | None => Err(None),
        Some(Err(error)) => Err(receive_error(&error, max)),
    }
}

/// Sends a message. A client that does not read is disconnected.
pub(super) async fn send(socket: &mut WebSocket, limits: &LiveLimits, message: ws::Message) -> Result<(), End> {
    match timeout(limits.keep_alive, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => {
            tracing::debug!("client does not read its messages, closing the connection");
            Err(None)
        }
    }
}

/// Returns the end of a broken connection. Only a message that is too large has a close frame.
fn receive_error(error: &axum::Error, max: MessageLimit) -> End {
    tracing::debug!(%error, "WebSocket connection failed");
    // axum hides the type of the error; the stream of an unauthenticated connection uses the same words.
    let too_large = error.to_string().contains("too long");
    if too_large { max.close() } else { None }
}
