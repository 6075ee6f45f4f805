//! The time of the last change, which never goes backwards: `max(now, stored + 1 µs)`.
//!
//! Clocks are set back, and those of two servers differ. Readers use this time as a watermark: they order rows by it
//! and continue after the last one that they read, and would miss a change that got an earlier time than its row had
//! before.

use crate::types::Time;

/// Returns the time of a change that happens now to a row that has this one stored.
pub(super) fn next(now: Time, stored: Time) -> Time {
    now.max(Time::from_micros(stored.micros().saturating_add(1)))
}

/// Returns [`next`] as a SQL expression over two expressions. In an UPDATE, `stored` is read from the row that is
/// written, which is locked, so that concurrent changes of one row get different times.
pub(super) fn next_sql(now: &str, stored: &str) -> String {
    format!("CASE WHEN {now} > {stored} THEN {now} ELSE {stored} + 1 END")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Time {
        Time::from_micros(micros)
    }

    #[test]
    fn a_change_is_later_than_the_stored_time() {
        for (now, stored, expected) in [(20, 10, 20), (10, 10, 11), (9, 10, 11), (11, 10, 11), (-5, -3, -2)] {
            assert_eq!(next(at(now), at(stored)), at(expected), "{now} after {stored}");
        }
    }

    #[test]
    fn the_maximum_time_is_not_exceeded() {
        let last = at(i64::MAX);
        assert_eq!(next(at(0), last), last);
    }
}
