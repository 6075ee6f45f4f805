//! The HTTP transport: operations of GraphQL over HTTP on a server.

use std::{env, error, fs, iter, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper_rustls::ConfigBuilderExt;
use reqwest::{
    Client, Request, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT},
    redirect::Policy,
};
use rustls::ClientConfig;

use super::{Failure, Sent, StreamedResponse};
use crate::commands::{Error, line};

const TOKEN: &str = "MEMBERBASE_TOKEN";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const MAX_RESPONSE_BYTES: usize = 256 << 20;

/// Length from which a body is compressed.
const MIN_COMPRESSED_BYTES: usize = 1 << 10;

pub(super) struct Http {
    client: Client,
    url: Url,
}

impl Http {
    /// Creates a client for the server at this URL, with the token from the file or the environment.
    pub(super) fn new(url: &str, token_file: Option<&Path>) -> Result<Self, Error> {
        let url = endpoint(url).ok_or_else(|| {
            Error::Usage("--url has to be an http:// or https:// URL with a host, without user and query".to_owned())
        })?;
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9")),
            (AUTHORIZATION, authorization(&token(token_file)?)?),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (USER_AGENT, HeaderValue::from_static(concat!("memberbase/", env!("CARGO_PKG_VERSION")))),
        ]);
        let client = Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirected POST becomes a GET. The user is shown the status instead, and corrects the URL.
            .redirect(Policy::none())
            .tls_backend_preconfigured(tls())
            .build()
            .map_err(|error| Error::Refused(format!("can't create an HTTP client: {}", reason(&error))))?;
        Ok(Self { client, url })
    }

    /// Sends an operation. A response that is not JSON is a failure.
    pub(super) async fn send(&self, body: Bytes) -> Result<Sent, Failure> {
        let lost = |cause: String| Failure::Retryable(format!("the connection to {} is lost: {cause}", self.url), None);
        let request = self.client.post(self.url.clone());
        let compressed = (body.len() >= MIN_COMPRESSED_BYTES).then(|| zstd::bulk::compress(&body, 1));
        let request = match compressed {
            Some(Ok(compressed)) => request.header(CONTENT_ENCODING, "zstd").body(compressed),
            _ => request.body(body),
        };
        let response = request.send().await.map_err(|error| lost(reason(&error)))?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|value| {
            value.to_str().is_ok_and(|text| text.split(';').next().unwrap_or_default().trim().ends_with("json"))
        });
        let body = Limited::new(reqwest::Body::from(response), MAX_RESPONSE_BYTES).collect().await;
        let body = body.map_err(|error| lost(reason(&*error)))?.to_bytes();
        if is_json {
            return Ok(Sent { body, retry_after });
        }
        let message = format!("{} returned HTTP status {status} instead of a GraphQL response", self.url);
        Err(failure_of_status(status, message, retry_after))
    }

    /// Returns the URL of a path beside `/graphql`.
    pub(super) fn url(&self, path: &str) -> Url {
        self.url.join(path).expect("the path is a relative URL")
    }

    /// Sends a request, and returns its response as soon as it begins. Messages show the URL as `shown`.
    pub(super) async fn send_streamed(&self, mut request: Request, shown: String) -> Result<StreamedResponse, Failure> {
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let response = self.client.execute(request).await;
        let response = response.map_err(|error| {
            Failure::Retryable(format!("the connection to {shown} is lost: {}", reason(&error)), None)
        })?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let body = reqwest::Body::from(response).map_err(Into::into).boxed_unsync();
        Ok(StreamedResponse::new(status, retry_after, body, shown))
    }
}

/// Returns the failure of a response whose status is all that is known.
pub(super) fn failure_of_status(status: StatusCode, message: String, retry_after: Option<Duration>) -> Failure {
    match status {
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Failure::Retryable(message, retry_after),
        _ => Failure::Broken(message),
    }
}

/// The system's certificates include those of a company's own authority. A system without certificates falls back to
/// the Mozilla roots in the binary.
fn tls() -> ClientConfig {
    let builder = ClientConfig::builder().with_native_roots();
    builder.unwrap_or_else(|_| ClientConfig::builder().with_webpki_roots()).with_no_client_auth()
}

/// Returns the message of the innermost cause, which is the most specific one.
pub(super) fn reason(error: &(dyn error::Error + 'static)) -> String {
    line(&iter::successors(Some(error), |error| error.source()).last().unwrap_or(error))
}

/// Returns the delay of `Retry-After` in seconds. A date (RFC 9110, section 10.2.3) is ignored, because the clocks may
/// differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the URL of the GraphQL endpoint; the given URL may end in `/graphql` already.
fn endpoint(url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "http" | "https") || has_user || url.query().is_some() {
        return None;
    }
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with("/graphql") { path.to_owned() } else { format!("{path}/graphql") };
    url.set_path(&path);
    Some(url)
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
            ("http://[::1]:81", Some("http://[::1]:81/graphql")),
            ("members.example.com", None),
            ("ftp://example.com", None),
            ("https://ann:secret@example.com", None),
            ("https://", None),
            ("https://example.com/?a=b", None),
        ] {
            assert_eq!(endpoint(url).map(String::from).as_deref(), expected, "{url}");
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
