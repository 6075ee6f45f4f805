//! Content negotiation (RFC 9110, section 12): the media type of the response (`Accept`), the media type of the request body
//! (`Content-Type`), and the content coding of static files (`Accept-Encoding`).

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE},
};

/// What an answer may be. The body is the same, the rules for the status differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: an error status says that nothing was executed.
    GraphqlResponse,
    /// `application/json`: 200 for whatever was a well-formed request.
    Json,
}

/// What a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The best of what an answer may be; none where nothing fits.
    pub(super) media: Option<MediaType>,
    /// Whether it takes server-sent events, which has to be said by name.
    pub(super) events: bool,
}

impl Accepted {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accept = joined(headers, &ACCEPT).flatten().unwrap_or_default();
        let ranges: Vec<Range<'_>> = split(&accept, ',').filter_map(Range::parse).collect();
        let events = Range::best(&ranges, "text", "event-stream");
        let events = events.precision == Precision::Exact && events.quality > 0;
        Self { media: MediaType::accepted(headers), events }
    }

    /// Whether there is anything to answer with.
    pub(super) fn any(self) -> bool {
        self.media.is_some() || self.events
    }
}

impl MediaType {
    /// The best of what the client accepts; none where nothing fits.
    ///
    /// Without preference it is `application/json`, as clients expect that know of no other and as the audits of
    /// graphql-http demand; where the client names both alike it is `application/graphql-response+json`.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let Some(accept) = joined(headers, &ACCEPT) else { return Some(Self::Json) };
        let ranges: Vec<Range<'_>> = split(accept.as_ref()?, ',').filter_map(Range::parse).collect();
        let graphql = Range::best(&ranges, "application", "graphql-response+json");
        let json = Range::best(&ranges, "application", "json");
        // The exact name counts as such only between equals: `application/graphql-response+json, */*` means the former.
        let preferred = graphql.quality > json.quality
            || (graphql.quality == json.quality && graphql.precision == Precision::Exact);
        let (media, quality) =
            if preferred { (Self::GraphqlResponse, graphql.quality) } else { (Self::Json, json.quality) };
        (quality > 0).then_some(media)
    }

    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// Whether the body is JSON in UTF-8, not compressed. Nothing else is taken for JSON: a page of another site can send
/// any other type without asking.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = split(value, ';');
    let essence = parts.next().unwrap_or_default().trim();
    let utf_8 = parts.filter_map(|part| part.split_once('=')).all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    let plain =
        headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    essence.eq_ignore_ascii_case("application/json") && utf_8 && plain
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// How much the client wants it, in thousandths; 0 where it does not take it, or does not say (RFC 9110, section
    /// 12.5.3).
    pub(super) fn quality(self, headers: &HeaderMap) -> u16 {
        let accepted = joined(headers, &ACCEPT_ENCODING).flatten().unwrap_or_default();
        let weight = |name: &str| {
            accepted.split(',').find_map(|text| {
                let (coding, weight) = text.split_once(';').unwrap_or((text, "q=1"));
                let weight = weight.trim().split_once('=').map_or(Some(0), |(_, weight)| quality(weight.trim()));
                coding.trim().eq_ignore_ascii_case(name).then(|| weight.unwrap_or(0))
            })
        };
        weight(self.name()).or_else(|| weight("*")).unwrap_or(0)
    }
}

/// How exactly a range names a media type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    #[default]
    None,
    Anything,
    Kind,
    Exact,
}

/// A range of an `Accept` header (RFC 9110, section 12.5.1).
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

/// How well a media type is accepted.
#[derive(Default)]
struct Fit {
    precision: Precision,
    quality: u16,
}

impl<'a> Range<'a> {
    /// None for what is malformed and for what is of a charset that is not served.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = split(text, ';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let mut range = Self { kind, subtype, quality: 1000 };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("q") {
                range.quality = quality(value)?;
                break;
            }
            if name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
                return None;
            }
        }
        Some(range)
    }

    /// The most exact range decides, whichever the quality of the others.
    fn best(ranges: &[Self], kind: &str, subtype: &str) -> Fit {
        ranges.iter().fold(Fit::default(), |best, range| {
            let precision = range.precision(kind, subtype);
            let better = precision > best.precision || (precision == best.precision && range.quality > best.quality);
            if better && precision > Precision::None { Fit { precision, quality: range.quality } } else { best }
        })
    }

    fn precision(&self, kind: &str, subtype: &str) -> Precision {
        match (self.kind, self.subtype) {
            ("*", "*") => Precision::Anything,
            (left, "*") if left.eq_ignore_ascii_case(kind) => Precision::Kind,
            (left, right) if left.eq_ignore_ascii_case(kind) && right.eq_ignore_ascii_case(subtype) => Precision::Exact,
            _ => Precision::None,
        }
    }
}

/// A weight of 0 to 1 with at most three digits, in thousandths (RFC 9110, section 12.4.2).
fn quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// All headers of the name as one (RFC 9110, section 5.3); none where there is none, nothing inside where one is no text.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<Option<String>> {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
    if values.is_empty() {
        return None;
    }
    Some(values.into_iter().collect::<Option<Vec<_>>>().map(|values| values.join(",")))
}

/// The parts between separators that stand outside of quotes.
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
    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().expect("a header's value"))).collect()
    }

    #[test]
    fn the_best_of_what_is_accepted_is_answered() {
        let (graphql, json) = (Some(MediaType::GraphqlResponse), Some(MediaType::Json));
        for (values, media) in [
            (&[][..], json),
            (&["*/*"], json),
            (&["application/*"], json),
            (&["application/json"], json),
            (&["application/json; charset=utf-8"], json),
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
            assert_eq!(MediaType::accepted(&headers(ACCEPT, values)), media, "{values:?}");
        }
    }

    #[test]
    fn events_are_asked_for_by_name() {
        for (value, expected) in [
            ("text/event-stream", (None, true)),
            ("Text/Event-Stream; charset=utf-8", (None, true)),
            (
                "application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
                (Some(MediaType::GraphqlResponse), true),
            ),
            ("*/*", (Some(MediaType::Json), false)),
            ("text/*, application/json", (Some(MediaType::Json), false)),
            ("text/event-stream;q=0, */*", (Some(MediaType::Json), false)),
            ("text/html", (None, false)),
        ] {
            let Accepted { media, events } = Accepted::of(&headers(ACCEPT, &[value]));
            assert_eq!((media, events), expected, "{value}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_taken() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
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
        let mut compressed = headers(CONTENT_TYPE, &["application/json"]);
        compressed.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(!is_json(&compressed));
    }
}
