//! Threads for large operations, which would delay other requests on the threads that serve connections.
//!
//! An operation runs there whole: its parsing or its execution with the writing of its response, and the freeing of what it
//! has allocated. The threads are those of a runtime of their own, so that many operations can wait for the database at
//! the same time. Mutations have threads apart from queries: they hold locks, on SQLite the only one for writing, and would
//! hold them for as long as many queries compute.

use std::{sync::LazyLock, thread};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};

/// Size of a body from which its parsing is large.
pub(super) const MIN_LARGE_BODY_BYTES: usize = 64 << 10;

/// Size of a body from which its operation is large. A smaller one computes for milliseconds between its waits for the
/// database, each of which costs more on other threads: a call of 5,000 refs a tenth of its CPU time.
pub(super) const MIN_LARGE_CALL_BYTES: usize = 1 << 20;

/// Niceness of the threads for queries (`setpriority(2)`): where threads wait for a core, those that serve connections run
/// first, and large queries share what they leave. Mutations are not delayed, because they hold locks.
const NICENESS: i32 = 10;

/// Work of a response from which an operation is large, in fields ([`Operation::work`](crate::graphql::execute::Operation::work)).
pub(super) const MIN_LARGE_WORK: u64 = 10_000;

static QUERIES: LazyLock<Runtime> = LazyLock::new(|| runtime("compute", lower_priority));

static MUTATIONS: LazyLock<Runtime> = LazyLock::new(|| runtime("mutations", || ()));

fn runtime(thread_name: &str, on_start: fn()) -> Runtime {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(thread_name)
        .on_thread_start(on_start)
        .enable_all()
        .build()
        .expect("a runtime needs only threads and a few descriptors")
}

/// Lowers the priority of this thread. Other systems than Linux can do that for the whole process only.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "large queries have the priority of other requests");
    }
}

/// Returns the runtime of the threads for mutations.
pub(super) fn of_mutations() -> Handle {
    MUTATIONS.handle().clone()
}

/// Runs a function that waits and computes for long, such as the reading of a file, on a thread of its own with the priority
/// of queries.
pub(super) fn spawn_blocking(work: impl FnOnce() + Send + 'static) {
    let span = Span::current();
    QUERIES.spawn_blocking(move || span.in_scope(work));
}

/// Runs a query, or the parsing of a body, on the threads. It is dropped there with the returned handle.
pub(super) fn spawn<F>(future: F) -> AbortOnDropHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    AbortOnDropHandle::new(QUERIES.spawn(future.in_current_span()))
}
