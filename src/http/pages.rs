//! The pages `GET /` and `GET /console` and their files. Their sources are in `web/`.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::{Redirect, Response},
    routing::get,
};

use super::{
    assets::{ASSETS, Asset, security_headers},
    response,
};

/// A page: its path, its file and its Content-Security-Policy, which allows this server only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    path: &'static str,
    file: &'static str,
    policy: &'static str,
}

/// GraphiQL. Inline styles are allowed because its editor, Monaco, writes its theme and the positions of lines as `<style>`
/// and `style=`. Monaco's fonts and some of its images are `data:` URLs in its style sheet.
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

/// The console, for work on members without GraphQL.
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

/// The policy of the page that is shown if the build has no pages.
const ABSENT_POLICY: &str = "default-src 'none'; \
    style-src 'unsafe-inline'; \
    base-uri 'none'; \
    form-action 'none'; \
    frame-ancestors 'none'";

/// Returns the routes of these pages, and those of all other files if there is a page.
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
        let router = router.route(page.path, get(move |headers: HeaderMap| async move { page.respond(&headers) }));
        let Some(name) = page.path.strip_prefix('/').filter(|name| !name.is_empty()) else { return router };
        // The page refers to its files by relative paths, because a proxy may add a prefix.
        let target = format!("../{name}");
        router.route(&format!("{}/", page.path), get(move || async move { Redirect::permanent(&target) }))
    })
}

/// Returns true if the file is served under the path of a page.
fn is_page(asset: &Asset) -> bool {
    [PLAYGROUND, CONSOLE].iter().any(|page| page.file == asset.path)
}

impl Page {
    fn respond(self, headers: &HeaderMap) -> Response {
        let (policy, mut response) = match Asset::find(self.file) {
            Some(page) => (self.policy, page.respond(headers)),
            None => (
                ABSENT_POLICY,
                security_headers(response::constant("text/html; charset=utf-8", include_str!("pages/absent.html"))),
            ),
        };
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        response
    }
}
