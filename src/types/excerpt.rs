//! The part of an input that a message echoes.

use std::borrow::Cow;

const MAX_ECHOED_CHARS: usize = 100;

/// Maximum length of a message. Messages echo excerpts and are shorter; this limit is for one that does not.
const MAX_MESSAGE_CHARS: usize = 1_000;

/// Returns the first 100 characters of a text, so that no message grows with the input that it echoes.
pub(crate) fn excerpt(text: &str) -> &str {
    start(text, MAX_ECHOED_CHARS).unwrap_or(text)
}

/// Returns the message that an error is made with, cut if it is too long. Every type of error calls it.
pub(crate) fn bounded_message(message: impl Into<Cow<'static, str>>) -> Cow<'static, str> {
    let message = message.into();
    match start(&message, MAX_MESSAGE_CHARS) {
        Some(start) => format!("{start}…").into(),
        None => message,
    }
}

/// Returns the first characters of a text; `None` if it has no more than those.
fn start(text: &str, chars: usize) -> Option<&str> {
    if text.len() <= chars {
        return None;
    }
    text.char_indices().nth(chars).map(|(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let long = "é".repeat(2_000);
        assert_eq!(excerpt(&long), "é".repeat(100));
        assert_eq!(excerpt(&long[..200]), "é".repeat(100));
        assert_eq!(bounded_message(long.clone()), format!("{}…", "é".repeat(1_000)));
        assert_eq!(bounded_message(long[..2_000].to_owned()), "é".repeat(1_000));
    }
}
