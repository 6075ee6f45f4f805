//! Turns the result of a request into an HTTP status, headers and a body.

use std::collections::HashMap;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::Response,
};
use serde::{Deserialize, de::IgnoredAny};

use super::{negotiate::MediaType, request_metrics::ErrorCode, trace::TraceId};
use crate::{
    domain,
    graphql::{
        Code, Error,
        execute::{self, Answer},
    },
};

/// Why a request is not executed.
#[derive(Debug)]
pub(super) struct Rejection {
    errors: Vec<Error>,
    /// Where it does not follow from the codes.
    status: Option<StatusCode>,
    allow: Option<&'static str>,
    /// Whether a body is left unread, after which the connection serves no other request.
    close: bool,
}

impl Rejection {
    /// A rejection whose status is not that of its code.
    pub(super) fn with_status(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status: Some(status), ..Self::from(Error::new(code, message)) }
    }

    /// The method does not fit; these do.
    pub(super) fn method(allow: &'static str, message: impl Into<String>) -> Self {
        let rejection = Self::with_status(StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, message);
        Self { allow: Some(allow), ..rejection }
    }

    /// The same, with a body that nobody reads.
    #[must_use]
    pub(super) fn close_after(self, close: bool) -> Self {
        Self { close, ..self }
    }

    /// Whether it concerns HTTP, and so has its status whatever the client would have been answered with.
    pub(super) fn has_http_status(&self) -> bool {
        self.status.is_some() || self.errors.iter().any(|error| status(error.code()).is_some())
    }

    /// The code and message of its first error.
    pub(super) fn first_error(&self) -> (Code, String) {
        let first = self.errors.first();
        first.map_or((Code::InternalServerError, String::new()), |error| (error.code(), error.message().to_owned()))
    }

    /// What it is in GraphQL alone.
    pub(super) fn answer(&self, trace: &TraceId) -> Answer {
        execute::refusal(&self.errors, trace.as_str())
    }

    /// The answer.
    pub(super) fn respond(self, media: MediaType, trace: &TraceId) -> Response {
        let mut response = respond(media, self.answer(trace), trace);
        if let Some(status) = self.status {
            *response.status_mut() = status;
        }
        if let Some(allow) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Vec<Error>> for Rejection {
    fn from(errors: Vec<Error>) -> Self {
        Self { errors, status: None, allow: None, close: false }
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        vec![error].into()
    }
}

impl From<domain::Error> for Rejection {
    fn from(error: domain::Error) -> Self {
        Error::from(error).into()
    }
}

/// The answer as HTTP tells it (GraphQL over HTTP, "Status Codes").
pub(super) fn respond(media: MediaType, answer: Answer, trace: &TraceId) -> Response {
    let answer = promote_retryable(answer, trace);
    let status = match (answer.refused, media) {
        (false, _) => StatusCode::OK,
        (true, media) => answer.codes.iter().find_map(|&code| status(code)).unwrap_or(match media {
            MediaType::GraphqlResponse => StatusCode::BAD_REQUEST,
            // A well-formed request: that GraphQL refuses it is not HTTP's concern.
            MediaType::Json => StatusCode::OK,
        }),
    };
    let code = answer.codes.first().copied();
    let mut response = Response::new(Body::from(answer.body));
    if let Some(code) = code {
        response.extensions_mut().insert(ErrorCode(code.as_str()));
    }
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.content_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    tell(status, headers);
    response
}

/// Whether an answer that never began is to be told by its status.
pub(super) fn has_http_status(answer: &Answer) -> bool {
    answer.codes.iter().any(|&code| status(code).is_some())
}

/// What goes with a status, whichever the API.
pub(super) fn tell(status: StatusCode, headers: &mut HeaderMap) {
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
}

/// The status of a rejection that concerns HTTP, whatever the media type; none where GraphQL alone refuses.
fn status(code: Code) -> Option<StatusCode> {
    match code {
        Code::BadRequest => Some(StatusCode::BAD_REQUEST),
        Code::Unauthenticated => Some(StatusCode::UNAUTHORIZED),
        Code::PayloadTooLarge => Some(StatusCode::PAYLOAD_TOO_LARGE),
        Code::RateLimited => Some(StatusCode::TOO_MANY_REQUESTS),
        Code::InternalServerError => Some(StatusCode::INTERNAL_SERVER_ERROR),
        Code::ServiceUnavailable => Some(StatusCode::SERVICE_UNAVAILABLE),
        Code::Timeout => Some(StatusCode::GATEWAY_TIMEOUT),
        _ => None,
    }
}

/// An answer that was executed and yet holds nothing but one kind of failure to be tried again is a rejection of the
/// whole request, so that clients and proxies who read nothing but the status do try again. Its data, which is null all
/// over, is left out, for an answer with data has to have the status 200.
fn promote_retryable(answer: Answer, trace: &TraceId) -> Answer {
    let Some(&code) = answer.codes.first().filter(|code| code.retryable()) else { return answer };
    if answer.refused || answer.codes.iter().any(|&other| other != code) {
        return answer;
    }
    match serde_json::from_slice::<Executed>(&answer.body) {
        Ok(Executed { data, mut errors }) if data.iter().flatten().all(|(_, field)| field.is_none()) => {
            let message = errors.drain(..).next().map(|error| error.message).unwrap_or_default();
            execute::refusal(&[Error::new(code, message)], trace.as_str())
        }
        _ => answer,
    }
}

/// As much of an answer as `promote_retryable` has to know.
#[derive(Deserialize)]
struct Executed {
    data: Option<HashMap<String, Option<IgnoredAny>>>,
    errors: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executed(body: &str, codes: &[Code]) -> Answer {
        Answer { refused: false, body: body.into(), codes: codes.to_vec() }
    }

    fn status_of(media: MediaType, answer: Answer) -> u16 {
        respond(media, answer, &TraceId::default()).status().as_u16()
    }

    #[test]
    fn what_graphql_refuses_is_400_or_200_by_media_type() {
        for code in [Code::GraphqlParseFailed, Code::GraphqlValidationFailed, Code::BadUserInput, Code::LimitExceeded] {
            let rejection = || execute::refusal(&[Error::new(code, "no")], "");
            assert_eq!(status_of(MediaType::GraphqlResponse, rejection()), 400, "{code:?}");
            assert_eq!(status_of(MediaType::Json, rejection()), 200, "{code:?}");
        }
    }

    #[test]
    fn what_http_refuses_is_the_same_for_both() {
        for (code, status) in [
            (Code::BadRequest, 400),
            (Code::Unauthenticated, 401),
            (Code::PayloadTooLarge, 413),
            (Code::RateLimited, 429),
            (Code::InternalServerError, 500),
            (Code::ServiceUnavailable, 503),
            (Code::Timeout, 504),
        ] {
            for media in [MediaType::GraphqlResponse, MediaType::Json] {
                let response = respond(media, execute::refusal(&[Error::new(code, "no")], ""), &TraceId::default());
                assert_eq!(response.status(), status);
                assert_eq!(response.headers().contains_key(RETRY_AFTER), matches!(status, 429 | 503));
                assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), status == 401);
            }
        }
    }

    #[test]
    fn an_answer_of_nothing_but_unavailability_is_a_refusal() {
        let away = Code::ServiceUnavailable;
        for body in [
            r#"{"data":null,"errors":[{"message":"away"}]}"#,
            r#"{"data":{"a":null,"b":null},"errors":[{"message":"away"},{"message":"away"}]}"#,
        ] {
            let answer = promote_retryable(executed(body, &[away, away]), &TraceId::default());
            assert!(answer.refused, "{body}");
            assert_eq!(answer.codes, [away]);
            let text = String::from_utf8(answer.body).expect("UTF-8");
            assert!(text.contains("\"away\"") && !text.contains("data"), "{text}");
        }
    }

    #[test]
    fn an_answer_with_data_or_other_errors_is_200() {
        let (away, missing) = (Code::ServiceUnavailable, Code::NotFound);
        for (body, codes) in [
            (r#"{"data":{"a":null}}"#, &[][..]),
            (r#"{"data":{"a":1,"b":null},"errors":[{"message":"away"}]}"#, &[away]),
            (r#"{"data":{"a":null},"errors":[{"message":"away"},{"message":"no"}]}"#, &[away, missing]),
            (r#"{"data":{"a":null},"errors":[{"message":"no"}]}"#, &[missing]),
        ] {
            assert_eq!(status_of(MediaType::GraphqlResponse, executed(body, codes)), 200, "{body}");
        }
    }
}
