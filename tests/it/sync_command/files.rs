//! Formats and compressions of files, and options.

use rstest::rstest;
use serde_json::json;

use super::{Bench, gzip, run, zstd};
use crate::support::Database;

const CSV: &str = "customer,tier,age,active,joined,tags,note\n\
    ann,\"gold, \"\"x\"\"\",41,true,2026-01-31,\"[\"\"a\"\",\"\"b\"\"]\",x\n\
    ben,,,f,,,x\n\
    \"c\nid\",\\N,2.50,\\N,2026-01-31T12:00:00+01:00,[],x\n";

const NDJSON: &str = r#"{"ref":"ann","attributes":{"plan":"gold, \"x\"","age":41,"active":true,"joined":"2026-01-31","tags":["a","b"]}}

{"attributes":{"plan":"","active":false},"ref":"ben"}
{"ref":"c\nid","attributes":{"age":2.5,"joined":"2026-01-31T11:00:00.000Z","tags":[]}}"#;

const CSV_OPTIONS: [&str; 6] = ["--map", "ref=customer", "--map", "plan=tier", "--ignore-unknown-columns", "--json"];

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_and_compression_gives_the_same_result(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let csv = bench.file("members.csv", CSV);
    assert_eq!(bench.sync(&csv, &CSV_OPTIONS).counts(0), [3, 0, 0, 0, 0]);
    let expected = [
        ("ann", json!({"plan": "gold, \"x\"", "age": 41, "active": true, "joined": "2026-01-31", "tags": ["a", "b"]})),
        ("ben", json!({"plan": "", "active": false})),
        ("c\nid", json!({"age": 2.5, "joined": "2026-01-31T11:00:00.000Z", "tags": []})),
    ];
    assert_eq!(bench.members().await, expected.map(|(reference, attributes)| (reference.to_owned(), attributes)));
    let unchanged = [0, 0, 3, 0, 0];
    for (name, content) in [
        ("members.csv", CSV.as_bytes().to_vec()),
        ("members.CSV.gz", gzip(CSV)),
        ("members.csv.zst", zstd(CSV)),
        ("bom.csv", [b"\xef\xbb\xbf", CSV.as_bytes()].concat()),
        ("windows.csv", CSV.replace("x\n", "x\r\n").into_bytes()),
    ] {
        assert_eq!(bench.sync(&bench.file(name, content), &CSV_OPTIONS).counts(0), unchanged, "{name}");
    }
    for (name, content) in [("members.ndjson", NDJSON.into()), ("members.jsonl.gz", gzip(NDJSON))] {
        assert_eq!(bench.sync(&bench.file(name, content), &["--json"]).counts(0), unchanged, "{name}");
    }
    let lines = bench.file("members.zst", zstd("ann\r\n\nben\nnew"));
    assert_eq!(bench.sync(&lines, &["--json"]).counts(0), [1, 0, 2, 0, 0]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_row_of_a_member_wins(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let rows: String = (0..400).map(|row| format!("ref-{},{row}\n", row * row % 7)).collect();
    let file = bench.file("members.csv", format!("ref,age\n{rows}"));
    let output = bench.sync(&file, &["--json"]);
    assert_eq!(output.summary(0)["rows"], 400);
    let last = |reference: &str| (0..400).rev().find(|row| format!("ref-{}", row * row % 7) == reference).unwrap();
    for (reference, attributes) in bench.members().await {
        assert_eq!(attributes, json!({"age": last(&reference)}), "{reference}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_source_row_is_stale(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let file = |time: &str, plan: &str| bench.file("m.csv", format!("ref,plan,changed\nann,{plan},{time}\n"));
    let options = ["--map", "sourceUpdatedAt=changed", "--json"];
    assert_eq!(bench.sync(&file("2026-02-01T00:00:00Z", "gold"), &options).counts(0), [1, 0, 0, 0, 0]);
    assert_eq!(bench.sync(&file("2026-01-31T23:59:59Z", "none"), &options).summary(0)["stale"], 1);
    assert_eq!(bench.members().await, [("ann".to_owned(), json!({"plan": "gold"}))]);
    assert_eq!(bench.sync(&file("", "basic"), &options).counts(0), [0, 1, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_options_and_columns_are_rejected_before_any_upsert() {
    let bench = Bench::with(Database::Sqlite, &["ann"]).await;
    let csv = bench.file("m.csv", "ref,colour\nben,red\n");
    bench.sync(&csv, &[]).assert_stderr(2, "\"colour\" is not an attribute");
    bench.sync(&csv, &["--map", "plan=color"]).assert_stderr(2, "the header has no column \"color\"");
    bench.sync(&csv, &["--map", "plna=colour"]).assert_stderr(2, "\"plna\" is not an attribute");
    bench.sync(&bench.file("id.csv", "id\nben\n"), &["--ignore-unknown-columns"]).assert_stderr(2, "--map ref=COLUMN");
    bench.sync(&bench.file("m.dat", "ref\nben\n"), &[]).assert_stderr(2, "--format");
    bench
        .sync(&bench.file("m.txt", "ben\n"), &["--map", "ref=a"])
        .assert_stderr(2, "--map, --ignore and --declare are for the columns of CSV");
    bench.sync(&csv, &["--abandon-open"]).assert_stderr(2, "--delete-missing");
    bench.sync(&csv, &["--delete-missing", "--max-deleted-percent", "101"]).assert_stderr(2, "0 to 100");
    run(&["sync", "-"], &[]).assert_stderr(2, "--memberbase");
    run(&["sync", "-", "--memberbase", "x"], &[]).assert_stderr(2, "--format");
    bench.sync(&bench.path("nowhere.csv"), &[]).assert_stderr(1, "nowhere.csv: can't read the file");
    assert_eq!(bench.refs().await, ["ann"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memberbase_is_found_by_name(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let file = bench.file("members.txt", "ann\nben\n");
    let named = |name, more: &[&str]| {
        bench.local("sync", &[&[file.to_str().unwrap(), "--memberbase", name, "--json"], more].concat())
    };
    assert_eq!(named("Readers", &[]).summary(0)["memberbaseId"], bench.base.as_str());
    named("readers", &[]).assert_stderr(1, "there is no memberbase \"readers\"");
    named("mb_01h455vb4pex5vsknk084sn02q", &["--create"]).assert_stderr(1, "");
    named("Writers", &["--create", "--dry-run"]).assert_stderr(1, "a dry run does not create it");
    let made = named("Writers", &["--create"]);
    assert_eq!(made.counts(0), [2, 0, 0, 0, 0]);
    let again = named("Writers", &["--create"]);
    assert_eq!(again.counts(0), [0, 0, 2, 0, 0]);
    assert_eq!(made.summary(0)["memberbaseId"], again.summary(0)["memberbaseId"]);
    let columns = bench.file("members.csv", "ref,plan\nann,gold\n");
    bench.local("sync", &[columns.to_str().unwrap(), "--memberbase", "Third", "--create"]).assert_stderr(2, "\"plan\"");
    named("Third", &[]).assert_stderr(1, "there is no memberbase \"Third\"");
    bench.server.memberbase("Writers").await;
    named("Writers", &["--create"]).assert_stderr(1, "several memberbases are called \"Writers\"");
}

/// Returns the peak memory of a run, in KiB.
#[cfg(target_os = "linux")]
fn peak(bench: &Bench, lines: usize) -> u64 {
    let text: String = (0..lines).map(|line| format!("a-reference-of-some-length-{line:010}\n")).collect();
    let file = bench.file("members.gz", gzip(text));
    let arguments = ["sync", file.to_str().unwrap(), "--memberbase", &bench.base, "--quiet"];
    let url = ["--database-url", &bench.server.settings.url];
    let mut child = super::spawn(&[&arguments[..], &url].concat(), &[]);
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(super::ended(child).code, Some(0));
    peak
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_the_file() {
    // Fills SQLite's page caches in this process up to their limit.
    let bench = Bench::new(Database::Postgres).await;
    let (small, large) = (peak(&bench, 20_000), peak(&bench, 200_000));
    // 180,000 more refs are 7 MB of text.
    assert!(small > 0 && large < small + small / 4 + 8 * 1024, "{small} KiB, then {large} KiB");
}
