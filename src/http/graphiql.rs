//! The page to try queries on. Its parts are files of their own, so that no script stands in the page itself.

use axum::{
    http::{
        HeaderValue,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY},
    },
    response::Response,
};

use super::text;

/// GraphiQL itself comes from a CDN, checked by its hash (`graphiql.js`). CodeMirror writes styles into the page.
const POLICY: &str = "default-src 'none'; \
    script-src 'self' https://cdn.jsdelivr.net; \
    style-src 'self' https://cdn.jsdelivr.net 'unsafe-inline'; \
    font-src data: https://cdn.jsdelivr.net; \
    img-src 'self' data:; \
    connect-src 'self'; \
    base-uri 'none'; \
    form-action 'none'; \
    frame-ancestors 'none'";

pub(super) async fn page() -> Response {
    let mut response = text("text/html; charset=utf-8", include_str!("graphiql.html"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

pub(super) async fn script() -> Response {
    text("text/javascript; charset=utf-8", include_str!("graphiql.js"))
}

pub(super) async fn style() -> Response {
    text("text/css; charset=utf-8", include_str!("graphiql.css"))
}
