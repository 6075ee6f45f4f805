//! All hostile clients. Each repeats one kind of misbehaviour, and its outcomes are counted.

use std::{
    collections::BTreeMap,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpSocket, TcpStream},
    runtime::{self, Runtime},
    task::JoinSet,
    time::sleep,
};

use super::{connections, requests, slow_clients, tenants::Tenants};
use crate::support::Process;

/// Pause of a client after a round: one that is rejected at once must not take all CPU time of the test.
const PAUSE: Duration = Duration::from_millis(10);

/// Requests in the list of the slowest ones.
const SLOWEST: usize = 6;

/// Returns true unless `MEMBERBASE_TEST_HOSTILE_KINDS` is set and does not list this kind: to find out which kinds cause a
/// failure.
fn is_selected(kind: &str) -> bool {
    std::env::var("MEMBERBASE_TEST_HOSTILE_KINDS").map_or(true, |list| list.split(',').any(|one| one.trim() == kind))
}

/// Returns a number of clients for `make test`, or one for `make soak`.
pub fn count((short, soak): (usize, usize)) -> usize {
    if super::is_soak() { soak } else { short }
}

/// Clients that share a source address: all of one kind.
#[derive(Clone)]
pub struct Source {
    server: SocketAddr,
    /// All of 127.0.0.0/8 are addresses of this machine.
    address: Ipv4Addr,
}

/// The number of rounds by kind and outcome, and the longest duration of each named request.
#[derive(Default)]
pub struct Outcomes {
    counts: Mutex<BTreeMap<&'static str, BTreeMap<String, usize>>>,
    durations: Mutex<BTreeMap<String, Duration>>,
}

/// The running clients, which are aborted on drop. They have threads of the lowest priority, so that they take the place of
/// clients on other machines: the server and the ordinary client do not share their cores.
pub struct Swarm {
    clients: JoinSet<()>,
    runtime: Option<Runtime>,
    outcomes: Arc<Outcomes>,
    server: SocketAddr,
    kinds: AtomicU32,
}

impl Swarm {
    /// Starts all clients.
    pub fn start(process: &Process, tenants: Tenants) -> Self {
        let server = process.address.parse().unwrap();
        let mut swarm = Self {
            clients: JoinSet::new(),
            runtime: Some(low_priority_runtime()),
            outcomes: Arc::default(),
            server,
            kinds: AtomicU32::new(2),
        };
        let (clients, busy) = (tenants.clients(process), tenants.busy(process));
        connections::add(&mut swarm);
        slow_clients::add(&mut swarm, &clients, &busy);
        requests::add(&mut swarm, tenants.world, &clients, &busy);
        swarm
    }

    /// Adds clients of a kind: each repeats `round`, which gets the number of the client and returns an outcome.
    pub fn add<F, R>(&mut self, kind: &'static str, count: usize, round: F)
    where
        F: Fn(Source, usize) -> R + Clone + Send + 'static,
        R: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.add_with_pause(PAUSE, kind, count, round);
    }

    /// Adds clients of a kind, which pause for this time after each round.
    pub fn add_with_pause<F, R>(&mut self, pause: Duration, kind: &'static str, count: usize, round: F)
    where
        F: Fn(Source, usize) -> R + Clone + Send + 'static,
        R: Future<Output = Result<String, String>> + Send + 'static,
    {
        if !is_selected(kind) {
            return;
        }
        let number = self.kinds.fetch_add(1, Ordering::Relaxed);
        let source = Source { server: self.server, address: Ipv4Addr::from_bits((127 << 24) + number) };
        for client in 0..count {
            let (outcomes, source, round) = (Arc::clone(&self.outcomes), source.clone(), round.clone());
            let work = async move {
                loop {
                    let outcome = round(source.clone(), client).await.unwrap_or_else(|error| error);
                    outcomes.count(kind, outcome);
                    sleep(pause).await;
                }
            };
            self.clients.spawn_on(work, self.runtime.as_ref().expect("the swarm runs").handle());
        }
    }

    pub fn outcomes(&self) -> Arc<Outcomes> {
        Arc::clone(&self.outcomes)
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn low_priority_runtime() -> Runtime {
    let lower = || {
        // Other systems than Linux can do that for the whole process only.
        #[cfg(target_os = "linux")]
        rustix::process::setpriority_process(None, 19).unwrap();
    };
    runtime::Builder::new_multi_thread().worker_threads(2).on_thread_start(lower).enable_all().build().unwrap()
}

impl Outcomes {
    fn count(&self, kind: &'static str, outcome: String) {
        *self.counts.lock().unwrap().entry(kind).or_default().entry(outcome).or_default() += 1;
    }

    /// Notes the duration of a request, including its waits for other requests.
    pub fn took(&self, name: &str, duration: Duration) {
        let mut durations = self.durations.lock().unwrap();
        let longest = durations.entry(name.to_owned()).or_default();
        *longest = duration.max(*longest);
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, outcomes) in self.counts.lock().unwrap().iter() {
            let outcomes: Vec<_> = outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
            writeln!(formatter, "  {kind}: {}", outcomes.join(", "))?;
        }
        let mut slowest: Vec<_> = self.durations.lock().unwrap().clone().into_iter().collect();
        slowest.sort_unstable_by_key(|(_, duration)| std::cmp::Reverse(*duration));
        let slowest = slowest.into_iter().take(SLOWEST).map(|(name, duration)| format!("{duration:.1?} {name}"));
        writeln!(formatter, "  slowest requests: {}", slowest.collect::<Vec<_>>().join("; "))
    }
}

impl Source {
    /// Connects from the address of these clients.
    pub async fn connect(&self) -> Result<TcpStream, String> {
        self.connect_with_buffer(None).await
    }

    /// Connects with a receive buffer of this size.
    pub async fn connect_with_buffer(&self, bytes: Option<u32>) -> Result<TcpStream, String> {
        let connect = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((self.address, 0).into())?;
            if let Some(bytes) = bytes {
                socket.set_recv_buffer_size(bytes)?;
            }
            socket.connect(self.server).await
        };
        connect.await.map_err(|error: std::io::Error| format!("no connection: {}", error.kind()))
    }
}
