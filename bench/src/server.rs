//! The server under test, in a process of its own with default options and a log file.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::http::Api;

const START: Duration = Duration::from_secs(30);

/// A running server, which is killed on drop.
pub struct Server {
    /// Its name in the tables.
    pub name: String,
    pub api: Api,
    pub pid: u32,
    binary: PathBuf,
    database: String,
    log: PathBuf,
    child: Child,
}

impl Server {
    /// Migrates the database, creates a token and starts the server.
    pub fn start(name: &str, binary: &Path, database: &str, folder: &Path) -> Result<Self> {
        let command = |arguments: &[&str]| -> Result<String> {
            let output = Command::new(binary).args(arguments).args(["--database-url", database]).output();
            let output = output.with_context(|| format!("running {}", binary.display()))?;
            ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        command(&["migrate", "up"])?;
        let token = command(&["token", "create", "--access", "admin", "--description", "bench"])?;
        let log = folder.join(format!("{}.log", name.replace(' ', "-")));
        let (child, address) = spawn(binary, database, &log)?;
        Ok(Self {
            name: name.to_owned(),
            pid: child.id(),
            api: Api { address, token },
            binary: binary.to_owned(),
            database: database.to_owned(),
            log,
            child,
        })
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> Result<()> {
        Command::new("kill").arg(self.pid.to_string()).status()?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(begun.elapsed() < START, "the server does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Starts the server again after it has stopped.
    pub fn start_again(&mut self) -> Result<()> {
        let (child, address) = spawn(&self.binary, &self.database, &self.log)?;
        (self.pid, self.child, self.api.address) = (child.id(), child, address);
        Ok(())
    }

    /// Creates a memberbase and returns its id.
    pub async fn make_memberbase(&self, name: &str) -> Result<String> {
        const MAKE: &str = "mutation Make($name: String!) { \
            createMemberbase(input: {name: $name}) { memberbase { id } } }";
        let data = self.api.graphql(MAKE, &json!({"name": name})).await?;
        let id = data["createMemberbase"]["memberbase"]["id"].as_str().context("no memberbase")?;
        Ok(id.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(binary: &Path, database: &str, log: &Path) -> Result<(Child, String)> {
    let file = File::create(log)?;
    let mut child = Command::new(binary)
        .args(["serve", "--listen", "127.0.0.1:0", "--database-url", database])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))?;
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(log)?;
        let address = text.split_inclusive('\n').find_map(|line| line.strip_prefix("listening on http://"));
        if let Some(address) = address.and_then(|line| line.strip_suffix('\n')) {
            return Ok((child, address.to_owned()));
        }
        if child.try_wait()?.is_some() || begun.elapsed() > START {
            let _ = child.kill();
            bail!("the server did not start: {text}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
