//! The size of the regexes in the filters of one request.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Sums up the sizes of a request's regexes. `default()` has no limit, for work that no request asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegexBudget(Option<Arc<AtomicU64>>);

impl RegexBudget {
    /// Maximum sum of a request.
    pub(crate) const MAX: u64 = 10_000;

    /// Returns the budget of one request.
    pub(crate) fn per_request() -> Self {
        Self(Some(Arc::new(AtomicU64::new(Self::MAX))))
    }

    /// Returns false if the sum exceeds [`RegexBudget::MAX`].
    pub(crate) fn charge(&self, size: u64) -> bool {
        let Some(left) = &self.0 else { return true };
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size)).is_ok()
    }
}
