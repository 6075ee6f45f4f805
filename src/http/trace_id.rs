//! The trace id of a request (<https://www.w3.org/TR/trace-context/>).

use std::{fmt, sync::Arc};

use axum::http::HeaderMap;
use uuid::Uuid;

/// Identifies a request in the log and in its response: 32 hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TraceId(Arc<str>);

impl TraceId {
    /// Returns the trace id of the `traceparent` header, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let inherited = trace_parent(headers).and_then(parse);
        Self(inherited.map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned).into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns the `traceparent` header if there is exactly one and it is valid.
pub(super) fn trace_parent(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all("traceparent").iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok().filter(|value| parse(value).is_some())
}

/// Returns the trace id of a `traceparent` header (W3C Trace Context, section 3.2) of version 00 or a later one.
fn parse(text: &str) -> Option<&str> {
    let mut fields = text.splitn(5, '-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_well_formed = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    // Later versions may append fields.
    let is_known_version = version != "ff" && (version != "00" || fields.next().is_none());
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    (is_well_formed && is_known_version && !is_zero(trace) && !is_zero(parent)).then_some(trace)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn valid_trace_parent_is_continued() {
        for text in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-comes"),
        ] {
            assert_eq!(parse(&text), Some(TRACE), "{text}");
        }
    }

    #[test]
    fn invalid_trace_parent_is_ignored() {
        for text in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-00f067aa0ba902b7-1"),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
    }

    #[test]
    fn repeated_trace_parent_is_ignored() {
        let header: HeaderValue = format!("00-{TRACE}-00f067aa0ba902b7-01").parse().expect("a header's value");
        let mut headers = HeaderMap::new();
        headers.append("traceparent", header.clone());
        assert_eq!(TraceId::of(&headers).as_str(), TRACE);
        headers.append("traceparent", header);
        let new = TraceId::of(&headers);
        assert_ne!(new.as_str(), TRACE);
        assert!(is_hex(new.as_str(), 32), "{new}");
    }
}
