//! Turns the query string of a GET request into the body of the equivalent POST, so that the same rules apply to both.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::Rejection;
use crate::graphql::{Code, Error};

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Box<RawValue>>,
}

/// The body of the query of a URI (GraphQL over HTTP, "GET"). Parameters that GraphQL does not know are nobody's
/// concern; those that it knows stand there once and are encoded without fault.
pub(super) fn body(query: &str) -> Result<Vec<u8>, Rejection> {
    let mut parameters = Parameters::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name).ok_or_else(|| malformed("a parameter's name"))?;
        let name = name.as_ref();
        let value = || decode(value).ok_or_else(|| malformed(name));
        match name {
            "query" => once(&mut parameters.query, name, value()?)?,
            "documentId" => once(&mut parameters.document_id, name, value()?)?,
            "operationName" => once(&mut parameters.operation_name, name, value()?)?,
            "variables" => once(&mut parameters.variables, name, json(name, value()?)?)?,
            "extensions" => once(&mut parameters.extensions, name, json(name, value()?)?)?,
            _ => {}
        }
    }
    // The empty name is none.
    parameters.operation_name = parameters.operation_name.filter(|name| !name.is_empty());
    Ok(serde_json::to_vec(&parameters).expect("texts and JSON are JSON"))
}

fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), Rejection> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(reject(format!("the parameter {name} is given more than once"))),
    }
}

fn json(name: &str, text: Cow<'_, str>) -> Result<Box<RawValue>, Rejection> {
    RawValue::from_string(text.into_owned())
        .map_err(|error| reject(format!("the parameter {name} is not valid JSON: {error}")))
}

fn malformed(name: &str) -> Rejection {
    reject(format!("{name} is not percent-encoded UTF-8"))
}

fn reject(message: String) -> Rejection {
    Error::new(Code::BadRequest, message).into()
}

/// Undoes the encoding of forms; none where a % is followed by no two digits or the bytes are no UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_the_body() {
        for (query, expected) in [
            ("", "{}"),
            ("query={a}", r#"{"query":"{a}"}"#),
            ("query=%7Ba%7d&operationName=", r#"{"query":"{a}"}"#),
            ("query=query+A{a}&operationName=A", r#"{"query":"query A{a}","operationName":"A"}"#),
            ("&query=%22%C3%A9%2b&&_=1", r#"{"query":"\"é+"}"#),
            (
                "query=a=b&variables={%22a%22:%20[1]}&extensions=null",
                r#"{"query":"a=b","variables":{"a": [1]},"extensions":null}"#,
            ),
        ] {
            let body = body(query).expect("sound");
            assert_eq!(String::from_utf8(body).expect("UTF-8"), expected, "{query}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_malformed_is_refused() {
        for query in [
            "query={a}&query={a}",
            "query={a}&qu%65ry={a}",
            "query=%",
            "query=%2",
            "query=%zz",
            "query=%ff",
            "%zz=1",
            "query={a}&variables=",
            "query={a}&variables={",
            "query={a}&variables={},%22query%22:1",
            "query={a}&extensions=a",
        ] {
            assert!(body(query).is_err(), "{query}");
        }
    }
}
