//! Deadlines of statements on SQLite, by a progress handler (<https://www.sqlite.org/c3ref/progress_handler.html>).
//!
//! SQLite calls the handler while a statement runs, and interrupts the statement if it returns false. Replacing the
//! handler would mean waiting for the connection's thread, so each connection gets one handler, which reads the current
//! deadline from an atomic.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use sqlx::SqliteConnection;

/// Instructions of SQLite's virtual machine between two reads of the clock. Few, because one instruction may match a
/// regex.
const INSTRUCTIONS_PER_CLOCK_READ: i32 = 500;

/// The origin of deadlines.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The deadline of a connection, in nanoseconds since [`EPOCH`]. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Deadline(Arc<AtomicU64>);

impl Deadline {
    /// Installs the progress handler. At first there is no deadline.
    pub(super) async fn watched_by(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let deadline = Self(Arc::new(AtomicU64::new(u64::MAX)));
        let watched = deadline.clone();
        connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS_PER_CLOCK_READ, move || !watched.passed());
        Ok(deadline)
    }

    /// Sets the time at which a running statement is interrupted; `None` removes the deadline.
    pub(super) fn set(&self, deadline: Option<Instant>) {
        self.0.store(deadline.map_or(u64::MAX, nanoseconds), Ordering::Relaxed);
    }

    fn passed(&self) -> bool {
        match self.0.load(Ordering::Relaxed) {
            u64::MAX => false,
            deadline => deadline <= nanoseconds(Instant::now()),
        }
    }
}

fn nanoseconds(instant: Instant) -> u64 {
    u64::try_from(instant.saturating_duration_since(*EPOCH).as_nanos()).unwrap_or(u64::MAX)
}
