//! The messages of graphql-transport-ws (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>).

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{auth::Bearer, graphql::execute::GraphqlResponse};

/// The subprotocol.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// Maximum length of an operation's id, which is repeated in each of its messages. Clients use counters or UUIDs.
const MAX_ID_BYTES: usize = 256;

/// A message of a client.
#[derive(Debug)]
pub(super) enum Message<'a> {
    /// `connection_init` with its payload.
    Init(Option<&'a RawValue>),
    Ping,
    Pong,
    Subscribe {
        id: Cow<'a, str>,
        payload: &'a RawValue,
    },
    Complete {
        id: Cow<'a, str>,
    },
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
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let wire: Wire<'a> = serde_json::from_str(text).map_err(|_| "a message must be a JSON object with a type")?;
        let id = wire.id.filter(|id| !id.is_empty());
        if id.as_ref().is_some_and(|id| id.len() > MAX_ID_BYTES) {
            return Err("an id is limited to 256 bytes");
        }
        let object = wire.payload.filter(|payload| payload.get() != "null");
        if object.is_some_and(|payload| !payload.get().starts_with('{')) {
            return Err("a payload must be an object");
        }
        match (&*wire.kind, id, object) {
            ("connection_init", _, payload) => Ok(Self::Init(payload)),
            ("ping", ..) => Ok(Self::Ping),
            ("pong", ..) => Ok(Self::Pong),
            ("subscribe", Some(id), Some(payload)) => Ok(Self::Subscribe { id, payload }),
            ("complete", Some(id), _) => Ok(Self::Complete { id }),
            ("subscribe", None, _) | ("complete", ..) => Err("a message of this type must have an id"),
            ("subscribe", ..) => Err("a message of this type must have a payload"),
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

pub(super) const ACK: &str = r#"{"type":"connection_ack"}"#;
pub(super) const PONG: &str = r#"{"type":"pong"}"#;

/// Writes a response of an operation.
pub(super) fn next(id: &str, answer: &GraphqlResponse) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    format!(r#"{{"id":{},"type":"next","payload":{body}}}"#, json!(id))
}

/// Writes the errors of an operation that did not start.
pub(super) fn error(id: &str, answer: &GraphqlResponse) -> String {
    #[derive(Deserialize)]
    struct Errors<'a> {
        #[serde(borrow)]
        errors: &'a RawValue,
    }
    let errors = serde_json::from_slice::<Errors<'_>>(&answer.body).map_or("[]", |answer| answer.errors.get());
    format!(r#"{{"id":{},"type":"error","payload":{errors}}}"#, json!(id))
}

/// Writes the end of an operation.
pub(super) fn complete(id: &str) -> String {
    format!(r#"{{"id":{},"type":"complete"}}"#, json!(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_messages_are_parsed() {
        assert!(matches!(Message::parse(r#"{"type": "connection_init"}"#), Ok(Message::Init(None))));
        assert!(matches!(Message::parse(r#"{"type": "connection_init", "payload": null}"#), Ok(Message::Init(None))));
        assert!(matches!(Message::parse(r#"{"type": "ping", "payload": {"a": 1}}"#), Ok(Message::Ping)));
        let text = r#"{"id": "a\"b", "type": "subscribe", "payload": {"query": ""}, "more": [[]]}"#;
        assert!(matches!(Message::parse(text), Ok(Message::Subscribe { id, .. }) if id == "a\"b"));
        assert!(matches!(Message::parse(r#"{"id":"1","type":"complete"}"#), Ok(Message::Complete { id }) if id == "1"));
        let deep = format!(r#"{{"type":"ping","payload":{{"a":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        drop(Message::parse(&deep));
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
            assert!(Message::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn id_is_limited() {
        let complete = |id: &str| format!(r#"{{"type": "complete", "id": "{id}"}}"#);
        assert!(Message::parse(&complete(&"x".repeat(256))).is_ok());
        assert_eq!(Message::parse(&complete(&"x".repeat(257))).expect_err("too long"), "an id is limited to 256 bytes");
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
