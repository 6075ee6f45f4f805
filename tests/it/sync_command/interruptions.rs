//! Interrupted runs, which delete no member.

use rstest::rstest;

use super::{Bench, ended, feed, signal};
use crate::support::Database;

const MIRROR: [&str; 5] = ["--format", "lines", "--delete-missing", "--max-deleted-percent", "100"];

/// Starts a run that has stored some members and waits for more input.
async fn start_run(bench: &Bench, more: &[&str]) -> std::process::Child {
    let mut child = bench.begin(&[&MIRROR[..], more].concat());
    bench.feed_members(&mut child).await;
    child
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signal_abandons_the_sync(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("INT", "TERM")] name: &str,
) {
    let bench = Bench::of(database, 20).await;
    let child = start_run(&bench, &["--json"]).await;
    signal(&child, name);
    // Its stdin is still open: it does not wait for the end of that.
    let output = ended(child);
    output.assert_stderr(1, "interrupted: the sync is abandoned and no member was deleted");
    assert_eq!((output.counts(1)[4], output.summary(1)["complete"].as_bool()), (0, Some(false)));
    assert_eq!((bench.kept().await, bench.syncs().await), (20, vec!["ABANDONED".to_owned()]));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandon_open_ends_the_sync_of_a_killed_client(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let child = start_run(&bench, &[]).await;
    signal(&child, "KILL");
    assert_eq!(ended(child).code, None);
    assert_eq!((bench.kept().await, bench.syncs().await), (20, vec!["OPEN".to_owned()]));
    let text: String = (1..20).map(|number| format!("member-{number:04}\n")).collect();
    let file = bench.file("members.txt", text);
    bench.sync(&file, &MIRROR[2..]).assert_stderr(1, "or start with --abandon-open");
    assert_eq!(bench.kept().await, 20);
    let output = bench.sync(&file, &[&MIRROR[2..], &["--abandon-open", "--json"]].concat());
    assert_eq!((output.counts(0)[2], bench.kept().await), (19, 19));
    assert_eq!(bench.syncs().await, ["COMMITTED", "ABANDONED"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_abandoned_by_another_client_ends_the_run(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let mut child = start_run(&bench, &[]).await;
    let other = bench.file("members.txt", "member-0001\n");
    let options = ["--delete-missing", "--abandon-open", "--max-deleted-percent", "0"];
    bench.sync(&other, &options).assert_stderr(1, "would be deleted");
    feed(&mut child, "late\n");
    let output = ended(child);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert_eq!((bench.kept().await, bench.syncs().await), (20, vec!["ABANDONED".to_owned(); 2]));
}
