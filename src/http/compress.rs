//! Compresses responses in the content coding that the client prefers.
//!
//! The layer of `tower-http` is not used. It compresses on the thread that writes to the client, keeps the encoder while the
//! client reads, and turns the response to a mutation into a 406 if the client accepts no coding.

mod encoder;
mod stream_encoder;

use std::io;

use axum::{
    body::{Body, to_bytes},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY},
    },
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use hyper::body::Body as _;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use self::encoder::Encoder;
pub(super) use self::stream_encoder::StreamEncoder;
use super::{
    coding::{AcceptedCodings, Coding},
    compute,
    response::holding,
};
use crate::budget::{Account, Held};

/// Length from which a response is compressed. A shorter one fits into a packet or two as it is.
const MIN_BYTES: usize = 1 << 10;

/// Length from which a response is compressed on the threads for large operations. A shorter one takes 1 to 2 ms at most.
const MIN_LARGE_BYTES: usize = 256 << 10;

/// The part of a large response that is compressed between two writes to the client.
const SLICE_BYTES: usize = 64 << 10;

/// Number of compressed bytes from which they are passed on.
const PIECE_BYTES: usize = 32 << 10;

/// Types that are not compressed: events have to arrive at once, and the others are compressed already.
const EXCLUDED_TYPES: [&str; 3] = ["text/event-stream", "multipart/", "font/woff2"];

/// Returns a response in the coding that its client prefers, or as it is. The memory of a large response's encoder is held;
/// without memory it is not compressed.
pub(super) async fn compress(mut response: Response, accepted: &AcceptedCodings, memory: &Account) -> Response {
    let Some(length) = compressible_length(&response) else { return response };
    add_vary(response.headers_mut());
    let Some(coding) = accepted.preferred() else { return response };
    let memory = if length >= MIN_LARGE_BYTES {
        let Some(held) = memory.try_hold(encoder::memory(coding)) else { return response };
        Some(held)
    } else {
        None
    };
    let (mut head, body) = response.into_parts();
    let text = to_bytes(body, length).await.expect("a body of known length is in memory");
    let body = match memory {
        Some(memory) => Some(compress_large(text.clone(), coding, memory)),
        None => compress_small(&text, coding),
    };
    let Some(body) = body else { return Response::from_parts(head, Body::from(text)) };
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    Response::from_parts(head, body)
}

/// Returns the length of a response that may be compressed; `None` if it may not.
fn compressible_length(response: &Response) -> Option<usize> {
    let headers = response.headers();
    let length = usize::try_from(response.body().size_hint().exact()?).ok()?;
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let is_excluded = EXCLUDED_TYPES.iter().any(|excluded| kind.starts_with(excluded));
    let is_partial = response.status() == StatusCode::PARTIAL_CONTENT;
    (length >= MIN_BYTES && !is_excluded && !is_partial && !headers.contains_key(CONTENT_ENCODING)).then_some(length)
}

/// Adds `Accept-Encoding` to the headers on which the response depends, for caches.
pub(super) fn add_vary(headers: &mut HeaderMap) {
    if !headers.get_all(VARY).iter().any(|name| name.as_bytes().eq_ignore_ascii_case(b"accept-encoding")) {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// Compresses a response at once. Returns `None` if that does not make it shorter.
fn compress_small(text: &Bytes, coding: Coding) -> Option<Body> {
    let mut encoder = Encoder::new(coding, Some(text.len())).ok()?;
    encoder.write(text).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < text.len()).then(|| Body::from(holding(compressed, text.clone())))
}

/// Compresses a response on the threads for large operations, as fast as the client reads it. Each piece holds the text, and
/// so what its request holds, until it is written.
fn compress_large(text: Bytes, coding: Coding, memory: Held) -> Body {
    let (pieces, receiver) = mpsc::channel(1);
    let task = compute::spawn(async move {
        let _memory = memory;
        let mut encoder = Encoder::new(coding, Some(text.len()))?;
        for slice in text.chunks(SLICE_BYTES) {
            encoder.write(slice)?;
            if encoder.written() >= PIECE_BYTES && pieces.send(holding(encoder.take(), text.clone())).await.is_err() {
                return Ok(());
            }
        }
        // An error means that the client has gone.
        let _ = pieces.send(holding(encoder.finish()?, text)).await;
        Ok(())
    });
    Body::from_stream(stream::try_unfold((receiver, task), next_piece))
}

type Compression = (mpsc::Receiver<Bytes>, AbortOnDropHandle<io::Result<()>>);

/// Receives the next piece. The end of the pieces is that of the response only if the task has succeeded: a response that is
/// cut short must not look complete.
async fn next_piece((mut pieces, mut task): Compression) -> io::Result<Option<(Bytes, Compression)>> {
    if let Some(piece) = pieces.recv().await {
        return Ok(Some((piece, (pieces, task))));
    }
    (&mut task).await.map_err(io::Error::other)?.map(|()| None)
}
