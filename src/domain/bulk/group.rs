//! Groups the rows of a bulk call by key, in the order of keys.

use std::mem;

use sea_orm::DbErr;

use crate::db::Steps;

/// Number of items that are sorted between two checks of the deadline: a few milliseconds of work.
const RUN_LENGTH: usize = 32_768;

/// Row indexes, grouped by key.
#[derive(Debug)]
pub(super) struct GroupedByKey<Key> {
    /// The distinct keys in ascending order, which is the order in which every call writes.
    pub(crate) keys: Vec<Key>,
    /// The valid rows, ordered by key, then by input order.
    rows: Vec<usize>,
    /// The offset in `rows` of each key's first row.
    starts: Vec<usize>,
}

impl<Key: Ord + Copy> GroupedByKey<Key> {
    /// Groups rows by key; an invalid row has no key and is left out.
    pub(crate) async fn new(
        rows: impl ExactSizeIterator<Item = Option<Key>>,
        steps: &mut Steps<'_>,
    ) -> Result<Self, DbErr> {
        let mut keyed: Vec<(Key, usize)> = Vec::with_capacity(rows.len());
        keyed.extend(rows.enumerate().filter_map(|(row, key)| Some((key?, row))));
        let sorted = sort(keyed, RUN_LENGTH, steps).await?;
        let mut keys: Vec<Key> = Vec::with_capacity(sorted.len());
        let mut starts = Vec::with_capacity(sorted.len());
        for (offset, (key, _)) in sorted.iter().enumerate() {
            if steps.is_due() {
                steps.look().await?;
            }
            if keys.last() != Some(key) {
                keys.push(*key);
                starts.push(offset);
            }
        }
        let rows = sorted.iter().map(|(_, row)| *row).collect();
        Ok(Self { keys, rows, starts })
    }

    /// Returns the rows of the key at an index of `keys`, in input order; never empty.
    pub(crate) fn rows(&self, key_index: usize) -> &[usize] {
        let end = self.starts.get(key_index + 1).copied().unwrap_or(self.rows.len());
        &self.rows[self.starts[key_index]..end]
    }
}

/// Sorts by merging sorted runs. Unlike the sorts of the standard library it can stop at the deadline: twenty million
/// rows take seconds.
async fn sort<T: Ord + Copy>(mut items: Vec<T>, run_length: usize, steps: &mut Steps<'_>) -> Result<Vec<T>, DbErr> {
    for run in items.chunks_mut(run_length) {
        run.sort_unstable();
        steps.look().await?;
    }
    let mut width = run_length;
    let mut merged = Vec::new();
    while width < items.len() {
        merged.reserve_exact(items.len());
        for pair in items.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            let in_order = left.last() <= right.first();
            while let (false, Some(first), Some(second)) = (in_order, left.first(), right.first()) {
                let smaller = if second < first { &mut right } else { &mut left };
                merged.push(smaller[0]);
                *smaller = &smaller[1..];
                if steps.is_due() {
                    steps.look().await?;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        mem::swap(&mut items, &mut merged);
        merged.clear();
        width *= 2;
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::db::Cutoff;

    async fn grouped<Key: Ord + Copy>(keys: &[Option<Key>]) -> GroupedByKey<Key> {
        GroupedByKey::new(keys.iter().copied(), &mut Cutoff::default().steps()).await.expect("no deadline")
    }

    #[tokio::test]
    async fn rows_of_one_key_form_one_group_in_input_order() {
        let grouped = grouped(&[Some("b"), Some("a"), None, Some("b"), Some("A")]).await;
        assert_eq!(grouped.keys, ["A", "a", "b"]);
        assert_eq!((0..3).map(|index| grouped.rows(index)).collect::<Vec<_>>(), [&[4][..], &[1], &[0, 3]]);
    }

    #[tokio::test]
    async fn no_valid_row_yields_no_key() {
        assert!(grouped::<&str>(&[None, None]).await.keys.is_empty());
    }

    proptest! {
        #[test]
        fn sorting_in_runs_equals_sorting_at_once(items: Vec<u8>, run_length in 1..9_usize) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            let sorted = runtime.block_on(sort(items.clone(), run_length, &mut Cutoff::default().steps()));
            let mut expected = items;
            expected.sort_unstable();
            prop_assert_eq!(sorted.expect("no deadline"), expected);
        }
    }
}
