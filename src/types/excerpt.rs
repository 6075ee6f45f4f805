//! The part of an input that a message echoes.

const MAX_ECHOED_CHARS: usize = 100;

/// Returns the first 100 characters of a text, so that no message grows with the input that it echoes.
pub(crate) fn excerpt(text: &str) -> &str {
    text.char_indices().nth(MAX_ECHOED_CHARS).map_or(text, |(end, _)| &text[..end])
}
