//! The deadline of whoever uses a SQLite connection.
//!
//! SQLite asks a function, now and then while a statement runs, whether it is to go on. To give a connection another such
//! function, its thread has to be waited for; so it gets one for its whole time, which looks here.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use sqlx::SqliteConnection;

/// How many of SQLite's virtual machine instructions pass between two looks at the clock: few, for one may be a regex.
const INSTRUCTIONS_PER_LOOK: i32 = 500;

/// What deadlines are counted from.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A connection's deadline, in nanoseconds. A clone is the same one.
#[derive(Clone, Debug)]
pub(super) struct Deadline(Arc<AtomicU64>);

impl Deadline {
    /// Has a connection look at a deadline from now on; as yet there is none.
    pub(super) async fn watched_by(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let deadline = Self(Arc::new(AtomicU64::new(u64::MAX)));
        let watched = deadline.clone();
        connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS_PER_LOOK, move || !watched.passed());
        Ok(deadline)
    }

    /// The time at which whatever statement runs then ends; none for as long as it takes.
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
