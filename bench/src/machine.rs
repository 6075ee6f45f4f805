//! The machine on which the bench runs.

use std::fs;

/// Returns processor, memory, system and the load before the run as `(what, value)`.
pub fn describe() -> Vec<(&'static str, String)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or_else(|_| String::new(), |cores| cores.to_string());
    let kib: u64 = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
    vec![
        ("processor", field(&read("/proc/cpuinfo"), "model name")),
        ("cores", cores),
        ("memory", format!("{} GiB", kib.div_ceil(1 << 20))),
        ("system", format!("Linux {}", read("/proc/sys/kernel/osrelease").trim())),
        ("load before", read("/proc/loadavg").split(' ').take(2).collect::<Vec<_>>().join(" ")),
    ]
}
