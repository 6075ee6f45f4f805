//! Whole numbers that every JSON reader keeps.

/// The largest.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// The whole number that a text is, as JSON writes numbers: `1.0` and `1e2` are whole. None where it is none, or one that is
/// further from 0 than [`MAX_WHOLE`].
pub fn parse_safe_integer(number: &str) -> Option<i64> {
    let whole = number.parse().ok().or_else(|| {
        let number: f64 = number.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "so small a whole number is exact")]
        (number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER as f64).then_some(number as i64)
    });
    whole.filter(|whole| (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(whole))
}
