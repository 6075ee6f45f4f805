//! Settings of memory.

use std::fs;

use clap::Args;

use super::{Bytes, units::MalformedBytes};
use crate::types::MemoryLimits;

/// Limits of memory.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Memory")]
pub(crate) struct Memory {
    /// Maximum memory of the process, at least 128MiB. Requests beyond it wait up to a second and are then rejected with
    /// SERVICE_UNAVAILABLE. Default: 2GiB, or half of the machine's or the container's memory if that is less
    #[arg(long, env = "MEMBERBASE_MAX_MEMORY", value_name = "SIZE", value_parser = process_memory)]
    pub(crate) max_memory: Option<Bytes>,

    /// Maximum memory of a query; a larger one fails with LIMIT_EXCEEDED
    #[arg(long, env = "MEMBERBASE_MAX_QUERY_MEMORY", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(MemoryLimits::default().query))]
    pub(crate) max_query_memory: Bytes,

    /// Maximum memory of a mutation, in addition to 6 bytes for each byte of its body and 256 bytes for each row of a
    /// bulk upsert; a larger one fails with LIMIT_EXCEEDED
    #[arg(long, env = "MEMBERBASE_MAX_MUTATION_MEMORY", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(MemoryLimits::default().mutation))]
    pub(crate) max_mutation_memory: Bytes,
}

impl Memory {
    pub(super) fn limits(&self) -> MemoryLimits {
        MemoryLimits {
            process: self.max_memory.map_or_else(default_memory, |Bytes(bytes)| bytes),
            query: self.max_query_memory.0,
            mutation: self.max_mutation_memory.0,
        }
    }
}

/// The least memory of a process: half of it is for requests.
const MIN_PROCESS_BYTES: usize = 128 << 20;

fn process_memory(text: &str) -> Result<Bytes, String> {
    let size: Bytes = text.parse().map_err(|error: MalformedBytes| error.to_string())?;
    if size.0 < MIN_PROCESS_BYTES { Err("expected at least 128MiB".to_owned()) } else { Ok(size) }
}

fn default_memory() -> usize {
    let most = MemoryLimits::default().process;
    available().map_or(most, |bytes| (bytes / 2).clamp(MIN_PROCESS_BYTES, most))
}

/// Returns the memory of the machine, or the limit of the process's control group if that is less. Reads those that the
/// system has, and ignores the others.
fn available() -> Option<usize> {
    let read = |path: &str| fs::read_to_string(path).ok();
    // <https://docs.kernel.org/admin-guide/cgroup-v2.html>: the limit, or `max`. Within a container the path is that of
    // its own group.
    let second = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    let first = read("/sys/fs/cgroup/memory/memory.limit_in_bytes").and_then(|text| text.trim().parse().ok());
    let machine = read("/proc/meminfo").as_deref().and_then(total);
    [second, first, machine].into_iter().flatten().min()
}

/// Returns the total memory, in bytes, in the text of `/proc/meminfo`.
fn total(text: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_memory_is_read() {
        assert_eq!(total("MemTotal:       24564000 kB\nMemFree:  1 kB\n"), Some(24_564_000 << 10));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn default_is_within_its_bounds() {
        assert!((MIN_PROCESS_BYTES..=2 << 30).contains(&default_memory()));
    }

    #[test]
    fn too_little_memory_is_rejected() {
        assert_eq!(process_memory("128MiB"), Ok(Bytes(128 << 20)));
        assert!(process_memory("127MiB").is_err() && process_memory("much").is_err());
    }
}
