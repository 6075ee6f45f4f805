//! Short texts of ASCII that are made without the heap and without a formatter: ids and times, of which pages are full.

/// A text of at most 32 characters of ASCII.
#[derive(Clone, Copy, Debug)]
pub struct AsciiText {
    bytes: [u8; 32],
    length: usize,
}

impl AsciiText {
    /// A text of these parts, which have to be ASCII and 32 bytes together at most.
    pub(super) fn new<const N: usize>(parts: [&[u8]; N]) -> Self {
        let mut text = Self { bytes: [0; 32], length: 0 };
        for part in parts {
            text.bytes[text.length..][..part.len()].copy_from_slice(part);
            text.length += part.len();
        }
        text
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_ref()).expect("it is ASCII")
    }
}

impl AsRef<[u8]> for AsciiText {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
