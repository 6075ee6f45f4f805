//! The head of a request that asks for a WebSocket.

use axum::http::{HeaderMap, Method, header, request};

/// Returns true if a request asks for a WebSocket.
pub(in crate::http) fn is_upgrade(head: &request::Parts) -> bool {
    let wanted =
        head.headers.get(header::UPGRADE).is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"));
    wanted && head.method == Method::GET
}

/// Returns true if the request is not from a page, or its origin is this server or an allowed one. Browsers send no preflight
/// for WebSockets.
pub(super) fn is_allowed_origin(headers: &HeaderMap, origins: &[header::HeaderValue]) -> bool {
    let mut all = headers.get_all(header::ORIGIN).iter();
    let origin = match (all.next(), all.next()) {
        (None, _) => return true,
        (Some(origin), None) => origin,
        _ => return false,
    };
    let own = headers.get(header::HOST).is_some_and(|host| {
        let authority =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        authority.is_some_and(|authority| authority.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
    });
    own || origins.contains(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_server_and_allowed_origins_may_connect() {
        let list = [header::HeaderValue::from_static("https://admin.example.com")];
        for (origin, known) in [
            (None, true),
            (Some("http://localhost:8080"), true),
            (Some("https://LOCALHOST:8080"), true),
            (Some("https://admin.example.com"), true),
            (Some("https://admin.example.com.evil.com"), false),
            (Some("http://localhost:8081"), false),
            (Some("http://localhost"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, header::HeaderValue::from_static("localhost:8080"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("a header's value"));
            }
            assert_eq!(is_allowed_origin(&headers, &list), known, "{origin:?}");
        }
    }
}
