//! Reads the file on a thread of its own, because a read of stdin may block forever. Each attempt sends the whole file, so
//! what can't be read twice, such as stdin, is kept in a temporary file.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zstd::bulk::Compressor;

const CHUNK_BYTES: usize = 128 << 10;

/// Bytes of a temporary file that may wait to be sent.
const MAX_WAITING_BYTES: u64 = 64 << 20;

/// Time after the end of stdin in which a signal can arrive that ended the program before a pipe as well.
const SIGNAL_DELAY: Duration = Duration::from_millis(250);

/// Time without data of a pipe after which an empty frame is sent: the server gives up after a minute.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// An empty frame of zstd: a magic number and a length (RFC 8878, section 3.1.2).
const SKIPPABLE_FRAME: &[u8] = b"\x50\x2a\x4d\x18\0\0\0\0";

/// Interval at which a thread that waits looks whether its attempt has ended.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The file that is sent.
pub(super) struct Source {
    kind: Kind,
    /// True if it is compressed while it is sent.
    compresses: bool,
    /// Bytes of the file that were read for the present attempt.
    pub(super) read: Arc<AtomicU64>,
    failure: Arc<OnceLock<io::Error>>,
    /// Time without data after which an empty frame is sent.
    idle_interval: Duration,
}

enum Kind {
    File(PathBuf, u64),
    Pipe(Arc<Spool>),
}

/// A temporary file, to which one thread writes while others read it.
struct Spool {
    file: File,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    written: u64,
    /// The position of the attempt that has read most.
    read: u64,
    has_ended: bool,
}

/// A part of the file, or its proper end.
enum Part {
    Data(Bytes),
    End,
}

type Parts = mpsc::Sender<Part>;

impl Source {
    /// Opens a file, or stdin by the name `-`. What is sent to another process is compressed, unless it is a packed file.
    pub(super) fn open(file: &Path, is_remote: bool, is_packed: bool) -> io::Result<Self> {
        let (read, failure) = (Arc::<AtomicU64>::default(), Arc::<OnceLock<io::Error>>::default());
        let input: Box<dyn Read + Send> = if file == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let opened = File::open(file)?;
            let metadata = opened.metadata()?;
            if metadata.is_dir() {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
            }
            if metadata.is_file() {
                let kind = Kind::File(file.to_owned(), metadata.len());
                let compresses = is_remote && !is_packed;
                return Ok(Self { kind, compresses, read, failure, idle_interval: IDLE_INTERVAL });
            }
            Box::new(opened)
        };
        let spool = Spool { file: tempfile::tempfile()?, state: Mutex::default(), changed: Condvar::new() };
        let spool = Arc::new(spool);
        let (writer, counter, reason) = (Arc::clone(&spool), Arc::clone(&read), Arc::clone(&failure));
        thread::spawn(move || {
            let written = copy(input, is_remote, &counter, |chunk| writer.write(&chunk)).map(|()| {
                thread::sleep(SIGNAL_DELAY);
                writer.end();
            });
            if let Err(error) = written {
                let _ = reason.set(error);
                writer.changed.notify_all();
            }
        });
        let (kind, compresses) = (Kind::Pipe(spool), is_remote);
        Ok(Self { kind, compresses, read, failure, idle_interval: IDLE_INTERVAL })
    }

    /// Returns true if the file is compressed while it is sent.
    pub(super) fn is_compressed(&self) -> bool {
        self.compresses
    }

    /// Returns the size of the file, if it has one.
    pub(super) fn size(&self) -> Option<u64> {
        match self.kind {
            Kind::File(_, size) => Some(size),
            Kind::Pipe(_) => None,
        }
    }

    /// Returns the reason why the file could not be read to its end.
    pub(super) fn failure(&self) -> Option<&io::Error> {
        self.failure.get()
    }

    /// Returns the file from its beginning. It ends with an error unless it was read to its proper end, and as soon as the
    /// attempt is stopped.
    pub(super) fn send(
        &self,
        stopped: CancellationToken,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + use<> {
        let (parts, received) = mpsc::channel(1);
        let failure = Arc::clone(&self.failure);
        match &self.kind {
            Kind::File(path, _) => {
                self.read.store(0, Ordering::Relaxed);
                let (path, compresses, read) = (path.clone(), self.compresses, Arc::clone(&self.read));
                thread::spawn(move || {
                    let pass_on = |chunk| parts.blocking_send(Part::Data(chunk)).map_err(|_| unwanted());
                    let copied = File::open(path).and_then(|file| copy(file, compresses, &read, pass_on));
                    end(copied, &parts, &failure);
                });
            }
            Kind::Pipe(spool) => {
                let (spool, idle) = (Arc::clone(spool), self.compresses.then_some(self.idle_interval));
                thread::spawn(move || {
                    let copied = spool.read_all(&parts, &failure, idle);
                    end(copied, &parts, &failure);
                });
            }
        }
        stream::unfold(Some((received, stopped)), |state| async {
            let (mut received, stopped) = state?;
            let part = tokio::select! {
                biased;
                () = stopped.cancelled() => None,
                part = received.recv() => part,
            };
            match part {
                Some(Part::Data(chunk)) => Some((Ok(chunk), Some((received, stopped)))),
                Some(Part::End) => None,
                None => Some((Err(io::Error::other("the file was not read to its end")), None)),
            }
        })
    }
}

/// Passes on the end of a file, unless its attempt has ended.
fn end(copied: io::Result<()>, parts: &Parts, failure: &OnceLock<io::Error>) {
    match copied {
        Ok(()) => {
            let _ = parts.blocking_send(Part::End);
        }
        Err(_) if parts.is_closed() => {}
        Err(error) => {
            let _ = failure.set(error);
        }
    }
}

/// Passes on an input in chunks, compressed if need be.
fn copy(
    mut input: impl Read,
    compresses: bool,
    read: &AtomicU64,
    mut pass_on: impl FnMut(Bytes) -> io::Result<()>,
) -> io::Result<()> {
    let mut compressor = compresses.then(|| Compressor::new(1)).transpose()?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = match input.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        read.fetch_add(count as u64, Ordering::Relaxed);
        // Each chunk is a frame of its own, so rows that arrive slowly do not wait, and there is a frame even of an empty file.
        match &mut compressor {
            Some(compressor) => pass_on(compressor.compress(&chunk[..count])?.into())?,
            None if count > 0 => pass_on(Bytes::copy_from_slice(&chunk[..count]))?,
            None => {}
        }
        if count == 0 {
            return Ok(());
        }
    }
}

fn unwanted() -> io::Error {
    io::Error::other("the attempt has ended")
}

impl Spool {
    /// Adds a chunk, as soon as not too many bytes wait.
    fn write(&self, chunk: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        while state.written > state.read + MAX_WAITING_BYTES {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.file.write_all_at(chunk, state.written)?;
        state.written += chunk.len() as u64;
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    fn end(&self) {
        self.lock().has_ended = true;
        self.changed.notify_all();
    }

    /// Passes on all chunks, from the first one on, until the file ends, and an empty frame after this time without data.
    fn read_all(&self, parts: &Parts, failure: &OnceLock<io::Error>, idle: Option<Duration>) -> io::Result<()> {
        let (mut position, mut sent_at) = (0, Instant::now());
        let send = |chunk| parts.blocking_send(Part::Data(chunk)).map_err(|_| unwanted());
        loop {
            let mut state = self.lock();
            while position == state.written && !state.has_ended {
                if parts.is_closed() || failure.get().is_some() {
                    return Err(unwanted());
                }
                if idle.is_some_and(|idle| sent_at.elapsed() >= idle) {
                    break;
                }
                let wait = idle.unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL);
                state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            }
            if position == state.written && !state.has_ended {
                drop(state);
                // All that was sent are whole frames.
                send(Bytes::from_static(SKIPPABLE_FRAME))?;
                sent_at = Instant::now();
                continue;
            }
            let count = usize::try_from(state.written - position).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            drop(state);
            if count == 0 {
                return Ok(());
            }
            let mut chunk = vec![0; count];
            self.file.read_exact_at(&mut chunk, position)?;
            send(chunk.into())?;
            sent_at = Instant::now();
            position += count as u64;
            let mut state = self.lock();
            state.read = state.read.max(position);
            drop(state);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures_util::{StreamExt, TryStreamExt};

    use super::*;

    async fn all(source: &Source) -> io::Result<Vec<u8>> {
        source
            .send(CancellationToken::new())
            .try_fold(Vec::new(), |all, chunk| async move { Ok([all, chunk.to_vec()].concat()) })
            .await
    }

    #[tokio::test]
    async fn file_is_sent_whole_each_time() {
        let text: String = (0..100_000).map(|row| format!("ref-{row}\n")).collect();
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &text).expect("a file");
        let plain = Source::open(file.path(), true, true).expect("a file");
        let compressed = Source::open(file.path(), true, false).expect("a file");
        for _ in 0..2 {
            assert!(all(&plain).await.expect("the file") == text.as_bytes());
            let packed = all(&compressed).await.expect("the file");
            assert!(packed.len() < text.len() / 2);
            assert!(zstd::decode_all(&*packed).expect("zstd") == text.as_bytes());
            assert_eq!(plain.read.load(Ordering::Relaxed), text.len() as u64);
        }
        assert_eq!(plain.size(), Some(text.len() as u64));
        assert!(Source::open(Path::new("/"), false, false).is_err_and(|error| error.to_string() == "it is a folder"));
    }

    /// Opens a pipe, and returns its other end, too.
    fn pipe(is_remote: bool) -> (Source, File, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        let writing = thread::spawn({
            let path = path.clone();
            move || File::options().write(true).open(path).expect("a pipe")
        });
        let source = Source::open(&path, is_remote, false).expect("a pipe");
        (source, writing.join().expect("no panic"), folder)
    }

    #[tokio::test]
    async fn pipe_is_sent_from_its_beginning_by_each_attempt() {
        let (source, mut pipe, _folder) = pipe(false);
        pipe.write_all(b"ann\n").expect("a pipe");
        let mut first = Box::pin(source.send(CancellationToken::new()));
        assert_eq!(first.next().await.expect("a chunk").expect("a chunk"), "ann\n");
        drop(first);
        pipe.write_all(b"ben\n").expect("a pipe");
        drop(pipe);
        assert_eq!(all(&source).await.expect("the file"), b"ann\nben\n");
        assert_eq!((all(&source).await.expect("the file").len(), source.size()), (8, None));
    }

    #[tokio::test]
    async fn empty_frames_are_sent_while_a_pipe_has_no_data() {
        let (mut source, mut pipe, _folder) = pipe(true);
        source.idle_interval = Duration::from_millis(20);
        let mut sent = Box::pin(source.send(CancellationToken::new()));
        let mut text = Vec::new();
        for part in ["ann\n", "ben\n"] {
            let frame = sent.next().await.expect("a frame").expect("a frame");
            assert_eq!(frame, SKIPPABLE_FRAME);
            text.extend_from_slice(&frame);
            pipe.write_all(part.as_bytes()).expect("a pipe");
            loop {
                let frame = sent.next().await.expect("a frame").expect("a frame");
                text.extend_from_slice(&frame);
                if frame != SKIPPABLE_FRAME {
                    break;
                }
            }
        }
        drop(pipe);
        while let Some(frame) = sent.next().await {
            text.extend_from_slice(&frame.expect("a frame"));
        }
        assert_eq!(zstd::decode_all(&*text).expect("zstd"), b"ann\nben\n");
    }
}
