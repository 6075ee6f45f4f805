//! Times: whole microseconds since 1970-01-01 UTC, stored as integers in both databases.

use std::fmt;

use arrayvec::ArrayVec;
use jiff::{SignedDuration, Timestamp, civil::DateTime};

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A point in time between the years 1 and 9999, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 date-time such as 2026-01-31T12:00:00Z")]
pub struct MalformedTime;

impl Time {
    /// The earliest time, the start of year 1.
    const FIRST: i64 = -62_135_596_800_000_000;
    /// The latest time, the end of year 9999.
    const LAST: i64 = 253_402_300_799_999_999;

    /// Returns the time for microseconds since 1970, clamped to the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::FIRST, Self::LAST))
    }

    /// Returns the time for milliseconds since 1970, clamped to the years 1 to 9999.
    pub(crate) fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1000))
    }

    /// Returns the microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    pub fn now() -> Self {
        Self::from_micros(Timestamp::now().as_microsecond())
    }

    /// Returns the time as RFC 3339 in UTC, ending in `Z`, with milliseconds, or with microseconds if they are not zero.
    /// There is no heap allocation and no `fmt`, because a page contains thousands of times.
    pub(crate) fn ascii(self) -> ArrayVec<u8, 27> {
        let since = self.0.abs_diff(Self::FIRST);
        let small = |number: u64| u32::try_from(number).expect("no year is beyond 9999");
        let days = small(since / DAY);
        let seconds = small(since % DAY / 1_000_000);
        let micros = small(since % 1_000_000);
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |at: usize, number: u32| text[at..at + 2].copy_from_slice(&PAIRS[number as usize]);
        put(0, year / 100);
        put(2, year % 100);
        put(5, month);
        put(8, day);
        put(11, seconds / 3600);
        put(14, seconds / 60 % 60);
        put(17, seconds % 60);
        put(20, micros / 10_000);
        put(22, micros / 100 % 100);
        put(24, micros % 100);
        let mut ascii = ArrayVec::new();
        // Slices of a length that is known here are copied without a call.
        if micros % 1000 == 0 {
            ascii.try_extend_from_slice(&text[..23]).expect("it fits");
            ascii.push(b'Z');
        } else {
            ascii.try_extend_from_slice(&text).expect("it fits");
        }
        ascii
    }

    /// Parses an RFC 3339 date-time (section 5.6) with any offset and 0 to 9 fractional digits, of which six are kept.
    pub fn parse(text: &str) -> Result<Self, MalformedTime> {
        let (local, offset) = split(text).ok_or(MalformedTime)?;
        let local: DateTime = local.parse().map_err(|_| MalformedTime)?;
        // jiff's timestamps end some hours before the end of year 9999; its local times do not.
        let since = local.duration_since(EPOCH).checked_sub(offset).ok_or(MalformedTime)?;
        // Truncates the fraction towards the past, also before 1970.
        i64::try_from(since.as_nanos().div_euclid(1000))
            .ok()
            .filter(|micros| (Self::FIRST..=Self::LAST).contains(micros))
            .map(Self)
            .ok_or(MalformedTime)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(str::from_utf8(&self.ascii()).expect("it is ASCII"))
    }
}

/// The numbers from 0 to 99 as two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [*b"00"; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b"0123456789"[number / 10], b"0123456789"[number % 10]];
        number += 1;
    }
    pairs
};

/// Microseconds per day.
const DAY: u64 = 86_400_000_000;

/// Converts days since 0001-01-01 to year, month and day. Years begin in March here, so that a leap day is the last day
/// of its year. An era is the 400 years after which the calendar repeats; the first one begins in March of year 0.
fn civil(days: u32) -> (u32, u32, u32) {
    const ERA: u32 = 146_097;
    let since = days + 306;
    let era = since / ERA;
    let day = since % ERA;
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * era + year + next, month, day)
}

/// Splits a text with the shape of an RFC 3339 date-time into local time and offset. jiff then checks that the day and
/// hour exist; it alone would accept more than RFC 3339, such as a space instead of `T` or a week date.
fn split(text: &str) -> Option<(&str, SignedDuration)> {
    let bytes = text.as_bytes();
    let head = bytes.get(..19)?.iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(&byte, &shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        b'T' => byte.eq_ignore_ascii_case(&b'T'),
        other => byte == other,
    });
    let fraction = match bytes.get(19)? {
        b'.' => 1 + bytes[20..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    if !head || fraction == 1 || fraction > 10 {
        return None;
    }
    let (local, offset) = text.split_at_checked(19 + fraction)?;
    Some((local, read_offset(offset.as_bytes())?))
}

fn read_offset(text: &[u8]) -> Option<SignedDuration> {
    let (sign, digits) = match text {
        b"Z" | b"z" => return Some(SignedDuration::ZERO),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => (*sign, [*h1, *h2, *m1, *m2]),
        _ => return None,
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let [h1, h2, m1, m2] = digits.map(|digit| i64::from(digit - b'0'));
    let hours = 10 * h1 + h2;
    let minutes = 10 * m1 + m2;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = SignedDuration::from_mins(60 * hours + minutes);
    Some(if sign == b'-' { -offset } else { offset })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_and_fractions_are_parsed() {
        for (text, written) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
            ("2026-01-31t12:00:00z", "2026-01-31T12:00:00.000Z"),
            ("2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00.000Z"),
            ("2026-01-31T12:00:00-23:59", "2026-02-01T11:59:00.000Z"),
            ("2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.500Z"),
            ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Time::parse(text).map(|time| time.to_string()), Ok(written.to_owned()), "{text}");
        }
    }

    #[test]
    fn malformed_times_are_rejected() {
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00:00Z",
            "2026-01-31T12:00Z",
            "2026-02-30T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00.1234567890Z",
            "2026-01-31T12:00:00+0100",
            "2026-01-31T12:00:00+01:00[Europe/Paris]",
            "2026-01-31T12:00:00Z ",
            "+02026-01-31T12:00:00Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00é",
            "2026-W05-1T12:00:00",
        ] {
            assert_eq!(Time::parse(text), Err(MalformedTime), "{text}");
        }
    }

    #[test]
    fn every_day_is_formatted_like_jiff() {
        for day in 0..=Time::LAST.abs_diff(Time::FIRST) / DAY {
            let micros = Time::FIRST.saturating_add_unsigned(day * DAY);
            let local = EPOCH + SignedDuration::from_micros(micros);
            assert_eq!(Time::from_micros(micros).to_string(), format!("{local:.3}Z"));
        }
    }

    proptest! {
        #[test]
        fn times_are_formatted_like_jiff(micros in Time::FIRST..=Time::LAST, whole: bool) {
            let micros = if whole { micros / 1000 * 1000 } else { micros };
            let digits = if micros % 1000 == 0 { 3 } else { 6 };
            let local = EPOCH + SignedDuration::from_micros(micros);
            prop_assert_eq!(Time::from_micros(micros).to_string(), format!("{local:.digits$}Z"));
        }

        #[test]
        fn parse_after_print_is_the_same_time(micros in Time::FIRST..=Time::LAST) {
            let time = Time::from_micros(micros);
            prop_assert_eq!(Time::parse(&time.to_string()), Ok(time));
        }
    }
}
