//! The commands with `--server`.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Child,
    time::Duration,
};

use memberbase::domain::access::Access;
use rstest::rstest;

use super::{Bench, CommandOutput, FED_ROWS, command, ended, feed, feed_more, run, signal, spawn};
use crate::support::Database;

/// A server process on the database of a bench.
pub(super) struct Process {
    child: Child,
    pub(super) url: String,
}

impl Process {
    /// Starts it on a free port.
    pub(super) fn start(bench: &Bench) -> Self {
        Self::on(bench, "127.0.0.1:0")
    }

    fn on(bench: &Bench, address: &str) -> Self {
        let arguments = ["serve", "--listen", address, "--database-url", &bench.server.settings.url];
        let mut child = command(&arguments, &[]).stderr(std::process::Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| Some(line.unwrap().strip_prefix("listening on ")?.to_owned())).unwrap();
        Self { child, url }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) async fn secret(bench: &Bench, access: Access) -> String {
    bench.server.token(access, None, None).await.1
}

pub(super) fn assert_no_secret(output: &CommandOutput, secret: &str) {
    assert!(!format!("{output:?}").contains(secret), "{output:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_and_export_work_the_same_through_a_server(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let (process, token) = (Process::start(&bench), secret(&bench, Access::Write).await);
    let rows: String = (1..20).map(|number| format!("member-{number:04},plan {number}\n")).collect();
    let file = bench.file("members.csv", format!("ref,plan\nnew,gold\n{rows}"));
    let file = file.to_str().unwrap();
    let sync = ["sync", file, "--memberbase", "Readers", "--url", &process.url, "--delete-missing", "--json"];
    let output = run(&sync, &[("MEMBERBASE_TOKEN", &token), ("MEMBERBASE_LOG", "trace")]);
    assert_eq!(output.counts(0), [1, 19, 0, 0, 1]);
    assert_no_secret(&output, &token);
    let token_file = bench.file("token", format!("{token}\n"));
    let variables = [("MEMBERBASE_TOKEN_FILE", token_file.to_str().unwrap()), ("MEMBERBASE_TOKEN", "wrong")];
    assert_eq!(run(&sync, &variables).counts(0), [0, 0, 20, 0, 0]);
    let export = ["export", "--memberbase", "Readers", "--url", &process.url, "--format", "csv"];
    let output = run(&export, &variables);
    assert_eq!((output.code, output.stdout.lines().count()), (Some(0), 21), "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_permission_is_reported_without_the_token() {
    let bench = Bench::of(Database::Sqlite, 3).await;
    let (process, reader) = (Process::start(&bench), secret(&bench, Access::Read).await);
    let file = bench.file("members.txt", "new\n");
    let sync = ["sync", file.to_str().unwrap(), "--memberbase", &bench.base, "--url", &process.url];
    run(&sync, &[]).assert_stderr(2, "MEMBERBASE_TOKEN");
    let wrong = run(&sync, &[("MEMBERBASE_TOKEN", "mbs_wrong")]);
    wrong.assert_stderr(1, "a valid API token is required");
    assert_no_secret(&wrong, "mbs_wrong");
    let output = run(&sync, &[("MEMBERBASE_TOKEN", &reader)]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert_no_secret(&output, &reader);
    let output = run(&sync, &[("MEMBERBASE_TOKEN", "two\nlines")]);
    output.assert_stderr(2, "no token");
    run(&[&sync[..5], &["ftp://127.0.0.1"]].concat(), &[("MEMBERBASE_TOKEN", &reader)])
        .assert_stderr(2, "--url has to be");
    let elsewhere = format!("{}/nowhere", process.url);
    run(&[&sync[..5], &[&elsewhere]].concat(), &[("MEMBERBASE_TOKEN", &reader)])
        .assert_stderr(1, "returned HTTP status 404 Not Found");
    assert_eq!(bench.server.members().await, 3);
}

/// Starts a run that has stored some members and waits for more input.
async fn start_run(bench: &Bench, process: &Process, token: &str, retry_for: &str) -> Child {
    let arguments = ["sync", "-", "--format", "lines", "--memberbase", &bench.base, "--url", &process.url];
    let rules = ["--delete-missing", "--max-deleted-percent", "100", "--retry-for", retry_for];
    let mut child = spawn(&[&arguments[..], &rules, &["--json"]].concat(), &[("MEMBERBASE_TOKEN", token)]);
    bench.feed_members(&mut child).await;
    child
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_continues_after_a_server_restart(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of(database, 20).await;
    let (mut process, token) = (Process::start(&bench), secret(&bench, Access::Write).await);
    let mut child = start_run(&bench, &process, &token, "60s").await;
    process.kill();
    for number in 1..20 {
        feed(&mut child, &format!("member-{number:04}\n"));
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let back = Process::on(&bench, process.address());
    let output = ended(child);
    assert_eq!(output.counts(0)[4], 1, "{output:?}");
    output.assert_stderr(0, "trying again in");
    drop(back);
    assert_eq!((bench.kept().await, bench.server.members().await), (19, 19 + FED_ROWS));
}

/// Waits until this number of rows of the only import is stored without a gap.
async fn until_stored(bench: &Bench, rows: i64) {
    while bench.server.column::<i64>("SELECT stored_rows FROM import").await.first() < Some(&rows) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_for_retries_begins_again_after_rows_were_stored() {
    let bench = Bench::of(Database::Sqlite, 20).await;
    let (mut process, token) = (Process::start(&bench), secret(&bench, Access::Write).await);
    let mut child = start_run(&bench, &process, &token, "4s").await;
    for rows in [10_000, 30_000] {
        until_stored(&bench, rows).await;
        // The command sees the progress within a second or two, and the time since the first failure passes.
        tokio::time::sleep(Duration::from_secs(3)).await;
        process.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        process = Process::on(&bench, process.address());
        feed_more(&mut child, rows);
    }
    let output = ended(child);
    assert_eq!(output.counts(0)[4], 20, "{output:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_without_its_server_deletes_no_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of(database, 20).await;
    let (mut process, token) = (Process::start(&bench), secret(&bench, Access::Write).await);
    let mut child = start_run(&bench, &process, &token, "1s").await;
    process.kill();
    feed(&mut child, "newer\n");
    let output = ended(child);
    output.assert_stderr(1, "is lost");
    output.assert_stderr(1, "could not be abandoned");
    assert_eq!((bench.kept().await, bench.syncs().await), (20, vec!["OPEN".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_client_leaves_the_server_usable() {
    let bench = Bench::of(Database::Sqlite, 20).await;
    let (process, token) = (Process::start(&bench), secret(&bench, Access::Write).await);
    let child = start_run(&bench, &process, &token, "1s").await;
    signal(&child, "KILL");
    assert_eq!(ended(child).code, None);
    let file = bench.path("all.ndjson");
    let export = ["export", "--memberbase", &bench.base, "--url", &process.url, "--output", file.to_str().unwrap()];
    assert_eq!(run(&export, &[("MEMBERBASE_TOKEN", &token)]).code, Some(0));
    let lines = i64::try_from(fs::read_to_string(&file).unwrap().lines().count()).unwrap();
    assert!(lines > 20 && lines <= bench.server.members().await, "{lines}");
}
