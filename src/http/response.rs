//! HTTP responses: status, headers and body.

use std::collections::HashMap;

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::Response,
};
use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};

use super::{negotiate::MediaType, pipeline::InFlight, request_metrics::ErrorCode, trace_id::TraceId};
use crate::graphql::{
    Code, Error,
    execute::{self, GraphqlResponse},
};

/// The value of `Retry-After`, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// Returns the HTTP response of a GraphQL response
/// (<https://graphql.github.io/graphql-over-http/draft/#sec-Status-Codes>).
pub(super) fn respond(
    media: MediaType,
    answer: GraphqlResponse,
    trace: &TraceId,
    in_flight: Option<InFlight>,
) -> Response {
    let answer = promote_retryable(answer, trace);
    let status = match (answer.is_request_error, media) {
        (false, _) => StatusCode::OK,
        (true, media) => answer.codes.iter().find_map(|&code| http_status(code)).unwrap_or(match media {
            MediaType::GraphqlResponse => StatusCode::BAD_REQUEST,
            // The HTTP request is well-formed.
            MediaType::Json => StatusCode::OK,
        }),
    };
    let code = answer.codes.first().map(|code| code.as_str());
    build(status, media.content_type(), held(answer.body, in_flight), code)
}

/// Returns a response's body, which holds what its request holds until it is written.
pub(super) fn held(bytes: Vec<u8>, in_flight: Option<InFlight>) -> Body {
    match in_flight {
        Some(in_flight) => in_flight.body(bytes),
        None => Body::from(bytes),
    }
}

/// Returns bytes that keep a value until they are dropped.
pub(super) fn holding<T: Send + 'static>(bytes: Vec<u8>, value: T) -> Bytes {
    struct Holding<T> {
        bytes: Vec<u8>,
        _value: T,
    }
    impl<T> AsRef<[u8]> for Holding<T> {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    Bytes::from_owner(Holding { bytes, _value: value })
}

/// Creates a response that is not cached, with the headers that its status requires. The metrics count `code`.
pub(super) fn build(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Body>,
    code: Option<&'static str>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if let Some(code) = code {
        response.extensions_mut().insert(ErrorCode(code));
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        _ => {}
    }
    response
}

/// Creates a response with a constant body, which browsers revalidate.
pub(super) fn constant(content_type: &'static str, body: &'static str) -> Response {
    let mut response = build(StatusCode::OK, HeaderValue::from_static(content_type), body, None);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Returns true if one of the errors has a status in every media type.
pub(super) fn has_http_status(answer: &GraphqlResponse) -> bool {
    answer.codes.iter().any(|&code| http_status(code).is_some())
}

/// Returns the status of a code that has one in every media type; `None` for errors of GraphQL alone.
pub(super) fn http_status(code: Code) -> Option<StatusCode> {
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

/// Turns a response that has no data, and only errors of one retryable code, into a request error: clients and proxies
/// that look only at the status then retry too. `data` is omitted, because a response with data must have status 200.
fn promote_retryable(answer: GraphqlResponse, trace: &TraceId) -> GraphqlResponse {
    let Some(&code) = answer.codes.first().filter(|code| code.retryable()) else { return answer };
    if answer.is_request_error || answer.codes.iter().any(|&other| other != code) {
        return answer;
    }
    match serde_json::from_slice::<Executed>(&answer.body) {
        Ok(Executed { data, mut errors }) if data.iter().flatten().all(|(_, field)| field.is_none()) => {
            let message = errors.drain(..).next().map(|error| error.message).unwrap_or_default();
            execute::request_error(&[Error::new(code, message)], trace.as_str())
        }
        _ => answer,
    }
}

/// The part of a response that [`promote_retryable`] needs.
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

    fn executed(body: &str, codes: &[Code]) -> GraphqlResponse {
        GraphqlResponse { is_request_error: false, body: body.into(), codes: codes.to_vec() }
    }

    fn status_of(media: MediaType, answer: GraphqlResponse) -> u16 {
        respond(media, answer, &TraceId::default(), None).status().as_u16()
    }

    #[test]
    fn request_error_of_graphql_is_400_or_200_by_media_type() {
        for code in [Code::GraphqlParseFailed, Code::GraphqlValidationFailed, Code::BadUserInput, Code::LimitExceeded] {
            let rejection = || execute::request_error(&[Error::new(code, "no")], "");
            assert_eq!(status_of(MediaType::GraphqlResponse, rejection()), 400, "{code:?}");
            assert_eq!(status_of(MediaType::Json, rejection()), 200, "{code:?}");
        }
    }

    #[test]
    fn error_of_http_has_the_same_status_in_both_media_types() {
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
                let error = execute::request_error(&[Error::new(code, "no")], "");
                let response = respond(media, error, &TraceId::default(), None);
                assert_eq!(response.status(), status);
                assert_eq!(response.headers().contains_key(RETRY_AFTER), matches!(status, 429 | 503));
                assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), status == 401);
            }
        }
    }

    #[test]
    fn response_of_only_retryable_errors_is_a_request_error() {
        let away = Code::ServiceUnavailable;
        for body in [
            r#"{"data":null,"errors":[{"message":"away"}]}"#,
            r#"{"data":{"a":null,"b":null},"errors":[{"message":"away"},{"message":"away"}]}"#,
        ] {
            let answer = promote_retryable(executed(body, &[away, away]), &TraceId::default());
            assert!(answer.is_request_error, "{body}");
            assert_eq!(answer.codes, [away]);
            let text = String::from_utf8(answer.body).expect("UTF-8");
            assert!(text.contains("\"away\"") && !text.contains("data"), "{text}");
        }
    }

    #[test]
    fn response_with_data_or_other_errors_is_200() {
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
