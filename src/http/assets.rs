//! The static files of the pages, which the binary contains: built by Vite, compressed at build time, listed by `build.rs`.

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

use super::negotiate::Coding;

/// A file that is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asset {
    /// Below the root of the server, without a slash at its begin.
    pub(super) path: &'static str,
    pub(super) identity: &'static [u8],
    /// Where it is smaller.
    pub(super) gzip: Option<&'static [u8]>,
    pub(super) brotli: Option<&'static [u8]>,
}

/// All of them, in the order of their paths; none in a build without npm.
pub(super) static ASSETS: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// What a file may do by itself: nothing.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// What a script may do that runs as a worker: those go by the policy that they come with, not by that of their page.
const SCRIPT_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";

impl Asset {
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.path == path)
    }

    /// The file in the best coding that the client takes.
    pub(super) fn respond(&self, headers: &HeaderMap) -> Response {
        let (coding, bytes) = [(Coding::Brotli, self.brotli), (Coding::Gzip, self.gzip)]
            .into_iter()
            .filter_map(|(coding, bytes)| Some((coding.quality(headers), coding, bytes?)))
            .filter(|(quality, ..)| *quality > 0)
            // The last of equals is taken.
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

    /// Whether its name has a hash of its bytes: what is there under that name never changes.
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

/// What every page and file of one says to the browser: nobody else may frame, open or read it.
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
    async fn a_file_comes_in_the_best_coding_that_the_client_takes() {
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
            let told = response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().expect("ASCII"));
            assert_eq!(told, coding, "{accepted:?}");
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
    fn a_script_may_ask_its_server_when_it_is_a_worker_and_nothing_else_may() {
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
    fn only_a_name_with_a_hash_is_kept_for_good() {
        let page = Asset { path: "playground.html", brotli: None, ..SCRIPT };
        let cache = |asset: Asset| asset.respond(&HeaderMap::new()).headers()[CACHE_CONTROL].clone();
        assert_eq!(cache(SCRIPT), "public, max-age=31536000, immutable");
        assert_eq!(cache(page), "no-cache");
    }

    #[test]
    fn every_file_of_this_build_has_a_type() {
        for asset in ASSETS {
            assert_ne!(asset.content_type(), "application/octet-stream", "{}", asset.path);
        }
    }
}
