//! Reads query strings. That of a GET request for GraphQL becomes the body of the equivalent POST, so that the same rules apply to
//! both.

use std::borrow::Cow;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::value::RawValue;

use super::rejection::Rejection;
use crate::{
    graphql::{Code, Error},
    types::excerpt,
};

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

/// Returns the JSON of a query string (<https://graphql.github.io/graphql-over-http/draft/#sec-GET>). Unknown parameters are
/// ignored; a known one must not be repeated.
pub(super) fn to_json(query: &str) -> Result<Vec<u8>, Rejection> {
    let mut parameters = Parameters::default();
    for (name, value) in pairs(query) {
        let name = &*name?;
        match name {
            "query" => once(&mut parameters.query, name, decoded(name, value)?)?,
            "documentId" => once(&mut parameters.document_id, name, decoded(name, value)?)?,
            "operationName" => once(&mut parameters.operation_name, name, decoded(name, value)?)?,
            "variables" => once(&mut parameters.variables, name, json(name, decoded(name, value)?)?)?,
            "extensions" => once(&mut parameters.extensions, name, json(name, decoded(name, value)?)?)?,
            _ => {}
        }
    }
    parameters.operation_name = parameters.operation_name.filter(|name| !name.is_empty());
    Ok(serde_json::to_vec(&parameters).expect("texts and JSON are JSON"))
}

/// Returns the parameters of a query string: names, and values that are not decoded.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (Result<Cow<'_, str>, Rejection>, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name).ok_or_else(|| malformed("a parameter's name")), value)
    })
}

/// Decodes the value of a parameter.
pub(super) fn decoded<'a>(name: &str, value: &'a str) -> Result<Cow<'a, str>, Rejection> {
    decode(value).ok_or_else(|| malformed(name))
}

/// Sets the value of a parameter that must not be repeated.
pub(super) fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), Rejection> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(reject(format!("the parameter {name} is given more than once"))),
    }
}

/// Parses a parameter. An empty one counts as null, which is the same as none.
fn json(name: &str, text: Cow<'_, str>) -> Result<Box<RawValue>, Rejection> {
    let text = if text.is_empty() { "null".into() } else { text };
    RawValue::from_string(text.into_owned())
        .map_err(|error| reject(format!("the parameter {name} is not valid JSON: {error}")))
}

fn malformed(name: &str) -> Rejection {
    reject(format!("{name} is not percent-encoded UTF-8"))
}

pub(super) fn reject(message: String) -> Rejection {
    Error::new(Code::BadRequest, message).into()
}

/// Reads one of the values of a type.
pub(super) fn choice<T: ValueEnum>(name: &str, text: &str) -> Result<T, Rejection> {
    T::from_str(text, false).map_err(|_| {
        let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let values: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
        invalid(name, text, &format!("expected one of {}", values.join(", ")))
    })
}

/// Reads true or false.
pub(super) fn boolean(name: &str, text: &str) -> Result<bool, Rejection> {
    text.parse().map_err(|_| invalid(name, text, "expected true or false"))
}

/// Returns a value that was read, or the rejection of the parameter.
pub(super) fn parsed<T>(name: &str, text: &str, outcome: Result<T, String>) -> Result<T, Rejection> {
    outcome.map_err(|message| invalid(name, text, &message))
}

/// Returns the rejection of a parameter with this text.
pub(super) fn invalid(name: &str, text: &str, expected: &str) -> Rejection {
    reject(format!("the parameter {name} is {:?}: {expected}", excerpt(text)))
}

/// Returns the rejection of a parameter that is none of these: a typo must not change the meaning of a request.
pub(super) fn unknown(name: &str, names: impl Iterator<Item = &'static str>) -> Rejection {
    let names: Vec<_> = names.collect();
    reject(format!("the parameter {:?} is unknown; they are {}", excerpt(name), names.join(", ")))
}

/// Decodes `application/x-www-form-urlencoded` strictly: returns `None` for an incomplete escape or invalid UTF-8, which
/// lenient decoders pass or replace.
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
    fn query_string_becomes_json() {
        for (query, expected) in [
            ("", "{}"),
            ("query={a}", r#"{"query":"{a}"}"#),
            ("query={a}&variables=&extensions=", r#"{"query":"{a}","variables":null,"extensions":null}"#),
            ("query=%7Ba%7d&operationName=", r#"{"query":"{a}"}"#),
            ("query=query+A{a}&operationName=A", r#"{"query":"query A{a}","operationName":"A"}"#),
            ("&query=%22%C3%A9%2b&&_=1", r#"{"query":"\"é+"}"#),
            (
                "query=a=b&variables={%22a%22:%20[1]}&extensions=null",
                r#"{"query":"a=b","variables":{"a": [1]},"extensions":null}"#,
            ),
        ] {
            let body = to_json(query).expect("sound");
            assert_eq!(String::from_utf8(body).expect("UTF-8"), expected, "{query}");
        }
    }

    #[test]
    fn ambiguous_or_malformed_query_string_is_rejected() {
        for query in [
            "query={a}&query={a}",
            "query={a}&qu%65ry={a}",
            "query=%",
            "query=%2",
            "query=%zz",
            "query=%ff",
            "%zz=1",
            "query={a}&variables=&variables={}",
            "query={a}&variables={",
            "query={a}&variables={},%22query%22:1",
            "query={a}&extensions=a",
        ] {
            assert!(to_json(query).is_err(), "{query}");
        }
    }
}
