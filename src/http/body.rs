//! Reads request bodies, never more than the limit allows.

use axum::{body::Body, http::StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::answer::Rejection;
use crate::{
    domain::access::{Access, Caller},
    graphql::{Code, Error, execute::Kind},
    types::BodyLimits,
};

/// A limit in bytes, and the name that its rejection gives it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    bytes: usize,
    what: &'static str,
    setting: &'static str,
}

impl Limit {
    /// Of the whole body. Whoever may not change anything sends no more than a query can use.
    pub(super) fn of(caller: &Caller, limits: &BodyLimits) -> Self {
        let query = limits.query_variables.saturating_add(limits.envelope);
        if caller.access() == Access::Read && query < limits.max {
            let setting = "MEMBERBASE_MAX_QUERY_VARIABLES and MEMBERBASE_MAX_ENVELOPE";
            return Self { bytes: query, what: "the body of a token with READ access", setting };
        }
        Self { bytes: limits.max, what: "the body", setting: "MEMBERBASE_MAX_BODY" }
    }

    /// Of all that is not variables.
    pub(super) fn envelope(limits: &BodyLimits) -> Self {
        Self { bytes: limits.envelope, what: "the body without its variables", setting: "MEMBERBASE_MAX_ENVELOPE" }
    }

    /// Of the variables; none for a mutation, which may fill the body with them.
    pub(super) fn variables(kind: Kind, limits: &BodyLimits) -> Option<Self> {
        let (bytes, setting) = (limits.query_variables, "MEMBERBASE_MAX_QUERY_VARIABLES");
        (kind != Kind::Mutation).then_some(Self { bytes, what: "the variables of a query", setting })
    }

    /// Refuses more.
    pub(super) fn allow(self, bytes: usize) -> Result<(), Rejection> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let Self { bytes, what, setting } = self;
        let message = format!("{what} is limited to {bytes} bytes ({setting})");
        Err(Error::new(Code::PayloadTooLarge, message).into())
    }
}

/// All of the body. One that says that it is over the limit is not read at all, and one that does not say so is read
/// as far as the limit.
pub(super) async fn read(mut body: Body, limit: Limit) -> Result<Vec<u8>, Rejection> {
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    limit.allow(declared)?;
    let mut text = Vec::with_capacity(declared);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::from(Error::new(Code::BadRequest, "the body is incomplete")))?;
        if let Ok(data) = frame.into_data() {
            limit.allow(text.len().saturating_add(data.len()))?;
            text.extend_from_slice(&data);
        }
    }
    Ok(text)
}

/// The body did not arrive in the request's time.
pub(super) fn body_timeout() -> Rejection {
    Rejection::with_status(
        StatusCode::REQUEST_TIMEOUT,
        Code::Timeout,
        "the body was not received within the request's time limit",
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    const LIMIT: Limit = Limit { bytes: 10, what: "the body", setting: "MEMBERBASE_MAX_BODY" };

    fn chunked(chunks: &'static [&'static str]) -> Body {
        Body::from_stream(stream::iter(chunks.iter().map(|chunk| Ok::<_, std::io::Error>(Bytes::from(*chunk)))))
    }

    #[tokio::test]
    async fn a_body_is_read_as_far_as_its_limit() {
        assert_eq!(read(Body::from("0123456789"), LIMIT).await.expect("fits"), b"0123456789");
        assert_eq!(read(chunked(&["01234", "", "56789"]), LIMIT).await.expect("fits"), b"0123456789");
        assert!(read(Body::from("0123456789a"), LIMIT).await.is_err());
        assert!(read(chunked(&["01234", "56789", "a"]), LIMIT).await.is_err());
    }

    #[test]
    fn a_refusal_names_the_figure_and_the_setting() {
        let rejection = LIMIT.allow(11).expect_err("too large");
        assert!(
            format!("{rejection:?}").contains("the body is limited to 10 bytes (MEMBERBASE_MAX_BODY)"),
            "{rejection:?}"
        );
    }
}
