//! A request as it came: JSON of which the variables are left unread.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::graphql::{Code, Error};

/// A request as it came.
#[derive(Debug)]
pub struct Request<'a> {
    /// The document.
    pub query: Cow<'a, str>,
    /// Which of its operations.
    pub operation_name: Option<Cow<'a, str>>,
    /// The variables, unread.
    pub variables: Option<&'a RawValue>,
}

/// Every part unread, so that what is wrong with it can be told in our words. What is null is not there, and what has
/// another name is ignored (GraphQL over HTTP, "Request Parameters").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, default)]
    query: Option<&'a RawValue>,
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
    /// Reads a body.
    pub fn from_json(body: &'a [u8]) -> Result<Self, Error> {
        let body = std::str::from_utf8(body).map_err(|_| bad("the body is not UTF-8"))?;
        match body.trim_ascii_start().bytes().next() {
            Some(b'[') => return Err(bad("batched requests are not accepted")),
            Some(b'{') | None => {}
            Some(_) => return Err(bad("the body has to be a JSON object")),
        }
        let wire: Wire<'a> = serde_json::from_str(body).map_err(|error| bad(format!("malformed JSON: {error}")))?;
        let query = wire.query.ok_or_else(|| bad("query is missing"))?;
        object("extensions", wire.extensions)?;
        Ok(Self {
            query: text("query", query)?,
            operation_name: wire.operation_name.map(|name| text("operationName", name)).transpose()?,
            variables: object("variables", wire.variables)?,
        })
    }
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(Code::BadRequest, message)
}

fn text<'a>(name: &str, json: &'a RawValue) -> Result<Cow<'a, str>, Error> {
    if !json.get().starts_with('"') {
        return Err(bad(format!("{name} has to be a string")));
    }
    let text: Result<Text<'a>, _> = serde_json::from_str(json.get());
    text.map(|text| text.0).map_err(|_| bad(format!("{name} is not Unicode text")))
}

fn object<'a>(name: &str, json: Option<&'a RawValue>) -> Result<Option<&'a RawValue>, Error> {
    match json {
        Some(json) if !json.get().starts_with('{') => Err(bad(format!("{name} has to be an object"))),
        json => Ok(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &[u8]) -> String {
        let error = Request::from_json(body).expect_err("refused");
        assert_eq!(error.code(), Code::BadRequest);
        error.message().to_owned()
    }

    #[test]
    fn a_request_has_a_query_and_what_goes_with_it() {
        let body = br#" {"query": "{ a\n}", "operationName": "x", "variables": {"a": [1]}, "extensions": {}, "id": 7}"#;
        let request = Request::from_json(body).expect("a request");
        assert_eq!(request.query, "{ a\n}");
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
        assert_eq!(refusal(b"\xff"), "the body is not UTF-8");
        assert_eq!(refusal(b" []"), "batched requests are not accepted");
        assert_eq!(refusal(b"7"), "the body has to be a JSON object");
        assert!(refusal(b"").starts_with("malformed JSON: EOF"));
        assert_eq!(refusal(b"{\n  7}"), "malformed JSON: key must be a string at line 2 column 3");
        assert_eq!(refusal(b"{}"), "query is missing");
        assert_eq!(refusal(br#"{"query": 7}"#), "query has to be a string");
        assert_eq!(refusal(br#"{"query": "\ud800"}"#), "query is not Unicode text");
        assert_eq!(refusal(br#"{"query": "", "operationName": 7}"#), "operationName has to be a string");
        assert_eq!(refusal(br#"{"query": "", "variables": []}"#), "variables has to be an object");
        assert_eq!(refusal(br#"{"query": "", "extensions": ""}"#), "extensions has to be an object");
        assert!(refusal(br#"{"query": "", "query": ""}"#).starts_with("malformed JSON: duplicate field `query`"));
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
