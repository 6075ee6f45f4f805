//! Writes responses: JSON with parts that are already JSON, and errors in their published form.

use async_graphql::{ErrorExtensionValues, PathSegment, Pos, ServerError, Value};
use serde::Serialize;

use crate::graphql::{Code, Error};

/// An error as it stands in an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct WireError {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Pos>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<PathSegment>,
    extensions: ErrorExtensionValues,
}

/// A part of an answer that is JSON already.
pub(crate) fn raw_json(bytes: Vec<u8>) -> Value {
    Value::Binary(bytes.into())
}

/// An answer: data, and the errors where there are any.
pub(crate) fn write(data: &Value, errors: &[WireError]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024 + made(data));
    out.extend_from_slice(b"{\"data\":");
    write_value(&mut out, data);
    if !errors.is_empty() {
        out.extend_from_slice(b",\"errors\":");
        write_json(&mut out, &errors);
    }
    out.push(b'}');
    out
}

/// Adds the cost of its operation to an answer.
pub(crate) fn add_cost(answer: &mut Vec<u8>, cost: u64) {
    let end = answer.pop();
    debug_assert_eq!(end, Some(b'}'), "an answer is an object");
    answer.extend_from_slice(format!(",\"extensions\":{{\"cost\":{cost}}}}}").as_bytes());
}

/// How much of an answer is already made: a list of a million is copied into its place once, and not as it grows.
fn made(data: &Value) -> usize {
    match data {
        Value::Binary(json) => json.len(),
        Value::Object(fields) => fields.values().map(made).sum(),
        _ => 0,
    }
}

/// An answer without data: the request was not executed.
pub(crate) fn refusal(errors: &[Error], trace_id: &str) -> Vec<u8> {
    let list: Vec<_> = errors.iter().map(|error| refused(error, trace_id)).collect();
    let mut out = b"{\"errors\":".to_vec();
    write_json(&mut out, &list);
    out.push(b'}');
    out
}

fn refused(error: &Error, trace_id: &str) -> WireError {
    let mut extensions = error.extensions();
    extensions.set("traceId", trace_id);
    WireError {
        message: error.message().to_owned(),
        locations: error.locations().to_vec(),
        path: Vec::new(),
        extensions,
    }
}

/// What went wrong in execution, as clients see it: at most `limit` errors, and if there are more, one that says how
/// many. The codes are those of all.
pub(crate) fn errors(list: Vec<ServerError>, trace_id: &str, limit: usize) -> (Vec<WireError>, Vec<Code>) {
    let count = list.len();
    let codes: Vec<_> = list.iter().map(judged).collect();
    let mut written: Vec<_> = list.into_iter().take(limit).map(|error| wire(error, trace_id)).collect();
    if let Some(code) = codes.get(limit) {
        let message = format!("there are {count} errors, only the first {limit} are listed");
        written.push(refused(&Error::new(*code, message), trace_id));
    }
    (written, codes)
}

fn wire(error: ServerError, trace_id: &str) -> WireError {
    let (known, code) = (code(&error).is_some(), judged(&error));
    let mut extensions = error.extensions.unwrap_or_default();
    let message = if known {
        error.message
    } else {
        extensions.set("code", code.as_str());
        extensions.set("retryable", code.retryable());
        if code == Code::InternalServerError {
            tracing::error!(cause = error.message, trace_id, "internal error");
            "internal error".to_owned()
        } else {
            presentable(&error.message)
        }
    };
    extensions.set("traceId", trace_id);
    // The place of an argument that is not there is line 0.
    let locations = error.locations.into_iter().filter(|pos| pos.line > 0).collect();
    WireError { message, locations, path: error.path, extensions }
}

/// How async-graphql's messages about arguments begin (`InputValueError`).
const ARGUMENTS: [&str; 3] = ["Failed to parse \"", "Expected input type \"", "Enumeration type "];

/// The code of any error. What has none is async-graphql's: of an argument that it could not read, or of a resolver that
/// let something out that is nobody's business.
fn judged(error: &ServerError) -> Code {
    match code(error) {
        Some(code) => code,
        None if ARGUMENTS.iter().any(|start| error.message.starts_with(start)) => Code::BadUserInput,
        None => Code::InternalServerError,
    }
}

/// The code that an error of ours has.
fn code(error: &ServerError) -> Option<Code> {
    let Value::String(text) = error.extensions.as_ref()?.get("code")? else { return None };
    Code::ALL.into_iter().find(|code| code.as_str() == text)
}

/// The longest message that is taken from async-graphql: some hold the whole value.
const LONGEST: usize = 300;

/// A message of async-graphql in our style: without its wrappers, lower case, no full stop, not endless.
fn presentable(message: &str) -> String {
    let mut message = message.trim();
    // `... (occurred while parsing "MemberInput")`, once for every input around it
    while let Some((inner, _)) =
        message.strip_suffix("\")").and_then(|message| message.rsplit_once(" (occurred while parsing \""))
    {
        message = inner;
    }
    // `Failed to parse "ID": ...`
    while let Some((_, inner)) =
        message.strip_prefix("Failed to parse \"").and_then(|message| message.split_once("\": "))
    {
        message = inner;
    }
    // `Expected input type "Int", found "x".`
    let expected = message.strip_prefix("Expected input type \"").and_then(|message| message.split_once("\", found "));
    let text = match expected {
        Some((name, found)) => format!("expected a value of type {name}, found {found}"),
        None => lower(message),
    };
    let text = text.strip_suffix('.').unwrap_or(&text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Begins with a small letter, unless the first word is a name or an abbreviation.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), second) if second.is_none_or(|second| !second.is_uppercase()) => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_json(out, number),
        Value::String(text) => write_json(out, text),
        Value::Enum(name) => write_json(out, name.as_str()),
        Value::Binary(json) => out.extend_from_slice(json),
        Value::List(list) => {
            out.push(b'[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, value);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            out.push(b'{');
            for (index, (key, value)) in map.iter().enumerate() {
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

/// Texts, numbers and errors are always JSON, and a `Vec` takes all that is written to it.
fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "{written:?}");
}

#[cfg(test)]
mod tests;
