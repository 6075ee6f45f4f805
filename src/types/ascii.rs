//! Short ASCII texts, written without heap allocation and without `fmt`: a page contains thousands of ids and times.

/// An ASCII text of at most 32 bytes.
#[derive(Clone, Copy, Debug)]
pub struct AsciiText {
    bytes: [u8; 32],
    length: usize,
}

impl AsciiText {
    /// Concatenates parts, which must be ASCII and together at most 32 bytes long.
    pub(super) fn new<const N: usize>(parts: [&[u8]; N]) -> Self {
        let mut text = Self { bytes: [0; 32], length: 0 };
        for part in parts {
            text.bytes[text.length..][..part.len()].copy_from_slice(part);
            text.length += part.len();
        }
        text
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_ref()).expect("it is ASCII")
    }
}

impl AsRef<[u8]> for AsciiText {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
