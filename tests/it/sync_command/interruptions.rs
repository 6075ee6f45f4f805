//! A run that does not come to its end deletes nobody.

use rstest::rstest;

use super::{Bench, ended, feed, signal};
use crate::support::Database;

const MIRROR: [&str; 7] =
    ["--format", "lines", "--delete-missing", "--max-deleted-percent", "100", "--batch-size", "1"];

/// A run that has stored a member of its own and waits for more.
async fn under_way(bench: &Bench, more: &[&str]) -> std::process::Child {
    let members = bench.server.members().await;
    let mut child = bench.begin(&[&MIRROR[..], more].concat());
    feed(&mut child, &format!("new-{members}\n"));
    bench.until_members(members + 1).await;
    child
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_abandons_the_sync(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("INT", "TERM")] name: &str,
) {
    let bench = Bench::of(database, 20).await;
    let child = under_way(&bench, &["--json"]).await;
    signal(&child, name);
    // Its stdin is still open: it does not wait for the end of that.
    let ran = ended(child);
    ran.told(1, "interrupted: the sync is abandoned and no member was deleted");
    assert_eq!((ran.counts(1), ran.summary(1)["complete"].as_bool()), ([1, 0, 0, 0, 0], Some(false)));
    assert_eq!((bench.server.members().await, bench.syncs().await), (21, vec!["ABANDONED".to_owned()]));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_client_left_open_gives_way_when_it_is_told_to(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let child = under_way(&bench, &[]).await;
    signal(&child, "KILL");
    assert_eq!(ended(child).code, None);
    assert_eq!((bench.server.members().await, bench.syncs().await), (21, vec!["OPEN".to_owned()]));
    let text: String = (1..20).map(|number| format!("member-{number:04}\n")).collect();
    let file = bench.file("members.txt", text);
    bench.sync(&file, &MIRROR[2..]).told(1, "abandon it with --abandon-open");
    assert_eq!(bench.server.members().await, 21);
    let ran = bench.sync(&file, &[&MIRROR[2..], &["--abandon-open", "--json"]].concat());
    assert_eq!(ran.counts(0), [0, 0, 19, 0, 2]);
    assert_eq!(bench.syncs().await, ["COMMITTED", "ABANDONED"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_is_abandoned_by_another_ends_the_run(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let mut child = under_way(&bench, &[]).await;
    let other = bench.file("members.txt", "member-0001\n");
    let ran = bench.sync(&other, &["--delete-missing", "--abandon-open", "--dry-run", "--max-deleted-percent", "100"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    feed(&mut child, "late\n");
    let ran = ended(child);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!((bench.server.members().await, bench.syncs().await), (21, vec!["ABANDONED".to_owned(); 2]));
}
