//! Rows that are not to be stored.

use rstest::rstest;
use serde_json::json;

use super::Bench;
use crate::support::Database;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_row_ends_the_run_unless_it_is_to_be_left_out(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::with(database, &["ann", "ben", "gone"]).await;
    let text = "ref,plan,age\nann,gold,41\nben,gold,old\n,gold,1\nshort\nnew,gold,young\ndora,gold,2\n";
    let (file, rejects) = (bench.file("members.csv", text), bench.path("rejects.csv"));
    let options = ["--json", "--rejects", rejects.to_str().unwrap(), "--on-error"];
    bench.sync(&file, &[&options[..], &["reject"]].concat()).told(1, "line ");
    let ran = bench.sync(&file, &[&options[..], &["skip"]].concat());
    assert_eq!(ran.counts(3), [1, 1, 0, 4, 0]);
    assert_eq!(ran.summary(3)["rows"], 6);
    assert!(ran.stderr.contains("line 3: attributes.age: attribute \"age\" is of type NUMBER"), "{}", ran.stderr);
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
async fn a_slip_in_a_row_deletes_no_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::with(database, &["ann", "ben", "cid", "dora", "gone"]).await;
    let options = ["--delete-missing", "--max-deleted-percent", "100", "--on-error", "skip", "--json"];
    let text = "{\"ref\":\"ann\",\"attributes\":{\"age\":\"old\"}}\n{\"ref\":\"ben\",\"plan\":\"gold\"}\n\
        {\"ref\":\"cid\",\"attributes\":[]}\n{\"ref\":\"dora\",\"sourceUpdatedAt\":7}\n\
        {\"ref\":\"new\",\"attributes\":{\"age\":\"old\"}}\n{\"ref\":\"newer\",\"attributes\":7}\n";
    let ran = bench.sync(&bench.file("members.ndjson", text), &options);
    assert_eq!(ran.counts(3), [0, 0, 0, 6, 1]);
    assert_eq!(bench.refs().await, ["ann", "ben", "cid", "dora"]);
    let text = "ref,age\nann,x\nben,\ncid,7\ndora,1\n";
    assert_eq!(bench.sync(&bench.file("members.csv", text), &options).counts(3), [0, 2, 1, 1, 0]);
    assert_eq!(bench.refs().await, ["ann", "ben", "cid", "dora"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_row_is_about_nobody_can_tell_whom_nobody_is_deleted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(
        "{\"ref\":\"ann\"}\nben\n",
        "{\"ref\":\"ann\"}\n{\"attributes\":{}}\n",
        "{\"ref\":\"ann\"}\n{\"ref\":7}\n"
    )]
    text: &str,
) {
    let bench = Bench::with(database, &["ann", "ben"]).await;
    let options = ["--delete-missing", "--max-deleted-percent", "100", "--json", "--on-error"];
    let file = bench.file("members.ndjson", text);
    for on_error in ["skip", "reject"] {
        let ran = bench.sync(&file, &[&options[..], &[on_error]].concat());
        assert_eq!((ran.counts(1)[4], &ran.summary(1)["complete"]), (0, &json!(false)), "{ran:?}");
    }
    assert_eq!(bench.refs().await, ["ann", "ben"]);
    assert_eq!(bench.syncs().await, ["ABANDONED"; 2]);
}
