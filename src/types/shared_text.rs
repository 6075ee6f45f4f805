//! Texts that share memory.

use std::{
    ops::{Deref, Range},
    sync::Arc,
};

/// A part of a text that has several owners.
#[derive(Clone, Debug)]
pub(crate) struct SharedText {
    whole: Arc<str>,
    range: Range<usize>,
}

impl SharedText {
    /// Returns a part of a text.
    ///
    /// # Panics
    ///
    /// If the range is not within the text, or splits a character.
    pub(crate) fn part(whole: Arc<str>, range: Range<usize>) -> Self {
        assert!(whole.get(range.clone()).is_some(), "a part of a text lies within it");
        Self { whole, range }
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Self { range: 0..text.len(), whole: text.into() }
    }
}

impl Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.whole[self.range.clone()]
    }
}

impl PartialEq for SharedText {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for SharedText {}
