//! Formats, compressions and encodings, and the events of rows.

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use rstest::rstest;
use serde_json::json;

use super::Bench;
use crate::support::{
    Database,
    coding::{CODINGS, compressed},
};

const CSV: &str = "customer,tier,age,active,joined,tags,note\n\
    ann,\"gold, \"\"x\"\"\",41,true,2026-01-31,\"[\"\"a\"\",\"\"b\"\"]\",x\n\
    ben,,,f,,,x\n\
    \"c\nid\",\\N,2.50,\\N,2026-01-31T12:00:00+01:00,[],x\n";

const CSV_PARAMETERS: &str = "format=csv&map=ref=customer&map=plan=tier&ignoreUnknownColumns=true";

const NDJSON: &str = r#"{"ref":"ann","attributes":{"plan":"gold, \"x\"","age":41,"active":true,"joined":"2026-01-31","tags":["a","b"]}}

{"attributes":{"plan":"","active":false},"ref":"ben"}
{"ref":"c\nid","attributes":{"age":2.5,"joined":"2026-01-31T11:00:00.000Z","tags":[]}}"#;

#[rstest]
#[tokio::test]
async fn every_format_and_compression_gives_the_same_result(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let outcome = bench.import(CSV_PARAMETERS, CSV).await;
    assert_eq!(outcome.counts(), [3, 0, 0, 0, 0]);
    let last = outcome.last();
    assert_eq!(
        (&last["memberbaseId"], &last["dryRun"], &last["truncated"]),
        (&json!(bench.base), &json!(false), &json!(false))
    );
    assert_eq!((&last["rows"], &last["bytes"]), (&json!(3), &json!(CSV.len())));
    let expected = [
        ("ann", json!({"plan": "gold, \"x\"", "age": 41, "active": true, "joined": "2026-01-31", "tags": ["a", "b"]})),
        ("ben", json!({"plan": "", "active": false})),
        ("c\nid", json!({"age": 2.5, "joined": "2026-01-31T11:00:00.000Z", "tags": []})),
    ];
    assert_eq!(bench.members().await, expected.map(|(reference, attributes)| (reference.to_owned(), attributes)));
    let unchanged = [0, 0, 3, 0, 0];
    for coding in CODINGS {
        let body = compressed(coding, CSV.as_bytes());
        let outcome = bench.import_with(CSV_PARAMETERS, (CONTENT_ENCODING, coding), body).await;
        assert_eq!(outcome.counts(), unchanged, "{coding}");
        if coding != "br" {
            let file = compressed(coding, CSV.as_bytes());
            assert_eq!(bench.import(CSV_PARAMETERS, file.clone()).await.counts(), unchanged, "a file with {coding}");
            let twice = compressed("gzip", &file);
            let outcome = bench.import_with(CSV_PARAMETERS, (CONTENT_ENCODING, "gzip"), twice).await;
            assert_eq!(outcome.counts(), unchanged, "a file with {coding} in gzip");
        }
    }
    assert_eq!(bench.import("format=ndjson", NDJSON).await.counts(), unchanged);
    assert_eq!(bench.import_with("", (CONTENT_TYPE, "application/x-ndjson"), NDJSON).await.counts(), unchanged);
    assert_eq!(bench.import("format=lines", "ann\r\n\nben\nnew").await.counts(), [1, 0, 2, 0, 0]);
}

#[rstest]
#[tokio::test]
async fn later_row_of_a_member_wins(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let reference = |row: usize| row * row % 7;
    let rows: String = (0..40_000).map(|row| format!("ref-{},{row}\n", reference(row))).collect();
    let outcome = bench.import("format=csv", format!("ref,age\n{rows}")).await;
    assert_eq!((outcome.counts()[0], &outcome.last()["rows"]), (4, &json!(40_000)));
    for (name, attributes) in bench.members().await {
        let last = (0..40_000).rev().find(|row| format!("ref-{}", reference(*row)) == name).unwrap();
        assert_eq!(attributes, json!({"age": last}), "{name}");
    }
}

#[rstest]
#[tokio::test]
async fn rejected_row_is_reported_with_its_place_and_text(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let text = "Kunde;Alter;seit\nann;x;1.2.2024\nben;7;gestern\n;8;1.2.2024\ncid;9\ndan;10;1.2.2024\n";
    let parameters = "format=csv&map=ref=Kunde&map=age=Alter&map=joined=seit&onError=skip";
    let outcome = bench.import(parameters, text).await;
    assert_eq!((outcome.counts(), bench.refs().await), ([1, 0, 0, 4, 0], vec!["dan".to_owned()]));
    assert_eq!(outcome.last()["rows"], 5);
    let rejected = outcome.rejected();
    assert_eq!(
        (&rejected[0]["line"], &rejected[0]["column"], &rejected[0]["ref"], &rejected[0]["path"], &rejected[0]["row"]),
        (
            &json!(2),
            &json!("Alter"),
            &json!("ann"),
            &json!(["attributes", "age"]),
            &json!({"ref": "ann", "attributes": {"age": "x", "joined": "2024-02-01"}})
        )
    );
    let twice = bench.import("format=csv&onError=skip", "ref,age,joined\nann,x,gestern\n").await;
    let (first, more) = (&twice.rejected()[0]["column"], &twice.rejected()[0]["more"]);
    assert_eq!((first, &more[0]["column"], more.as_array().unwrap().len()), (&json!("age"), &json!("joined"), 1));
    assert_eq!((&rejected[0]["code"], &rejected[1]["column"]), (&json!("INVALID_ATTRIBUTE_TYPE"), &json!("seit")));
    assert!(rejected[0]["message"].as_str().unwrap().contains("is of type NUMBER"), "{}", rejected[0]);
    assert_eq!(
        (&rejected[2]["line"], &rejected[2]["code"], &rejected[2]["column"]),
        (&json!(4), &json!("INVALID_REF"), &json!("Kunde"))
    );
    assert_eq!((&rejected[3]["line"], &rejected[3]["row"]), (&json!(5), &json!(["cid", "9"])));
    let ndjson = "{\"ref\":\"eve\",\"plna\":1}\n{\"plan\":\"a\"}\n{\"ref\":\"fay\",\"sourceUpdatedAt\":\"\\ud800\"}\n";
    let outcome = bench.import("format=ndjson&onError=skip", ndjson).await;
    let rejected = outcome.rejected();
    assert_eq!((outcome.counts()[3], &rejected[0]["ref"]), (3, &json!("eve")));
    let message = rejected[0]["message"].as_str().unwrap();
    assert!(
        message.contains(
            "unknown field `plna`: map it with map=KEY=COLUMN, or ignore such fields with ignoreUnknownColumns=true"
        ),
        "{message}"
    );
    assert_eq!(
        (&rejected[0]["row"], &rejected[1]["row"]),
        (&json!("{\"ref\":\"eve\",\"plna\":1}"), &json!("{\"plan\":\"a\"}"))
    );
    assert_eq!(rejected[2]["path"], json!(["sourceUpdatedAt"]));
}

#[rstest]
#[tokio::test]
async fn file_that_can_not_be_read_is_rejected_before_anything_is_stored(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    for (parameters, body, part) in [
        (
            "format=csv",
            &b"ref,plna\nann,a\n"[..],
            "\"plna\" is not an attribute of the memberbase: declare it with declare=true, map it with map=KEY=COLUMN, or",
        ),
        ("format=csv", b"", "it has no header"),
        ("format=csv&map=ref=id", b"ref\nann\n", "map=ref=id: the header has no column \"id\""),
        ("format=csv", b"PK\x03\x04xyz", "a workbook (.xlsx, .ods)"),
        ("format=csv&encoding=utf-8", b"ref\xff\nann\n", "not UTF-8: encoding=windows-1252 reads"),
        ("format=lines", b"\x1f\x8bxyz", "can't read the file"),
    ] {
        bench.import(parameters, body).await.assert_failed(400, "BAD_USER_INPUT", part);
    }
    assert_eq!(bench.server.members().await, 0);
}

#[tokio::test]
async fn message_about_a_long_value_is_short() {
    let bench = Bench::new(Database::Sqlite).await;
    let long = "x".repeat(300_000);
    let file = format!("\"{long}\"\n{{\"ref\":\"ann\",\"{long}\":1}}\n{{\"ref\":\"ben\",\"age\":\"{long}\"}}\n7\n");
    let outcome = bench.import("format=ndjson&onError=skip", file).await;
    let rejected = outcome.rejected();
    assert_eq!((outcome.counts()[3], rejected.len()), (4, 4));
    assert!(rejected.iter().all(|row| row.to_string().len() < 5_000), "{outcome:?}");
}

#[tokio::test]
async fn rows_and_headers_have_a_maximum_size() {
    let bench = Bench::new(Database::Sqlite).await;
    let long = format!("ann,\"{}\"\n", "x".repeat(5 << 20));
    let outcome = bench.import("format=csv", format!("ref,plan\n{long}")).await;
    outcome.assert_failed(400, "BAD_USER_INPUT", "the row at line 2 is longer than 4 MiB");
    let wide = "a,".repeat(20_000) + "ref\n";
    let outcome = bench.import("format=csv&ignoreUnknownColumns=true", wide).await;
    outcome.assert_failed(400, "BAD_USER_INPUT", "the file has 20001 columns, at most 10000 are allowed");
}

#[tokio::test]
async fn damaged_rest_of_a_file_fails_the_import() {
    let bench = Bench::new(Database::Sqlite).await;
    let lines: String = (0..20_000).map(|number| format!("member-{number}-{}\n", number * 7919 % 1000)).collect();
    let gzip = compressed("gzip", lines.as_bytes());
    let cut = gzip[..gzip.len() / 2].to_vec();
    bench.import("format=lines", cut.clone()).await.assert_failed(400, "BAD_USER_INPUT", "can't read the file");
    let outcome = bench.import_with("format=lines", (CONTENT_ENCODING, "gzip"), cut).await;
    outcome.assert_failed(400, "BAD_USER_INPUT", "can't read the file");
    let open = "ref,plan\nann,a\nben,\"b\n".to_owned() + &"x\n".repeat(200_000);
    let outcome = bench.import("format=csv", open).await;
    outcome.assert_failed(400, "BAD_USER_INPUT", "the file ends within a quoted cell, which begins in line 3");
}
