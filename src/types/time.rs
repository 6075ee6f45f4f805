//! Times: whole microseconds since 1970 in UTC, which both databases keep as integers.

use std::fmt;

use jiff::Timestamp;

/// A point in time between the years 1 and 9999, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// A text that is no RFC 3339 date-time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 date-time such as 2026-01-31T12:00:00Z")]
pub struct MalformedTime;

impl Time {
    /// The first moment that can be written: year 1.
    const FIRST: i64 = -62_135_596_800_000_000;
    /// The last moment that can be written: the end of year 9999.
    const LAST: i64 = 253_402_300_799_999_999;

    /// The time so many microseconds after 1970, brought into the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::FIRST, Self::LAST))
    }

    /// The time so many milliseconds after 1970, brought into the years 1 to 9999.
    pub fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1000))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Now, by the system's clock.
    pub fn now() -> Self {
        Self::from_micros(Timestamp::now().as_microsecond())
    }

    /// Reads a date-time of RFC 3339 (section 5.6) with any offset and 0 to 9 digits of a second's fraction, of which
    /// six are kept.
    pub fn parse(text: &str) -> Result<Self, MalformedTime> {
        if !is_rfc_3339(text.as_bytes()) {
            return Err(MalformedTime);
        }
        let timestamp: Timestamp = text.parse().map_err(|_| MalformedTime)?;
        // Towards the past, also before 1970: a fraction is cut, not rounded.
        let micros = timestamp.as_nanosecond().div_euclid(1000);
        i64::try_from(micros)
            .ok()
            .filter(|micros| (Self::FIRST..=Self::LAST).contains(micros))
            .map(Self)
            .ok_or(MalformedTime)
    }
}

/// UTC with milliseconds, or microseconds where there are any, ending in Z.
impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = Timestamp::from_microsecond(self.0).expect("years 1 to 9999 fit");
        let digits = if self.0 % 1000 == 0 { 3 } else { 6 };
        write!(formatter, "{timestamp:.digits$}")
    }
}

/// The shape alone; whether the day and hour exist is for the parser behind it, which takes more than RFC 3339 does
/// (a space for the T, a time zone's name, an offset with seconds).
fn is_rfc_3339(text: &[u8]) -> bool {
    let Some((head, tail)) = text.split_at_checked(19) else { return false };
    let head_fits = head.iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(&byte, &shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        b'T' => byte == b'T' || byte == b't',
        other => byte == other,
    });
    let offset = match tail.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return false;
            }
            &fraction[digits..]
        }
        None => tail,
    };
    let offset_fits = match offset {
        b"Z" | b"z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    head_fits && offset_fits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_and_fractions_are_read() {
        for (text, written) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
            ("2026-01-31t12:00:00z", "2026-01-31T12:00:00.000Z"),
            ("2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00.000Z"),
            ("2026-01-31T12:00:00-23:59", "2026-02-01T11:59:00.000Z"),
            ("2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.500Z"),
            ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("9999-12-30T23:59:59.999Z", "9999-12-30T23:59:59.999Z"),
        ] {
            assert_eq!(Time::parse(text).map(|time| time.to_string()), Ok(written.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_time_is_refused() {
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
        ] {
            assert_eq!(Time::parse(text), Err(MalformedTime), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parse_after_print_is_the_same_time(micros in Time::FIRST..=Time::LAST) {
            // jiff ends a day before year 10000 begins, so that any offset fits.
            let time = Time::from_micros(micros.min(253_402_207_200_000_000));
            prop_assert_eq!(Time::parse(&time.to_string()), Ok(time));
        }
    }
}
