//! Reads request bodies within their limits, and expands compressed ones while they arrive.

use std::{
    io,
    time::{Duration, Instant},
};

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::{coding::Coding, expand::Expander, rejection::Rejection};
use crate::{
    budget::Budget,
    graphql::{Code, Error, execute::OperationType},
    types::BodyLimits,
};

/// Length from which a body's buffer no longer doubles.
const MIN_LARGE_BYTES: usize = 1 << 20;

/// Expanding for this time lets other requests of the thread run.
const YIELD_INTERVAL: Duration = Duration::from_millis(5);

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
/// and otherwise that length reserves nothing: it is the client's word. The limit is that of the expanded body, and of what
/// is received for it: a compressed body may expand to nothing. Each byte adds this much to the memory that the request may use; while a
/// compressed body expands, each byte that is received.
pub(super) async fn read(
    mut body: Body,
    coding: Option<Coding>,
    limit: BodyLimit,
    budget: &Budget,
    memory_per_byte: usize,
) -> Result<Vec<u8>, Rejection> {
    limit.check(usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX))?;
    let mut text = Text { bytes: Vec::new(), limit, budget };
    let mut expansion = coding.map(|coding| Expansion::new(coding, budget)).transpose()?;
    let mut received: usize = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::from(Error::new(Code::BadRequest, "the body is incomplete")))?;
        if let Ok(data) = frame.into_data() {
            received = received.saturating_add(data.len());
            limit.check(received)?;
            budget.allow(data.len().saturating_mul(memory_per_byte));
            match &mut expansion {
                None => text.append(&data).await?,
                Some(expansion) => expansion.expand(&data, &mut text).await?,
            }
        }
    }
    if let Some(expansion) = expansion {
        expansion.finish(&mut text).await?;
    }
    let mut text = text.bytes;
    budget.allow(text.len().saturating_sub(received).saturating_mul(memory_per_byte));
    // RFC 8259 lets parsers ignore a byte order mark (<https://www.rfc-editor.org/rfc/rfc8259#section-8.1>).
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

/// The part of a body that has been read.
struct Text<'a> {
    bytes: Vec<u8>,
    limit: BodyLimit,
    budget: &'a Budget,
}

impl Text<'_> {
    async fn append(&mut self, data: &[u8]) -> Result<(), Rejection> {
        let Self { bytes, limit, budget } = self;
        limit.check(bytes.len().saturating_add(data.len()))?;
        let growth = growth(bytes, data.len());
        if growth > 0 {
            budget.reserve(growth).await?;
            budget.measure(|| bytes.reserve_exact(growth));
        }
        bytes.extend_from_slice(data);
        Ok(())
    }
}

/// The expansion of a compressed body. Only the steps of the decoder are measured: what they read is allocated and freed by
/// the connection.
struct Expansion<'a> {
    expander: Expander,
    coding: Coding,
    budget: &'a Budget,
}

impl<'a> Expansion<'a> {
    fn new(coding: Coding, budget: &'a Budget) -> Result<Self, Rejection> {
        let expander = budget.measure(|| Expander::new(coding)).map_err(|error| malformed(coding, &error))?;
        Ok(Self { expander, coding, budget })
    }

    /// Appends to the text what a part of the body expands to.
    async fn expand(&mut self, mut part: &[u8], text: &mut Text<'_>) -> Result<(), Rejection> {
        let Self { expander, coding, budget } = self;
        let mut started = Instant::now();
        while let Some(piece) =
            budget.measure(|| expander.next(&mut part)).map_err(|error| malformed(*coding, &error))?
        {
            text.append(piece).await?;
            if started.elapsed() > YIELD_INTERVAL {
                tokio::task::yield_now().await;
                started = Instant::now();
            }
        }
        Ok(())
    }

    /// Appends the rest. The body has to be complete.
    async fn finish(self, text: &mut Text<'_>) -> Result<(), Rejection> {
        let Self { expander, coding, budget } = self;
        let rest = budget.measure(|| expander.finish()).map_err(|error| malformed(coding, &error))?;
        let appended = text.append(&rest).await;
        budget.measure(|| drop(rest));
        appended
    }
}

/// Returns the rejection of a body that is not what its content coding says.
fn malformed(coding: Coding, cause: &io::Error) -> Rejection {
    Error::new(Code::BadRequest, format!("the body is not valid {}: {cause}", coding.name())).into()
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
        Body::from_stream(stream::iter(chunks.iter().map(|chunk| Ok::<_, io::Error>(Bytes::from(*chunk)))))
    }

    async fn read_all(body: Body) -> Result<Vec<u8>, Rejection> {
        let limit = MemoryLimit { bytes: 1 << 20, setting: "" };
        let deadline = Instant::now() + Duration::from_secs(600);
        let budget = Budget::open(&Account::new(1 << 20), limit, deadline).await?;
        read(body, None, LIMIT, &budget, 0).await
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
