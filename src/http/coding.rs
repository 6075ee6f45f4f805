//! Content codings (RFC 9110, section 8.4.1): which one a client prefers, and which one a request's body has.

use std::borrow::Cow;

use axum::http::{
    HeaderMap, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING},
};

use super::{
    negotiate::{joined, quality},
    rejection::Rejection,
};
use crate::graphql::Code;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

/// The codings that a request's body may have, as the value of a header.
const ACCEPTED: &str = "gzip, br, zstd";

impl Coding {
    /// All codings. Of those that a client accepts equally, it gets the first: zstd is by far the fastest.
    pub(super) const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Returns the coding of this name. Names are compared without case, and `x-gzip` is `gzip` (RFC 9110, section
    /// 8.4.1.3).
    fn of_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
        Self::ALL.into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name))
    }

    /// Returns the coding of a request's body; `None` if it has none. Rejects an unknown coding, and several codings.
    pub(super) fn of_body(headers: &HeaderMap) -> Result<Option<Self>, Rejection> {
        let value = joined(headers, &CONTENT_ENCODING).unwrap_or_default();
        let names = value.split(',').map(str::trim);
        let mut names = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
        match (names.next().map(Self::of_name), names.next()) {
            (None, _) => Ok(None),
            (Some(Some(coding)), None) => Ok(Some(coding)),
            _ => {
                let message = "the content encoding of the body must be one of gzip, br and zstd, or none";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                // Shows the client that the coding is the problem (RFC 9110, section 15.5.16).
                Err(Rejection::with_status(status, Code::BadRequest, message).with_header(ACCEPT_ENCODING, ACCEPTED))
            }
        }
    }
}

/// The content codings that a client accepts for a response (RFC 9110, section 12.5.3).
#[derive(Debug)]
pub(super) struct AcceptedCodings(Option<String>);

impl AcceptedCodings {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(joined(headers, &ACCEPT_ENCODING).map(Cow::into_owned))
    }

    /// Returns the client's weight of a coding in thousandths; 0 if it is not accepted or not mentioned.
    pub(super) fn quality(&self, coding: Coding) -> u16 {
        self.weight(coding.name()).or_else(|| self.weight("*")).unwrap_or(0)
    }

    /// Returns the coding that the client prefers; `None` if it prefers none, or accepts no coding. Without an acceptable
    /// coding the response has none, also if the client excludes `identity`: the request may have changed something already.
    pub(super) fn preferred(&self) -> Option<Coding> {
        let uncoded = self.weight("identity").unwrap_or(0);
        let weighted = Coding::ALL.map(|coding| (self.quality(coding), coding));
        // `max_by_key` returns the last of equals.
        let (best, coding) = weighted.into_iter().rev().max_by_key(|(quality, _)| *quality)?;
        (best > 0 && best >= uncoded).then_some(coding)
    }

    /// Returns the weight of a name, in thousandths. A malformed weight is 0.
    fn weight(&self, name: &str) -> Option<u16> {
        self.0.as_deref()?.split(',').find_map(|text| {
            let (coding, weight) = text.split_once(';').map_or((text, None), |(coding, weight)| (coding, Some(weight)));
            let weight = || match weight {
                Some(weight) => weight.split_once('=').and_then(|(_, weight)| quality(weight.trim())).unwrap_or(0),
                None => 1000,
            };
            coding.trim().eq_ignore_ascii_case(name).then(weight)
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().expect("a header's value"))).collect()
    }

    #[test]
    fn preferred_coding_is_used() {
        let (zstd, brotli, gzip) = (Some(Coding::Zstd), Some(Coding::Brotli), Some(Coding::Gzip));
        for (values, coding) in [
            (&[][..], None),
            (&[""], None),
            (&["gzip, deflate, br, zstd"], zstd),
            (&["gzip", "br"], brotli),
            (&["GZIP"], gzip),
            (&["deflate"], None),
            (&["*"], zstd),
            (&["*;q=0"], None),
            (&["zstd;q=0, *"], brotli),
            (&["gzip;q=1.0, *;q=0.5"], gzip),
            (&["br;q=0.5, gzip;q=0.6"], gzip),
            (&["br;q=nonsense, gzip;q=0.1"], gzip),
            (&["identity"], None),
            (&["identity, gzip;q=0.9"], None),
            (&["identity;q=0.5, gzip;q=0.5"], gzip),
            (&["identity;q=0"], None),
            (&["identity;q=0, deflate"], None),
            (&["identity;q=0, gzip;q=0.001"], gzip),
            (&["identity;q=0, *"], zstd),
        ] {
            assert_eq!(AcceptedCodings::of(&headers(ACCEPT_ENCODING, values)).preferred(), coding, "{values:?}");
        }
    }

    #[test]
    fn body_has_at_most_one_coding() {
        for (values, coding) in [
            (&[][..], None),
            (&[""], None),
            (&["identity"], None),
            (&["gzip"], Some(Coding::Gzip)),
            (&["X-GZip"], Some(Coding::Gzip)),
            (&["BR"], Some(Coding::Brotli)),
            (&["identity, zstd,"], Some(Coding::Zstd)),
        ] {
            let found = Coding::of_body(&headers(CONTENT_ENCODING, values)).expect("accepted");
            assert_eq!(found, coding, "{values:?}");
        }
        for values in
            [&["deflate"][..], &["gzip, gzip"], &["gzip", "br"], &["gzip;q=1"], &["*"], &["x"], &["deflate, gzip"]]
        {
            let rejection = Coding::of_body(&headers(CONTENT_ENCODING, values)).expect_err("rejected");
            assert_eq!(rejection.status, Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{values:?}");
            assert_eq!(rejection.header, Some((ACCEPT_ENCODING, "gzip, br, zstd")));
        }
    }
}
