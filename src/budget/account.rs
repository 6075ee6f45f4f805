//! The memory that the requests of the process may use together.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

/// The unit in which memory is drawn.
const GRANULE_BYTES: usize = 64 << 10;

/// Time that a request waits for memory.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Memory above which a request is large. The usual requests take less.
const SMALL_BYTES: usize = 1 << 20;

/// An account of memory. Clones share it.
#[derive(Clone, Debug)]
pub struct Account(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// A permit for each granule.
    granules: Semaphore,
    /// A permit for each granule that large requests may hold, including their first ones: seven eighths. So large requests,
    /// and responses that are not read, leave memory to small ones. The semaphore is fair: small amounts do not overtake
    /// a large one that waits.
    large: Semaphore,
    bytes: usize,
    large_bytes: usize,
}

/// Memory that was drawn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drawn {
    pub(super) bytes: usize,
    /// The part of it that counts as that of a large request.
    pub(super) large: usize,
}

impl Account {
    /// Creates an account of this size, rounded down to whole granules, at least one.
    pub fn new(bytes: usize) -> Self {
        let granules = (bytes / GRANULE_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let large = granules - granules / 8;
        Self(Arc::new(Shared {
            granules: Semaphore::new(granules),
            large: Semaphore::new(large),
            bytes: granules * GRANULE_BYTES,
            large_bytes: large * GRANULE_BYTES,
        }))
    }

    /// Returns the most that one request can draw.
    pub fn max_request_bytes(&self) -> usize {
        self.0.large_bytes.max(SMALL_BYTES.min(self.0.bytes))
    }

    /// Returns the size.
    pub fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// Returns the number of bytes in use.
    pub fn used(&self) -> usize {
        self.0.bytes - self.0.granules.available_permits() * GRANULE_BYTES
    }

    /// Draws at least this number of bytes for a request that has drawn `before`, and returns how many. `None` if they are
    /// not available within a moment.
    pub(super) async fn draw(&self, before: usize, bytes: usize) -> Option<Drawn> {
        if let Some(drawn) = self.try_draw(before, bytes) {
            return Some(drawn);
        }
        let drawn = Drawn::next(before, bytes);
        let acquire = async {
            // In this order: what waits for the large part does not keep the rest from small requests.
            let large = self.0.large.acquire_many(granules(drawn.large)?).await.ok()?;
            let all = self.0.granules.acquire_many(granules(drawn.bytes)?).await.ok()?;
            large.forget();
            all.forget();
            Some(drawn)
        };
        timeout(MAX_WAIT, acquire).await.ok()?
    }

    /// Draws as [`Account::draw`] does, without waiting.
    pub(super) fn try_draw(&self, before: usize, bytes: usize) -> Option<Drawn> {
        let drawn = Drawn::next(before, bytes);
        let large = match granules(drawn.large)? {
            0 => None,
            large => Some(self.0.large.try_acquire_many(large).ok()?),
        };
        self.0.granules.try_acquire_many(granules(drawn.bytes)?).ok()?.forget();
        if let Some(large) = large {
            large.forget();
        }
        Some(drawn)
    }

    /// Draws this number of bytes, at most a quarter of the account, until the result is dropped.
    pub(super) async fn hold(&self, bytes: usize) -> Option<Held> {
        let drawn = self.draw(0, bytes.min(self.0.bytes / 4)).await?;
        Some(Held { account: self.clone(), drawn })
    }

    /// Draws this number of bytes until the result is dropped; `None` if they are not available.
    pub fn try_hold(&self, bytes: usize) -> Option<Held> {
        let drawn = self.try_draw(0, bytes)?;
        Some(Held { account: self.clone(), drawn })
    }

    /// Puts back what was drawn.
    pub(super) fn put_back(&self, drawn: Drawn) {
        self.0.granules.add_permits(drawn.bytes / GRANULE_BYTES);
        self.0.large.add_permits(drawn.large / GRANULE_BYTES);
    }
}

impl Drawn {
    /// Returns what a request draws that needs this number of bytes in addition to those that it has drawn before.
    fn next(before: usize, bytes: usize) -> Self {
        let bytes = round_up(bytes);
        Self { bytes, large: large_part(before.saturating_add(bytes)) - large_part(before) }
    }

    /// Returns what a request keeps that needs this number of bytes only.
    pub(super) fn reduced_to(self, bytes: usize) -> Self {
        let bytes = round_up(bytes).min(self.bytes);
        Self { bytes, large: large_part(bytes).min(self.large) }
    }
}

fn large_part(bytes: usize) -> usize {
    if bytes > SMALL_BYTES { bytes } else { 0 }
}

/// Memory that is drawn until it is dropped.
#[derive(Debug)]
pub struct Held {
    account: Account,
    drawn: Drawn,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.account.put_back(self.drawn);
    }
}

/// Returns the size of whole granules that this number of bytes needs.
fn round_up(bytes: usize) -> usize {
    bytes.div_ceil(GRANULE_BYTES).saturating_mul(GRANULE_BYTES)
}

fn granules(bytes: usize) -> Option<u32> {
    u32::try_from(bytes.div_ceil(GRANULE_BYTES)).ok()
}
