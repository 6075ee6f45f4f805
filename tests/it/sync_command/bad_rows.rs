//! Files with bad rows.

use rstest::rstest;
use serde_json::json;

use super::{Bench, gzip, zstd};
use crate::support::Database;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_row_ends_the_run_unless_it_is_skipped(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::with(database, &["ann", "ben", "gone"]).await;
    let text = "ref,plan,age\nann,gold,41\nben,gold,old\n,gold,1\nshort\nnew,gold,young\ndora,gold,2\n";
    let (file, rejects) = (bench.file("members.csv", text), bench.path("rejects.csv"));
    let options = ["--json", "--rejects", rejects.to_str().unwrap(), "--on-error"];
    bench.sync(&file, &[&options[..], &["reject"]].concat()).assert_stderr(1, "line ");
    let output = bench.sync(&file, &[&options[..], &["skip"]].concat());
    assert_eq!(output.counts(3), [1, 1, 0, 4, 0]);
    assert_eq!(output.summary(3)["rows"], 6);
    assert!(output.stderr.contains("line 3: attributes.age: attribute \"age\" is of type NUMBER"), "{}", output.stderr);
    let mut rows: Vec<_> = std::fs::read_to_string(&rejects).unwrap().lines().map(str::to_owned).collect();
    rows.sort();
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert!(rows[0].starts_with("3,ben,attributes.age,INVALID_ATTRIBUTE_TYPE,"), "{rows:?}");
    assert!(rows[1].starts_with("4,,ref,INVALID_REF,"), "{rows:?}");
    assert!(rows[2].starts_with("5,,,INVALID_VALUE,\"expected 3 cells"), "{rows:?}");
    assert!(rows[3].starts_with("6,new,attributes.age,"), "{rows:?}");
    let gold = json!({"plan": "gold", "age": 41});
    let members = bench.members().await;
    assert_eq!(members.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["ann", "ben", "dora", "gone"]);
    assert_eq!((&members[0].1, &members[1].1), (&gold, &json!({})));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_row_never_deletes_its_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::with(database, &["ann", "ben", "cid", "dora", "gone"]).await;
    let options = ["--delete-missing", "--max-deleted-percent", "100", "--on-error", "skip", "--json"];
    let text = "{\"ref\":\"ann\",\"attributes\":{\"age\":\"old\"}}\n{\"ref\":\"ben\",\"color\":\"red\"}\n\
        {\"ref\":\"cid\",\"attributes\":[]}\n{\"ref\":\"dora\",\"sourceUpdatedAt\":7}\n\
        {\"ref\":\"new\",\"attributes\":{\"age\":\"old\"}}\n{\"ref\":\"newer\",\"attributes\":7}\n\
        {\"ref\":\"newest\",\"attributes\":{\"age\":1,\"age\":2}}\n";
    let output = bench.sync(&bench.file("members.ndjson", text), &options);
    assert_eq!(output.counts(3), [0, 0, 0, 7, 1]);
    assert_eq!(bench.refs().await, ["ann", "ben", "cid", "dora"]);
    let text = "ref,age\nann,x\nben,\ncid,7\ndora,1\n";
    assert_eq!(bench.sync(&bench.file("members.csv", text), &options).counts(3), [0, 2, 1, 1, 0]);
    assert_eq!(bench.refs().await, ["ann", "ben", "cid", "dora"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_without_an_identifiable_member_prevents_deletions(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(
        "{\"ref\":\"ann\"}\nben\n",
        "{\"ref\":\"ann\"}\n{\"attributes\":{}}\n",
        "{\"ref\":\"ann\"}\n{\"ref\":7}\n",
        "{\"ref\":\"ann\"}\n{\"ref\":\"\"}\n",
        "{\"ref\":\"ann\"}\n{\"ref\":\"be\\u0000n\"}\n",
        "{\"ref\":\"ann\"}\n{\"ref\":\"ben\",\"ref\":\"ann\"}\n"
    )]
    text: &str,
) {
    let bench = Bench::with(database, &["ann", "ben"]).await;
    let options = ["--delete-missing", "--max-deleted-percent", "100", "--json", "--on-error"];
    let file = bench.file("members.ndjson", text);
    for on_error in ["skip", "reject"] {
        let output = bench.sync(&file, &[&options[..], &[on_error]].concat());
        assert_eq!((output.counts(1)[4], &output.summary(1)["complete"]), (0, &json!(false)), "{output:?}");
    }
    assert_eq!(bench.refs().await, ["ann", "ben"]);
    bench.assert_syncs_abandoned().await;
}

/// The options of a run that deletes all missing members.
const MIRROR: [&str; 4] = ["--delete-missing", "--max-deleted-percent", "100", "--json"];

/// A lenient CSV reader would merge or split these records.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_csv_record_prevents_deletions(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(
        ("ref,plan\nlena,\"family\nmara,\"single\"\nnoor,\"student\"\n", 3, "text follows a closing quote", 1),
        ("ref,plan\nlena,\"the \\\"big\\\" one\"\nmara,single\n", 2, "text follows a closing quote", 1),
        ("ref\n\"lena\n\"mara\"\nnoor\n", 3, "text follows a closing quote", 1),
        ("ref,plan\nlena,old\nmara,the \"big\" one\n", 3, "a cell that is not quoted holds a quote", 1)
    )]
    (text, line, why, good): (&str, u64, &str, u64),
) {
    let bench = Bench::with(database, &["lena", "mara", "noor"]).await;
    let file = bench.file("members.csv", text);
    let before = bench.members().await;
    let message = format!("line {line}: not CSV: {why}");
    let run = |more: &[&str]| bench.sync(&file, &[&MIRROR[..], more].concat());
    for (options, sent) in
        [(&["--on-error", "reject"][..], 0), (&["--dry-run"], good), (&["--dry-run", "--on-error", "skip"], good)]
    {
        let output = run(options);
        output.assert_stderr(1, &message);
        let [created, updated, unchanged, rejected, deleted] = output.counts(1);
        assert_eq!((created + updated + unchanged, rejected, deleted), (sent, 1, 0), "{options:?}: {output:?}");
        assert_eq!(bench.members().await, before, "{options:?}");
    }
    let rejects = bench.path("rejects.csv");
    let output = run(&["--on-error", "skip", "--rejects", rejects.to_str().unwrap()]);
    output.assert_stderr(1, &message);
    output.assert_stderr(1, "1 row can't be attributed to a member, so no member is deleted");
    assert_eq!((output.counts(1)[3], output.counts(1)[4]), (1, 0), "{output:?}");
    assert_eq!(bench.refs().await, ["lena", "mara", "noor"]);
    let listed = std::fs::read_to_string(&rejects).unwrap();
    assert!(listed.contains(&format!("\n{line},,,INVALID_VALUE,\"not CSV: {why}")), "{listed}");
    // Without a deletion the valid rows are stored.
    let output = bench.sync(&file, &["--json", "--on-error", "skip"]);
    assert_eq!((output.counts(3)[2], output.counts(3)[3]), (good, 1), "{output:?}");
    bench.assert_syncs_abandoned().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_without_a_usable_ref_prevents_deletions(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("", "mar\0a", "\u{e9}")] reference: &str,
    #[values("csv", "ndjson", "txt")] format: &str,
) {
    let bench = Bench::with(database, &["lena", "mara", "noor"]).await;
    let reference = if reference == "\u{e9}" { reference.repeat(513) } else { reference.to_owned() };
    let text = match format {
        "csv" => format!("ref,plan\nlena,family\n{reference},single\n"),
        "ndjson" => format!("{{\"ref\":\"lena\"}}\n{}\n", json!({"ref": reference})),
        // An empty line is not a row; a carriage return within a line may separate several refs.
        _ if reference.is_empty() => "lena\nmara\rnoor\n".to_owned(),
        _ => format!("lena\n{reference}\n"),
    };
    let file = bench.file(&format!("members.{format}"), text);
    for more in [&["--on-error", "skip"][..], &["--on-error", "skip", "--dry-run"], &["--dry-run"]] {
        let output = bench.sync(&file, &[&MIRROR[..], more].concat());
        output.assert_stderr(1, "ref");
        output.assert_stderr(
            1,
            "1 row can't be attributed to a member, so no member is deleted: correct the rejected rows",
        );
        assert_eq!(
            (output.counts(1)[3], output.counts(1)[4], &output.summary(1)["rows"]),
            (1, 0, &json!(2)),
            "{more:?}: {output:?}"
        );
    }
    bench.sync(&file, &MIRROR).assert_stderr(1, "line ");
    assert_eq!(bench.refs().await, ["lena", "mara", "noor"]);
    assert_eq!(bench.sync(&file, &["--on-error", "skip", "--json"]).counts(3)[3], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_of_another_format_is_rejected_before_any_upsert() {
    let bench = Bench::with(Database::Sqlite, &["ann"]).await;
    let workbook: &[u8] = b"PK\x03\x04\x14\0\x06\0\x08\0\nxl/workbook.xml\n";
    let utf16: Vec<u8> = "\u{feff}ref\tplan\r\nann\tgold\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let zip = "the file is a workbook (.xlsx, .ods) or another zip file: save it as CSV";
    for (name, content, message) in [
        ("members.txt", workbook.to_vec(), zip),
        ("members.csv", workbook.to_vec(), zip),
        ("members.ndjson", workbook.to_vec(), zip),
        ("members.csv.gz", gzip(workbook), zip),
        ("members.zst", zstd(workbook), zip),
        ("image.txt", b"\x89PNG\r\n\x1a\n".to_vec(), "the file is a PNG image: save it as CSV"),
        ("unicode.csv", utf16[2..].to_vec(), "the file is UTF-16 text: save it as UTF-8"),
    ] {
        bench
            .sync(&bench.file(name, content), &[&MIRROR[..], &["--on-error", "skip"]].concat())
            .assert_stderr(2, message);
    }
    let unpacked = bench.file("members.csv.gz", "ref\nben\n");
    bench.sync(&unpacked, &MIRROR).assert_stderr(1, "it is not packed with gzip, as its name says");
    for (text, message) in [
        (
            "ref\tplan\nann\tgold\n",
            "the file seems to be a table with tabs, not a ref per line: give --format csv, or --format lines",
        ),
        ("ref;plan\nann;gold\n", "a table with semicolons, not a ref per line: give --format csv"),
        ("ref,plan\nann,gold\n", "a table with commas, not a ref per line: give --format csv, or --format lines"),
        ("{\"ref\":\"ann\"}\n", "JSON objects, not a ref per line: give --format ndjson, or"),
    ] {
        for name in ["members.txt", "members"] {
            bench.sync(&bench.file(name, text), &MIRROR).assert_stderr(2, message);
        }
    }
    assert_eq!((bench.refs().await, bench.syncs().await.len()), (vec!["ann".to_owned()], 0));
    // An explicit format takes precedence over the content.
    let file = bench.file("members.txt", "Smith, J\nMiller, A\n");
    assert_eq!(bench.sync(&file, &["--json", "--format", "lines"]).counts(0), [2, 0, 0, 0, 0]);
}
