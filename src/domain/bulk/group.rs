//! Rows of the same key are one thing.

use std::mem;

use sea_orm::DbErr;

use crate::db::Steps;

/// Length of a run that is sorted without a look at the clock: a few milliseconds of work.
const RUN_LENGTH: usize = 32_768;

/// Rows, folded by their keys.
#[derive(Debug)]
pub(super) struct GroupedByKey<Key> {
    /// Each key once, in their order: the one order in which every call writes.
    pub keys: Vec<Key>,
    /// All good rows, those of each key in the order of the input, key after key.
    rows: Vec<usize>,
    /// Of each key where its rows begin in `rows`.
    starts: Vec<usize>,
}

impl<Key: Ord + Copy> GroupedByKey<Key> {
    /// Folds rows by their keys; bad rows have none.
    pub async fn new(rows: impl ExactSizeIterator<Item = Option<Key>>, steps: &mut Steps<'_>) -> Result<Self, DbErr> {
        let mut keyed: Vec<(Key, usize)> = Vec::with_capacity(rows.len());
        keyed.extend(rows.enumerate().filter_map(|(row, key)| Some((key?, row))));
        let sorted = sort(keyed, RUN_LENGTH, steps).await?;
        let mut keys: Vec<Key> = Vec::with_capacity(sorted.len());
        let mut starts = Vec::with_capacity(sorted.len());
        for (place, (key, _)) in sorted.iter().enumerate() {
            steps.step().await?;
            if keys.last() != Some(key) {
                keys.push(*key);
                starts.push(place);
            }
        }
        Ok(Self { keys, rows: sorted.iter().map(|(_, row)| *row).collect(), starts })
    }

    /// The rows of the key at this place, in the order of the input; there is one at least.
    pub fn rows(&self, place: usize) -> &[usize] {
        let end = self.starts.get(place + 1).copied().unwrap_or(self.rows.len());
        &self.rows[self.starts[place]..end]
    }
}

/// Merge sort, which can stop in its middle as the sorts of the standard library can't: twenty million rows take seconds.
async fn sort<T: Ord + Copy>(mut items: Vec<T>, run: usize, steps: &mut Steps<'_>) -> Result<Vec<T>, DbErr> {
    for run in items.chunks_mut(run) {
        run.sort_unstable();
        steps.look().await?;
    }
    let mut width = run;
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
                steps.step().await?;
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

    async fn folded<Key: Ord + Copy>(keys: &[Option<Key>]) -> GroupedByKey<Key> {
        GroupedByKey::new(keys.iter().copied(), &mut Cutoff::default().steps()).await.expect("no deadline")
    }

    #[tokio::test]
    async fn rows_of_one_key_fold_into_one_place() {
        let folded = folded(&[Some("b"), Some("a"), None, Some("b"), Some("A")]).await;
        assert_eq!(folded.keys, ["A", "a", "b"]);
        assert_eq!((0..3).map(|place| folded.rows(place)).collect::<Vec<_>>(), [&[4][..], &[1], &[0, 3]]);
    }

    #[tokio::test]
    async fn no_good_row_is_no_key() {
        assert!(folded::<&str>(&[None, None]).await.keys.is_empty());
    }

    proptest! {
        #[test]
        fn sorting_in_runs_is_sorting(items: Vec<u8>, run in 1..9_usize) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            let sorted = runtime.block_on(sort(items.clone(), run, &mut Cutoff::default().steps()));
            let mut expected = items;
            expected.sort_unstable();
            prop_assert_eq!(sorted.expect("no deadline"), expected);
        }
    }
}
