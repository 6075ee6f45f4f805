//! The body of an import: a task receives it, and the thread that parses the file reads it.

use std::{
    io::{self, Read},
    mem,
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::timeout,
};

use super::{
    event::Failure,
    run::{Import, stopping},
};
use crate::{
    budget,
    graphql::Code,
    http::{connections::Upload, expand::Expander},
};

/// Number of chunks of the body that wait to be parsed.
const MAX_WAITING_CHUNKS: usize = 2;

/// A body that is to be received.
pub(super) struct Incoming {
    pub(super) body: Body,
    /// Time without data after which the import fails.
    pub(super) max_pause: Duration,
    /// Held until the body has ended.
    pub(super) _upload: Option<Upload>,
}

/// A part of the body, or its proper end.
#[derive(Debug)]
enum Part {
    Data(Bytes),
    End,
}

/// Reads the body as it arrives, without its content coding. Blocks while nothing has arrived.
pub(super) struct BodyReader {
    parts: Receiver<Part>,
    import: Arc<Import>,
    chunk: Bytes,
    expander: Option<Expander>,
    /// Expanded text, of which the part before `position` was read.
    text: Vec<u8>,
    position: usize,
    has_ended: bool,
}

/// Returns a future that receives the body, and the reader of what it receives.
pub(super) fn receive(
    incoming: Incoming,
    import: Arc<Import>,
    expander: Option<Expander>,
) -> (impl Future<Output = ()>, BodyReader) {
    let (sender, parts) = mpsc::channel(MAX_WAITING_CHUNKS);
    let reader = BodyReader {
        parts,
        import: Arc::clone(&import),
        chunk: Bytes::new(),
        expander,
        text: Vec::new(),
        position: 0,
        has_ended: false,
    };
    (receive_all(incoming, sender, import), reader)
}

/// Receives the body until it ends, or until the import has ended. Then it discards the rest: a client that is still sending
/// reads the reason only when it is done.
async fn receive_all(mut incoming: Incoming, parts: Sender<Part>, import: Arc<Import>) {
    let mut parts = Some(parts);
    loop {
        let received = tokio::select! {
            received = timeout(incoming.max_pause, incoming.body.frame()) => received,
            () = import.stopping().cancelled() => return import.fail(stopping()),
        };
        let part = match received {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Part::Data(data),
                Err(_) => continue,
            },
            Ok(None) => Part::End,
            Ok(Some(Err(_))) => return import.fail(Failure::new(Code::BadRequest, "the body is incomplete")),
            Err(_) => {
                let message = format!("no data was received for {:?}", incoming.max_pause);
                return import.fail(Failure::new(Code::Timeout, message));
            }
        };
        let is_end = matches!(part, Part::End);
        if let Some(open) = &parts {
            let sent = tokio::select! {
                sent = open.send(part) => sent.is_ok(),
                () = import.ended().cancelled() => false,
            };
            if !sent {
                parts = None;
            }
        }
        if is_end {
            return;
        }
    }
}

impl BodyReader {
    /// Expands the next piece. Returns false if that takes more of the body.
    fn expand(&mut self) -> io::Result<bool> {
        let Self { chunk, expander: Some(expander), text, position, .. } = self else { return Ok(false) };
        let mut rest = &chunk[..];
        let Some(piece) = expander.next(&mut rest)? else { return Ok(false) };
        text.clear();
        text.extend_from_slice(piece);
        *position = 0;
        let read = chunk.len() - rest.len();
        chunk.advance(read);
        Ok(true)
    }

    /// Waits for the next part of the body.
    fn next_part(&mut self) -> io::Result<()> {
        match self.parts.blocking_recv() {
            Some(Part::Data(chunk)) => {
                self.import.count_bytes(chunk.len());
                // The connection has allocated the chunk before.
                budget::uncounted(|| self.chunk = chunk);
            }
            Some(Part::End) => {
                budget::uncounted(|| self.chunk = Bytes::new());
                self.has_ended = true;
                if let Some(expander) = self.expander.take() {
                    (self.text, self.position) = (expander.finish()?, 0);
                }
            }
            None => return Err(ended()),
        }
        Ok(())
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.import.ended().is_cancelled() {
                return Err(ended());
            }
            if self.position < self.text.len() {
                let count = buffer.len().min(self.text.len() - self.position);
                buffer[..count].copy_from_slice(&self.text[self.position..][..count]);
                self.position += count;
                return Ok(count);
            }
            if self.expander.is_none() && self.chunk.has_remaining() {
                let count = buffer.len().min(self.chunk.len());
                self.chunk.copy_to_slice(&mut buffer[..count]);
                return Ok(count);
            }
            if !self.expand()? {
                if self.has_ended {
                    return Ok(0);
                }
                self.next_part()?;
            }
        }
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        budget::uncounted(|| drop(mem::take(&mut self.chunk)));
    }
}

/// The error of reading for an import that has ended, whose reason is known.
fn ended() -> io::Error {
    io::Error::other("the import has ended")
}
