//! The database.

/// The database.
#[derive(Clone)]
pub struct Db {}

/// What a failed statement means for whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The time for the statement ran out.
    Timeout,
    /// The database can't be reached, is shutting down or has no room.
    Unavailable,
    /// Another transaction stood in the way; the same one may succeed when it is tried again.
    Contention,
    /// Anything else: a fault of ours.
    Other,
}

impl Fault {
    /// What a failed statement means.
    pub fn of(_error: &sea_orm::DbErr) -> Self {
        Self::Other
    }
}
