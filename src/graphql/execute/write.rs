//! Writes responses: JSON with parts that are already JSON, and errors in their published form.

use async_graphql::{ErrorExtensionValues, PathSegment, Pos, ServerError, Value};
use bytes::Bytes;
use serde::Serialize;

use crate::{
    budget::{self, Exceeded},
    graphql::{Code, Error, error_count},
};

/// An error of a response (<https://spec.graphql.org/draft/#sec-Errors>).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct WireError {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Pos>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<PathSegment>,
    extensions: ErrorExtensionValues,
}

/// Returns a value for a part of the response that is JSON already.
pub(crate) fn raw_json(bytes: Vec<u8>) -> Value {
    Value::Binary(bytes.into())
}

/// Writes a response with data, and with errors unless there are none
/// (<https://spec.graphql.org/draft/#sec-Response-Format>).
///
/// The data is freed while it is written. Fails if the request's budget does not suffice for the response.
pub(crate) fn write(data: Value, errors: &[WireError]) -> Result<Vec<u8>, Exceeded> {
    let length = 1024 + length(&data);
    budget::expect(length)?;
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(b"{\"data\":");
    write_value(&mut out, data);
    if !errors.is_empty() {
        out.extend_from_slice(b",\"errors\":");
        write_json(&mut out, &errors);
    }
    out.push(b'}');
    Ok(out)
}

/// Writes the response to a request that was executed, and whose data is lost.
pub(crate) fn without_data(error: &Error, trace_id: &str) -> Vec<u8> {
    let mut out = b"{\"data\":null,\"errors\":".to_vec();
    write_json(&mut out, &[wire_request_error(error, trace_id)]);
    out.push(b'}');
    out
}

/// Writes a part of a response as JSON. Fails if the request's budget does not suffice for it.
pub(crate) fn json(value: Value) -> Result<Bytes, Exceeded> {
    let length = length(&value);
    budget::expect(length)?;
    let mut out = Vec::with_capacity(length);
    write_value(&mut out, value);
    Ok(out.into())
}

/// Adds the operation's cost to the extensions of a response.
pub(crate) fn add_cost(response: &mut Vec<u8>, cost: u64) {
    let end = response.pop();
    debug_assert_eq!(end, Some(b'}'), "a response is an object");
    response.extend_from_slice(format!(",\"extensions\":{{\"cost\":{cost}}}}}").as_bytes());
}

/// Returns the length of a value as JSON, without escapes and with some bytes to spare.
fn length(value: &Value) -> usize {
    const MAX_NUMBER_LENGTH: usize = 24;
    match value {
        Value::Binary(json) => json.len(),
        Value::String(text) => text.len() + 2,
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + 4 + length(value)).sum::<usize>() + 2,
        Value::List(items) => items.iter().map(|item| length(item) + 1).sum::<usize>() + 2,
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Enum(_) => MAX_NUMBER_LENGTH,
    }
}

/// Writes the response to a request that was not executed.
pub(crate) fn request_error(errors: &[Error], trace_id: &str) -> Vec<u8> {
    let list: Vec<_> = errors.iter().map(|error| wire_request_error(error, trace_id)).collect();
    let mut out = b"{\"errors\":".to_vec();
    write_json(&mut out, &list);
    out.push(b'}');
    out
}

fn wire_request_error(error: &Error, trace_id: &str) -> WireError {
    let mut extensions = error.extensions();
    extensions.set("traceId", trace_id);
    WireError {
        message: error.message().to_owned(),
        locations: error.locations().to_vec(),
        path: Vec::new(),
        extensions,
    }
}

/// Converts execution errors for the response: the first `limit` errors, and if there are more, one with their number.
/// Returns the codes of all.
pub(crate) fn errors(list: Vec<ServerError>, trace_id: &str, limit: usize) -> (Vec<WireError>, Vec<Code>) {
    let count = list.len();
    let codes: Vec<_> = list.iter().map(|error| code(error).unwrap_or(Code::InternalServerError)).collect();
    let mut written: Vec<_> = list.into_iter().take(limit).map(|error| wire_execution_error(error, trace_id)).collect();
    if let Some(code) = codes.get(limit) {
        let message = format!("there are {count} errors, only the first {limit} are listed");
        written.push(wire_request_error(&Error::new(*code, message), trace_id));
    }
    (written, codes)
}

fn wire_execution_error(error: ServerError, trace_id: &str) -> WireError {
    let known = code(&error).is_some();
    let mut extensions = error.extensions.unwrap_or_default();
    let mut message = error.message;
    if !known {
        let code = Code::InternalServerError;
        extensions.set("code", code.as_str());
        extensions.set("retryable", code.retryable());
        tracing::error!(cause = message, trace_id, "internal error");
        "internal error".clone_into(&mut message);
    }
    extensions.set("traceId", trace_id);
    // async-graphql locates a missing argument at line 0.
    let locations = error.locations.into_iter().filter(|pos| pos.line > 0).collect();
    WireError { message, locations, path: error.path, extensions }
}

/// Returns an error's code; `None` if the error is not of our resolvers.
fn code(error: &ServerError) -> Option<Code> {
    let text = error_count::code(error)?;
    Code::ALL.into_iter().find(|code| code.as_str() == text)
}

fn write_value(out: &mut Vec<u8>, value: Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_json(out, &number),
        Value::String(text) => write_json(out, &text),
        Value::Enum(name) => write_json(out, name.as_str()),
        Value::Binary(json) => out.extend_from_slice(&json),
        Value::List(list) => {
            out.push(b'[');
            for (index, value) in list.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, value);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            out.push(b'{');
            for (index, (key, value)) in map.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json(out, key.as_str());
                out.push(b':');
                write_value(out, value);
            }
            out.push(b'}');
        }
    }
}

/// Writes a string, a number or errors, which never fails.
fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "{written:?}");
}

#[cfg(test)]
mod tests;
