//! `GET /`: the playground, and the files of the pages. `web/` is where they are made.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::Response,
    routing::get,
};

use super::{
    assets::{ASSETS, Asset, harden},
    text,
};

/// What the page may load and ask: this server, and nothing that stands in the page itself. The one exception is styles:
/// Monaco, the editor, writes its theme and the places of its lines into the page as `<style>` and `style=`. Its fonts,
/// and some of its images, are `data:` URLs in its own style sheet.
const POLICY: &str = "default-src 'none'; \
    script-src 'self'; \
    worker-src 'self'; \
    connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; \
    font-src 'self' data:; \
    img-src 'self' data:; \
    object-src 'none'; \
    base-uri 'none'; \
    form-action 'none'; \
    frame-ancestors 'none'";

/// What the page may do that says that there is no page.
const ABSENT_POLICY: &str = "default-src 'none'; \
    style-src 'unsafe-inline'; \
    base-uri 'none'; \
    form-action 'none'; \
    frame-ancestors 'none'";

const PAGE: &str = "playground.html";

/// The page and all files that were built for it.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let files = ASSETS.iter().filter(|asset| asset.path != PAGE);
    files.fold(Router::new().route("/", get(page)), |router, asset| {
        router.route(&format!("/{}", asset.path), get(move |headers: HeaderMap| async move { asset.respond(&headers) }))
    })
}

async fn page(headers: HeaderMap) -> Response {
    match Asset::find(PAGE) {
        Some(page) => under(POLICY, page.respond(&headers)),
        None => under(ABSENT_POLICY, harden(text("text/html; charset=utf-8", include_str!("playground/absent.html")))),
    }
}

fn under(policy: &'static str, mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
