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
    time::{sleep, timeout},
};

use super::{ending::Ending, event::Failure};
use crate::{
    budget,
    graphql::Code,
    http::{connections::Upload, expand::Expander},
};

/// Number of chunks of the body that wait to be parsed.
const MAX_WAITING_CHUNKS: usize = 2;

/// Time for which the rest of a body is discarded after a failure.
const MAX_DISCARD_TIME: Duration = Duration::from_secs(600);

/// Time without data after which discarding ends: some clients, such as curl, stop sending after a failure and wait for the end
/// of the response.
const MAX_DISCARD_PAUSE: Duration = Duration::from_secs(2);

/// Time for which the rest of a body is discarded while the last event is sent, when the server stops.
const LINGER_TIME: Duration = Duration::from_millis(500);

/// A body that has not been received yet.
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
    ending: Arc<Ending>,
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
    ending: Arc<Ending>,
    expander: Option<Expander>,
) -> (impl Future<Output = ()>, BodyReader) {
    let (sender, parts) = mpsc::channel(MAX_WAITING_CHUNKS);
    let reader = BodyReader {
        parts,
        ending: Arc::clone(&ending),
        chunk: Bytes::new(),
        expander,
        text: Vec::new(),
        position: 0,
        has_ended: false,
    };
    (receive_all(incoming, sender, ending), reader)
}

/// Receives the body until it ends, or until the import has ended. Then it discards the rest: a client that is still sending
/// reads the reason only when it is done.
async fn receive_all(mut incoming: Incoming, parts: Sender<Part>, ending: Arc<Ending>) {
    let is_over = tokio::select! {
        is_over = pass_on(&mut incoming, &parts, &ending) => is_over,
        () = ending.ended().cancelled() => false,
        () = ending.stopping().cancelled() => {
            ending.stop();
            false
        }
    };
    // Only now, so that the reader does not end for a reason of its own.
    drop(parts);
    if is_over {
        return;
    }
    let discard = async { while let Ok(Some(Ok(_))) = timeout(MAX_DISCARD_PAUSE, incoming.body.frame()).await {} };
    let stopped = async {
        ending.stopping().cancelled().await;
        ending.reported().cancelled().await;
        sleep(LINGER_TIME).await;
    };
    tokio::select! {
        _ = timeout(MAX_DISCARD_TIME, discard) => {}
        () = stopped => {}
    }
}

/// Passes the body on to the reader. Returns false if the client may send more of it.
async fn pass_on(incoming: &mut Incoming, parts: &Sender<Part>, ending: &Ending) -> bool {
    loop {
        let part = match timeout(incoming.max_pause, incoming.body.frame()).await {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Part::Data(data),
                Err(_) => continue,
            },
            Ok(None) => {
                // The reader is gone if the import has ended.
                let _ = parts.send(Part::End).await;
                return true;
            }
            Ok(Some(Err(_))) => {
                ending.fail(Failure::new(Code::BadRequest, "the body is incomplete"));
                return true;
            }
            Err(_) => {
                let message = format!("no data was received for {:?}", incoming.max_pause);
                ending.fail(Failure::new(Code::Timeout, message));
                return true;
            }
        };
        if parts.send(part).await.is_err() {
            return false;
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
                self.ending.add_received(chunk.len());
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
            if self.ending.ended().is_cancelled() {
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
