//! A request as JSON, whose variables are not parsed yet.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::graphql::{Code, Error};

/// A request as it came.
#[derive(Debug)]
pub struct Request<'a> {
    /// The document; it may be named instead.
    pub(crate) query: Option<Cow<'a, str>>,
    /// The name of a document that the server has (GraphQL over HTTP, "Persisted Documents").
    pub(crate) document_id: Option<Cow<'a, str>>,
    /// The SHA-256 of the document in hexadecimal digits, as automatic persisted queries have it.
    pub(crate) persisted: Option<Cow<'a, str>>,
    /// Which of its operations.
    pub(crate) operation_name: Option<Cow<'a, str>>,
    /// The variables, unread.
    pub(crate) variables: Option<&'a RawValue>,
}

/// Every part unread, so that what is wrong with it can be told in our words. What is null is not there, and what has
/// another name is ignored (GraphQL over HTTP, "Request Parameters").
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
    /// The SHA-256 by which it names its document.
    pub(super) fn hash(&self) -> Option<&str> {
        self.persisted.as_deref().or_else(|| {
            let id = self.document_id.as_deref()?;
            Some(id.strip_prefix("sha256:").unwrap_or(id))
        })
    }

    /// Reads a body.
    pub fn from_json(body: &'a [u8]) -> Result<Self, Error> {
        let body = std::str::from_utf8(body).map_err(|_| bad("the body is not UTF-8"))?;
        match body.trim_ascii_start().bytes().next() {
            Some(b'[') => return Err(bad("batched requests are not accepted")),
            Some(b'{') | None => {}
            Some(_) => return Err(bad("the body must be a JSON object")),
        }
        let wire: Wire<'a> = serde_json::from_str(body).map_err(|error| bad(format!("malformed JSON: {error}")))?;
        let persisted = match object("extensions", wire.extensions)? {
            Some(extensions) => persisted(extensions)?,
            None => None,
        };
        Ok(Self {
            query: wire.query.map(|query| text("query", query)).transpose()?,
            document_id: wire.document_id.map(|id| text("documentId", id)).transpose()?,
            persisted,
            operation_name: wire.operation_name.map(|name| text("operationName", name)).transpose()?,
            variables: object("variables", wire.variables)?,
        })
    }
}

/// What `extensions` say of a persisted query.
fn persisted<'a>(extensions: &'a RawValue) -> Result<Option<Cow<'a, str>>, Error> {
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

    fn request_error(body: &[u8]) -> String {
        let error = Request::from_json(body).expect_err("refused");
        assert_eq!(error.code(), Code::BadRequest);
        error.message().to_owned()
    }

    #[test]
    fn a_request_has_a_query_and_what_goes_with_it() {
        let body = br#" {"query": "{ a\n}", "operationName": "x", "variables": {"a": [1]}, "extensions": {}, "id": 7}"#;
        let request = Request::from_json(body).expect("a request");
        assert_eq!(request.query.as_deref(), Some("{ a\n}"));
        assert_eq!(request.operation_name.as_deref(), Some("x"));
        assert_eq!(request.variables.map(RawValue::get), Some(r#"{"a": [1]}"#));
    }

    #[test]
    fn what_is_null_is_not_there() {
        let body = br#"{"query": "{a}", "operationName": null, "variables": null, "extensions": null}"#;
        let request = Request::from_json(body).expect("a request");
        assert!(request.operation_name.is_none() && request.variables.is_none());
    }

    #[test]
    fn what_is_no_request_is_told_in_plain_words() {
        assert_eq!(request_error(b"\xff"), "the body is not UTF-8");
        assert_eq!(request_error(b" []"), "batched requests are not accepted");
        assert_eq!(request_error(b"7"), "the body must be a JSON object");
        assert!(request_error(b"").starts_with("malformed JSON: EOF"));
        assert_eq!(request_error(b"{\n  7}"), "malformed JSON: key must be a string at line 2 column 3");
        assert_eq!(request_error(br#"{"query": 7}"#), "query must be a string");
        assert_eq!(request_error(br#"{"query": "\ud800"}"#), "query is not Unicode text");
        assert_eq!(request_error(br#"{"query": "", "operationName": 7}"#), "operationName must be a string");
        assert_eq!(request_error(br#"{"query": "", "variables": []}"#), "variables must be an object");
        assert_eq!(request_error(br#"{"query": "", "extensions": ""}"#), "extensions must be an object");
        for extensions in [r#"{"persistedQuery": {}}"#, r#"{"persistedQuery": {"version": 2, "sha256Hash": ""}}"#] {
            let body = format!(r#"{{"query": "", "extensions": {extensions}}}"#);
            assert_eq!(request_error(body.as_bytes()), "extensions.persistedQuery must be {version: 1, sha256Hash}");
        }
        assert!(request_error(br#"{"query": "", "query": ""}"#).starts_with("malformed JSON: duplicate field `query`"));
    }

    #[test]
    fn deep_json_overflows_nothing() {
        let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
        for name in ["variables", "extensions", "query", "other"] {
            let body = format!(r#"{{"query": "", "{name}": {open}{close}}}"#);
            let _ = Request::from_json(body.as_bytes());
        }
        let body = format!(r#"{{"query": "", "variables": {{"a": {open}{close}}}}}"#);
        Request::from_json(body.as_bytes()).expect("unread");
    }
}
