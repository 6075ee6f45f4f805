//! The time at which the work of a request has to stop, and its checks in loops over rows.

use std::time::{Duration, Instant};

use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use super::{Session, error_kind};
use crate::budget;

/// Steps of a loop between two reads of the clock. One step may apply a 64 KiB attribute document, which takes about a
/// millisecond.
const STEPS_PER_CLOCK_READ: u32 = 64;

const YIELD_INTERVAL: Duration = Duration::from_millis(10);

/// The conditions that stop the work of a request: its deadline and, for work that only its client needs (a dry run),
/// also the disconnection of the client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cutoff {
    pub(super) deadline: Option<Instant>,
    pub(super) client: Option<CancellationToken>,
}

impl Cutoff {
    /// Returns an error if the work has to stop, or if its request has exceeded its budget.
    pub(super) fn check(&self) -> Result<(), DbErr> {
        let expired = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        let client_gone = self.client.as_ref().is_some_and(CancellationToken::is_cancelled);
        if expired || client_gone {
            return Err(error_kind::timeout());
        }
        check_budget()
    }

    /// Returns a step counter for a loop over rows that runs outside a transaction.
    pub(crate) fn steps(&self) -> Steps<'_> {
        Steps::new(self, None)
    }

    /// Waits until the client has disconnected; forever if that does not stop the work.
    pub(super) async fn client_gone(&self) {
        match &self.client {
            Some(client) => client.cancelled().await,
            None => std::future::pending().await,
        }
    }
}

fn check_budget() -> Result<(), DbErr> {
    budget::check().map_err(|exceeded| error_kind::statement(error_kind::over_budget(exceeded)))
}

/// Counts the steps of loops over rows, so that each loop stops with its request, lets other tasks run and keeps its
/// transaction alive.
#[derive(Debug)]
pub struct Steps<'s> {
    cutoff: &'s Cutoff,
    /// The transaction in which the loop runs, if any.
    session: Option<&'s Session>,
    steps_until_look: u32,
    yielded_at: Instant,
}

impl<'s> Steps<'s> {
    pub(super) fn new(cutoff: &'s Cutoff, session: Option<&'s Session>) -> Self {
        Self { cutoff, session, steps_until_look: STEPS_PER_CLOCK_READ, yielded_at: Instant::now() }
    }

    /// Counts one step. Returns whether a [`Steps::look`] is due. For the hottest loops, which
    /// then await only when a look is due.
    #[inline]
    pub(crate) fn is_due(&mut self) -> bool {
        self.steps_until_look = self.steps_until_look.saturating_sub(1);
        self.steps_until_look == 0
    }

    /// Counts one step. Returns a timeout error if the request has to stop.
    #[inline]
    pub async fn step(&mut self) -> Result<(), DbErr> {
        if self.is_due() { self.look().await } else { Ok(()) }
    }

    /// Reads the clock, after work that takes longer than one step. Returns a timeout error if the request has to stop.
    pub(crate) async fn look(&mut self) -> Result<(), DbErr> {
        self.steps_until_look = STEPS_PER_CLOCK_READ;
        check_budget()?;
        if self.yielded_at.elapsed() < YIELD_INTERVAL {
            return Ok(());
        }
        self.cutoff.check()?;
        if let Some(session) = self.session {
            session.keep_alive().await?;
        }
        tokio::task::yield_now().await;
        self.yielded_at = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn steps_until_error(cutoff: Cutoff) -> Option<u32> {
        let mut steps = Steps::new(&cutoff, None);
        for taken in 0..10_000 {
            std::thread::sleep(Duration::from_micros(50));
            if steps.step().await.is_err() {
                return Some(taken);
            }
        }
        None
    }

    #[tokio::test]
    async fn a_loop_stops_at_the_deadline() {
        let past = Cutoff { deadline: Some(Instant::now()), client: None };
        assert!(steps_until_error(past).await.is_some());
    }

    #[tokio::test]
    async fn a_loop_stops_when_its_client_has_gone() {
        let client = CancellationToken::new();
        client.cancel();
        assert!(steps_until_error(Cutoff { deadline: None, client: Some(client) }).await.is_some());
    }

    #[tokio::test]
    async fn a_loop_ends_within_its_time() {
        let later = Cutoff { deadline: Some(Instant::now() + Duration::from_secs(600)), client: None };
        assert_eq!(steps_until_error(later).await, None);
    }
}
