//! The pages `GET /` and `GET /console` and their files. Their sources are in `web/`.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::Response,
    routing::get,
};

use super::{
    assets::{ASSETS, Asset, security_headers},
    text,
};

/// A page: where it is, the file that it is, and what it may load and ask, which is this server alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    path: &'static str,
    file: &'static str,
    policy: &'static str,
}

/// GraphiQL, to try queries on. Nothing that stands in the page itself is run. The one exception is styles: Monaco, the
/// editor, writes its theme and the places of its lines into the page as `<style>` and `style=`. Its fonts, and some of
/// its images, are `data:` URLs in its own style sheet.
pub(super) const PLAYGROUND: Page = Page {
    path: "/",
    file: "playground.html",
    policy: "default-src 'none'; \
        script-src 'self'; \
        worker-src 'self'; \
        connect-src 'self'; \
        style-src 'self' 'unsafe-inline'; \
        font-src 'self' data:; \
        img-src 'self' data:; \
        object-src 'none'; \
        base-uri 'none'; \
        form-action 'none'; \
        frame-ancestors 'none'",
};

/// The console, to work on members without GraphQL.
pub(super) const CONSOLE: Page = Page {
    path: "/console",
    file: "console.html",
    policy: "default-src 'none'; \
        script-src 'self'; \
        worker-src 'self'; \
        connect-src 'self'; \
        style-src 'self'; \
        img-src 'self' data:; \
        object-src 'none'; \
        base-uri 'none'; \
        form-action 'none'; \
        frame-ancestors 'none'",
};

/// What the page may do that says that there are none.
const ABSENT_POLICY: &str = "default-src 'none'; \
    style-src 'unsafe-inline'; \
    base-uri 'none'; \
    form-action 'none'; \
    frame-ancestors 'none'";

/// These pages, and all files that were built for pages, if there is one.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(pages: impl IntoIterator<Item = Page>) -> Router<S> {
    let mut pages = pages.into_iter().peekable();
    let mut router = Router::new();
    if pages.peek().is_some() {
        for asset in ASSETS.iter().filter(|asset| !is_page(asset)) {
            let file = move |headers: HeaderMap| async move { asset.respond(&headers) };
            router = router.route(&format!("/{}", asset.path), get(file));
        }
    }
    pages.fold(router, |router, page| {
        router.route(page.path, get(move |headers: HeaderMap| async move { page.respond(&headers) }))
    })
}

/// Whether it is served under the path of a page.
fn is_page(asset: &Asset) -> bool {
    [PLAYGROUND, CONSOLE].iter().any(|page| page.file == asset.path)
}

impl Page {
    fn respond(self, headers: &HeaderMap) -> Response {
        let (policy, mut response) = match Asset::find(self.file) {
            Some(page) => (self.policy, page.respond(headers)),
            None => {
                (ABSENT_POLICY, security_headers(text("text/html; charset=utf-8", include_str!("pages/absent.html"))))
            }
        };
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        response
    }
}
