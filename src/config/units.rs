//! Sizes and durations with units.

use std::{fmt, str::FromStr, time::Duration};

use jiff::SignedDuration;

/// A number of bytes: `256MiB`, `64 KiB`, `1000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) usize);

/// A duration: `30s`, `500ms`, `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a size of at least 1 byte, such as 256MiB, 64KiB or 1000")]
pub(crate) struct MalformedBytes;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration of 1ms to 24h, such as 30s, 500ms or 5m")]
pub(crate) struct MalformedSpan;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration of 1s to 30d, such as 30m, 24h or 3d")]
pub(crate) struct MalformedLongSpan;

const UNITS: [(&str, usize); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Bytes {
    type Err = MalformedBytes;

    fn from_str(text: &str) -> Result<Self, MalformedBytes> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim_start() {
            "" => 1,
            unit => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or(MalformedBytes)?.1,
        };
        number
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            // No allocation can be larger than `isize::MAX` bytes.
            .filter(|&bytes| bytes > 0 && isize::try_from(bytes).is_ok())
            .map(Self)
            .ok_or(MalformedBytes)
    }
}

/// Writes the largest binary unit that divides the size.
impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS[..3].iter().find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(formatter, "{}{name}", self.0 / factor),
            None => write!(formatter, "{}", self.0),
        }
    }
}

impl FromStr for Span {
    type Err = MalformedSpan;

    fn from_str(text: &str) -> Result<Self, MalformedSpan> {
        let duration: SignedDuration = text.parse().map_err(|_| MalformedSpan)?;
        Duration::try_from(duration)
            .ok()
            .filter(|duration| (Duration::from_millis(1)..=Duration::from_hours(24)).contains(duration))
            .map(Self)
            .ok_or(MalformedSpan)
    }
}

impl Span {
    /// Parses a duration of 1s to 30d, for things that last longer than a request.
    pub(crate) fn long(text: &str) -> Result<Self, MalformedLongSpan> {
        const RANGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(30 * 24);
        // jiff rejects days in a `SignedDuration`, because the length of a calendar day varies.
        let text = match text.strip_suffix('d').map(str::parse::<u32>) {
            Some(Ok(days)) => format!("{}h", u64::from(days) * 24),
            _ => text.to_owned(),
        };
        let duration: SignedDuration = text.parse().map_err(|_| MalformedLongSpan)?;
        let duration = Duration::try_from(duration).map_err(|_| MalformedLongSpan)?;
        if RANGE.contains(&duration) { Ok(Self(duration)) } else { Err(MalformedLongSpan) }
    }
}

/// Writes whole hours as `24h`, anything else like the `Debug` output of a `Duration`.
impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hour = Duration::from_hours(1).as_nanos();
        match self.0.as_nanos() {
            nanos if nanos >= hour && nanos.is_multiple_of(hour) => write!(formatter, "{}h", nanos / hour),
            _ => write!(formatter, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_parsed_with_units() {
        for (text, bytes) in [
            ("1000", 1000),
            ("1B", 1),
            ("64KiB", 65_536),
            ("256 MiB", 256 << 20),
            ("2gib", 2 << 30),
            ("10MB", 10_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "0", "MiB", "-1", "1.5MiB", "1 TiBs", "99999999999GiB", "8589934592GiB", "1MiB "] {
            assert_eq!(text.parse::<Bytes>(), Err(MalformedBytes), "{text}");
        }
    }

    #[test]
    fn durations_are_parsed_with_units() {
        for (text, millis) in
            [("30s", 30_000), ("500ms", 500), ("5m", 300_000), ("1m 30s", 90_000), ("24h", 86_400_000)]
        {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "30", "0s", "-30s", "30s ago", "25h", "soon"] {
            assert_eq!(text.parse::<Span>(), Err(MalformedSpan), "{text}");
        }
    }

    #[test]
    fn long_durations_are_parsed_in_hours_and_days() {
        for (text, hours) in [("24h", 24), ("3d", 72), ("30d", 720), ("1h", 1)] {
            assert_eq!(Span::long(text), Ok(Span(Duration::from_hours(hours))), "{text}");
        }
        for text in ["", "0s", "999ms", "31d", "-1d", "d", "99999999999d", "721h", "24"] {
            assert_eq!(Span::long(text), Err(MalformedLongSpan), "{text}");
        }
        assert_eq!(Span(Duration::from_hours(24)).to_string(), "24h");
    }

    #[test]
    fn parsing_is_the_inverse_of_printing() {
        for bytes in [1, 1000, 1024, 1 << 20, (1 << 20) + 1, 3 << 30] {
            assert_eq!(Bytes(bytes).to_string().parse(), Ok(Bytes(bytes)));
        }
        for millis in [1, 1500, 30_000, 300_000, 7_200_000] {
            let span = Span(Duration::from_millis(millis));
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
