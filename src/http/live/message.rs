//! The messages of both subprotocols: graphql-transport-ws
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>), and the older graphql-ws
//! (<https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md>).

use std::{borrow::Cow, collections::BTreeMap};

use async_graphql::http::WebSocketProtocols as Subprotocol;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{auth::Bearer, graphql::execute::GraphqlResponse};

/// Maximum length of an operation's id, which is repeated in each of its messages. Clients use counters or UUIDs.
const MAX_ID_BYTES: usize = 256;

/// A message of a client.
#[derive(Debug)]
pub(super) enum Message<'a> {
    /// `connection_init` with its payload.
    Init(Option<&'a RawValue>),
    Ping,
    Pong,
    /// `subscribe`; in graphql-ws `start`.
    Subscribe {
        id: Cow<'a, str>,
        payload: &'a RawValue,
    },
    /// `complete`; in graphql-ws `stop`.
    Complete {
        id: Cow<'a, str>,
    },
    /// `connection_terminate` of graphql-ws.
    Terminate,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    /// Parses a message. The error is the reason of the close frame.
    pub(super) fn parse(text: &'a str, protocol: Subprotocol) -> Result<Self, &'static str> {
        let wire: Wire<'a> = serde_json::from_str(text).map_err(|_| "a message must be a JSON object with a type")?;
        let id = wire.id.filter(|id| !id.is_empty());
        if id.as_ref().is_some_and(|id| id.len() > MAX_ID_BYTES) {
            return Err("an id is limited to 256 bytes");
        }
        let object = wire.payload.filter(|payload| payload.get() != "null");
        if object.is_some_and(|payload| !payload.get().starts_with('{')) {
            return Err("a payload must be an object");
        }
        let (subscribe, complete) = match protocol {
            Subprotocol::GraphQLWS => ("subscribe", "complete"),
            Subprotocol::SubscriptionsTransportWS => ("start", "stop"),
        };
        match (protocol, &*wire.kind) {
            (_, "connection_init") => Ok(Self::Init(object)),
            (Subprotocol::GraphQLWS, "ping") => Ok(Self::Ping),
            (Subprotocol::GraphQLWS, "pong") => Ok(Self::Pong),
            (Subprotocol::SubscriptionsTransportWS, "connection_terminate") => Ok(Self::Terminate),
            (_, kind) if kind == subscribe || kind == complete => {
                let id = id.ok_or("a message of this type must have an id")?;
                if kind == complete {
                    return Ok(Self::Complete { id });
                }
                let payload = object.ok_or("a message of this type must have a payload")?;
                Ok(Self::Subscribe { id, payload })
            }
            _ => Err("unknown message type"),
        }
    }
}

/// The token in the payload of `connection_init`.
pub(super) enum InitToken {
    Missing,
    Malformed,
    Bearer(Bearer),
}

/// Returns the token in the payload of `connection_init`. Its key is the name of the header, in any letter case.
pub(super) fn token(payload: Option<&RawValue>) -> InitToken {
    let Some(payload) = payload else { return InitToken::Missing };
    let Ok(fields) = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(payload.get()) else {
        return InitToken::Malformed;
    };
    let mut values = fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case("authorization"));
    match (values.next(), values.next()) {
        (None, _) => InitToken::Missing,
        (Some((_, value)), None) => match serde_json::from_str::<String>(value.get()) {
            Ok(value) => Bearer::read(&value).map_or(InitToken::Malformed, InitToken::Bearer),
            Err(_) => InitToken::Malformed,
        },
        _ => InitToken::Malformed,
    }
}

/// A message of async-graphql's protocol. The payload of a response is not in it.
#[derive(Deserialize)]
pub(super) struct LibraryMessage<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    #[serde(borrow, default)]
    pub(super) id: Option<Cow<'a, str>>,
}

pub(super) const INIT: &str = r#"{"type":"connection_init"}"#;
pub(super) const PING: &str = r#"{"type":"ping"}"#;
pub(super) const PONG: &str = r#"{"type":"pong"}"#;

/// The keep-alive message of graphql-ws.
pub(super) const KEEP_ALIVE: &str = r#"{"type":"ka"}"#;

/// Writes the start of an operation for async-graphql's protocol.
pub(super) fn start(id: &str) -> String {
    format!(r#"{{"type":"start","id":{},"payload":{{}}}}"#, json!(id))
}

/// Writes the end of an operation for async-graphql's protocol.
pub(super) fn stop(id: &str) -> String {
    format!(r#"{{"type":"stop","id":{}}}"#, json!(id))
}

/// Writes a response of an operation.
pub(super) fn next(protocol: Subprotocol, id: &str, answer: &GraphqlResponse) -> String {
    let kind = match protocol {
        Subprotocol::GraphQLWS => "next",
        Subprotocol::SubscriptionsTransportWS => "data",
    };
    let body = String::from_utf8_lossy(&answer.body);
    format!(r#"{{"id":{},"type":"{kind}","payload":{body}}}"#, json!(id))
}

/// Writes the errors of an operation that did not start; in graphql-ws, which has one, the first error.
pub(super) fn error(protocol: Subprotocol, id: &str, answer: &GraphqlResponse) -> String {
    #[derive(Deserialize)]
    struct Errors<'a> {
        #[serde(borrow)]
        errors: Vec<&'a RawValue>,
    }
    let errors = serde_json::from_slice(&answer.body).map_or(Vec::new(), |Errors { errors }| errors);
    let payload = match protocol {
        Subprotocol::GraphQLWS => json!(errors),
        Subprotocol::SubscriptionsTransportWS => json!(errors.first()),
    };
    format!(r#"{{"id":{},"type":"error","payload":{payload}}}"#, json!(id))
}

/// Writes the reason why a connection of graphql-ws is closed before it is acknowledged.
pub(super) fn connection_error(reason: &str) -> String {
    json!({"type": "connection_error", "payload": {"message": reason}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Message<'_>, &'static str> {
        Message::parse(text, Subprotocol::GraphQLWS)
    }

    #[test]
    fn valid_messages_are_parsed() {
        assert!(matches!(parse(r#"{"type": "connection_init"}"#), Ok(Message::Init(None))));
        assert!(matches!(parse(r#"{"type": "connection_init", "payload": null}"#), Ok(Message::Init(None))));
        assert!(matches!(parse(r#"{"type": "ping", "payload": {"a": 1}}"#), Ok(Message::Ping)));
        let text = r#"{"id": "a\"b", "type": "subscribe", "payload": {"query": ""}, "more": [[]]}"#;
        assert!(matches!(parse(text), Ok(Message::Subscribe { id, .. }) if id == "a\"b"));
        assert!(matches!(parse(r#"{"id":"1","type":"complete"}"#), Ok(Message::Complete { id }) if id == "1"));
        let deep = format!(r#"{{"type":"ping","payload":{{"a":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        drop(parse(&deep));
    }

    #[test]
    fn each_subprotocol_has_its_own_types() {
        let old = |kind: &str| {
            let text = format!(r#"{{"type": "{kind}", "id": "1", "payload": {{}}}}"#);
            Message::parse(&text, Subprotocol::SubscriptionsTransportWS).is_ok()
        };
        let new = |kind: &str| parse(&format!(r#"{{"type": "{kind}", "id": "1", "payload": {{}}}}"#)).is_ok();
        for kind in ["start", "stop", "connection_terminate"] {
            assert!(old(kind) && !new(kind), "{kind}");
        }
        for kind in ["subscribe", "complete", "ping", "pong"] {
            assert!(new(kind) && !old(kind), "{kind}");
        }
        assert!(old("connection_init") && new("connection_init"));
    }

    #[test]
    fn invalid_message_is_rejected() {
        for text in [
            "",
            "7",
            "[]",
            "{}",
            r#"{"type": 7}"#,
            r#"{"type": "start", "id": "1"}"#,
            r#"{"type": "subscribe", "payload": {}}"#,
            r#"{"type": "subscribe", "id": "", "payload": {}}"#,
            r#"{"type": "subscribe", "id": 1, "payload": {}}"#,
            r#"{"type": "subscribe", "id": "1"}"#,
            r#"{"type": "subscribe", "id": "1", "payload": "x"}"#,
            r#"{"type": "complete"}"#,
            r#"{"type": "connection_init", "payload": []}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn id_is_limited() {
        let complete = |id: &str| format!(r#"{{"type": "complete", "id": "{id}"}}"#);
        assert!(parse(&complete(&"x".repeat(256))).is_ok());
        assert_eq!(parse(&complete(&"x".repeat(257))).expect_err("too long"), "an id is limited to 256 bytes");
    }

    #[test]
    fn key_of_the_token_is_case_insensitive() {
        let given = |json: &str| {
            let payload = RawValue::from_string(json.to_owned()).expect("JSON");
            match token(Some(&payload)) {
                InitToken::Bearer(_) => "a token",
                InitToken::Missing => "nothing",
                InitToken::Malformed => "malformed",
            }
        };
        for key in ["Authorization", "authorization", "AUTHORIZATION"] {
            assert_eq!(given(&format!(r#"{{"{key}": "Bearer s3cret"}}"#)), "a token", "{key}");
        }
        assert_eq!(given("{}"), "nothing");
        assert_eq!(given(r#"{"token": "Bearer s3cret"}"#), "nothing");
        for json in [
            r#"{"authorization": "s3cret"}"#,
            r#"{"authorization": null}"#,
            r#"{"authorization": "Bearer a", "Authorization": "Bearer b"}"#,
        ] {
            assert_eq!(given(json), "malformed", "{json}");
        }
        assert!(matches!(token(None), InitToken::Missing));
    }
}
