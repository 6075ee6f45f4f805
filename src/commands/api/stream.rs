//! Responses whose bodies arrive in pieces.

use std::{error, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited, combinators::UnsyncBoxBody};
use reqwest::StatusCode;
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Failure, Refusal,
    http::{failure_of_status, reason},
};

/// Maximum length of the body of a failure.
const MAX_FAILURE_BYTES: usize = 64 << 10;

pub(super) type BoxBody = UnsyncBoxBody<Bytes, Box<dyn error::Error + Send + Sync>>;

/// A response whose body has not arrived yet.
pub(in crate::commands) struct StreamedResponse {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: BoxBody,
    /// The URL in messages.
    url: String,
    /// Maximum time without data.
    timeout: Duration,
}

/// The body of a response to an import or export that has not begun.
#[derive(Deserialize)]
struct Failed {
    code: String,
    message: String,
    retryable: bool,
}

impl StreamedResponse {
    pub(super) fn new(status: StatusCode, retry_after: Option<Duration>, body: BoxBody, url: String) -> Self {
        Self { status, retry_after, body, url, timeout: Duration::MAX }
    }

    /// Limits the time without data.
    pub(super) fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Returns the response if it has succeeded, and otherwise the failure that its body describes.
    pub(in crate::commands) async fn ensure_success(self) -> Result<Self, Failure> {
        if self.status.is_success() {
            return Ok(self);
        }
        let Self { status, retry_after, body, url, timeout: time } = self;
        let message = format!("{url} returned HTTP status {status}");
        let body = timeout(time, Limited::new(body, MAX_FAILURE_BYTES).collect()).await;
        let body = body.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
        Err(match serde_json::from_slice(&body) {
            Ok(Failed { message, retryable: true, .. }) => Failure::Retryable(message, retry_after),
            Ok(Failed { code, message, .. }) => Failure::Refused(Refusal { code, message }),
            Err(_) => failure_of_status(status, message, retry_after),
        })
    }

    /// Returns the delay that the server asks for before another attempt.
    pub(in crate::commands) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the failure of a response that has ended without an event that says how the request ended.
    pub(in crate::commands) fn without_event(&self) -> Failure {
        let Self { status, url, retry_after, .. } = self;
        if status.is_success() {
            return Failure::Retryable(format!("the response of {url} is incomplete"), *retry_after);
        }
        let advice = match *status {
            StatusCode::PAYLOAD_TOO_LARGE => {
                ": a proxy limits the size of requests, and has to allow larger ones (nginx: client_max_body_size 0)"
            }
            _ => "",
        };
        failure_of_status(*status, format!("{url} returned HTTP status {status}{advice}"), *retry_after)
    }

    /// Returns the whole body, of at most `max_bytes`.
    pub(in crate::commands) async fn whole(mut self, max_bytes: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(piece) = self.next().await? {
            if body.len() + piece.len() > max_bytes {
                return Err(Failure::Broken(format!("the response of {} is too long", self.url)));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Returns the next piece of the body; `None` after its proper end.
    pub(in crate::commands) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let lost = |cause: String| Failure::Retryable(format!("the response of {} broke off: {cause}", self.url), None);
        loop {
            match timeout(self.timeout, self.body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
                Ok(Some(Err(error))) => return Err(lost(reason(&*error))),
                Err(_) => return Err(lost(format!("no data within {:?} (--request-timeout)", self.timeout))),
            }
        }
    }
}
