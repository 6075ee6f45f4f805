//! The command `export`: round trips with `sync`, and its options.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use super::{ATTRIBUTES, Bench};
use crate::support::Database;

/// Members with values that careless readers and writers of files would change.
fn tricky_members() -> Vec<Value> {
    let text = |text: &str| json!({"plan": text});
    let attributes = [
        Value::Null,
        json!({}),
        text(""),
        text(" "),
        text(r"\N"),
        text(r"\\N"),
        text(r"\\\N"),
        text(r"\n"),
        text("null"),
        text("\"quoted\", 'and' more"),
        text("two\nlines\r\nthree\r"),
        text("\u{feff}é\u{301}𝄞\u{1}\u{7f}\t"),
        text(&"long ".repeat(3000)),
        json!({"age": 0, "active": false, "joined": "2026-01-31", "tags": []}),
        json!({"age": -0.1, "active": true, "joined": "1969-12-31T23:59:59.999999Z", "tags": [""]}),
        json!({"age": 9_007_199_254_740_991_i64, "tags": [r"\N", "a,b", "\"", "\n", "[]"]}),
        json!({"age": 1e-300, "joined": "9999-12-31T23:59:59Z", "ref": "another", "attributes.x": "y"}),
    ];
    let refs = [
        "a",
        "A",
        "",
        " ",
        ",",
        "\"",
        "\n",
        "\r",
        r"\N",
        r"\\N",
        "é",
        "e\u{301}",
        "#",
        "'",
        "\u{feff}ref",
        "null",
        "0",
    ];
    let row = |(number, (reference, attributes)): (usize, (&str, Value))| {
        let mut row = json!({"ref": format!("{reference}{}", if reference.is_empty() { "x" } else { "" })});
        if !attributes.is_null() {
            row["attributes"] = attributes;
        }
        if number % 3 == 0 {
            row["sourceUpdatedAt"] = json!("2026-01-31T12:00:00.123456Z");
        }
        row
    };
    refs.into_iter().zip(attributes).enumerate().map(row).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncing_an_export_changes_nothing(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let schema = [&ATTRIBUTES[..], &[("ref", "STRING"), ("attributes.x", "STRING")]].concat();
    bench.declare(&bench.base, &schema).await;
    let rows = tricky_members();
    let input = json!({"memberbaseId": bench.base, "members": rows});
    bench.server.writer().await.upsert_with(input).await.data();
    let before = bench.members().await;
    for name in ["m.csv", "m.ndjson", "m.csv.gz", "m.ndjson.zst", "excel.csv"] {
        let file = bench.path(name);
        let arguments = ["--memberbase", &bench.base, "--output", file.to_str().unwrap()];
        let format: &[&str] = if name == "excel.csv" { &["--format", "excel"] } else { &[] };
        let output = bench.local("export", &[&arguments, format].concat());
        assert_eq!((output.code, &*output.stderr), (Some(0), ""));
        let output = bench.sync(&file, &["--json", "--delete-missing"]);
        assert_eq!(output.counts(0), [0, 0, rows.len() as u64, 0, 0], "{name}: {output:?}");
        assert_eq!(bench.members().await, before);
        // Into an empty memberbase it creates the same members.
        let copy = bench.server.memberbase(name).await;
        bench.declare(&copy, &schema).await;
        let output = bench.local("sync", &[file.to_str().unwrap(), "--memberbase", &copy, "--json"]);
        assert_eq!(output.counts(0), [rows.len() as u64, 0, 0, 0, 0], "{name}");
        assert_eq!(bench.members_of(&copy).await, before);
    }
    let files: Vec<_> = fs::read_dir(bench.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{files:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_writes_only_filtered_members(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let file = bench.file("m.csv", "ref,plan\na1,gold\na2,basic\nb1,gold\n");
    assert_eq!(bench.sync(&file, &[]).code, Some(0));
    let export = |options: &[&str]| {
        let output = bench.local("export", &[&["--memberbase", "Readers"], options].concat());
        assert_eq!(output.code, Some(0), "{output:?}");
        output.stdout
    };
    assert_eq!(
        export(&["--ref-prefix", "a", "--format", "csv"]),
        "ref,plan,age,active,joined,tags,sourceUpdatedAt\na1,gold,\\N,\\N,\\N,\\N,\\N\na2,basic,\\N,\\N,\\N,\\N,\\N\n"
    );
    let gold = r#"{"attribute": {"key": "plan", "eq": "gold"}}"#;
    let line: Value = serde_json::from_str(&export(&["--ref-prefix", "b", "--filter", gold])).unwrap();
    assert_eq!(line, json!({"ref": "b1", "attributes": {"plan": "gold"}}));
    assert_eq!(export(&["--ref-prefix", "c", "--format", "csv"]).lines().count(), 1);
    assert_eq!(export(&["--ref-prefix", "c"]), "");
    bench
        .local("export", &["--memberbase", "Readers", "--filter", "[]"])
        .assert_stderr(2, "--filter has to be an object");
    assert_eq!(export(&["--ref-prefix", "a", "--format", "lines"]), "a1\na2\n");
    let arguments = ["--memberbase", "Readers", "--output", bench.path("members").to_str().unwrap()].map(str::to_owned);
    bench.local("export", &arguments.each_ref().map(String::as_str)).assert_stderr(2, "set --format");
    bench
        .local("export", &["--memberbase", "Readers", "--filter", "{\"x\": 1}"])
        .assert_stderr(1, "MemberFilter has no such field");
    bench.local("export", &["--memberbase", "nobody"]).assert_stderr(1, "there is no memberbase");
    bench
        .local("export", &["--memberbase", "Readers", "--columns", "plna"])
        .assert_stderr(1, "\"plna\" does not exist");
    let unwritten = bench.path("kept.csv");
    fs::write(&unwritten, "as it was").unwrap();
    let arguments = ["--memberbase", "Readers", "--output", unwritten.to_str().unwrap(), "--filter", "{\"x\": 1}"];
    bench.local("export", &arguments).assert_stderr(1, "MemberFilter has no such field");
    assert_eq!(fs::read_to_string(&unwritten).unwrap(), "as it was");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_has_the_form_that_the_options_say(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    // The order of creation is that of the calls.
    for row in ["=a,gold;x,7.5", "b,\\N,\\N"] {
        let file = bench.file("m.csv", format!("ref,plan,age\n{row}\n"));
        assert_eq!(bench.sync(&file, &[]).code, Some(0));
    }
    let export = |options: &[&str]| {
        let output = bench.local("export", &[&["--memberbase", "Readers"], options].concat());
        assert_eq!((output.code, &*output.stderr), (Some(0), ""));
        output.stdout
    };
    let columns = ["--columns", "age,ref", "--columns", "plan"];
    for (options, expected) in [
        (&["--format", "csv"][..], "age,ref,plan\n7.5,=a,gold;x\n\\N,b,\\N\n"),
        (
            &["--format", "csv", "--delimiter", ";", "--bom", "--escape-formulas"],
            "\u{feff}age;ref;plan\n7.5;'=a;\"gold;x\"\n\\N;b;\\N\n",
        ),
        (&["--format", "excel", "--delimiter", "tab"], "\u{feff}age\tref\tplan\r\n7.5\t=a\tgold;x\r\n\tb\t\\N\r\n"),
        (&[], "{\"ref\":\"=a\",\"attributes\":{\"age\":7.5,\"plan\":\"gold;x\"}}\n{\"ref\":\"b\",\"attributes\":{}}\n"),
    ] {
        assert_eq!(export(&[&columns, options].concat()), expected, "{options:?}");
    }
    let unfit = bench.local("export", &["--memberbase", "Readers", "--format", "ndjson", "--bom"]);
    unfit.assert_stderr(2, "--bom and --escape-formulas are for --format csv");
}
