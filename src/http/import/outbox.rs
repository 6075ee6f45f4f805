//! Events of rejected rows that wait for the client.
//!
//! Clients over HTTP/1.1 often read nothing before they have sent everything: browsers, and Python's requests. If their
//! events had to be read for the import to go on, both sides would wait for each other. So events wait in memory, then in a
//! temporary file, and beyond its maximum size they are only counted.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Bytes of events in memory from which further ones are written to the file.
const MAX_MEMORY_BYTES: usize = 256 << 10;

const MAX_FILE_BYTES: u64 = 64 << 20;

/// Bytes that are written to the file, and read from it, at a time.
const SLICE_BYTES: usize = 64 << 10;

/// A queue of events.
#[derive(Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    added: Notify,
}

#[derive(Default)]
struct State {
    /// The oldest events.
    front: Vec<u8>,
    /// Events between those in `front` and those in `back`; `None` if there have never been any.
    file: Option<Spool>,
    /// The newest events, if there are too many for `front`.
    back: Vec<u8>,
    is_truncated: bool,
    is_discarded: bool,
    /// The event after all others.
    last: Option<Bytes>,
    is_closed: bool,
}

/// A temporary file without a name, of which a part was read.
struct Spool {
    file: File,
    read: u64,
    written: u64,
}

impl Outbox {
    /// Adds events, each of which is a line.
    pub(super) fn push(&self, events: &[u8]) {
        self.lock().push(events);
        self.added.notify_one();
    }

    /// Adds the last event.
    pub(super) fn close(&self, last: Bytes) {
        let mut state = self.lock();
        state.last = Some(last);
        state.is_closed = true;
        drop(state);
        self.added.notify_one();
    }

    /// Drops all events, also future ones: the client has gone.
    pub(super) fn discard(&self) {
        *self.lock() = State { is_discarded: true, ..State::default() };
    }

    /// Returns true if an event was dropped because there were too many.
    pub(super) fn is_truncated(&self) -> bool {
        self.lock().is_truncated
    }

    /// Returns the next events; `None` after the last one.
    pub(super) async fn next(&self) -> Option<Bytes> {
        loop {
            // The permit of a notification is kept until this waits.
            let added = self.added.notified();
            {
                let mut state = self.lock();
                if let Some(events) = state.take() {
                    return Some(events);
                }
                if state.is_closed {
                    return state.last.take();
                }
            }
            added.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, event: &[u8]) {
        if self.is_discarded {
            return;
        }
        let is_short = self.back.is_empty() && self.file.as_ref().is_none_or(Spool::is_empty);
        if is_short && self.front.len() + event.len() <= MAX_MEMORY_BYTES {
            return self.front.extend_from_slice(event);
        }
        if self.back.len() + event.len() > SLICE_BYTES && self.write_back().is_err() {
            self.is_truncated = true;
            return;
        }
        self.back.extend_from_slice(event);
    }

    /// Moves the newest events to the file. Fails if it is full, or can't be written.
    fn write_back(&mut self) -> io::Result<()> {
        let spool = match &mut self.file {
            Some(spool) => spool,
            none => none.insert(Spool { file: tempfile::tempfile()?, read: 0, written: 0 }),
        };
        if spool.written + self.back.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        spool.file.write_all_at(&self.back, spool.written)?;
        spool.written += self.back.len() as u64;
        self.back.clear();
        Ok(())
    }

    /// Takes some of the oldest events, none of them in part.
    fn take(&mut self) -> Option<Bytes> {
        if !self.front.is_empty() {
            return Some(std::mem::take(&mut self.front).into());
        }
        if let Some(spool) = self.file.as_mut().filter(|spool| !spool.is_empty()) {
            match spool.take() {
                Ok(events) => return Some(events),
                Err(cause) => {
                    tracing::warn!(%cause, "reading the temporary file of an import's events failed");
                    self.file = None;
                    self.is_truncated = true;
                }
            }
        }
        (!self.back.is_empty()).then(|| std::mem::take(&mut self.back).into())
    }
}

impl Spool {
    fn is_empty(&self) -> bool {
        self.read == self.written
    }

    fn take(&mut self) -> io::Result<Bytes> {
        let left = usize::try_from(self.written - self.read).unwrap_or(usize::MAX);
        let mut slice = vec![0; left.min(SLICE_BYTES)];
        let end = loop {
            self.file.read_exact_at(&mut slice, self.read)?;
            match slice.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => break end + 1,
                // A long event.
                None if slice.len() < left => slice.resize(left.min(2 * slice.len()), 0),
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            }
        };
        slice.truncate(end);
        self.read += end as u64;
        if self.is_empty() {
            self.file.set_len(0)?;
            (self.read, self.written) = (0, 0);
        }
        Ok(slice.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> String {
        format!("{number:0>200}\n")
    }

    async fn all(outbox: &Outbox) -> String {
        let mut text = String::new();
        while let Some(events) = outbox.next().await {
            assert!(events.ends_with(b"\n"), "an event is in two parts");
            text += std::str::from_utf8(&events).expect("UTF-8");
        }
        text
    }

    #[tokio::test]
    async fn events_keep_their_order_in_memory_and_in_the_file() {
        let outbox = Outbox::default();
        let count = 20_000;
        let mut text = String::new();
        for number in 0..count {
            outbox.push(event(number).as_bytes());
            // The client reads some now and then.
            if number % 7_000 == 0 {
                text += std::str::from_utf8(&outbox.next().await.expect("events")).expect("UTF-8");
            }
        }
        assert!(outbox.lock().file.as_ref().is_some_and(|spool| spool.written > 0));
        outbox.close(Bytes::from_static(b"last\n"));
        text += &all(&outbox).await;
        assert!(text == (0..count).map(event).collect::<String>() + "last\n");
        assert!(!outbox.is_truncated() && outbox.next().await.is_none());
    }

    #[tokio::test]
    async fn events_beyond_the_maximum_are_dropped() {
        let outbox = Outbox::default();
        let large = "x".repeat(SLICE_BYTES - 2) + "\n";
        for _ in 0..1_200 {
            outbox.push(large.as_bytes());
        }
        assert!(outbox.is_truncated());
        outbox.close(Bytes::from_static(b"last\n"));
        let text = all(&outbox).await;
        assert!(text.ends_with("x\nlast\n"));
        let most = usize::try_from(MAX_FILE_BYTES).expect("it fits") + MAX_MEMORY_BYTES + SLICE_BYTES;
        assert!((most - 3 * SLICE_BYTES..=most).contains(&text.len()), "{}", text.len());
    }

    #[tokio::test]
    async fn long_events_stay_whole() {
        let outbox = Outbox::default();
        let events: Vec<_> = (1..20).map(|number| "x".repeat(number * 20_000) + "\n").collect();
        events.iter().for_each(|event| outbox.push(event.as_bytes()));
        outbox.close(Bytes::from_static(b"last\n"));
        assert!(all(&outbox).await == events.concat() + "last\n");
    }

    #[tokio::test]
    async fn nothing_is_kept_for_a_client_that_has_gone() {
        let outbox = Outbox::default();
        outbox.push(event(1).as_bytes());
        outbox.discard();
        outbox.push(event(2).as_bytes());
        outbox.close(Bytes::from_static(b"last\n"));
        assert_eq!(all(&outbox).await, "last\n");
    }

    #[tokio::test]
    async fn event_that_is_added_later_is_awaited() {
        let outbox = std::sync::Arc::new(Outbox::default());
        let reader = tokio::spawn({
            let outbox = std::sync::Arc::clone(&outbox);
            async move { all(&outbox).await }
        });
        tokio::task::yield_now().await;
        outbox.push(b"one\n");
        tokio::task::yield_now().await;
        outbox.close(Bytes::from_static(b"two\n"));
        assert_eq!(reader.await.expect("no panic"), "one\ntwo\n");
    }
}
