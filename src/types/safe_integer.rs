//! Safe integers: those that every JSON parser represents exactly (RFC 8259, section 6).

/// The largest safe integer, 2^53 - 1.
pub(crate) const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// Parses a JSON number as an integer: `1.0` and `1e2` are integers too. Returns `None` for any other number, and for
/// one whose absolute value exceeds [`MAX_SAFE_INTEGER`].
pub(crate) fn parse_safe_integer(number: &str) -> Option<i64> {
    let integer = number.parse().ok().or_else(|| {
        let number: f64 = number.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "an integer of at most 53 bits is exact")]
        (number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER as f64).then_some(number as i64)
    });
    integer.filter(|integer| (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(integer))
}
