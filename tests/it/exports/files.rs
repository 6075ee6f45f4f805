//! The files that exports write, and their way back by imports.

use axum::http::{StatusCode, header::ACCEPT_ENCODING};
use memberbase::types::Limits;
use rstest::rstest;
use serde_json::{Value, json};

use super::Bench;
use crate::support::{
    Database,
    coding::{CODINGS, expanded},
};

const TIME: &str = "2026-01-31T12:00:00.123456Z";

/// Refs and attributes that careless readers and writers of files would change.
fn tricky_members(has_line_breaks: bool) -> Vec<Value> {
    let texts = [
        "",
        " ",
        r"\N",
        r"\\N",
        "null",
        "NULL",
        "=1+1",
        "+49",
        "-7",
        "@x",
        "'",
        "\"quoted\", 'and'; more",
        "a;b",
        "a,b",
        "a\tb",
        "a|b",
        "\u{feff}e\u{301}𝄞\u{1}",
        "007",
        "{\"a\": 1}",
        "[1]",
        "ref",
        "two\nlines\r\nthree\r",
        "\n",
        "\r",
    ];
    let texts = texts.into_iter().filter(|text| has_line_breaks || !text.contains(['\r', '\n']));
    let values = [
        json!({}),
        json!({"age": 0, "active": false, "joined": "2026-01-31", "tags": []}),
        json!({"age": -0.125, "active": true, "joined": "1969-12-31T23:59:59.999999Z", "tags": ["", r"\N", "a,b", "\n"]}),
        json!({"age": 9_007_199_254_740_991_i64, "ref": "another", "a,b": "x"}),
        json!({"age": 1e-300, "plan": ""}),
    ];
    let texts = texts.enumerate().map(|(number, text)| {
        let mut row =
            json!({"ref": format!("{text}{}", if text.is_empty() { "x" } else { "" }), "attributes": {"plan": text}});
        if number % 3 == 0 {
            row["sourceUpdatedAt"] = json!(TIME);
        }
        row
    });
    let values = values
        .into_iter()
        .enumerate()
        .map(|(number, values)| json!({"ref": format!("v{number}"), "attributes": values}));
    texts.chain(values).collect()
}

#[rstest]
#[tokio::test]
async fn every_format_has_its_form(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let attributes = json!({
        "plan": "gold; \"x\"", "age": 7.5, "active": true, "joined": "2026-01-31", "tags": ["a", "b"], "ref": "r", "a,b": "c"
    });
    bench.upsert(vec![json!({"ref": "ann", "attributes": attributes, "sourceUpdatedAt": TIME})]).await;
    bench.upsert(vec![json!({"ref": "ben"})]).await;
    assert_eq!(
        bench.file("format=csv").await,
        "ref,plan,age,active,joined,tags,attributes.ref,\"a,b\",sourceUpdatedAt\n\
        ann,\"gold; \"\"x\"\"\",7.5,true,2026-01-31,\"[\"\"a\"\", \"\"b\"\"]\",r,c,2026-01-31T12:00:00.123456Z\n\
        ben,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N\n"
    );
    assert_eq!(
        bench.file("format=excel&columns=ref,age,plan,joined,sourceUpdatedAt").await,
        "\u{feff}ref;age;plan;joined;sourceUpdatedAt\r\n\
        ann;7.5;\"gold; \"\"x\"\"\";2026-01-31;2026-01-31T12:00:00.123456Z\r\n\
        ben;;\\N;;\r\n"
    );
    assert_eq!(
        bench.file("format=csv&bom=true&delimiter=tab&columns=ref,age").await,
        "\u{feff}ref\tage\nann\t7.5\nben\t\\N\n"
    );
    assert_eq!(bench.file("format=lines").await, "ann\nben\n");
    let lines = bench.file("format=ndjson").await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines,
        [
            json!({"ref": "ann", "attributes": attributes, "sourceUpdatedAt": TIME}),
            json!({"ref": "ben", "attributes": {}})
        ]
    );
    assert_eq!(
        bench.file("format=ndjson&columns=age,ref").await,
        "{\"ref\":\"ann\",\"attributes\":{\"age\":7.5}}\n{\"ref\":\"ben\",\"attributes\":{}}\n"
    );
}

#[rstest]
#[tokio::test]
async fn importing_an_export_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(
        ("format=csv", "format=csv"),
        ("format=csv&bom=true&delimiter=|", "format=csv"),
        ("format=csv&delimiter=:", "format=csv&delimiter=:"),
        ("format=excel", "format=csv"),
        ("format=excel&delimiter=tab&bom=false", "format=csv"),
        ("format=ndjson", "format=ndjson")
    )]
    (export, import): (&str, &str),
) {
    let bench = Bench::new(database).await;
    let members = tricky_members(true);
    let count = members.len() as u64;
    bench.upsert(members).await;
    let file = bench.file(export).await;
    assert_eq!(bench.import(&bench.base, import, file.clone()).await, [0, 0, count, 0], "{file}");
    // Into an empty memberbase it creates the same members.
    let copy = bench.server.memberbase("Copy").await;
    bench.declare(&copy).await;
    assert_eq!(bench.import(&copy, import, file.clone()).await, [count, 0, 0, 0]);
    let copied = Bench { base: copy, reader: bench.reader.clone(), server: bench.server };
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (first, second) = (file, copied.file(export).await);
    assert_eq!(sorted(first), sorted(second));
}

#[rstest]
#[tokio::test]
async fn chosen_columns_and_refs_alone_are_read_back(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let members = tricky_members(false);
    let count = members.len() as u64;
    bench.upsert(members).await;
    for (export, import) in [
        ("format=lines", "format=lines"),
        ("format=csv&columns=tags,ref,plan", "format=csv"),
        ("format=excel&columns=a,b&columns=ref,attributes.ref", "format=csv"),
        ("format=ndjson&columns=ref", "format=ndjson"),
        ("format=ndjson&columns=joined,age,ref", "format=ndjson"),
    ] {
        let file = bench.file(export).await;
        assert_eq!(bench.import(&bench.base, import, file.clone()).await, [0, 0, count, 0], "{export}: {file}");
    }
}

#[tokio::test]
async fn ref_with_a_line_break_has_no_line() {
    let bench = Bench::new(Database::Sqlite).await;
    bench.upsert(vec![json!({"ref": "two\nlines"})]).await;
    let response = bench.export("format=lines").await;
    assert!(super::failure(&response, 400, "BAD_USER_INPUT").contains("contains a line break"));
}

#[tokio::test]
async fn formulas_are_texts_if_that_is_wanted() {
    let bench = Bench::new(Database::Sqlite).await;
    bench.upsert(vec![json!({"ref": "=ann", "attributes": {"plan": "@x", "age": -1}})]).await;
    let file = bench.file("format=excel&columns=ref,plan,age&escapeFormulas=true").await;
    assert_eq!(file, "\u{feff}ref;plan;age\r\n'=ann;'@x;-1\r\n");
    assert_eq!(bench.file("format=csv&columns=ref,plan,age").await, "ref,plan,age\n=ann,@x,-1\n");
}

#[rstest]
#[tokio::test]
async fn file_is_compressed_as_the_client_prefers(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of_pages(database, 200).await;
    let plain = bench.file("format=csv").await;
    for coding in CODINGS {
        let mut request = bench.request("format=csv");
        request.headers_mut().insert(ACCEPT_ENCODING, coding.parse().unwrap());
        let response = bench.reader.send(request).await;
        assert_eq!(
            (response.status, &response.headers["content-encoding"]),
            (StatusCode::OK, &coding.parse().unwrap())
        );
        assert!(response.body.len() < plain.len() / 2, "{coding}: {}", response.body.len());
        assert_eq!(String::from_utf8(expanded(coding, &response.body)).unwrap(), plain, "{coding}");
        if coding != "br" {
            assert_eq!(bench.import(&bench.base, "format=csv", response.body).await, [0, 0, 200, 0], "{coding}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn empty_memberbase_has_a_header_only(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::with_limits(database, Limits::default()).await;
    assert_eq!(bench.file("format=csv&columns=ref,plan").await, "ref,plan\n");
    assert_eq!(bench.file("format=excel&columns=ref,plan").await, "\u{feff}ref;plan\r\n");
    assert_eq!(bench.file("format=ndjson").await, "");
    assert_eq!(bench.file("format=lines").await, "");
    assert_eq!(bench.import(&bench.base, "format=csv", bench.file("format=csv").await).await, [0; 4]);
}
