//! Ids of the API: a prefix, and a UUID as 26 characters of Crockford base32 (TypeID).

use anyhow::{Context, Result, bail};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Returns the UUID of an id with this prefix.
pub fn parse(prefix: &str, id: &str) -> Result<Uuid> {
    let digits = id.strip_prefix(prefix).with_context(|| format!("{id} does not begin with {prefix}"))?;
    if digits.len() != 26 {
        bail!("{id} does not have 26 characters behind its prefix");
    }
    let mut bits = 0_u128;
    for digit in digits.bytes() {
        let value = ALPHABET.iter().position(|&known| known == digit).with_context(|| format!("{id} is not base32"))?;
        bits = bits << 5 | value as u128;
    }
    Ok(Uuid::from_u128(bits))
}
