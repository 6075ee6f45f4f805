//! The memory that the requests of the process may use together.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

/// The unit in which memory is drawn.
const GRANULE_BYTES: usize = 64 << 10;

/// Time that a request waits for memory.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// An account of memory. Clones share it.
#[derive(Clone, Debug)]
pub struct Account {
    /// A permit for each granule. The semaphore is fair: small requests do not overtake a large one that waits.
    granules: Arc<Semaphore>,
    bytes: usize,
}

impl Account {
    /// Creates an account of this size, rounded down to whole granules, at least one.
    pub fn new(bytes: usize) -> Self {
        let granules = (bytes / GRANULE_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self { granules: Arc::new(Semaphore::new(granules)), bytes: granules * GRANULE_BYTES }
    }

    /// Returns the size.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of bytes in use.
    pub fn used(&self) -> usize {
        self.bytes - self.granules.available_permits() * GRANULE_BYTES
    }

    /// Draws at least this number of bytes, and returns how many. `None` if they are not available within a moment.
    pub(super) async fn draw(&self, bytes: usize) -> Option<usize> {
        let granules = granules(bytes)?;
        if let Some(drawn) = self.try_draw(bytes) {
            return Some(drawn);
        }
        timeout(MAX_WAIT, self.granules.acquire_many(granules)).await.ok()?.ok()?.forget();
        Some(round_up(bytes))
    }

    /// Draws as [`Account::draw`] does, without waiting.
    pub(super) fn try_draw(&self, bytes: usize) -> Option<usize> {
        self.granules.try_acquire_many(granules(bytes)?).ok()?.forget();
        Some(round_up(bytes))
    }

    /// Draws this number of bytes, at most a quarter of the account, until the result is dropped.
    pub(super) async fn hold(&self, bytes: usize) -> Option<Held> {
        let bytes = self.draw(bytes.min(self.bytes / 4)).await?;
        Some(Held { account: self.clone(), bytes })
    }

    /// Draws this number of bytes until the result is dropped; `None` if they are not available.
    pub fn try_hold(&self, bytes: usize) -> Option<Held> {
        let bytes = self.try_draw(bytes)?;
        Some(Held { account: self.clone(), bytes })
    }

    /// Puts back what was drawn.
    pub(super) fn put_back(&self, bytes: usize) {
        self.granules.add_permits(bytes / GRANULE_BYTES);
    }
}

/// Memory that is drawn until it is dropped.
#[derive(Debug)]
pub struct Held {
    account: Account,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.account.put_back(self.bytes);
    }
}

/// Returns the size of whole granules that this number of bytes needs.
pub(super) fn round_up(bytes: usize) -> usize {
    bytes.div_ceil(GRANULE_BYTES).saturating_mul(GRANULE_BYTES)
}

fn granules(bytes: usize) -> Option<u32> {
    u32::try_from(bytes.div_ceil(GRANULE_BYTES)).ok()
}
