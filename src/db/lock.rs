//! The lock of a memberbase that a write holds until its end: an advisory lock in PostgreSQL.

use std::time::Duration;

use uuid::Uuid;

/// Time that a writer waits in PostgreSQL for a lock that another server holds, before it gives its connection back.
pub(super) const MAX_LOCK_WAIT: Duration = Duration::from_secs(1);

/// The lock of a memberbase that a write holds until its end.
#[derive(Clone, Copy, Debug)]
pub enum Lock {
    None,
    /// Prevents the deletion of this memberbase, and allows other writes in it.
    Shared(Uuid),
    /// Prevents all other writes in this memberbase.
    Exclusive(Uuid),
}

impl Lock {
    /// Turns a shared lock into an exclusive one if `exclusive` is set.
    pub(super) fn escalate_if(self, exclusive: bool) -> Self {
        match self {
            Self::Shared(memberbase) if exclusive => Self::Exclusive(memberbase),
            lock => lock,
        }
    }

    pub(super) fn memberbase(self) -> Option<Uuid> {
        match self {
            Self::None => None,
            Self::Shared(memberbase) | Self::Exclusive(memberbase) => Some(memberbase),
        }
    }

    pub(super) fn is_exclusive(self) -> bool {
        matches!(self, Self::Exclusive(_))
    }

    /// Returns the statements that take the lock in PostgreSQL, or fail with `lock_not_available` after `max_wait`. They
    /// begin with a semicolon, unless there are none.
    pub(super) fn statements(self, max_wait: Duration) -> String {
        let (function, memberbase) = match self {
            Self::None => return String::new(),
            Self::Shared(memberbase) => ("pg_advisory_xact_lock_shared", memberbase),
            Self::Exclusive(memberbase) => ("pg_advisory_xact_lock", memberbase),
        };
        // The last 64 bits of a UUIDv7 are random, except for two.
        let key = memberbase.as_u64_pair().1.cast_signed();
        // The limit is for this lock only: waits for rows of the same memberbase may last until the deadline.
        let millis = max_wait.as_millis();
        format!("; SET LOCAL lock_timeout = {millis}; SELECT {function}({key}); SET LOCAL lock_timeout TO DEFAULT")
    }
}
