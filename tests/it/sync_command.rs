//! The commands `sync`, `export` and `attributes`, run as processes.

mod attributes;
mod bad_rows;
mod exports;
mod files;
mod forms;
mod interruptions;
mod remote;
mod rules;
mod transport;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Database, Server};

/// A memberbase in a database of its own, and the binary. Tests that wait for a process need a multi-threaded runtime,
/// so that the server in the test process can complete its writes, such as the last use of a token.
struct Bench {
    server: Server,
    base: String,
    folder: TempDir,
}

/// The result of a command.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The attribute schema of [`Bench::new`]'s memberbase.
const ATTRIBUTES: [(&str, &str); 5] =
    [("plan", "STRING"), ("age", "NUMBER"), ("active", "BOOLEAN"), ("joined", "DATE"), ("tags", "STRING_LIST")];

/// The number of rows of [`Bench::feed_members`], more than wait for a batch to be full.
const FED_ROWS: i64 = 30_000;

impl Bench {
    async fn new(database: Database) -> Self {
        let server = Server::start(database).await;
        let base = server.memberbase("Readers").await;
        let bench = Self { server, base, folder: tempfile::tempdir().unwrap() };
        bench.declare(&bench.base, &ATTRIBUTES).await;
        bench
    }

    /// Creates a memberbase with these members.
    async fn with(database: Database, refs: &[&str]) -> Self {
        let bench = Self::new(database).await;
        bench.server.writer().await.upsert(&bench.base, refs).await.data();
        bench
    }

    /// Creates a memberbase with `count` members, `member-0000` and so on.
    async fn of(database: Database, count: usize) -> Self {
        let refs: Vec<_> = (0..count).map(|number| format!("member-{number:04}")).collect();
        Self::with(database, &refs.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    async fn declare(&self, base: &str, attributes: &[(&str, &str)]) {
        let attributes: Vec<_> = attributes.iter().map(|(key, kind)| json!({"key": key, "type": kind})).collect();
        let query =
            "mutation($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }";
        let input = json!({"memberbaseId": base, "attributes": attributes});
        self.server.admin().await.graphql(query, json!({"input": input})).await.data();
    }

    /// Writes a file.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `sync` of a file into the memberbase, on the database itself.
    fn sync(&self, file: &Path, options: &[&str]) -> CommandOutput {
        self.local("sync", &[&[file.to_str().unwrap(), "--memberbase", &self.base], options].concat())
    }

    /// Runs a command on the database itself.
    fn local(&self, command: &str, arguments: &[&str]) -> CommandOutput {
        run(&[&[command, "--database-url", &self.server.settings.url], arguments].concat(), &[])
    }

    /// Starts `sync` of stdin.
    fn begin(&self, options: &[&str]) -> Child {
        let arguments = ["sync", "-", "--memberbase", &self.base, "--database-url", &self.server.settings.url];
        spawn(&[&arguments, options].concat(), &[])
    }

    /// Returns all members by ref, with their attributes.
    async fn members(&self) -> Vec<(String, Value)> {
        self.members_of(&self.base).await
    }

    async fn members_of(&self, base: &str) -> Vec<(String, Value)> {
        let query = "query($base: ID!) { members(memberbaseId: $base, first: 5000, orderBy: {field: REF}) { \
            nodes { ref attributes } } }";
        let mut data = self.server.reader().await.graphql(query, json!({"base": base})).await.data();
        let nodes = data["members"]["nodes"].take();
        let pair = |node: &Value| (node["ref"].as_str().unwrap().to_owned(), node["attributes"].clone());
        nodes.as_array().unwrap().iter().map(pair).collect()
    }

    async fn refs(&self) -> Vec<String> {
        self.members().await.into_iter().map(|(reference, _)| reference).collect()
    }

    /// Returns the states of the memberbase's syncs, newest first.
    async fn syncs(&self) -> Vec<String> {
        let query = "query($base: ID!) { memberbase(id: $base) { syncs { nodes { state } } } }";
        let data = self.server.reader().await.graphql(query, json!({"base": self.base})).await.data();
        let nodes = data["memberbase"]["syncs"]["nodes"].as_array().unwrap();
        nodes.iter().map(|node| node["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Asserts that no sync is open or committed. An import that fails at its beginning may not have started one.
    async fn assert_syncs_abandoned(&self) {
        let syncs = self.syncs().await;
        assert!(syncs.iter().all(|state| state == "ABANDONED"), "{syncs:?}");
    }

    /// Writes enough rows to a child's stdin for some to be stored, and waits for that.
    async fn feed_members(&self, child: &mut Child) {
        let members = self.server.members().await;
        feed(child, &(0..FED_ROWS).map(|number| format!("new-{number}\n")).collect::<String>());
        self.until_members(members + 1).await;
    }

    /// Returns the number of the members of [`Bench::of`] that are not deleted.
    async fn kept(&self) -> i64 {
        self.server.column("SELECT count(*) FROM member WHERE ref LIKE 'member-%'").await[0]
    }

    /// Waits until the memberbase has this number of members.
    async fn until_members(&self, count: i64) {
        let start = Instant::now();
        while self.server.members().await < count {
            assert!(start.elapsed() < Duration::from_secs(30), "there are {} members", self.server.members().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl CommandOutput {
    /// Asserts this exit code and returns the summary that was printed as JSON.
    #[track_caller]
    fn summary(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts this exit code and returns the counts of created, updated, unchanged, rejected and deleted members.
    #[track_caller]
    fn counts(&self, code: i32) -> [u64; 5] {
        let summary = self.summary(code);
        ["created", "updated", "unchanged", "rejected", "deleted"].map(|name| summary[name].as_u64().unwrap())
    }

    /// Asserts this exit code and that stderr contains this text.
    #[track_caller]
    fn assert_stderr(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.contains(part), "no {part:?} in {}", self.stderr);
    }
}

/// The binary with these arguments and environment variables, without the variables of this process.
pub(crate) fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memberbase"));
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_uppercase();
        if text.starts_with("MEMBERBASE_") || text.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command.envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn spawn(arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    command(arguments, variables).spawn().unwrap()
}

pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> CommandOutput {
    ended(spawn(arguments, variables))
}

/// Closes stdin and waits for the end.
pub(crate) fn ended(child: Child) -> CommandOutput {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    CommandOutput { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Writes to a child's stdin, which stays open.
fn feed(child: &mut Child, text: &str) {
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    stdin.flush().unwrap();
}

/// Writes further rows to a child's stdin. `name` makes them different from others.
fn feed_more(child: &mut Child, name: i64) {
    feed(child, &(0..FED_ROWS).map(|number| format!("more-{name}-{number}\n")).collect::<String>());
}

/// Sends a signal, such as `INT`, to a child.
fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: impl AsRef<[u8]>) -> Vec<u8> {
    ::zstd::encode_all(text.as_ref(), 0).unwrap()
}
