//! The API as a command speaks to it: over HTTP, or in process on the database.

mod http;
mod in_process;
mod memberbase;
mod retry;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};

pub(super) use self::memberbase::{Definition, Memberbase};
use self::{http::Http, in_process::InProcess, retry::Retries};
use super::Error;
use crate::config::{self, Database};

/// Where things are told that are no data, such as that a request is sent again.
pub(super) type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// Speaks GraphQL to a server, or to the same schema on the database.
pub(super) struct Client {
    way: Transport,
    timeout: Duration,
    retry_for: Duration,
    notice: Notice,
}

enum Transport {
    Http(Box<Http>),
    InProcess(InProcess),
}

/// Why a call has no data.
#[derive(Debug)]
pub(super) enum Failure {
    /// The same call may succeed later, perhaps not before this time.
    Retryable(String, Option<Duration>),
    /// The API refuses.
    Refused(Refusal),
    /// What answers is no API.
    Broken(String),
}

/// What the API refuses, and why.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// `extensions.code`.
    pub code: String,
    /// For people.
    pub message: String,
    /// Which rows of a bulk call are bad, the first of them.
    pub rows: Vec<BadRow>,
    /// How many rows are bad.
    pub count: u64,
}

/// A row that the API refuses.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct BadRow {
    /// Its place in the call.
    pub index: usize,
    /// Why.
    #[serde(flatten)]
    pub fault: RowFault,
}

/// Why a row is bad.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct RowFault {
    /// A code of the API's.
    pub code: String,
    /// For people.
    pub message: String,
    /// The place in the row.
    #[serde(default)]
    pub path: Vec<String>,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Refused(match failure {
            Failure::Retryable(message, _) | Failure::Broken(message) => message,
            Failure::Refused(refusal) => refusal.message,
        })
    }
}

#[derive(Serialize)]
struct Request<'a, V> {
    query: &'a str,
    variables: V,
}

#[derive(Deserialize)]
struct Answer<'a> {
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
    failures: Vec<BadRow>,
    failure_count: u64,
}

impl Client {
    /// Over HTTP where there is a URL, else on the database.
    pub(super) async fn open(api: &config::Api, database: &Database, notice: Notice) -> Result<Self, Error> {
        let way = match &api.url {
            Some(url) => Transport::Http(Box::new(Http::new(url, api.token_file.as_deref())?)),
            None => Transport::InProcess(InProcess::open(database).await?),
        };
        Ok(Self { way, timeout: api.request_timeout.0, retry_for: api.retry_for.0, notice })
    }

    /// Waits for what runs, and closes the database.
    pub(super) async fn close(self) {
        if let Transport::InProcess(database) = self.way {
            database.close().await;
        }
    }

    /// Calls, and calls again where the failure passes. For what does no harm when it is done twice.
    pub(super) async fn call<T: DeserializeOwned>(&self, query: &str, variables: impl Serialize) -> Result<T, Failure> {
        let body = body(query, variables);
        let mut retries = Retries::new(self.retry_for);
        loop {
            match self.attempt(body.clone()).await {
                Err(Failure::Retryable(message, after)) => {
                    let Some(wait) = retries.next(after) else { return Err(Failure::Retryable(message, after)) };
                    (self.notice)(&format!("{message}; trying again in {:.1} s", wait.as_secs_f64()));
                    sleep(wait).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Calls once, whatever happens.
    pub(super) async fn call_once<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: impl Serialize,
    ) -> Result<T, Failure> {
        self.attempt(body(query, variables)).await
    }

    async fn attempt<T: DeserializeOwned>(&self, body: Bytes) -> Result<T, Failure> {
        let answer = async {
            match &self.way {
                Transport::Http(server) => server.send(body).await,
                Transport::InProcess(database) => Ok(Sent { body: database.send(body).await?, retry_after: None }),
            }
        };
        let Sent { body, retry_after } = timeout(self.timeout, answer).await.unwrap_or_else(|_| {
            Err(Failure::Retryable(format!("there was no answer within {:?} (--request-timeout)", self.timeout), None))
        })?;
        parse_response(&body, retry_after)
    }
}

/// An answer in GraphQL.
struct Sent {
    body: Bytes,
    retry_after: Option<Duration>,
}

fn body(query: &str, variables: impl Serialize) -> Bytes {
    serde_json::to_vec(&Request { query, variables }).expect("texts and numbers are JSON").into()
}

fn parse_response<T: DeserializeOwned>(body: &[u8], retry_after: Option<Duration>) -> Result<T, Failure> {
    let broken = |error| Failure::Broken(format!("the answer is not what this command understands: {error}"));
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(broken)?;
    let passes = answer.errors.iter().all(|error| error.extensions.retryable);
    if let Some(error) = answer.errors.into_iter().find(|error| passes || !error.extensions.retryable) {
        let WireError { message, extensions: Extensions { code, failures, failure_count, .. } } = error;
        return Err(if passes {
            Failure::Retryable(message, retry_after)
        } else {
            Failure::Refused(Refusal { code, message, rows: failures, count: failure_count })
        });
    }
    serde_json::from_str(answer.data.map_or("null", RawValue::get)).map_err(broken)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judged(answer: &Value) -> Result<Value, Failure> {
        parse_response(answer.to_string().as_bytes(), Some(Duration::from_secs(7)))
    }

    #[test]
    fn only_what_passes_altogether_is_tried_again() {
        let error =
            |code: &str, retryable| json!({"message": code, "extensions": {"code": code, "retryable": retryable}});
        let (busy, bad) = (error("SERVICE_UNAVAILABLE", true), error("BAD_USER_INPUT", false));
        let answered = judged(&json!({"data": {"a": null}, "errors": [busy]}));
        assert!(matches!(answered, Err(Failure::Retryable(_, Some(after))) if after.as_secs() == 7));
        for errors in [json!([bad]), json!([busy, bad]), json!([{"message": "BAD_USER_INPUT"}])] {
            let Err(Failure::Refused(refusal)) = judged(&json!({"errors": errors})) else { panic!("{errors}") };
            assert_eq!(refusal.message, "BAD_USER_INPUT");
        }
        assert_eq!(judged(&json!({"data": {"a": 1}})).expect("data"), json!({"a": 1}));
        assert!(matches!(parse_response::<Value>(b"<html>", None), Err(Failure::Broken(_))));
    }

    #[test]
    fn bad_rows_are_read() {
        let row = json!({"index": 3, "code": "INVALID_VALUE", "message": "no", "path": ["attributes", "age"]});
        let extensions = json!({"code": "BAD_USER_INPUT", "failures": [row], "failureCount": 8});
        let Err(Failure::Refused(refusal)) = judged(&json!({"errors": [{"message": "m", "extensions": extensions}]}))
        else {
            panic!("refused")
        };
        assert_eq!((refusal.count, refusal.rows[0].index), (8, 3));
        assert_eq!(refusal.rows[0].fault.path, ["attributes", "age"]);
    }
}
