//! When a call is tried again: after a time that grows, with chance in it, so that many clients do not come at once.

use std::time::{Duration, Instant};

const INITIAL_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// The tries of one call.
pub(super) struct Retries {
    /// When it failed first.
    since: Option<Instant>,
    limit: Duration,
    ceiling: Duration,
}

impl Retries {
    /// For so long from the first failure on.
    pub(super) fn new(limit: Duration) -> Self {
        Self { since: None, limit, ceiling: INITIAL_DELAY }
    }

    /// How long to wait before the next try, at least as long as the server asks for. None once the time is over.
    pub(super) fn next(&mut self, after: Option<Duration>) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let wait = after.unwrap_or_default() + self.ceiling.mul_f64(jitter());
        self.ceiling = (self.ceiling * 2).min(MAX_DELAY);
        (since.elapsed() + wait <= self.limit).then_some(wait)
    }
}

/// From 0 to 1.
fn jitter() -> f64 {
    // Without chance the longest time is as good as any.
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_ceiling_and_end() {
        let mut retries = Retries::new(Duration::from_hours(1));
        let waits: Vec<_> = (0..200).map_while(|_| retries.next(None)).collect();
        assert!(waits[0] <= INITIAL_DELAY && waits.iter().all(|wait| *wait <= MAX_DELAY));
        assert!(waits.iter().max() > Some(&(INITIAL_DELAY * 8)));
        assert!(Retries::new(Duration::from_millis(1)).next(Some(Duration::from_secs(1))).is_none());
    }

    #[test]
    fn what_the_server_asks_for_is_kept() {
        let mut retries = Retries::new(Duration::from_hours(1));
        assert!(retries.next(Some(Duration::from_secs(9))) >= Some(Duration::from_secs(9)));
    }
}
