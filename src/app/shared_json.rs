//! JSON that several subscriptions send for the same change.

use std::{
    any::Any,
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

/// Maximum size of all JSON that is kept at a time. What does not fit is written again for each subscription.
const MAX_BYTES: usize = 16 << 20;

/// Memory of an entry in addition to its JSON.
const ENTRY_BYTES: usize = 128;

/// Identifies what a document selects from a change. A value is equal to its clones only.
#[derive(Clone)]
pub(crate) struct ChangeSelection(Arc<dyn Any + Send + Sync>);

/// The size of all JSON that is kept. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedBytes(Arc<AtomicUsize>);

/// JSON of one change, until the last subscription has received the change.
#[derive(Debug)]
pub(crate) struct SharedJson {
    /// The texts by selection and by whether changes before this one were missed.
    entries: Mutex<HashMap<(ChangeSelection, bool), Bytes>>,
    total: SharedBytes,
}

impl ChangeSelection {
    pub(crate) fn new(selection: Arc<dyn Any + Send + Sync>) -> Self {
        Self(selection)
    }
}

impl PartialEq for ChangeSelection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ChangeSelection {}

impl Hash for ChangeSelection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

impl fmt::Debug for ChangeSelection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ChangeSelection").field(&Arc::as_ptr(&self.0)).finish()
    }
}

impl SharedJson {
    pub(super) fn new(total: SharedBytes) -> Self {
        Self { entries: Mutex::default(), total }
    }

    /// Returns the JSON of a selection that another subscription has written. An event after missed changes has JSON of its
    /// own.
    pub(crate) fn get(&self, selection: &ChangeSelection, missed: bool) -> Option<Bytes> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(&(selection.clone(), missed)).cloned()
    }

    /// Keeps the JSON of a selection for other subscriptions, if there is space.
    pub(crate) fn insert(&self, selection: &ChangeSelection, missed: bool, json: Bytes) {
        let bytes = json.len() + ENTRY_BYTES;
        let add = |total: usize| Some(total + bytes).filter(|total| *total <= MAX_BYTES);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // Two threads may have written it at the same time.
        if let Entry::Vacant(entry) = entries.entry((selection.clone(), missed))
            && self.total.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
        {
            entry.insert(json);
        }
    }
}

impl Drop for SharedJson {
    fn drop(&mut self) {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
        let bytes = entries.values().map(|json| json.len() + ENTRY_BYTES).sum();
        self.total.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_found_by_its_selection_only() {
        let json = SharedJson::new(SharedBytes::default());
        let [one, other] = [(); 2].map(|()| ChangeSelection::new(Arc::new(0)));
        json.insert(&one, false, Bytes::from_static(b"1"));
        assert_eq!(json.get(&one, false).as_deref(), Some(&b"1"[..]));
        assert_eq!((json.get(&one, true), json.get(&other, false)), (None, None));
    }

    #[test]
    fn little_is_kept_until_it_is_dropped() {
        let total = SharedBytes::default();
        let [first, second] = [(); 2].map(|()| SharedJson::new(total.clone()));
        let large = Bytes::from(vec![b' '; MAX_BYTES - ENTRY_BYTES]);
        let selection = ChangeSelection::new(Arc::new(0));
        first.insert(&selection, false, large.clone());
        second.insert(&selection, false, Bytes::from_static(b"1"));
        assert!(first.get(&selection, false).is_some() && second.get(&selection, false).is_none());
        drop(first);
        second.insert(&selection, false, large);
        assert!(second.get(&selection, false).is_some());
        drop(second);
        assert_eq!(total.0.load(Ordering::Relaxed), 0);
    }
}
