//! Exponential backoff with full jitter, so that many clients do not retry at the same time.

use std::time::{Duration, Instant};

const INITIAL_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(30);

pub(super) struct Retries {
    /// Time of the first failure.
    since: Option<Instant>,
    limit: Duration,
    ceiling: Duration,
}

impl Retries {
    /// Permits retries for this long after the first failure.
    pub(super) fn new(limit: Duration) -> Self {
        Self { since: None, limit, ceiling: INITIAL_DELAY }
    }

    /// Returns the delay before the next attempt, which is at least the server's `Retry-After`; `None` if the time is
    /// over.
    pub(super) fn next(&mut self, after: Option<Duration>) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let wait = after.unwrap_or_default() + self.ceiling.mul_f64(jitter());
        self.ceiling = (self.ceiling * 2).min(MAX_DELAY);
        (since.elapsed() + wait <= self.limit).then_some(wait)
    }
}

/// Returns a random number from 0 to 1.
fn jitter() -> f64 {
    // Without random numbers, wait for the longest time.
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_a_maximum_and_end() {
        let mut retries = Retries::new(Duration::from_hours(1));
        let waits: Vec<_> = (0..200).map_while(|_| retries.next(None)).collect();
        assert!(waits[0] <= INITIAL_DELAY && waits.iter().all(|wait| *wait <= MAX_DELAY));
        assert!(waits.iter().max() > Some(&(INITIAL_DELAY * 8)));
        assert!(Retries::new(Duration::from_millis(1)).next(Some(Duration::from_secs(1))).is_none());
    }

    #[test]
    fn retry_after_is_respected() {
        let mut retries = Retries::new(Duration::from_hours(1));
        assert!(retries.next(Some(Duration::from_secs(9))) >= Some(Duration::from_secs(9)));
    }
}
