//! Files as spreadsheets and databases write them.

use rstest::rstest;
use serde_json::{Value, json};

use super::{ATTRIBUTES, Bench, CommandOutput, gzip};
use crate::support::Database;

impl Bench {
    /// Runs `sync` of a file into a memberbase of its own, and returns the members by ref with their attributes.
    async fn sync_alone(
        &self,
        name: &str,
        content: impl AsRef<[u8]>,
        options: &[&str],
    ) -> (CommandOutput, Vec<(String, Value)>) {
        let base = self.server.memberbase(name).await;
        self.declare(&base, &ATTRIBUTES).await;
        let file = self.file(name, content);
        let output = self.local("sync", &[&[file.to_str().unwrap(), "--memberbase", &base], options].concat());
        (output, self.members_of(&base).await)
    }
}

fn utf_16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn members<const N: usize>(expected: [(&str, Value); N]) -> Vec<(String, Value)> {
    expected.into_iter().map(|(reference, attributes)| (reference.to_owned(), attributes)).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_spreadsheets_are_read(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let two =
        || members([("ann", json!({"plan": "gold, old", "age": 7})), ("ben", json!({"plan": "basic", "age": 8}))]);
    let table = "ref;plan;age\r\nann;gold, old;7\r\n;;\r\nben;basic;8\r\n;;\r\n";
    for (name, content, options) in [
        ("semicolons.csv", table.into(), &[][..]),
        ("declared.csv", format!("sep=;\r\n{table}").into(), &[]),
        ("given.csv", table.into(), &["--delimiter", ";"]),
        ("tabs.tsv.gz", gzip(table.replace(';', "\t")), &[]),
        ("unicode.csv", utf_16(&table.replace(';', "\t")), &[]),
        ("encoded.csv", table.into(), &["--encoding", "windows-1252"]),
        (
            "nameless.csv",
            "ref;plan;age;;x;x\nann;gold, old;7;a;b;c\n;;;;;\nben;basic;8;;;\n".into(),
            &["--ignore-unknown-columns"],
        ),
    ] {
        let content: Vec<u8> = content;
        let (output, stored) = bench.sync_alone(name, content, options).await;
        assert_eq!((output.code, stored), (Some(0), two()), "{name}: {}", output.stderr);
    }
    let rows = table.split_once("\r\n").unwrap().1;
    let numbered = ["--no-header", "--map", "ref=1", "--map", "plan=2", "--map", "age=3"];
    let (output, stored) = bench.sync_alone("headless.csv", rows, &numbered).await;
    assert_eq!((output.code, stored), (Some(0), two()), "{}", output.stderr);
    let windows = b"ref,plan\nann,J\xf6rg\n";
    let (output, stored) = bench.sync_alone("windows.csv", windows, &[]).await;
    output.assert_stderr(1, "line 2 is not UTF-8: --encoding windows-1252");
    assert!(stored.is_empty());
    let (_, stored) = bench.sync_alone("known.csv", windows, &["--encoding", "windows-1252"]).await;
    assert_eq!(stored, members([("ann", json!({"plan": "J\u{f6}rg"}))]));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cells_of_spreadsheets_and_databases_are_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let european = "ref;age;active;joined\nann;1.234,5;Ja;31.12.2024\nben;-7;Nein;3/2/2025\n";
    let (output, stored) =
        bench.sync_alone("european.csv", european, &["--decimal", "comma", "--date-order", "dmy"]).await;
    let expected = members([
        ("ann", json!({"age": 1234.5, "active": true, "joined": "2024-12-31"})),
        ("ben", json!({"age": -7, "active": false, "joined": "2025-02-03"})),
    ]);
    assert_eq!((output.code, stored), (Some(0), expected), "{}", output.stderr);
    let databases = "ref,active,joined,tags,age\nann,t,2026-01-31 10:00:00+00,\"{a,\"\"b c\"\"}\",NULL\n\
        ben,NULL,2026-01-31 10:00:00,NULL,2\n";
    let (output, stored) = bench.sync_alone("databases.csv", databases, &[]).await;
    let expected = members([
        ("ann", json!({"active": true, "joined": "2026-01-31T10:00:00.000Z", "tags": ["a", "b c"]})),
        ("ben", json!({"joined": "2026-01-31T10:00:00.000Z", "age": 2})),
    ]);
    assert_eq!((output.code, stored), (Some(0), expected), "{}", output.stderr);
    // Without the options these forms could mean something else.
    for (name, row) in [("number.csv", "ann;\"1,5\";2024-12-31"), ("date.csv", "ann;1;3/2/2025")] {
        let (output, stored) = bench.sync_alone(name, format!("ref;age;joined\n{row}\n"), &[]).await;
        assert_eq!((output.code, stored.len()), (Some(1), 0), "{name}: {}", output.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_cells_keep_or_remove_what_is_stored() {
    let bench = Bench::new(Database::Sqlite).await;
    let base = &bench.base;
    for (cells, option, expected) in [
        ("gold,7", "text", json!({"plan": "gold", "age": 7})),
        (",", "keep", json!({"plan": "gold", "age": 7})),
        ("silver,", "keep", json!({"plan": "silver", "age": 7})),
        ("\\N,", "keep", json!({"age": 7})),
        (",8", "text", json!({"plan": "", "age": 8})),
        (",", "remove", json!({})),
    ] {
        let file = bench.file("members.csv", format!("ref,plan,age\nann,{cells}\n"));
        let output = bench.sync(&file, &["--empty", option]);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_eq!(bench.members_of(base).await, members([("ann", expected)]), "{cells} {option}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flat_objects_are_mapped(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let text = "{\"customer_id\":17,\"tier\":\"gold\",\"age\":\"7\",\"internal\":{}}\n\
        {\"customer_id\":\"b\",\"tier\":null,\"joined\":\"2026-01-31 10:00:00 UTC\"}\n";
    let map = ["--map", "ref=customer_id", "--map", "plan=tier"];
    let (output, stored) =
        bench.sync_alone("flat.ndjson", text, &[&map[..], &["--ignore-unknown-columns"]].concat()).await;
    let expected =
        members([("17", json!({"plan": "gold", "age": 7})), ("b", json!({"joined": "2026-01-31T10:00:00.000Z"}))]);
    assert_eq!((output.code, stored), (Some(0), expected), "{}", output.stderr);
    let (output, stored) = bench.sync_alone("strict.ndjson", text, &map).await;
    output.assert_stderr(1, "unknown field `internal`: map it with --map");
    assert!(stored.iter().all(|(reference, _)| reference != "17"), "{stored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_that_repeats_the_header_is_invalid() {
    let bench = Bench::with(Database::Sqlite, &["ann", "ben", "plan"]).await;
    let file = bench.file("members.csv", "ref,plan\nann,a\nref,plan\nben,b\n");
    bench.sync(&file, &[]).assert_stderr(1, "line 3: it repeats the header");
    let mirror = ["--delete-missing", "--max-deleted-percent", "100", "--on-error", "skip"];
    bench.sync(&file, &mirror).assert_stderr(1, "1 row can't be attributed to a member");
    assert_eq!(bench.refs().await, ["ann", "ben", "plan"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_of_other_formats_are_rejected() {
    let bench = Bench::new(Database::Sqlite).await;
    let lines = bench.file("members.txt", "ann\n");
    bench.sync(&lines, &["--delimiter", ";"]).assert_stderr(2, "--no-header and --delimiter are for CSV files");
    let csv = bench.file("members.csv", "name;plan\nann;gold\n");
    bench.sync(&csv, &[]).assert_stderr(2, "separated by ';', which --delimiter CHARACTER changes");
    bench.sync(&csv, &["--delimiter", "ab"]).assert_stderr(2, "expected a character, or tab");
    bench.sync(&csv, &["--encoding", "klingon"]).assert_stderr(2, "encoding.spec.whatwg.org");
    assert!(bench.refs().await.is_empty());
}
