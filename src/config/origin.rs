//! An origin of pages that may call the API.

use axum::http::{HeaderValue, Uri, uri::Scheme};

/// Reads an origin as browsers send it (RFC 6454, section 6.2), or it would never be equal to one: scheme, host in lower
/// case, the port unless it is the scheme's own, and nothing after them.
pub(super) fn origin(text: &str) -> Result<HeaderValue, String> {
    let expected = || "expected an origin such as https://admin.example.com".to_owned();
    let uri: Uri = text.parse().map_err(|_| expected())?;
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(expected()) };
    let usual = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = authority.host().to_ascii_lowercase();
    let port = authority.port_u16().filter(|port| *port != usual).map_or_else(String::new, |port| format!(":{port}"));
    let sent = format!("{scheme}://{host}{port}");
    let is_web = *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP;
    let is_plain = !authority.as_str().contains(['@', '*']) && !host.is_empty();
    if !is_web || !is_plain {
        return Err(expected());
    }
    if sent == text {
        return HeaderValue::from_str(text).map_err(|_| expected());
    }
    Err(format!("browsers send this origin as {sent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_that_browsers_send_is_taken() {
        for text in ["https://admin.example.com", "http://localhost:5173", "http://[::1]:8080", "https://a.b:80"] {
            assert_eq!(origin(text).expect(text), text);
        }
    }

    #[test]
    fn an_origin_that_no_browser_sends_is_rejected() {
        for (text, sent) in [
            ("https://Admin.example.com", "https://admin.example.com"),
            ("https://admin.example.com:443", "https://admin.example.com"),
            ("http://admin.example.com:80", "http://admin.example.com"),
            ("https://admin.example.com/", "https://admin.example.com"),
            ("https://admin.example.com/x?y", "https://admin.example.com"),
        ] {
            assert_eq!(origin(text), Err(format!("browsers send this origin as {sent}")), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "admin.example.com",
            "ftp://a.b",
            "https://",
            "https://*.b",
            "https://u@a.b",
            "https://a b",
        ] {
            assert_eq!(origin(text), Err("expected an origin such as https://admin.example.com".to_owned()), "{text}");
        }
        for text in ["https://a.b:x", "https://a.b:99999"] {
            origin(text).expect_err(text);
        }
    }
}
