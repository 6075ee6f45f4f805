//! Rows of the same key are one thing.

/// Rows, folded by their keys.
#[derive(Debug)]
pub(super) struct Folded<Key> {
    /// Each key once, in their order: the one order in which every call writes.
    pub keys: Vec<Key>,
    /// All good rows, those of each key in the order of the input, key after key.
    rows: Vec<usize>,
    /// Of each key where its rows begin in `rows`.
    starts: Vec<usize>,
}

impl<Key: Ord + Copy> Folded<Key> {
    /// Folds rows by their keys; bad rows have none.
    pub fn new(rows: impl ExactSizeIterator<Item = Option<Key>>) -> Self {
        let mut sorted: Vec<(Key, usize)> = Vec::with_capacity(rows.len());
        sorted.extend(rows.enumerate().filter_map(|(row, key)| Some((key?, row))));
        sorted.sort_unstable();
        let mut keys: Vec<Key> = Vec::with_capacity(sorted.len());
        let mut starts = Vec::with_capacity(sorted.len());
        for (place, (key, _)) in sorted.iter().enumerate() {
            if keys.last() != Some(key) {
                keys.push(*key);
                starts.push(place);
            }
        }
        Self { keys, rows: sorted.iter().map(|(_, row)| *row).collect(), starts }
    }

    /// The rows of the key at this place, in the order of the input; there is one at least.
    pub fn rows(&self, place: usize) -> &[usize] {
        let end = self.starts.get(place + 1).copied().unwrap_or(self.rows.len());
        &self.rows[self.starts[place]..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_key_fold_into_one_place() {
        let folded = Folded::new([Some("b"), Some("a"), None, Some("b"), Some("A")].into_iter());
        assert_eq!(folded.keys, ["A", "a", "b"]);
        assert_eq!((0..3).map(|place| folded.rows(place)).collect::<Vec<_>>(), [&[4][..], &[1], &[0, 3]]);
    }

    #[test]
    fn no_good_row_is_no_key() {
        assert!(Folded::<&str>::new([None, None].into_iter()).keys.is_empty());
    }
}
