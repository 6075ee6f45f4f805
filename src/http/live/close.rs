//! The ends of WebSocket connections.

use axum::extract::ws::CloseFrame;

/// Maximum size of the reason in a close frame (<https://www.rfc-editor.org/rfc/rfc6455#section-5.5>).
const MAX_REASON_BYTES: usize = 123;

/// The code and reason of a close frame: codes below 4000 are of RFC 6455, the others of graphql-transport-ws.
pub(super) struct Close(u16, String);

/// The end of a connection: with a close frame, or `None` if the client has disconnected.
pub(super) type End = Option<Close>;

pub(super) fn close(code: u16, reason: impl Into<String>) -> End {
    Some(Close(code, reason.into()))
}

pub(super) fn stopping() -> End {
    close(1001, "the server is stopping")
}

impl Close {
    pub(super) fn reason(&self) -> &str {
        &self.1
    }
}

impl From<Close> for CloseFrame {
    fn from(Close(code, mut reason): Close) -> Self {
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        Self { code, reason: reason.into() }
    }
}
