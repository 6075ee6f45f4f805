//! Records what servers on one file write while clients call them: a first start, a stop, another start, a kill during
//! calls, and a start after that.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use memberbase::db::Settings;
use tokio::{task::JoinSet, time::sleep};

use super::{
    calls::Call,
    client::{Step, Worker},
    contents::{Contents, LARGE},
    trace::{Action, CALLS, Event, MAX_BYTES, Parser},
};
use crate::support::{Client, Process, Random, Server, Site};

pub const FILE: &str = "members.db";
pub const LOG: &str = "members.db-wal";

/// The size from which a server truncates its log.
const MAX_LOG_BYTES: u64 = 64 << 20;

/// Members that exceed it together.
const LARGE_MEMBERS: usize = 4_600;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Recorded and replayed within seconds.
    Short,
    Whole,
}

pub struct Recording {
    pub events: Vec<Event>,
    /// The calls of each client.
    pub clients: Vec<Vec<Step>>,
    /// The secret of the first token.
    pub secret: String,
    /// The tick at which the first server began to print it.
    pub first_token: usize,
    /// The ends of the servers: the ticks, and the folders with the files that they left.
    pub ends: Vec<(usize, PathBuf)>,
}

impl Recording {
    /// Records servers in this folder. A whole recording ends with a log that is so large that the server truncates it.
    pub async fn make(root: &Path, clients: usize, size: Size, random: &mut Random) -> Self {
        let mut servers = Servers::new(root);
        let mut workers: Vec<_> = (0..clients).map(|client| Worker::new(client, random.below(usize::MAX))).collect();
        for is_killed in [false, true, false] {
            let mut server = servers.start().await;
            workers = work(workers, &mut server, size.calls(), is_killed).await;
            if !is_killed {
                server.stop().await;
            }
            servers.read(server).await;
            if is_killed {
                let found = read(&servers.ends.last().unwrap().1, root).await;
                workers.iter_mut().for_each(|worker| worker.settle(&found, servers.parser.now()));
            }
        }
        if size == Size::Whole {
            let mut server = servers.start().await;
            outgrow_log(&mut workers[0], &server.api, &servers.folder.join(LOG)).await;
            server.stop().await;
            servers.read(server).await;
        }
        let Servers { parser, secret, ends, .. } = servers;
        let events = parser.events();
        let acknowledged = |event: &Event| match event.action {
            Action::Acknowledge(trace) => Some((trace, event.begin)),
            _ => None,
        };
        let acknowledged: HashMap<_, _> = events.iter().filter_map(acknowledged).collect();
        let clients = workers.into_iter().map(|worker| worker.steps(&acknowledged)).collect();
        Self { events, clients, secret, first_token: acknowledged[&0], ends }
    }

    /// Returns the acknowledged calls that stored something, as their ticks in order.
    pub fn stored_calls(&self) -> Vec<usize> {
        let steps = self.clients.iter().flatten().filter(|step| step.call.stores());
        let mut ticks: Vec<_> = steps.filter_map(|step| step.acknowledged).chain([self.first_token]).collect();
        ticks.sort_unstable();
        ticks
    }
}

impl Size {
    fn calls(self) -> usize {
        if self == Self::Whole { 40 } else { 10 }
    }
}

/// Servers that run one after the other on the same file, under strace.
struct Servers {
    site: Site,
    root: PathBuf,
    /// The folder of the database.
    folder: PathBuf,
    parser: Parser,
    secret: String,
    ends: Vec<(usize, PathBuf)>,
}

struct RunningServer {
    process: Process,
    api: Client,
}

impl Servers {
    fn new(root: &Path) -> Self {
        expect_strace();
        let folder = root.join("database");
        std::fs::create_dir(&folder).unwrap();
        // With -D the server is the child of this process, and strace its grandchild.
        let wrapper = ["strace", "-D", "-f", "-y", "--seccomp-bpf", "-s", MAX_BYTES, "-e", CALLS, "-o"];
        let report = root.join("trace");
        let site = Site::with_new_file(&folder.join(FILE));
        let site = site.with_wrapper(&[&wrapper[..], &[report.to_str().unwrap()]].concat());
        let parser = Parser::new(&folder);
        Self { site, root: root.to_owned(), folder, parser, secret: String::new(), ends: Vec::new() }
    }

    async fn start(&mut self) -> RunningServer {
        let process = self.site.start().await;
        if self.secret.is_empty() {
            let log = process.log();
            self.secret = log.lines().find(|line| line.trim().starts_with("mbs_")).unwrap().trim().to_owned();
        }
        RunningServer { api: process.admin.with_secret(&self.secret), process }
    }

    /// Reads the report of a server that has ended, and keeps the files that it left.
    async fn read(&mut self, server: RunningServer) {
        let (report, number) = (self.root.join("trace"), self.ends.len());
        wait_for_tracer(&server.process, &report).await;
        self.parser.read(&report);
        std::fs::rename(&report, self.root.join(format!("trace-{number}"))).unwrap();
        let left = self.root.join(format!("left-{number}"));
        copy(&self.folder, &left);
        self.ends.push((self.parser.now(), left));
    }
}

impl RunningServer {
    async fn stop(&mut self) {
        self.process.terminate();
        let status = self.process.ended(Duration::from_secs(20)).await;
        assert!(status.is_some_and(|status| status.success()), "{}", self.process.log());
    }
}

/// Runs the clients. If `is_killed`, kills the server when it has responded to half of the calls.
async fn work(workers: Vec<Worker>, server: &mut RunningServer, calls: usize, is_killed: bool) -> Vec<Worker> {
    let (responses, half) = (Arc::new(AtomicUsize::new(0)), calls * workers.len() / 2);
    let mut running = JoinSet::new();
    for worker in workers {
        let (api, responses) = (server.api.clone(), Arc::clone(&responses));
        running.spawn(async move { worker.work(api, calls, &responses).await });
    }
    let started = Instant::now();
    while is_killed && responses.load(Ordering::Relaxed) < half {
        assert!(started.elapsed() < Duration::from_secs(120), "the calls take too long");
        sleep(Duration::from_millis(1)).await;
    }
    if is_killed {
        server.process.kill();
    }
    let mut workers = running.join_all().await;
    workers.sort_by_key(|worker| worker.client);
    workers
}

/// Writes enough that the server truncates the log afterwards, and deletes what was written.
async fn outgrow_log(worker: &mut Worker, api: &Client, log: &Path) {
    let refs: Vec<_> = (0..LARGE_MEMBERS).map(|n| format!("{LARGE}{n}")).collect();
    let log_bytes = || std::fs::metadata(log).unwrap().len();
    assert!(worker.send(api, Call::Upsert(refs.clone())).await);
    assert!(log_bytes() > MAX_LOG_BYTES, "{} bytes", log_bytes());
    let started = Instant::now();
    while log_bytes() > MAX_LOG_BYTES {
        assert!(started.elapsed() < Duration::from_secs(60), "the log is not truncated");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(worker.send(api, Call::Delete(refs)).await);
}

/// Fails with the reason if strace can't be used.
fn expect_strace() {
    let output = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let output = output.unwrap_or_else(|error| panic!("strace can't be run ({error}): run scripts/strace.sh"));
    let reason = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "strace can't trace a process; is ptrace permitted here? {reason}");
}

/// Waits until strace has reported the end of the process, which is the last line.
async fn wait_for_tracer(server: &Process, trace: &Path) {
    let (id, started) = (server.id().to_string(), Instant::now());
    while !last_lines(trace).lines().any(|line| line.split_whitespace().take(2).eq([id.as_str(), "+++"])) {
        assert!(started.elapsed() < Duration::from_secs(30), "strace does not end");
        sleep(Duration::from_millis(20)).await;
    }
}

fn last_lines(path: &Path) -> String {
    let (mut file, mut bytes) = (File::open(path).unwrap(), Vec::new());
    let start = file.metadata().unwrap().len().saturating_sub(500);
    file.seek(SeekFrom::Start(start)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Copies the files that a server left, without SQLite's index of the log.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        if !name.to_str().unwrap().ends_with("-shm") {
            std::fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

/// Reads the contents of a copy of these files.
async fn read(folder: &Path, root: &Path) -> BTreeMap<String, Contents> {
    let opened = root.join("opened");
    copy(folder, &opened);
    let server = Server::reopen(Settings::small(format!("sqlite://{}", opened.join(FILE).display()))).await;
    let contents = Contents::read(&server).await;
    server.app.db.close().await;
    std::fs::remove_dir_all(opened).unwrap();
    contents
}
