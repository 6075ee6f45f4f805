//! The end of an import, by which its parts learn that the rest of the file is not needed.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use tokio_util::sync::CancellationToken;

use super::event::Failure;
use crate::graphql::Code;

/// The end of an import, which its parts share.
pub(super) struct Ending {
    /// The first failure.
    failure: OnceLock<Failure>,
    ended: CancellationToken,
    stopping: CancellationToken,
    /// Cancelled when the last event is added.
    reported: CancellationToken,
    received_bytes: AtomicU64,
}

impl Ending {
    /// `stopping` is cancelled when the server stops.
    pub(super) fn new(stopping: CancellationToken) -> Self {
        Self {
            failure: OnceLock::new(),
            ended: CancellationToken::new(),
            stopping,
            reported: CancellationToken::new(),
            received_bytes: AtomicU64::new(0),
        }
    }

    /// Ends the import. The first failure is its reason.
    pub(super) fn fail(&self, failure: Failure) {
        let _ = self.failure.set(failure);
        self.ended.cancel();
    }

    /// Ends the import because the server stops.
    pub(super) fn stop(&self) {
        self.fail(stopping());
    }

    /// Ends the import without a failure: the rest of the file is not needed.
    pub(super) fn finish(&self) {
        self.ended.cancel();
    }

    /// Returns the first failure.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.get()
    }

    /// Ends the import, and returns the first failure, of which this one may be a consequence.
    pub(super) fn first_failure(&self, failure: Failure) -> Failure {
        self.fail(failure.clone());
        self.failure.get().cloned().unwrap_or(failure)
    }

    /// Returns a token that is cancelled when the import has ended.
    pub(super) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Returns a token that is cancelled when the server stops.
    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Returns a token that is cancelled when the last event is added.
    pub(super) fn reported(&self) -> &CancellationToken {
        &self.reported
    }

    pub(super) fn add_received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }
}

/// Returns a failure because the server stops. The reason is also that of a batch that was cut off.
pub(super) fn stopping() -> Failure {
    Failure::new(Code::ServiceUnavailable, "the server is stopping: import the file again")
}

/// Returns the failure of a thread that has panicked.
pub(super) fn panicked() -> Failure {
    tracing::error!("reading the file of an import panicked");
    Failure::new(Code::InternalServerError, "internal error")
}
