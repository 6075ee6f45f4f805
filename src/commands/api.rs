//! A client of the API for commands, over HTTP or in process on the database. Transient failures are retried with backoff.

mod http;
mod in_process;
mod memberbase;
mod stream;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures_util::Stream;
use reqwest::{
    Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::time::timeout;

use self::{http::Http, in_process::InProcess};
pub(super) use self::{
    memberbase::{Attribute, Memberbase},
    stream::StreamedResponse,
};
use super::Error;
use crate::{
    config::{self, Database},
    http::stream_body,
};

/// A random part of up to the same again is added to each delay, so that many clients do not retry at the same time.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_max_delay(Duration::from_secs(15))
    .with_jitter()
    .without_max_times();

/// A sink for messages to the user, such as that a request is retried.
pub(super) type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// Sends operations to a server, or runs them on the same schema in process.
pub(super) struct Client {
    transport: Transport,
    timeout: Duration,
    retry_for: Duration,
    notice: Notice,
}

enum Transport {
    Http(Box<Http>),
    InProcess(Box<InProcess>),
}

/// The reason why a call returned no data.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A transient failure, with the delay that `Retry-After` asks for.
    #[error("{0}")]
    Retryable(String, Option<Duration>),
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// A response that is not GraphQL.
    #[error("{0}")]
    Broken(String),
}

/// An error of the API.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// `extensions.code`.
    pub(crate) code: String,
    pub(crate) message: String,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure.to_string())
    }
}

#[derive(Serialize)]
struct Request<'a, V> {
    query: &'a str,
    variables: V,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    errors: Vec<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    message: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Extensions {
    code: String,
    retryable: bool,
}

impl Client {
    /// Opens an HTTP client if the settings have a URL, and the database otherwise.
    pub(super) async fn open(api: &config::Api, database: &Database, notice: Notice) -> Result<Self, Error> {
        let transport = match &api.url {
            Some(url) => Transport::Http(Box::new(Http::new(url, api.token_file.as_deref())?)),
            None => Transport::InProcess(Box::new(InProcess::open(database).await?)),
        };
        Ok(Self { transport, timeout: api.request_timeout.0, retry_for: api.retry_for.0, notice })
    }

    /// Waits for running operations and closes the database.
    pub(super) async fn close(self) {
        if let Transport::InProcess(database) = self.transport {
            database.close().await;
        }
    }

    /// Runs an idempotent operation, and retries it after transient failures.
    pub(super) async fn call<T: DeserializeOwned>(&self, query: &str, variables: impl Serialize) -> Result<T, Failure> {
        let body = body(query, variables);
        self.retry(|| self.attempt(body.clone())).await
    }

    /// Makes attempts until one succeeds, or fails for another reason than a transient one.
    pub(super) async fn retry<T, Attempt>(&self, attempt: impl FnMut() -> Attempt) -> Result<T, Failure>
    where
        Attempt: Future<Output = Result<T, Failure>>,
    {
        let mut first_failure = None;
        attempt
            .retry(BACKOFF)
            .adjust(|failure, wait| {
                let Failure::Retryable(_, after) = failure else { return None };
                let wait = after.unwrap_or_default().saturating_add(wait?);
                // The limit of backon would count the delays without the attempts.
                let elapsed = first_failure.get_or_insert_with(Instant::now).elapsed();
                (elapsed.saturating_add(wait) <= self.retry_for).then_some(wait)
            })
            .notify(|failure, wait| (self.notice)(&format!("{failure}; trying again in {:.1} s", wait.as_secs_f64())))
            .await
    }

    /// Sends a request for a path beside `/graphql`, and returns its response as soon as it begins, whatever its status.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Result<StreamedResponse, Failure> {
        let response = self.dispatch(method, path, parameters, body, None);
        let response = timeout(self.timeout, response).await.unwrap_or_else(|_| Err(self.timed_out()))?;
        Ok(response.with_timeout(self.timeout))
    }

    /// Sends a file, without a time limit.
    pub(super) async fn upload(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        file: impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static,
        coding: Option<&'static str>,
    ) -> Result<StreamedResponse, Failure> {
        let body = reqwest::Body::wrap(stream_body(file));
        self.dispatch(Method::POST, path, parameters, body, coding).await
    }

    async fn dispatch(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
        coding: Option<&'static str>,
    ) -> Result<StreamedResponse, Failure> {
        let mut url = match &self.transport {
            Transport::Http(server) => server.url(path),
            Transport::InProcess(_) => in_process::url(path),
        };
        let shown = url.to_string();
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let mut request = reqwest::Request::new(method, url);
        *request.body_mut() = Some(body.into());
        // The default is that of operations.
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        if let Some(coding) = coding {
            request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        match &self.transport {
            Transport::Http(server) => server.send_streamed(request, shown).await,
            Transport::InProcess(database) => database.send_streamed(request, shown).await,
        }
    }

    /// Returns true if requests go over a network.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self.transport, Transport::Http(_))
    }

    /// Returns the time without a response after which a request fails.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn timed_out(&self) -> Failure {
        Failure::Retryable(format!("no response within {:?} (--request-timeout)", self.timeout), None)
    }

    /// Runs an operation without retries, for operations that are not idempotent.
    pub(super) async fn call_once<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: impl Serialize,
    ) -> Result<T, Failure> {
        self.attempt(body(query, variables)).await
    }

    async fn attempt<T: DeserializeOwned>(&self, body: Bytes) -> Result<T, Failure> {
        let response = async {
            match &self.transport {
                Transport::Http(server) => server.send(body).await,
                Transport::InProcess(database) => Ok(Sent { body: database.send(body).await?, retry_after: None }),
            }
        };
        let Sent { body, retry_after } =
            timeout(self.timeout, response).await.unwrap_or_else(|_| Err(self.timed_out()))?;
        parse_response(&body, retry_after)
    }
}

/// A GraphQL response, unparsed.
struct Sent {
    body: Bytes,
    retry_after: Option<Duration>,
}

fn body(query: &str, variables: impl Serialize) -> Bytes {
    serde_json::to_vec(&Request { query, variables }).expect("texts and numbers are JSON").into()
}

fn parse_response<T: DeserializeOwned>(body: &[u8], retry_after: Option<Duration>) -> Result<T, Failure> {
    let broken = |error| Failure::Broken(format!("the response does not have the expected form: {error}"));
    let response: Response<'_> = serde_json::from_slice(body).map_err(broken)?;
    let is_transient = response.errors.iter().all(|error| error.extensions.retryable);
    if let Some(error) = response.errors.into_iter().find(|error| is_transient || !error.extensions.retryable) {
        let WireError { message, extensions: Extensions { code, .. } } = error;
        return Err(if is_transient {
            Failure::Retryable(message, retry_after)
        } else {
            Failure::Refused(Refusal { code, message })
        });
    }
    serde_json::from_str(response.data.map_or("null", RawValue::get)).map_err(broken)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(response: &Value) -> Result<Value, Failure> {
        parse_response(response.to_string().as_bytes(), Some(Duration::from_secs(7)))
    }

    #[test]
    fn a_response_is_retryable_only_if_all_its_errors_are() {
        let error =
            |code: &str, retryable| json!({"message": code, "extensions": {"code": code, "retryable": retryable}});
        let busy = error("SERVICE_UNAVAILABLE", true);
        let bad = error("BAD_USER_INPUT", false);
        let failed = parsed(&json!({"data": {"a": null}, "errors": [busy]}));
        assert!(matches!(failed, Err(Failure::Retryable(_, Some(after))) if after.as_secs() == 7));
        for errors in [json!([bad]), json!([busy, bad]), json!([{"message": "BAD_USER_INPUT"}])] {
            let Err(Failure::Refused(refusal)) = parsed(&json!({"errors": errors})) else { panic!("{errors}") };
            assert_eq!(refusal.message, "BAD_USER_INPUT");
        }
        assert_eq!(parsed(&json!({"data": {"a": 1}})).expect("data"), json!({"a": 1}));
        assert!(matches!(parse_response::<Value>(b"<html>", None), Err(Failure::Broken(_))));
    }
}
