//! A server in a process of its own, over sockets, so that tests can kill it, starve it and stop it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use memberbase::db::Settings;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{
    ApiResponse, Database,
    database::{Storage, cluster},
};

const BINARY: &str = env!("CARGO_BIN_EXE_memberbase");

/// Returns the path of the server's program: the one that was built with the tests, unless `make soak` sets another.
fn binary() -> String {
    std::env::var("MEMBERBASE_TEST_BINARY").unwrap_or_else(|_| BINARY.to_owned())
}

/// The time limit for a start, generous because the machine that runs the tests may be busy.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A database, and the options of the servers that are started on it.
pub struct Site {
    settings: Settings,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    /// A command, with its arguments, that runs the command that follows it.
    wrapper: Vec<String>,
    folder: tempfile::TempDir,
    _storage: Option<Storage>,
    secret: String,
}

/// A running server, which is killed on drop.
pub struct Process {
    child: Child,
    /// The address that it listens on.
    pub address: String,
    log: PathBuf,
    /// A client that may do everything.
    pub admin: Client,
}

/// A client of a running server, with a new connection for each request.
#[derive(Clone)]
pub struct Client {
    address: String,
    secret: String,
}

impl Site {
    /// Creates a migrated database with a token.
    pub async fn new(database: Database) -> Self {
        let (settings, storage) = database.make().await;
        let command = |arguments: &[&str]| {
            let output =
                Command::new(binary()).args(arguments).args(["--database-url", &settings.url]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        command(&["migrate", "up"]);
        let secret = command(&["token", "create", "--access", "admin", "--description", "a test"]);
        Self { _storage: Some(storage), secret, ..Self::with_settings(settings) }
    }

    /// Returns a site with a SQLite file that the first server creates, whose admin has no token.
    pub fn with_new_file(path: &Path) -> Self {
        Self::with_settings(Settings::small(format!("sqlite://{}", path.display())))
    }

    fn with_settings(settings: Settings) -> Self {
        Self {
            settings,
            options: Vec::new(),
            environment: Vec::new(),
            wrapper: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            _storage: None,
            secret: String::new(),
        }
    }

    /// Sets options of the servers.
    pub fn with_options(self, options: &[&str]) -> Self {
        Self { options: options.iter().map(|&option| option.to_owned()).collect(), ..self }
    }

    /// Sets environment variables of the servers.
    pub fn with_environment(self, variables: &[(&str, &str)]) -> Self {
        let environment = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { environment, ..self }
    }

    /// Limits the size of the files that servers write.
    pub fn with_file_limit(self, kib: u32) -> Self {
        // Without the trap the signal would kill the process. Ignored signals stay ignored after exec.
        self.with_shell(&format!("trap '' XFSZ; ulimit -S -f {}", kib * 2))
    }

    /// Limits the number of files that servers can open.
    pub fn with_descriptor_limits(self, soft: u32, hard: u32) -> Self {
        self.with_shell(&format!("ulimit -S -n {soft} && ulimit -H -n {hard}"))
    }

    /// Runs these commands of the shell in the process that becomes the server.
    fn with_shell(self, commands: &str) -> Self {
        self.with_wrapper(&["sh", "-c", &format!("{commands}; exec \"$@\""), "sh"])
    }

    /// Starts servers by this command, which has to replace its process with the server.
    pub fn with_wrapper(self, command: &[&str]) -> Self {
        Self { wrapper: command.iter().map(|&word| word.to_owned()).collect(), ..self }
    }

    /// Makes servers connect with a password, which the cluster does not require (PostgreSQL).
    pub fn with_password(mut self, password: &str) -> Self {
        self.settings.url = self.settings.url.replacen('@', &format!(":{password}@"), 1);
        self
    }

    /// Makes servers open the database file read-only (SQLite).
    pub fn with_read_only_file(mut self) -> Self {
        self.settings.url.push_str("?mode=ro");
        self
    }

    pub async fn start(&self) -> Process {
        self.start_with_log("log").await
    }

    /// Starts a server with a log file of this name, so that several can run.
    pub async fn start_with_log(&self, log: &str) -> Process {
        let log = self.folder.path().join(log);
        let file = File::create(&log).unwrap();
        let mut words = self.wrapper.iter().cloned().chain([binary()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &self.settings.url]).args(&self.options);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let mut process = Process {
            child: command.spawn().unwrap(),
            address: String::new(),
            log,
            admin: Client { address: String::new(), secret: self.secret.clone() },
        };
        let start = Instant::now();
        while process.address.is_empty() {
            let log = process.log();
            assert!(process.child.try_wait().unwrap().is_none() && start.elapsed() < START_TIMEOUT, "no server: {log}");
            let url = log.lines().find_map(|line| line.strip_prefix("listening on http://")).unwrap_or_default();
            // The line may be incomplete.
            if log.contains(&format!("{url}\n")) {
                process.address = url.to_owned();
            }
            sleep(Duration::from_millis(20)).await;
        }
        process.admin.address.clone_from(&process.address);
        process
    }

    /// Waits until a killed server has no sessions in the database any more.
    pub async fn wait_for_sessions_to_end(&self) {
        if self.settings.url.starts_with("postgres") {
            let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'", self.name());
            for _ in 0..1_000 {
                if sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql.clone()))
                    .fetch_one(&mut cluster_connection().await)
                    .await
                    .unwrap()
                    == 0
                {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
            panic!("the killed server still has sessions in the database");
        }
    }

    /// Terminates every connection to the database (PostgreSQL).
    pub async fn terminate_connections(&self) {
        let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", self.name());
        sqlx::query(AssertSqlSafe(sql)).execute(&mut cluster_connection().await).await.unwrap();
    }

    /// Makes the database read-only or writable for new connections (PostgreSQL).
    pub async fn read_only(&self, enabled: bool) {
        let sql = format!("ALTER DATABASE {} SET default_transaction_read_only = {enabled}", self.name());
        sqlx::query(AssertSqlSafe(sql)).execute(&mut cluster_connection().await).await.unwrap();
    }

    fn name(&self) -> &str {
        self.settings.url.rsplit_once('/').unwrap().1
    }
}

async fn cluster_connection() -> PgConnection {
    PgConnection::connect(&cluster()).await.unwrap()
}

impl Process {
    /// Returns the log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns whether the process is running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap().success());
    }

    /// Waits for the end of the process, and returns its status, or `None` after this time.
    pub async fn ended(&mut self, time: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            let status = self.child.try_wait().unwrap();
            if status.is_some() || start.elapsed() > time {
                return status;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Returns the number of its open files and sockets.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(Path::new("/proc").join(self.id().to_string()).join("fd")).unwrap().count()
    }

    /// Returns a line of `/proc/PID/status` that counts memory, in MiB.
    pub fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(Path::new("/proc").join(self.id().to_string()).join("status")).unwrap();
        let line = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
        line.trim_matches([':', '\t', ' ']).trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Client {
    /// Returns the secret of its token.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Returns the address of the server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns a client of the same server with another token.
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { address: self.address.clone(), secret: secret.to_owned() }
    }

    /// Returns the head of a POST of JSON.
    pub fn head(&self, path: &str, more: &str) -> String {
        let Self { address, secret } = self;
        format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
            Accept: application/graphql-response+json\r\nAuthorization: Bearer {secret}\r\n{more}\r\n"
        )
    }

    /// Returns a POST of JSON.
    pub fn request(&self, path: &str, body: &str) -> String {
        self.head(path, &format!("Content-Length: {}\r\n", body.len())) + body
    }

    /// Sends JSON by POST.
    pub async fn post(&self, path: &str, body: &str) -> Result<ApiResponse, String> {
        self.send(self.request(path, body).as_bytes()).await
    }

    /// Returns the result of a readiness check that began after this call: an earlier result is used for a second.
    pub async fn ready(&self) -> ApiResponse {
        sleep(Duration::from_millis(1_050)).await;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        self.send(request.as_bytes()).await.unwrap()
    }

    /// Sends a GraphQL request by POST.
    pub async fn graphql(&self, query: &str, variables: Value) -> Result<ApiResponse, String> {
        self.post("/graphql", &json!({"query": query, "variables": variables}).to_string()).await
    }

    /// Sends a GraphQL request, asserts success and returns the data.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        self.graphql(query, variables).await.unwrap().data()
    }

    /// Sends these bytes over a new connection and reads the response. An incomplete response is an error.
    pub async fn send(&self, bytes: &[u8]) -> Result<ApiResponse, String> {
        self.send_all(bytes, false).await
    }

    /// Sends these bytes, and shuts down the sending side of the connection if `closes`.
    pub async fn send_all(&self, bytes: &[u8], closes: bool) -> Result<ApiResponse, String> {
        let mut stream = self.connect().await?;
        let (mut reader, mut writer) = stream.split();
        let write = async {
            writer.write_all(bytes).await?;
            if closes { writer.shutdown().await } else { Ok(()) }
        };
        // The server may respond and close before it has read everything; the response counts.
        let (_, response) = tokio::join!(write, read_response(&mut reader));
        response
    }

    /// Sends these bytes, and returns the connection to read the response from.
    pub async fn upload(&self, bytes: &[u8]) -> Result<TcpStream, String> {
        let mut stream = self.connect().await?;
        stream.write_all(bytes).await.map_err(|error| format!("the connection broke: {error}"))?;
        Ok(stream)
    }

    async fn connect(&self) -> Result<TcpStream, String> {
        TcpStream::connect(&self.address).await.map_err(|error| format!("no connection: {error}"))
    }

    /// Sends a request and disconnects after this time, with or without a response.
    pub async fn abandon(&self, body: &str, after: Duration) {
        let _ = timeout(after, self.post("/graphql", body)).await;
    }
}

/// Reads a response up to the end of the connection.
pub async fn read_response(stream: &mut (impl AsyncRead + Unpin)) -> Result<ApiResponse, String> {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.map_err(|error| format!("the connection broke: {error}"))?;
    parse(&received).ok_or_else(|| format!("incomplete response: {}", String::from_utf8_lossy(&received)))
}

/// Parses a response that is all that was received.
fn parse(received: &[u8]) -> Option<ApiResponse> {
    parse_response(received).filter(|(_, length)| *length == received.len()).map(|(response, _)| response)
}

/// Parses the first response with a Content-Length if it is complete, and returns its length with its head.
pub fn parse_response(received: &[u8]) -> Option<(ApiResponse, usize)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&received[..end]).ok()?.split("\r\n");
    let status = StatusCode::from_bytes(lines.next()?.split(' ').nth(1)?.as_bytes()).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    let length: usize = headers.get("content-length").map_or(Some(0), |length| length.to_str().ok()?.parse().ok())?;
    let body = received.get(end + 4..end + 4 + length)?.to_vec();
    Some((ApiResponse { status, headers, body }, end + 4 + length))
}
