//! Processor time and memory of processes, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// The unit of times in `/proc` (USER_HZ): hundredths of a second on every architecture that Linux runs servers on.
const TICK: Duration = Duration::from_millis(10);

/// Returns the parent of a process, and the processor time of the process and of the children that it has waited for.
fn stat(pid: &str) -> Option<(u32, Duration)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
    let used = ticks(11)? + ticks(12)? + ticks(13)? + ticks(14)?;
    Some((fields.get(1)?.parse().ok()?, TICK * used))
}

/// Returns the processor time of a process.
pub fn cpu(pid: u32) -> Result<Duration> {
    stat(&pid.to_string()).map(|(_, used)| used).with_context(|| format!("no process {pid}"))
}

/// Returns the processor time of a process and of its children, including those that have ended.
pub fn cpu_of_family(pid: u32) -> Result<Duration> {
    let mut used = cpu(pid)?;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some((parent, time)) = name.to_str().and_then(stat)
            && parent == pid
        {
            used += time;
        }
    }
    Ok(used)
}

/// Returns a line of `/proc/PID/status` that counts memory, in bytes: `VmRSS`, `VmHWM`.
pub fn memory(pid: u32, line: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib: u64 = found.context("no such line")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Resets the peak memory of a process.
pub fn reset_peak(pid: u32) -> Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("resetting the peak of memory")
}
