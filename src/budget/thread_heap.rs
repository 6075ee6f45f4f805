//! The allocator's counters of the present thread.

use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};

thread_local! {
    static COUNTERS: Option<(ThreadLocal<u64>, ThreadLocal<u64>)> = allocatedp::read().ok().zip(deallocatedp::read().ok());
}

/// Returns the number of bytes that this thread has allocated, less those that it has freed, including memory that another
/// thread allocated. Only differences between two readings have a meaning. Without counters it is always 0.
pub(super) fn net() -> i64 {
    COUNTERS
        .try_with(|counters| counters.map_or(0, |(all, freed)| all.get().wrapping_sub(freed.get()).cast_signed()))
        .unwrap_or(0)
}
