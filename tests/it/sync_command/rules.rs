//! Members that are missing from the file, and dry runs.

use rstest::rstest;
use serde_json::json;

use super::{Bench, gzip, zstd};
use crate::support::Database;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_members_are_deleted_only_on_request(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let text: String = (1..20).map(|number| format!("member-{number:04}\n")).collect();
    let file = bench.file("members.txt", text + "new\n");
    assert_eq!(bench.sync(&file, &["--json"]).counts(0), [1, 0, 19, 0, 0]);
    assert_eq!((bench.server.members().await, bench.syncs().await.len()), (21, 0));
    let output = bench.sync(&file, &["--json", "--delete-missing"]);
    assert_eq!((output.counts(0), &output.summary(0)["complete"]), ([0, 0, 20, 0, 1], &json!(true)));
    assert_eq!((bench.server.members().await, bench.syncs().await), (20, vec!["COMMITTED".to_owned()]));
    assert!(output.summary(0)["syncId"].as_str().unwrap().starts_with("sync_"), "{output:?}");
    assert!(output.stderr.contains("deleted                  1"), "{}", output.stderr);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_above_the_deletion_limit_deletes_no_member(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let text: String = (3..20).map(|number| format!("member-{number:04}\n")).collect();
    let file = bench.file("members.txt", text);
    bench.sync(&file, &["--delete-missing"]).assert_stderr(1, "increase --max-deleted-percent");
    bench
        .sync(&file, &["--delete-missing", "--dry-run"])
        .assert_stderr(1, "3 of 20 members would be deleted, more than --max-deleted-percent (10) allows");
    assert_eq!((bench.server.members().await, bench.syncs().await), (20, vec!["ABANDONED".to_owned(); 2]));
    let output = bench.sync(&file, &["--delete-missing", "--max-deleted-percent", "15", "--json"]);
    assert_eq!(output.counts(0), [0, 0, 17, 0, 3]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_run_reports_everything_and_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let rows: String = (2..20).map(|number| format!("member-{number:04},\n")).collect();
    let file = bench.file("members.csv", format!("ref,plan\nmember-0001,gold\nnew,gold\n{rows}"));
    let before = bench.members().await;
    let dry = |more: &[&str]| bench.sync(&file, &[&["--dry-run", "--json"], more].concat());
    assert_eq!(dry(&[]).counts(0), [1, 19, 0, 0, 0]);
    let output = dry(&["--delete-missing"]);
    assert_eq!((output.counts(0), &output.summary(0)["dryRun"]), ([1, 19, 0, 0, 1], &json!(true)));
    assert!(output.stderr.contains("dry run: nothing was changed"), "{}", output.stderr);
    let bad = bench.file("bad.csv", "ref,age\nmember-0001,7\nmember-0002,x\nnew,y\n");
    let output = bench.sync(&bad, &["--dry-run", "--json", "--on-error", "skip"]);
    assert_eq!(output.counts(3), [0, 1, 0, 2, 0]);
    let output = bench.sync(&bad, &["--dry-run", "--json"]);
    assert_eq!(output.counts(1), [0, 1, 0, 2, 0]);
    output.assert_stderr(1, "line 3: attributes.age: attribute \"age\" is of type NUMBER");
    assert_eq!((bench.members().await, bench.syncs().await), (before, vec!["ABANDONED".to_owned()]));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_or_empty_file_deletes_no_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of(database, 20).await;
    let lines: String = (0..2000).map(|number| format!("member-{number:04}-{}\n", number * 7919 % 1000)).collect();
    let (gz, zst) = (gzip(&lines), zstd(&lines));
    let cut = |packed: &[u8]| packed[..packed.len() / 2].to_vec();
    for (name, content) in [
        ("empty.txt", vec![]),
        ("empty.csv", vec![]),
        ("header.csv", b"ref,plan\n".to_vec()),
        ("empty.ndjson", b"\n\n".to_vec()),
        ("empty.gz", vec![]),
        ("nothing.gz", gzip("")),
        ("cut.gz", cut(&gz)),
        ("tail.gz", gz[..gz.len() - 1].to_vec()),
        ("more.gz", [&gz[..], b"more"].concat()),
        ("cut.zst", cut(&zst)),
        ("tail.zst", zst[..zst.len() - 1].to_vec()),
        ("no.gz", b"member-0000\n".to_vec()),
        ("quote.csv", b"ref,plan\nmember-0000,gold\nmember-0001,\"go".to_vec()),
        ("short.csv", b"ref,plan\nmember-0000,gold\nmember-0001".to_vec()),
        ("cut.ndjson", b"{\"ref\":\"member-0000\"}\n{\"ref\":\"mem".to_vec()),
        ("latin1.txt", b"member-0000\nm\xe9mber\n".to_vec()),
        ("latin1.csv", b"ref,plan\nmember-0000,gold\nm\xe9mber,x\n".to_vec()),
        ("latin1.ndjson", b"{\"ref\":\"member-0000\"}\n{\"ref\":\"m\xe9mber\"}\n".to_vec()),
    ] {
        let file = bench.file(name, content);
        let options = ["--delete-missing", "--max-deleted-percent", "100", "--on-error", "skip"];
        let output = bench.sync(&file, &options);
        assert!(matches!(output.code, Some(1 | 2)), "{name}: {output:?}");
        let refs = bench.refs().await;
        let there = (0..20).filter(|number| refs.contains(&format!("member-{number:04}"))).count();
        assert_eq!(there, 20, "{name}: {output:?}");
        assert!(!bench.syncs().await.contains(&"OPEN".to_owned()), "{name}: {output:?}");
    }
    assert!(!bench.syncs().await.contains(&"COMMITTED".to_owned()));
    let empty = bench.file("header.csv", "ref,plan\n");
    assert_eq!(bench.sync(&empty, &["--json"]).counts(0), [0; 5]);
}
