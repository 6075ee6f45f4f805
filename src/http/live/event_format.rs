//! The formats of event streams: server-sent events as graphql-sse has them in its distinct connections mode
//! (<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>), and Apollo's multipart subscriptions
//! (<https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol>).

use axum::http::HeaderValue;

/// The format of a stream of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum EventFormat {
    ServerSentEvents,
    Multipart,
}

impl EventFormat {
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::ServerSentEvents => "text/event-stream; charset=utf-8",
            Self::Multipart => "multipart/mixed; boundary=\"graphql\"; subscriptionSpec=\"1.0\"",
        })
    }

    /// Returns the start of a stream.
    pub(super) fn opening(self) -> &'static [u8] {
        match self {
            Self::ServerSentEvents => b"",
            // A part ends with the boundary of the next one, without which clients do not read it.
            Self::Multipart => b"--graphql",
        }
    }

    /// Returns what is sent at intervals, to keep idle connections open and to detect broken ones. The first one says that the
    /// subscription is active.
    pub(super) fn keep_alive(self) -> &'static [u8] {
        match self {
            // A comment.
            Self::ServerSentEvents => b":\n\n",
            Self::Multipart => b"\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql",
        }
    }

    /// The end of the subscription.
    pub(super) fn complete(self) -> &'static [u8] {
        match self {
            // The event has an empty `data` line, because parsers discard an event without one
            // (<https://html.spec.whatwg.org/multipage/server-sent-events.html#dispatchMessage>). axum's `Event` can't write
            // that.
            Self::ServerSentEvents => b"event: complete\ndata:\n\n",
            Self::Multipart => b"--\r\n",
        }
    }

    /// Writes a response.
    pub(super) fn next(self, json: &[u8]) -> Vec<u8> {
        match self {
            Self::ServerSentEvents => server_sent_event(json),
            Self::Multipart => part(b"{\"payload\":", json, b"}"),
        }
    }

    /// Writes the errors for which the stream ends, which are those of a response without data.
    pub(super) fn failure(self, json: &[u8]) -> Vec<u8> {
        match self {
            Self::ServerSentEvents => server_sent_event(json),
            // `{"payload":null,"errors":[...]}`
            Self::Multipart => part(b"{\"payload\":null,", json.strip_prefix(b"{").unwrap_or(json), b""),
        }
    }
}

/// Writes a `next` event. JSON has line breaks between tokens only, so they can become separate `data` lines.
fn server_sent_event(json: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(json.len() + 32);
    event.extend_from_slice(b"event: next");
    for line in json.split(|byte| matches!(byte, b'\n' | b'\r')) {
        event.extend_from_slice(b"\ndata: ");
        event.extend_from_slice(line);
    }
    event.extend_from_slice(b"\n\n");
    event
}

fn part(before: &[u8], json: &[u8], after: &[u8]) -> Vec<u8> {
    [b"\r\nContent-Type: application/json\r\n\r\n", before, json, after, b"\r\n--graphql"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_become_data_lines() {
        let next = |json: &[u8]| EventFormat::ServerSentEvents.next(json);
        assert_eq!(next(b"{\"data\":null}"), b"event: next\ndata: {\"data\":null}\n\n");
        assert_eq!(next(b"{\n\r\n}"), b"event: next\ndata: {\ndata: \ndata: \ndata: }\n\n");
    }

    #[test]
    fn parts_have_their_boundaries() {
        let format = EventFormat::Multipart;
        let failure = format.failure(b"{\"errors\":[]}");
        let all = [format.opening(), format.keep_alive(), &format.next(b"{\"data\":1}"), &failure, format.complete()];
        let text = String::from_utf8(all.concat()).expect("text");
        let bodies: Vec<_> =
            text.split("--graphql").map(|part| part.trim_start_matches("\r\nContent-Type: ")).collect();
        let json = |body: &str| format!("application/json\r\n\r\n{body}\r\n");
        let [empty, data, errors] = ["{}", "{\"payload\":{\"data\":1}}", "{\"payload\":null,\"errors\":[]}"].map(json);
        assert_eq!(bodies, ["", &empty, &data, &errors, "--\r\n"]);
    }
}
