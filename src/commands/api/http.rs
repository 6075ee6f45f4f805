//! The HTTP transport: operations of GraphQL over HTTP on a server.

use std::{env, error::Error as _, fs, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Incoming,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{Failure, Sent};
use crate::commands::{Error, line};

const TOKEN: &str = "MEMBERBASE_TOKEN";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const MAX_RESPONSE_BYTES: usize = 256 << 20;

pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    authorization: HeaderValue,
}

impl Http {
    /// Creates a client for the server at this URL, with the token from the file or the environment.
    pub(super) fn new(url: &str, token_file: Option<&Path>) -> Result<Self, Error> {
        let uri = endpoint(url).ok_or_else(|| {
            Error::Usage("--url has to be an http:// or https:// URL with a host, without user and query".to_owned())
        })?;
        let authorization = authorization(&token(token_file)?)?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        // The system's certificates include those of a company's own authority. A system without certificates falls
        // back to the Mozilla roots in the binary.
        let builder = HttpsConnectorBuilder::new().with_native_roots();
        let builder = builder.unwrap_or_else(|_| HttpsConnectorBuilder::new().with_webpki_roots());
        let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), uri, authorization })
    }

    /// Sends an operation. A response that is not JSON is a failure.
    pub(super) async fn send(&self, body: Bytes) -> Result<Sent, Failure> {
        let mut request = Request::post(self.uri.clone()).body(Full::new(body)).expect("a URI of an endpoint");
        request.headers_mut().extend([
            (ACCEPT, HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9")),
            (AUTHORIZATION, self.authorization.clone()),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (USER_AGENT, HeaderValue::from_static(concat!("memberbase/", env!("CARGO_PKG_VERSION")))),
        ]);
        let lost = |cause: String| Failure::Retryable(format!("the connection to {} is lost: {cause}", self.uri), None);
        let response = self.client.request(request).await.map_err(|error| lost(reason(&error)))?;
        let (head, body) = response.into_parts();
        let body = read_body(body).await.map_err(lost)?;
        let retry_after = retry_after(&head.headers);
        let is_json = head.headers.get(CONTENT_TYPE).is_some_and(|value| {
            value.to_str().is_ok_and(|text| text.split(';').next().unwrap_or_default().trim().ends_with("json"))
        });
        if is_json {
            return Ok(Sent { body, retry_after });
        }
        let message = format!("{} returned HTTP status {} instead of a GraphQL response", self.uri, head.status);
        Err(match head.status {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Failure::Retryable(message, retry_after),
            _ => Failure::Broken(message),
        })
    }
}

async fn read_body(body: Incoming) -> Result<Bytes, String> {
    let collected = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
    collected.map(|body| body.to_bytes()).map_err(|error| line(&error))
}

/// Returns the message of the innermost cause, which is the most specific one.
fn reason(error: &hyper_util::client::legacy::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| line(error), |cause| line(&cause))
}

/// Returns the delay of `Retry-After` in seconds. A date (RFC 9110, section 10.2.3) is ignored, because the clocks may
/// differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the URL of the GraphQL endpoint; the given URL may end in `/graphql` already.
fn endpoint(url: &str) -> Option<Uri> {
    let url = url.trim_end_matches('/');
    let url = if url.ends_with("/graphql") { url.to_owned() } else { format!("{url}/graphql") };
    let uri: Uri = url.parse().ok()?;
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    (is_web && !has_user && uri.query().is_none() && !uri.host()?.is_empty()).then_some(uri)
}

fn token(file: Option<&Path>) -> Result<String, Error> {
    let token = match file {
        Some(file) => fs::read_to_string(file)
            .map_err(|cause| Error::Refused(format!("can't read the token in {}: {cause}", file.display())))?,
        None => env::var(TOKEN).map_err(|_| {
            Error::Usage(format!(
                "a server requires a token: set {TOKEN}, or name a file that has the token with --token-file"
            ))
        })?,
    };
    Ok(token.trim().to_owned())
}

fn authorization(token: &str) -> Result<HeaderValue, Error> {
    let header = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| !token.is_empty());
    // The message does not repeat the text, because it may be a secret with a typo.
    let message = "the token is empty or has characters that no token has";
    let mut header = header.ok_or_else(|| Error::Usage(message.to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_derived_from_the_url() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080/graphql")),
            ("https://members.example.com/", Some("https://members.example.com/graphql")),
            ("https://example.com/members/graphql", Some("https://example.com/members/graphql")),
            ("https://example.com/members", Some("https://example.com/members/graphql")),
            ("http://[::1]:80", Some("http://[::1]:80/graphql")),
            ("members.example.com", None),
            ("ftp://example.com", None),
            ("https://ann:secret@example.com", None),
            ("https://", None),
            ("https://example.com/?a=b", None),
        ] {
            assert_eq!(endpoint(url).map(|uri| uri.to_string()).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let header = authorization("mbs_s3cret").expect("a token");
        assert!(!format!("{header:?}").contains("s3cret"));
        for token in ["", "s3cret\nX: y"] {
            let error = authorization(token).expect_err("no token");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
