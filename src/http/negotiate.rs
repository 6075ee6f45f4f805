//! Content negotiation (RFC 9110, section 12): the media type of the response (`Accept`), and that of the request body
//! (`Content-Type`).

use std::{borrow::Cow, iter};

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::{coding::Coding, live::EventFormat, rejection::Rejection};
use crate::graphql::Code;

/// The media type of a GraphQL response. Both have the same body, but different rules for the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: request errors have an error status.
    GraphqlResponse,
    /// `application/json`: 200 for every well-formed request, as legacy clients expect.
    Json,
}

/// The response types that a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The preferred media type of a JSON response; `None` if neither is accepted.
    pub(super) media: Option<MediaType>,
    /// The preferred format of an event stream that the client names. A wildcard does not include any.
    pub(super) events: Option<EventFormat>,
}

impl Accepted {
    /// Without a preference the media type is `application/json`, which legacy clients expect and the audits of
    /// graphql-http require. If the client names both with equal weight, it is `application/graphql-response+json`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(accept) = joined(headers, &ACCEPT) else {
            return Self { media: Some(MediaType::Json), events: None };
        };
        let ranges: Vec<Range<'_>> = split(&accept, ',').filter_map(Range::parse).collect();
        let graphql = Range::best(&ranges, "application", "graphql-response+json");
        let json = Range::best(&ranges, "application", "json");
        let events = Range::best(&ranges, "text", "event-stream").if_exact();
        let subscriptions: Vec<_> = ranges.iter().filter(|range| range.is_for_subscriptions).copied().collect();
        let parts = Range::best(&subscriptions, "multipart", "mixed").if_exact();
        let format = if parts > events { EventFormat::Multipart } else { EventFormat::ServerSentEvents };
        // Between equal weights the exact name wins: `application/graphql-response+json, */*` means the former.
        let preferred = graphql.quality > json.quality
            || (graphql.quality == json.quality && graphql.precision == Precision::Exact);
        let (media, quality) =
            if preferred { (MediaType::GraphqlResponse, graphql.quality) } else { (MediaType::Json, json.quality) };
        Self { media: (quality > 0).then_some(media), events: (events.max(parts) > 0).then_some(format) }
    }

    /// Returns true if any response type is accepted.
    pub(super) fn any(self) -> bool {
        self.media.is_some() || self.events.is_some()
    }
}

impl MediaType {
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// Rejects a request whose body is not declared as JSON in UTF-8, or has a content coding that is not known. Other types
/// would let pages of other origins send requests without a preflight.
pub(super) fn check_json(headers: &HeaderMap) -> Result<(), Rejection> {
    if !is_json(headers) {
        let message = "the content type must be application/json in UTF-8";
        return Err(Rejection::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadRequest, message));
    }
    Coding::of_body(headers).map(drop)
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    if value == "application/json" {
        return true;
    }
    let media = value.to_str().ok().and_then(Range::parse);
    media.is_some_and(|media| media.precision("application", "json") == Precision::Exact)
}

/// The precision with which a range matches a media type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    #[default]
    None,
    Any,
    Type,
    Exact,
}

/// Returns true for the name of UTF-8, and for a common misspelling.
fn is_utf_8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// A range of an `Accept` header (RFC 9110, section 12.5.1).
#[derive(Clone, Copy)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
    /// True with `subscriptionSpec=1.0`, which multipart subscriptions have.
    is_for_subscriptions: bool,
}

/// The best match of a media type.
#[derive(Default)]
struct Fit {
    precision: Precision,
    quality: u16,
}

impl Fit {
    /// Returns the weight of a type that is named; 0 if it is not.
    fn if_exact(self) -> u16 {
        if self.precision == Precision::Exact { self.quality } else { 0 }
    }
}

impl<'a> Range<'a> {
    /// Returns `None` for a malformed range, and for one with a charset other than UTF-8.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = split(text, ';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let mut range = Self { kind, subtype, quality: 1000, is_for_subscriptions: false };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("q") {
                range.quality = quality(value)?;
            }
            range.is_for_subscriptions |= name.eq_ignore_ascii_case("subscriptionSpec") && value == "1.0";
            if name.eq_ignore_ascii_case("charset") && !is_utf_8(value) {
                return None;
            }
        }
        Some(range)
    }

    /// Returns the match of the most precise range, whatever the weights of the others (RFC 9110, section 12.5.1).
    fn best(ranges: &[Self], kind: &str, subtype: &str) -> Fit {
        ranges.iter().fold(Fit::default(), |best, range| {
            let precision = range.precision(kind, subtype);
            let better = precision > best.precision || (precision == best.precision && range.quality > best.quality);
            if better && precision > Precision::None { Fit { precision, quality: range.quality } } else { best }
        })
    }

    fn precision(&self, kind: &str, subtype: &str) -> Precision {
        match (self.kind, self.subtype) {
            ("*", "*") => Precision::Any,
            (left, "*") if left.eq_ignore_ascii_case(kind) => Precision::Type,
            (left, right) if left.eq_ignore_ascii_case(kind) && right.eq_ignore_ascii_case(subtype) => Precision::Exact,
            _ => Precision::None,
        }
    }
}

/// Parses a weight, 0 to 1 with at most three decimals, to thousandths (RFC 9110, section 12.4.2).
pub(super) fn quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(iter::repeat(b'0')).take(3);
    let thousandths = digits.fold(0, |number, digit| 10 * number + u16::from(digit - b'0'));
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// Joins all headers with the name (RFC 9110, section 5.3); `None` if there is none. Headers that are not text count as empty.
pub(super) fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, str>> {
    let mut values = headers.get_all(name).iter().map(|value| Cow::from(value.to_str().unwrap_or_default()));
    let first = values.next()?;
    Some(values.fold(first, |joined, value| joined + "," + value))
}

/// Splits at separators outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        if escaped {
            escaped = false;
        } else if quoted && character == '\\' {
            escaped = true;
        } else if character == '"' {
            quoted = !quoted;
        }
        character == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().expect("a header's value"))).collect()
    }

    #[test]
    fn preferred_media_type_is_used() {
        let (graphql, json) = (Some(MediaType::GraphqlResponse), Some(MediaType::Json));
        for (values, media) in [
            (&[][..], json),
            (&["*/*"], json),
            (&["application/*"], json),
            (&["application/json"], json),
            (&["application/json; charset=utf-8"], json),
            (&["application/json; charset=utf8"], json),
            (&["application/graphql-response+json"], graphql),
            (&["Application/GraphQL-Response+JSON; charset=\"UTF-8\""], graphql),
            (&["application/json, application/graphql-response+json"], graphql),
            (&["application/graphql-response+json, application/json;q=0.9"], graphql),
            (&["application/graphql-response+json;q=0.9", "application/json"], json),
            (&["application/graphql-response+json, */*"], graphql),
            (&["application/json, */*;q=0.5"], json),
            (&["application/json;q=0, */*"], graphql),
            (&["application/graphql-response+json;q=0, */*"], json),
            (&["text/html, application/xhtml+xml, */*;q=0.8"], json),
            (&["text/html;title=\"a, application/json\", application/graphql-response+json"], graphql),
            (&["application/json;q=0.001"], json),
            (&["nonsense, application/json"], json),
            (&["text/html"], None),
            (&[""], None),
            (&["application/json;q=0"], None),
            (&["*/*;q=0.0"], None),
            (&["application/json;q=2"], None),
            (&["application/json; charset=latin1"], None),
            (&["application/xml, text/*"], None),
        ] {
            assert_eq!(Accepted::of(&headers(ACCEPT, values)).media, media, "{values:?}");
        }
    }

    #[test]
    fn event_stream_must_be_named() {
        let (events, parts) = (Some(EventFormat::ServerSentEvents), Some(EventFormat::Multipart));
        for (value, expected) in [
            ("text/event-stream", (None, events)),
            ("Text/Event-Stream; charset=utf-8", (None, events)),
            (
                "application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
                (Some(MediaType::GraphqlResponse), events),
            ),
            ("*/*", (Some(MediaType::Json), None)),
            ("text/*, application/json", (Some(MediaType::Json), None)),
            ("text/event-stream;q=0, */*", (Some(MediaType::Json), None)),
            ("text/html", (None, None)),
            // Apollo Client and iOS, and Apollo Kotlin.
            ("multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json", (Some(MediaType::Json), parts)),
            (
                "multipart/mixed;subscriptionSpec=1.0, application/graphql-response+json, application/json",
                (Some(MediaType::GraphqlResponse), parts),
            ),
            ("multipart/mixed; boundary=\"graphql\"; subscriptionSpec=\"1.0\"", (None, parts)),
            ("multipart/mixed;subscriptionSpec=1.0;q=0.5, text/event-stream", (None, events)),
            ("multipart/mixed;subscriptionSpec=1.0, text/event-stream;q=0.5", (None, parts)),
            ("multipart/mixed;subscriptionSpec=2.0, application/json", (Some(MediaType::Json), None)),
            ("multipart/mixed;deferSpec=20220824,application/json", (Some(MediaType::Json), None)),
            ("multipart/mixed", (None, None)),
        ] {
            let Accepted { media, events } = Accepted::of(&headers(ACCEPT, &[value]));
            assert_eq!((media, events), expected, "{value}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_accepted() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; charset=utf8",
            "application/json ; odata=verbose",
        ] {
            assert!(is_json(&headers(CONTENT_TYPE, &[value])), "{value}");
        }
        for values in [
            &[][..],
            &[""],
            &["text/plain"],
            &["text/plain; application/json"],
            &["application/x-www-form-urlencoded"],
            &["multipart/form-data; boundary=x"],
            &["application/graphql"],
            &["application/json; charset=utf-16"],
            &["application/json, text/plain"],
            &["application/json", "application/json"],
        ] {
            assert!(!is_json(&headers(CONTENT_TYPE, values)), "{values:?}");
        }
    }

    #[test]
    fn rejected_coding_is_named_and_a_rejected_type_is_not() {
        let mut coded = headers(CONTENT_TYPE, &["application/json"]);
        assert!(check_json(&coded).is_ok());
        coded.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(check_json(&coded).is_ok());
        coded.insert(CONTENT_ENCODING, HeaderValue::from_static("deflate"));
        assert_eq!(check_json(&coded).expect_err("deflate").header, Some((ACCEPT_ENCODING, "gzip, br, zstd")));
        coded.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert_eq!(check_json(&coded).expect_err("text").header, None);
    }
}
