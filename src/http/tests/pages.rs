//! The playground, the console and their files.

use super::*;
use crate::http::assets::ASSETS;

#[tokio::test]
async fn slash_after_the_path_of_the_console_redirects_to_it() {
    let answer = Server::start().await.get("/console/").await;
    assert_eq!((answer.status, answer.header("location")), (308, "../console"));
    let server = Server::with(Options { console: false, ..Options::default() }).await;
    server.get("/console/").await.is(404, "NOT_FOUND");
}

#[tokio::test]
async fn playground_runs_only_its_own_scripts() {
    is_a_page("/").await;
}

#[tokio::test]
async fn console_runs_only_its_own_scripts() {
    is_a_page("/console").await;
}

async fn is_a_page(path: &str) {
    let answer = Server::start().await.get(path).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.split("; ").all(|rule| rule.starts_with("style-src") || !rule.contains("unsafe")), "{policy}");
    assert!(!answer.text.contains("<script>") && !answer.text.contains(" onload=") && !answer.text.contains("//cdn."));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn files_of_the_pages_are_immutable() {
    let server = Server::start().await;
    for asset in ASSETS.iter().filter(|asset| asset.path.starts_with("assets/")) {
        let request = Request::head(format!("/{}", asset.path)).body(Body::empty()).expect("a request");
        let answer = server.send(request).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{}", asset.path);
        assert_eq!(answer.header("content-length"), asset.identity.len().to_string());
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    }
    server.get("/assets/index-00000000.js").await.is(404, "NOT_FOUND");
}

#[tokio::test]
async fn page_is_served_only_with_its_setting() {
    for (graphiql, console) in [(false, true), (true, false)] {
        let server = Server::with(Options { graphiql, console, ..Options::default() }).await;
        for (path, is_served) in [("/", graphiql), ("/console", console)] {
            let answer = server.get(path).await;
            if is_served {
                assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{path}");
            } else {
                answer.is(404, "NOT_FOUND");
            }
        }
    }
}

#[tokio::test]
async fn files_are_served_only_with_a_page() {
    let server = Server::with(Options { graphiql: false, console: false, ..Options::default() }).await;
    server.get("/").await.is(404, "NOT_FOUND");
    for asset in ASSETS {
        server.get(&format!("/{}", asset.path)).await.is(404, "NOT_FOUND");
    }
}
