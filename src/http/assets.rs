//! The static files of the pages, in the binary: built by Vite, compressed at build time, listed by `build.rs`.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
            X_FRAME_OPTIONS,
        },
    },
    response::Response,
};

use super::coding::{AcceptedCodings, Coding};

/// A static file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asset {
    /// Path without its leading slash.
    pub(super) path: &'static str,
    pub(super) identity: &'static [u8],
    /// `None` if the coding does not make the file smaller.
    pub(super) gzip: Option<&'static [u8]>,
    pub(super) brotli: Option<&'static [u8]>,
}

/// All files, sorted by path; empty in a build without npm.
pub(super) static ASSETS: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The policy of a file that is opened by itself: nothing is allowed.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The policy of a script. A worker has the policy of its own script, not that of its page.
const SCRIPT_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";

impl Asset {
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.path == path)
    }

    /// Returns the file in the content coding that the client prefers (RFC 9110, section 12.5.3).
    pub(super) fn respond(&self, headers: &HeaderMap) -> Response {
        let accepted = AcceptedCodings::of(headers);
        let (coding, bytes) = [(Coding::Brotli, self.brotli), (Coding::Gzip, self.gzip)]
            .into_iter()
            .filter_map(|(coding, bytes)| Some((accepted.quality(coding), coding, bytes?)))
            .filter(|(quality, ..)| *quality > 0)
            // `max_by_key` returns the last of equals.
            .rev()
            .max_by_key(|(quality, ..)| *quality)
            .map_or((None, self.identity), |(_, coding, bytes)| (Some(coding), bytes));
        let mut response = Response::new(Body::from(bytes));
        let mut set = |name: HeaderName, value: &'static str| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        set(CONTENT_TYPE, self.content_type());
        set(VARY, "accept-encoding");
        set(CONTENT_SECURITY_POLICY, if self.path.ends_with(".js") { SCRIPT_POLICY } else { POLICY });
        set(CACHE_CONTROL, if self.is_hashed() { "public, max-age=31536000, immutable" } else { "no-cache" });
        if let Some(coding) = coding {
            set(CONTENT_ENCODING, coding.name());
        }
        security_headers(response)
    }

    /// Returns true if the name contains a hash of the content, which therefore never changes.
    fn is_hashed(&self) -> bool {
        self.path.starts_with("assets/")
    }

    fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("md" | "txt") => "text/plain; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("ttf") => "font/ttf",
            Some("woff2") => "font/woff2",
            _ => "application/octet-stream",
        }
    }
}

/// Adds the headers that keep pages of other origins from framing, opening or reading this one.
pub(super) fn security_headers(mut response: Response) -> Response {
    for (name, value) in [
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: Asset =
        Asset { path: "assets/a-1b2c.js", identity: b"plain", gzip: Some(b"gzip"), brotli: Some(b"brotli") };

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), 100).await.expect("a body").to_vec()
    }

    #[tokio::test]
    async fn file_has_the_coding_that_the_client_prefers() {
        for (accepted, coding) in [
            (None, None),
            (Some(""), None),
            (Some("gzip, deflate"), Some("gzip")),
            (Some("gzip, deflate, br, zstd"), Some("br")),
            (Some("GZIP;q=1.0, BR;q=0.5"), Some("gzip")),
            (Some("br;q=0, *"), Some("gzip")),
            (Some("*"), Some("br")),
            (Some("br;q=0, gzip;q=0"), None),
            (Some("identity, br;q=nonsense"), None),
        ] {
            let headers = accepted
                .map(|value| (axum::http::header::ACCEPT_ENCODING, HeaderValue::from_static(value)))
                .into_iter()
                .collect();
            let response = SCRIPT.respond(&headers);
            let found = response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().expect("ASCII"));
            assert_eq!(found, coding, "{accepted:?}");
            assert_eq!(response.headers()[VARY], "accept-encoding");
            let expected = match coding {
                Some("br") => &b"brotli"[..],
                Some(_) => b"gzip",
                None => b"plain",
            };
            assert_eq!(body(response).await, expected);
        }
    }

    #[test]
    fn only_a_script_may_connect_to_its_server() {
        let policy = |path| {
            let headers = Asset { path, ..SCRIPT }.respond(&HeaderMap::new()).headers().clone();
            headers[CONTENT_SECURITY_POLICY].to_str().expect("ASCII").to_owned()
        };
        assert_eq!(policy("assets/a-1b2c.svg"), "default-src 'none'; frame-ancestors 'none'");
        for rule in ["default-src 'none'; ", "script-src 'self'; ", "connect-src 'self'; ", "frame-ancestors 'none'"] {
            assert!(policy("assets/a-1b2c.js").contains(rule), "{rule}");
        }
    }

    #[test]
    fn only_a_name_with_a_hash_is_immutable() {
        let page = Asset { path: "playground.html", brotli: None, ..SCRIPT };
        let cache = |asset: Asset| asset.respond(&HeaderMap::new()).headers()[CACHE_CONTROL].clone();
        assert_eq!(cache(SCRIPT), "public, max-age=31536000, immutable");
        assert_eq!(cache(page), "no-cache");
    }

    #[test]
    fn every_file_of_this_build_has_a_content_type() {
        for asset in ASSETS {
            assert_ne!(asset.content_type(), "application/octet-stream", "{}", asset.path);
        }
    }
}
