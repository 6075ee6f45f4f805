//! Reads requests from JSON (<https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters>).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::graphql::{Code, Error};

/// The parameters of a request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The document, unless it is identified by `document_id` or `persisted_hash`.
    pub(crate) query: Option<Cow<'a, str>>,
    /// The identifier of a document that the server has
    /// (<https://graphql.github.io/graphql-over-http/draft/#sec-Appendix-A.Persisted-Documents>).
    pub(crate) document_id: Option<Cow<'a, str>>,
    /// The SHA-256 hash of the document in hexadecimal digits, as in Apollo's automatic persisted queries.
    pub(crate) persisted_hash: Option<Cow<'a, str>>,
    pub(crate) operation_name: Option<Cow<'a, str>>,
    /// The variables, not parsed yet.
    pub(crate) variables: Option<&'a RawValue>,
}

/// The parameters before they are parsed, so that each can have an error message of its own. Null is the same as
/// absence, and unknown parameters are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, default)]
    query: Option<&'a RawValue>,
    #[serde(borrow, default)]
    document_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    operation_name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    variables: Option<&'a RawValue>,
    #[serde(borrow, default)]
    extensions: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Request<'a> {
    /// Returns the SHA-256 hash that identifies the document.
    pub(super) fn hash(&self) -> Option<&str> {
        self.persisted_hash.as_deref().or_else(|| {
            let id = self.document_id.as_deref()?;
            Some(id.strip_prefix("sha256:").unwrap_or(id))
        })
    }

    /// Reads the body of an HTTP request.
    pub fn from_json(body: &'a [u8]) -> Result<Self, Error> {
        let body = std::str::from_utf8(body).map_err(|_| bad("the body is not UTF-8"))?;
        match body.trim_ascii_start().bytes().next() {
            Some(b'[') => return Err(bad("batched requests are not accepted")),
            Some(b'{') | None => {}
            Some(_) => return Err(bad("the body must be a JSON object")),
        }
        let wire: Wire<'a> = serde_json::from_str(body).map_err(|error| bad(format!("malformed JSON: {error}")))?;
        let persisted_hash = match object("extensions", wire.extensions)? {
            Some(extensions) => persisted_hash(extensions)?,
            None => None,
        };
        Ok(Self {
            query: wire.query.map(|query| text("query", query)).transpose()?,
            document_id: wire.document_id.map(|id| text("documentId", id)).transpose()?,
            persisted_hash,
            operation_name: wire.operation_name.map(|name| text("operationName", name)).transpose()?,
            variables: object("variables", wire.variables)?,
        })
    }
}

/// Reads the hash of a persisted query from `extensions`.
fn persisted_hash<'a>(extensions: &'a RawValue) -> Result<Option<Cow<'a, str>>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Extensions<'a> {
        #[serde(borrow, default)]
        persisted_query: Option<PersistedQuery<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct PersistedQuery<'a> {
        version: u64,
        #[serde(borrow)]
        sha256_hash: Cow<'a, str>,
    }
    let malformed = || bad("extensions.persistedQuery must be {version: 1, sha256Hash}");
    let extensions: Extensions<'a> = serde_json::from_str(extensions.get()).map_err(|_| malformed())?;
    match extensions.persisted_query {
        Some(PersistedQuery { version: 1, sha256_hash }) => Ok(Some(sha256_hash)),
        Some(_) => Err(malformed()),
        None => Ok(None),
    }
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(Code::BadRequest, message)
}

fn text<'a>(name: &str, json: &'a RawValue) -> Result<Cow<'a, str>, Error> {
    if !json.get().starts_with('"') {
        return Err(bad(format!("{name} must be a string")));
    }
    let text: Result<Text<'a>, _> = serde_json::from_str(json.get());
    text.map(|text| text.0).map_err(|_| bad(format!("{name} is not Unicode text")))
}

fn object<'a>(name: &str, json: Option<&'a RawValue>) -> Result<Option<&'a RawValue>, Error> {
    match json {
        Some(json) if !json.get().starts_with('{') => Err(bad(format!("{name} must be an object"))),
        json => Ok(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> String {
        let error = Request::from_json(body).expect_err("a request error");
        assert_eq!(error.code(), Code::BadRequest);
        error.message().to_owned()
    }

    #[test]
    fn unknown_parameters_are_ignored() {
        let body = br#" {"query": "{ a\n}", "operationName": "x", "variables": {"a": [1]}, "extensions": {}, "id": 7}"#;
        let request = Request::from_json(body).expect("a request");
        assert_eq!(request.query.as_deref(), Some("{ a\n}"));
        assert_eq!(request.operation_name.as_deref(), Some("x"));
        assert_eq!(request.variables.map(RawValue::get), Some(r#"{"a": [1]}"#));
    }

    #[test]
    fn null_parameters_are_absent() {
        let body = br#"{"query": "{a}", "operationName": null, "variables": null, "extensions": null}"#;
        let request = Request::from_json(body).expect("a request");
        assert!(request.operation_name.is_none() && request.variables.is_none());
    }

    #[test]
    fn malformed_requests_have_messages_of_their_own() {
        assert_eq!(message(b"\xff"), "the body is not UTF-8");
        assert_eq!(message(b" []"), "batched requests are not accepted");
        assert_eq!(message(b"7"), "the body must be a JSON object");
        assert!(message(b"").starts_with("malformed JSON: EOF"));
        assert_eq!(message(b"{\n  7}"), "malformed JSON: key must be a string at line 2 column 3");
        assert_eq!(message(br#"{"query": 7}"#), "query must be a string");
        assert_eq!(message(br#"{"query": "\ud800"}"#), "query is not Unicode text");
        assert_eq!(message(br#"{"query": "", "operationName": 7}"#), "operationName must be a string");
        assert_eq!(message(br#"{"query": "", "variables": []}"#), "variables must be an object");
        assert_eq!(message(br#"{"query": "", "extensions": ""}"#), "extensions must be an object");
        for extensions in [r#"{"persistedQuery": {}}"#, r#"{"persistedQuery": {"version": 2, "sha256Hash": ""}}"#] {
            let body = format!(r#"{{"query": "", "extensions": {extensions}}}"#);
            assert_eq!(message(body.as_bytes()), "extensions.persistedQuery must be {version: 1, sha256Hash}");
        }
        assert!(message(br#"{"query": "", "query": ""}"#).starts_with("malformed JSON: duplicate field `query`"));
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
        for name in ["variables", "extensions", "query", "other"] {
            let body = format!(r#"{{"query": "", "{name}": {open}{close}}}"#);
            let _ = Request::from_json(body.as_bytes());
        }
        let body = format!(r#"{{"query": "", "variables": {{"a": {open}{close}}}}}"#);
        Request::from_json(body.as_bytes()).expect("variables are not parsed yet");
    }
}
