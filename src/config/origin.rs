//! Validates origins for CORS.

use axum::http::{HeaderValue, Uri, uri::Scheme};

/// Parses an origin. It has to be in the form that browsers send (RFC 6454, section 6.2), because it is compared as
/// text: scheme, host in lower case, the port unless it is the scheme's default, and nothing else. Surrounding blanks are
/// ignored, so that a list can be separated by a comma and a blank.
pub(super) fn origin(text: &str) -> Result<HeaderValue, String> {
    let text = text.trim();
    let expected = || "expected an origin such as https://admin.example.com".to_owned();
    let uri: Uri = text.parse().map_err(|_| expected())?;
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(expected()) };
    let default_port = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = authority.host().to_ascii_lowercase();
    let port =
        authority.port_u16().filter(|port| *port != default_port).map_or_else(String::new, |port| format!(":{port}"));
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
    fn an_origin_in_the_form_of_browsers_is_accepted() {
        for text in [
            "https://admin.example.com",
            "http://localhost:5173",
            "http://[::1]:8080",
            "https://a.b:80",
            " https://a.b ",
        ] {
            assert_eq!(origin(text).expect(text), text.trim());
        }
    }

    #[test]
    fn an_origin_in_another_form_is_rejected() {
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
