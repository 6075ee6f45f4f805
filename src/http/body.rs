//! Reads request bodies within their limits.

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::rejection::Rejection;
use crate::{
    domain::access::{Access, Caller},
    graphql::{Code, Error, execute::OperationType},
    types::BodyLimits,
};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A limit in bytes, with the names that its error uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimit {
    bytes: usize,
    what: &'static str,
    setting: &'static str,
}

impl BodyLimit {
    /// Returns the limit of a whole body. A caller with READ access can only send queries, which are smaller.
    pub(super) fn for_caller(caller: &Caller, limits: &BodyLimits) -> Self {
        let query = limits.query_variables.saturating_add(limits.envelope);
        if caller.access() == Access::Read && query < limits.max {
            let setting = "MEMBERBASE_MAX_QUERY_VARIABLES and MEMBERBASE_MAX_ENVELOPE";
            return Self { bytes: query, what: "the body of a token with READ access", setting };
        }
        Self { bytes: limits.max, what: "the body", setting: "MEMBERBASE_MAX_BODY" }
    }

    /// Returns the limit of everything except the variables.
    pub(super) fn envelope(limits: &BodyLimits) -> Self {
        Self { bytes: limits.envelope, what: "the body without its variables", setting: "MEMBERBASE_MAX_ENVELOPE" }
    }

    /// Returns the limit of the variables; `None` for a mutation, which is limited by its body alone.
    pub(super) fn variables(kind: OperationType, limits: &BodyLimits) -> Option<Self> {
        let (bytes, setting) = (limits.query_variables, "MEMBERBASE_MAX_QUERY_VARIABLES");
        (kind != OperationType::Mutation).then_some(Self { bytes, what: "the variables of a query", setting })
    }

    pub(super) fn check(self, bytes: usize) -> Result<(), Rejection> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let Self { bytes, what, setting } = self;
        let message = format!("{what} is limited to {bytes} bytes ({setting})");
        Err(Error::new(Code::PayloadTooLarge, message).into())
    }
}

/// Reads a body up to its limit. Nothing is read if `Content-Length` exceeds the limit.
pub(super) async fn read(mut body: Body, limit: BodyLimit) -> Result<Vec<u8>, Rejection> {
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    limit.check(declared)?;
    let mut text = Vec::with_capacity(declared);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::from(Error::new(Code::BadRequest, "the body is incomplete")))?;
        if let Ok(data) = frame.into_data() {
            limit.check(text.len().saturating_add(data.len()))?;
            text.extend_from_slice(&data);
        }
    }
    // RFC 8259 lets parsers ignore a byte order mark (<https://www.rfc-editor.org/rfc/rfc8259#section-8.1>).
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    const LIMIT: BodyLimit = BodyLimit { bytes: 10, what: "the body", setting: "MEMBERBASE_MAX_BODY" };

    fn chunked(chunks: &'static [&'static str]) -> Body {
        Body::from_stream(stream::iter(chunks.iter().map(|chunk| Ok::<_, std::io::Error>(Bytes::from(*chunk)))))
    }

    #[tokio::test]
    async fn body_is_read_up_to_its_limit() {
        assert_eq!(read(Body::from("0123456789"), LIMIT).await.expect("fits"), b"0123456789");
        assert_eq!(read(chunked(&["01234", "", "56789"]), LIMIT).await.expect("fits"), b"0123456789");
        assert!(read(Body::from("0123456789a"), LIMIT).await.is_err());
        assert!(read(chunked(&["01234", "56789", "a"]), LIMIT).await.is_err());
    }

    #[tokio::test]
    async fn one_byte_order_mark_is_ignored() {
        assert_eq!(read(Body::from("\u{feff}{}"), LIMIT).await.expect("fits"), b"{}");
        assert_eq!(read(Body::from("\u{feff}\u{feff}{}"), LIMIT).await.expect("fits"), "\u{feff}{}".as_bytes());
    }

    #[test]
    fn rejection_names_the_limit_and_its_setting() {
        let rejection = LIMIT.check(11).expect_err("too large");
        assert!(
            format!("{rejection:?}").contains("the body is limited to 10 bytes (MEMBERBASE_MAX_BODY)"),
            "{rejection:?}"
        );
    }
}
