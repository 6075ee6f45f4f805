//! Reads request bodies within their limits.

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::rejection::Rejection;
use crate::{
    budget::Budget,
    graphql::{Code, Error, execute::OperationType},
    types::BodyLimits,
};

/// Length from which a body's buffer no longer doubles.
const MIN_LARGE_BYTES: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A limit in bytes, with the names that its error uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimit {
    bytes: usize,
    what: &'static str,
    setting: &'static str,
}

impl BodyLimit {
    /// Returns the limit of a whole body. A request that can only be a query is smaller.
    pub(super) fn whole(only_reads: bool, limits: &BodyLimits) -> Self {
        let query = limits.query_variables.saturating_add(limits.envelope);
        if only_reads && query < limits.max {
            let setting = "MEMBERBASE_MAX_QUERY_VARIABLES and MEMBERBASE_MAX_ENVELOPE";
            return Self { bytes: query, what: "the body of a request that only reads", setting };
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

/// Reads a body up to its limit, as work of the request's budget. Nothing is read if `Content-Length` exceeds the limit,
/// and otherwise that length reserves nothing: it is the client's word.
pub(super) async fn read(mut body: Body, limit: BodyLimit, budget: &Budget) -> Result<Vec<u8>, Rejection> {
    limit.check(usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX))?;
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::from(Error::new(Code::BadRequest, "the body is incomplete")))?;
        if let Ok(data) = frame.into_data() {
            limit.check(text.len().saturating_add(data.len()))?;
            let growth = growth(&text, data.len());
            if growth > 0 {
                budget.reserve(growth).await?;
                budget.measure(|| text.reserve_exact(growth));
            }
            text.extend_from_slice(&data);
        }
    }
    // RFC 8259 lets parsers ignore a byte order mark (<https://www.rfc-editor.org/rfc/rfc8259#section-8.1>).
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

/// Returns the number of bytes for which a buffer needs room beyond its length, to take `more` bytes; 0 if they fit. A large
/// buffer grows by a quarter instead of doubling.
fn growth(text: &Vec<u8>, more: usize) -> usize {
    if text.capacity() - text.len() >= more {
        return 0;
    }
    let usual = if text.len() < MIN_LARGE_BYTES { text.len() } else { text.len() / 4 };
    more.max(usual)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use futures_util::stream;

    use super::*;
    use crate::budget::{Account, MemoryLimit};

    const LIMIT: BodyLimit = BodyLimit { bytes: 10, what: "the body", setting: "MEMBERBASE_MAX_BODY" };

    fn chunked(chunks: &'static [&'static str]) -> Body {
        Body::from_stream(stream::iter(chunks.iter().map(|chunk| Ok::<_, std::io::Error>(Bytes::from(*chunk)))))
    }

    async fn read_all(body: Body) -> Result<Vec<u8>, Rejection> {
        let limit = MemoryLimit { bytes: 1 << 20, setting: "" };
        let deadline = Instant::now() + Duration::from_secs(600);
        let budget = Budget::open(&Account::new(1 << 20), limit, deadline).await?;
        read(body, LIMIT, &budget).await
    }

    #[tokio::test]
    async fn body_is_read_up_to_its_limit() {
        assert_eq!(read_all(Body::from("0123456789")).await.expect("fits"), b"0123456789");
        assert_eq!(read_all(chunked(&["01234", "", "56789"])).await.expect("fits"), b"0123456789");
        assert!(read_all(Body::from("0123456789a")).await.is_err());
        assert!(read_all(chunked(&["01234", "56789", "a"])).await.is_err());
    }

    #[tokio::test]
    async fn one_byte_order_mark_is_ignored() {
        assert_eq!(read_all(Body::from("\u{feff}{}")).await.expect("fits"), b"{}");
        assert_eq!(read_all(Body::from("\u{feff}\u{feff}{}")).await.expect("fits"), "\u{feff}{}".as_bytes());
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
