//! Measures what one request takes from a server: memory and CPU time by `/proc`, and time until the response is read.

use std::{
    fmt, fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::Process;

/// Growth at which the server is killed, so that a failing test does not take the memory of the machine.
const KILLED_ABOVE_MIB: u64 = 1_024;

/// Time limit for a complete response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The part of a response that is kept at its start and at its end.
const KEPT_BYTES: usize = 64 << 10;

/// Clock ticks per second of `/proc/PID/stat`, which are the same on every architecture of Linux.
const TICKS_PER_SECOND: u32 = 100;

/// A response in short.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub has_retry_after: bool,
    /// The code of the first error; empty if there is none.
    pub code: String,
    pub body_bytes: usize,
}

/// The memory and the time that one request took.
#[derive(Debug)]
pub struct Usage {
    pub response: Response,
    /// Peak of the resident memory above the idle memory.
    pub growth_mib: u64,
    /// CPU time of the process.
    pub cpu: Duration,
    pub wall: Duration,
}

impl fmt::Display for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = if self.code.is_empty() { "data" } else { &self.code };
        write!(formatter, "{} {code}, {} bytes", self.status, self.body_bytes)
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { response, growth_mib, cpu, wall } = self;
        write!(formatter, "{growth_mib} MiB, CPU {cpu:.2?}, {wall:.2?}: {response}")
    }
}

/// Sends a request over a new connection and measures the server until the response is complete.
pub async fn measure(process: &mut Process, idle_mib: u64, request: &[u8]) -> Result<Usage, String> {
    reset_peak(process);
    let (cpu, start) = (cpu_time(process), Instant::now());
    let response = within_memory(process, idle_mib, send(&process.address, request)).await;
    let wall = start.elapsed();
    let response = response.inspect_err(|_| process.kill())?;
    if !process.is_running() {
        return Err(format!("the server ended after {wall:.2?}"));
    }
    let growth_mib = process.memory("VmHWM").saturating_sub(idle_mib);
    let cpu = cpu_time(process) - cpu;
    let response = response.map_err(|error| format!("{growth_mib} MiB, {wall:.2?}: {error}"))?;
    Ok(Usage { response, growth_mib, cpu, wall })
}

/// Waits for `work` while the server's memory stays below [`KILLED_ABOVE_MIB`], for the time limit of a response.
pub async fn within_memory<T>(process: &Process, idle_mib: u64, work: impl Future<Output = T>) -> Result<T, String> {
    let excess = async {
        loop {
            sleep(Duration::from_millis(25)).await;
            let growth = process.memory("VmRSS").saturating_sub(idle_mib);
            if growth > KILLED_ABOVE_MIB {
                return growth;
            }
        }
    };
    tokio::select! {
        done = timeout(RESPONSE_TIMEOUT, work) => done.map_err(|_| format!("no response within {RESPONSE_TIMEOUT:?}")),
        growth = excess => Err(format!("killed at {growth} MiB")),
    }
}

fn file(process: &Process, name: &str) -> PathBuf {
    ["/proc", &process.id().to_string(), name].iter().collect()
}

/// Makes `VmHWM` count from the present memory (<https://www.kernel.org/doc/html/latest/filesystems/proc.html>).
pub fn reset_peak(process: &Process) {
    fs::write(file(process, "clear_refs"), "5").unwrap();
}

/// Returns the CPU time of a server, of user and system.
pub fn cpu_time(process: &Process) -> Duration {
    let stat = fs::read_to_string(file(process, "stat")).unwrap();
    // The second field is the name of the program, in parentheses.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u32 = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    Duration::from_secs(1) * ticks / TICKS_PER_SECOND
}

/// Sends a request and reads the whole response, of which only the ends are kept.
pub async fn send(address: &str, request: &[u8]) -> Result<Response, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
    send_over(stream, request).await
}

/// Sends a request over this connection and reads the whole response, as [`send`] does.
pub async fn send_over(mut stream: TcpStream, request: &[u8]) -> Result<Response, String> {
    let (mut reader, mut writer) = stream.split();
    let read = async {
        let (mut start, mut end, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut buffer = vec![0; KEPT_BYTES];
        loop {
            let count = reader.read(&mut buffer).await.map_err(|error| format!("the connection broke: {error}"))?;
            if count == 0 {
                return summarize(&start, &end, bytes);
            }
            bytes += count;
            if start.len() < KEPT_BYTES {
                start.extend_from_slice(&buffer[..count]);
            } else {
                end.extend_from_slice(&buffer[..count]);
                end.drain(..end.len().saturating_sub(KEPT_BYTES));
            }
        }
    };
    // The server may respond before it has read everything; the response counts.
    let (_, response) = tokio::join!(writer.write_all(request), read);
    response
}

/// Summarizes a response of this length from its ends.
fn summarize(start: &[u8], end: &[u8], bytes: usize) -> Result<Response, String> {
    let incomplete = || format!("incomplete response: {}", String::from_utf8_lossy(&start[..start.len().min(300)]));
    let head_bytes = start.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(incomplete)? + 4;
    let head = String::from_utf8_lossy(&start[..head_bytes]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(incomplete)?;
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let body_bytes = bytes - head_bytes;
    if header("content-length").is_some_and(|length| length.parse() != Ok(body_bytes)) {
        return Err(incomplete());
    }
    let body = [&start[head_bytes..], end].concat();
    let code = code_of(&body).unwrap_or_default();
    Ok(Response { status, has_retry_after: header("retry-after").is_some(), code, body_bytes })
}

/// Returns the code of the first error of either API, also if the body is cut in the middle.
fn code_of(body: &[u8]) -> Option<String> {
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        let code = json["errors"][0]["extensions"]["code"].as_str().or_else(|| json["error"]["code"].as_str());
        return code.map(str::to_uppercase);
    }
    let text = String::from_utf8_lossy(body);
    let (_, code) = text.split_once("\"extensions\":{\"code\":\"")?;
    code.split('"').next().map(str::to_owned)
}
