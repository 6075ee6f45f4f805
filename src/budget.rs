//! Budgets: the memory that a request may use, and the time at which its work has to stop.
//!
//! The budget of a request is current on a thread while that thread works for the request: inside [`Budget::meter`] for
//! futures and [`Budget::measure`] for functions. The allocator's counters of the thread then show what the work
//! has allocated and not freed. No list of costs has to be kept in step with the code: whatever is allocated, counts.
//!
//! - Loops over input, rows, values and errors call [`check`], [`tick`] if their steps are short, or [`pace`] if they can
//!   wait. These compare the counters with the limits, so that a loop exceeds its limit by at most a few steps.
//! - Before a single allocation that can be large, [`expect`] makes the same comparison with its size added.
//! - Each poll of a metered future ends with a comparison, for whatever no loop has checked.
//!
//! The memory of all requests together is drawn from the [`Account`] of the process.

mod account;
mod metered;
mod thread_heap;

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc, LazyLock, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use account::Drawn;
pub use account::{Account, Held};
pub use metered::Metered;

/// Number of short steps between two comparisons.
const TICKS_PER_CHECK: u32 = 64;

/// Work of this duration lets other tasks of its thread run.
const YIELD_INTERVAL: Duration = Duration::from_millis(5);

/// The reason why a request has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// The request needs more memory than one request may use. It would fail again.
    #[error("the request needs more than {limit} bytes of memory ({setting})")]
    Memory { limit: usize, setting: &'static str },
    /// The requests of the process together need more memory than the process may use.
    #[error("the server's memory is in use by other requests (MEMBERBASE_MAX_MEMORY), try again later")]
    ProcessMemory,
    /// The deadline has passed.
    #[error("the request exceeded its time limit")]
    Time,
}

/// A maximum number of bytes, with the setting that the error names.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimit {
    pub bytes: usize,
    pub setting: &'static str,
}

/// The budget of one request. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    account: Account,
    limit: AtomicUsize,
    /// The setting of `limit`.
    setting: Mutex<&'static str>,
    /// Nanoseconds since [`EPOCH`].
    deadline: AtomicU64,
    /// Bytes that the request's work has allocated and not freed, without the section that runs now.
    allocated: AtomicI64,
    /// Bytes drawn from the account.
    drawn: AtomicUsize,
    /// The part of them that counts as that of a large request.
    drawn_large: AtomicUsize,
    exceeded: OnceLock<Exceeded>,
}

/// The origin of deadlines.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    static CURRENT: RefCell<Option<Section>> = const { RefCell::new(None) };
    static TICKS: Cell<u32> = const { Cell::new(0) };
}

/// The work of one thread for a request, between two points at which other work of the thread can run.
#[derive(Debug)]
struct Section {
    budget: Budget,
    /// Reading of the thread's counters at the start.
    start: i64,
    /// The time of the first [`pace`].
    paced: Option<Instant>,
}

impl Budget {
    /// Opens the budget of a request, as soon as the process has memory for it.
    pub async fn open(account: &Account, limit: MemoryLimit, deadline: Instant) -> Result<Self, Exceeded> {
        let drawn = account.draw(0, 1).await.ok_or(Exceeded::ProcessMemory)?;
        let budget = Self::new(account, limit, deadline);
        budget.add(drawn);
        Ok(budget)
    }

    /// Creates a budget that draws memory when it is first compared.
    pub fn new(account: &Account, limit: MemoryLimit, deadline: Instant) -> Self {
        let budget = Self(Arc::new(Inner {
            account: account.clone(),
            limit: AtomicUsize::new(0),
            setting: Mutex::default(),
            deadline: AtomicU64::new(0),
            allocated: AtomicI64::new(0),
            drawn: AtomicUsize::new(0),
            drawn_large: AtomicUsize::new(0),
            exceeded: OnceLock::new(),
        }));
        budget.set_limit(limit);
        budget.set_deadline(deadline);
        budget
    }

    /// Sets the limit of the memory, once more is known about the request.
    pub fn set_limit(&self, limit: MemoryLimit) {
        let max = self.0.account.max_request_bytes();
        let setting = if limit.bytes > max { "MEMBERBASE_MAX_MEMORY" } else { limit.setting };
        self.0.limit.store(limit.bytes.min(max), Ordering::Relaxed);
        *self.0.setting.lock().unwrap_or_else(PoisonError::into_inner) = setting;
    }

    /// Raises the limit.
    pub fn allow(&self, more: usize) {
        let limit = self.0.limit.load(Ordering::Relaxed).saturating_add(more);
        self.0.limit.store(limit.min(self.0.account.max_request_bytes()), Ordering::Relaxed);
    }

    pub fn set_deadline(&self, deadline: Instant) {
        self.0.deadline.store(nanoseconds(deadline), Ordering::Relaxed);
    }

    /// Runs a function as work of this request.
    pub fn measure<T>(&self, work: impl FnOnce() -> T) -> T {
        let _section = self.enter();
        work()
    }

    /// Makes each poll of a future work of this request. With `stops`, the future is dropped when the budget is exceeded.
    pub fn meter<F: Future + Unpin>(&self, future: F, stops: bool) -> Metered<F> {
        Metered::new(self.clone(), future, stops)
    }

    /// Counts bytes as allocated that are held outside of the work of the request, or were allocated for it by another
    /// thread; a negative number if another thread frees what the work has allocated.
    pub fn adjust(&self, bytes: i64) {
        self.0.allocated.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Ends the request's work, of which this many bytes remain until the last clone is dropped.
    pub fn settle(&self, bytes: usize) {
        self.0.allocated.store(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
        let drawn = self.0.drawn();
        let kept = drawn.reduced_to(bytes);
        self.0.drawn.store(kept.bytes, Ordering::Relaxed);
        self.0.drawn_large.store(kept.large, Ordering::Relaxed);
        self.0.account.put_back(Drawn { bytes: drawn.bytes - kept.bytes, large: drawn.large - kept.large });
    }

    /// Returns the reason why the request has to stop, if it has exceeded its budget.
    pub fn exceeded(&self) -> Option<Exceeded> {
        self.0.exceeded.get().copied()
    }

    fn enter(&self) -> Entered {
        let section = Section { budget: self.clone(), start: thread_heap::net(), paced: None };
        Entered { outer: CURRENT.replace(Some(section)) }
    }

    /// Compares the memory in use, with `more` bytes, and the time with their limits.
    fn compare(&self, unsettled: i64, more: usize) -> Result<(), Exceeded> {
        if let Some(exceeded) = self.exceeded() {
            return Err(exceeded);
        }
        let inner = &*self.0;
        let bytes = self.bytes(unsettled).saturating_add(more);
        let limit = inner.limit.load(Ordering::Relaxed);
        let outcome = if bytes > limit {
            let setting = *inner.setting.lock().unwrap_or_else(PoisonError::into_inner);
            Err(Exceeded::Memory { limit, setting })
        } else if nanoseconds(Instant::now()) >= inner.deadline.load(Ordering::Relaxed) {
            Err(Exceeded::Time)
        } else {
            self.draw(bytes)
        };
        outcome.map_err(|exceeded| *inner.exceeded.get_or_init(|| exceeded))
    }

    /// Returns the memory in use, with what the present section has allocated.
    fn bytes(&self, unsettled: i64) -> usize {
        usize::try_from(self.0.allocated.load(Ordering::Relaxed).saturating_add(unsettled)).unwrap_or(0)
    }

    /// Draws from the account what is missing to this number of bytes.
    fn draw(&self, bytes: usize) -> Result<(), Exceeded> {
        let before = self.0.drawn.load(Ordering::Relaxed);
        let missing = bytes.saturating_sub(before);
        if missing > 0 {
            self.add(self.0.account.try_draw(before, missing).ok_or(Exceeded::ProcessMemory)?);
        }
        Ok(())
    }

    fn add(&self, drawn: Drawn) {
        self.0.drawn.fetch_add(drawn.bytes, Ordering::Relaxed);
        self.0.drawn_large.fetch_add(drawn.large, Ordering::Relaxed);
    }

    /// Waits a moment for memory of the process, before more bytes are allocated.
    pub async fn reserve(&self, more: usize) -> Result<(), Exceeded> {
        let used = usize::try_from(self.0.allocated.load(Ordering::Relaxed)).unwrap_or(0);
        let before = self.0.drawn.load(Ordering::Relaxed);
        let missing = used.saturating_add(more).saturating_sub(before);
        if missing > 0 && used.saturating_add(more) <= self.0.limit.load(Ordering::Relaxed) {
            self.add(self.0.account.draw(before, missing).await.ok_or(Exceeded::ProcessMemory)?);
        }
        self.compare(0, more)
    }
}

impl Inner {
    fn drawn(&self) -> Drawn {
        Drawn { bytes: self.drawn.load(Ordering::Relaxed), large: self.drawn_large.load(Ordering::Relaxed) }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.account.put_back(self.drawn());
    }
}

/// Ends a section when it is dropped.
struct Entered {
    outer: Option<Section>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(section) = CURRENT.replace(self.outer.take()) {
            section.budget.adjust(thread_heap::net() - section.start);
        }
    }
}

/// Compares the memory and the time that the current request has used with its limits. Without a request it succeeds.
pub fn check() -> Result<(), Exceeded> {
    expect(0)
}

/// Returns whether this number of bytes could be allocated next.
pub fn fits(bytes: usize) -> bool {
    CURRENT.with_borrow(|current| match current {
        Some(section) => {
            let limit = section.budget.0.limit.load(Ordering::Relaxed);
            section.budget.bytes(thread_heap::net() - section.start).saturating_add(bytes) <= limit
        }
        None => true,
    })
}

/// Counts a step of a loop whose steps are short, and calls [`check`] once in a while.
pub fn tick() -> Result<(), Exceeded> {
    let ticks = TICKS.get().wrapping_add(1);
    TICKS.set(ticks);
    if ticks.is_multiple_of(TICKS_PER_CHECK) { check() } else { Ok(()) }
}

/// Raises the memory limit of the current request.
pub fn allow(bytes: usize) {
    CURRENT.with_borrow(|current| {
        if let Some(section) = current {
            section.budget.allow(bytes);
        }
    });
}

/// Compares as [`check`] does, with this number of bytes added, which the caller allocates next.
pub fn expect(bytes: usize) -> Result<(), Exceeded> {
    CURRENT.with_borrow(|current| match current {
        Some(section) => section.budget.compare(thread_heap::net() - section.start, bytes),
        None => Ok(()),
    })
}

/// Compares as [`check`] does. If the thread has worked for the request for a while, other tasks run first.
pub async fn pace() -> Result<(), Exceeded> {
    check()?;
    let is_long = CURRENT.with_borrow_mut(|current| {
        let paced = current.as_mut().map(|section| *section.paced.get_or_insert_with(Instant::now));
        paced.is_some_and(|first| first.elapsed() > YIELD_INTERVAL)
    });
    if is_long {
        tokio::task::yield_now().await;
        // Other parts of the request have run in between.
        check()?;
    }
    Ok(())
}

/// Runs a function whose allocations do not count: it frees what another thread has allocated, or the reverse.
pub fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    let before = thread_heap::net();
    let output = work();
    CURRENT.with_borrow_mut(|current| {
        if let Some(section) = current {
            section.start += thread_heap::net() - before;
        }
    });
    output
}

/// Holds memory of the process for something of unknown size that is allocated before the counters show it, until the
/// result is dropped. Waits a moment for it. Without a request it holds nothing.
pub async fn hold(bytes: usize) -> Result<Option<Held>, Exceeded> {
    let Some(budget) = current() else { return Ok(None) };
    budget.0.account.hold(bytes).await.ok_or(Exceeded::ProcessMemory).map(Some)
}

/// Returns the budget of the request for which this thread works.
pub fn current() -> Option<Budget> {
    CURRENT.with_borrow(|current| current.as_ref().map(|section| section.budget.clone()))
}

/// Runs a function, and returns the number of bytes that it has allocated and not freed, for [`adjust`].
pub fn allocated_by<T>(work: impl FnOnce() -> T) -> (T, i64) {
    let before = thread_heap::net();
    let value = work();
    (value, thread_heap::net() - before)
}

/// See [`Budget::adjust`].
pub fn adjust(bytes: i64) {
    CURRENT.with_borrow(|current| {
        if let Some(section) = current {
            section.budget.adjust(bytes);
        }
    });
}

fn nanoseconds(instant: Instant) -> u64 {
    u64::try_from(instant.saturating_duration_since(*EPOCH).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
