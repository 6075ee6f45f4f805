//! Files that are inspected before they are imported.

use std::fmt::Write;

use axum::http::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Bench, Outcome};
use crate::support::{Database, coding::compressed};

impl Bench {
    async fn inspect(&self, parameters: &str, begin: &[u8]) -> Value {
        let request = self.request(&format!("inspect=true&{parameters}"), begin.to_vec());
        let response = self.writer.send(request).await;
        assert_eq!(response.status, StatusCode::OK, "{}", String::from_utf8_lossy(&response.body));
        response.json()
    }
}

/// Returns the suggested parameters as a query string.
pub(super) fn query(inspected: &Value) -> String {
    let mut query = String::new();
    for pair in inspected["parameters"].as_array().unwrap() {
        let value = pair[1].as_str().unwrap();
        write!(query, "{}=", pair[0].as_str().unwrap()).unwrap();
        value.bytes().for_each(|byte| write!(query, "%{byte:02x}").unwrap());
        query.push('&');
    }
    query
}

#[rstest]
#[tokio::test]
async fn file_can_be_imported_with_the_suggested_parameters(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let file = b"Kundennummer;PLAN;Alter;Joined;Notiz;Active\n47;J\xf6rg;1.234,5;3/14/2024;x;ja\n48;;;;;\n49;a;7;;;vielleicht\n";
    let inspected = bench.inspect("map=age=Alter", file).await;
    assert_eq!((&inspected["format"], &inspected["encoding"]), (&json!("csv"), &json!("windows-1252")));
    let column = |place: usize| (&inspected["columns"][place]["name"], &inspected["columns"][place]["key"]);
    assert_eq!(column(0), (&json!("Kundennummer"), &json!("ref")));
    assert_eq!(column(1), (&json!("PLAN"), &json!("plan")));
    assert_eq!(column(2), (&json!("Alter"), &json!("age")));
    assert_eq!(column(4), (&json!("Notiz"), &json!(null)));
    assert_eq!(inspected["columns"][0]["samples"], json!(["47", "48", "49"]));
    let rows = &inspected["rows"];
    let first = json!({"ref": "47", "attributes": {"plan": "J\u{f6}rg", "age": 1234.5, "joined": "2024-03-14", "active": true}});
    assert_eq!(
        (&rows[0]["line"], &rows[0]["row"], &rows[0]["errors"]),
        (&json!(2), &first, &json!(null)),
        "{inspected}"
    );
    let error = &rows[2]["errors"][0];
    assert_eq!((&error["column"], &error["code"]), (&json!("Active"), &json!("INVALID_ATTRIBUTE_TYPE")));
    let outcome = bench.import(&format!("{}onError=skip", query(&inspected)), file.to_vec()).await;
    assert_eq!((outcome.counts(), bench.refs().await), ([2, 0, 0, 1, 0], vec!["47".to_owned(), "48".to_owned()]));
}

#[tokio::test]
async fn beginning_of_a_file_is_enough() {
    let bench = Bench::new(Database::Sqlite).await;
    let rows: String =
        (0..40_000).map(|row| format!("{{\"ref\":\"ref-{row}\",\"attributes\":{{\"age\":{row}}}}}\n")).collect();
    let packed = compressed("zstd", rows.as_bytes());
    for begin in [rows.as_bytes(), &rows.as_bytes()[..100_001], &packed[..packed.len() / 2]] {
        let inspected = bench.inspect("", begin).await;
        assert_eq!((&inspected["format"], &inspected["problem"]), (&json!("ndjson"), &json!(null)), "{inspected}");
        let keys: Vec<_> =
            inspected["columns"].as_array().unwrap().iter().map(|column| column["key"].as_str().unwrap()).collect();
        assert_eq!((keys, inspected["rows"].as_array().unwrap().len()), (vec!["ref", "age"], 20));
    }
    assert_eq!(bench.server.members().await, 0);
}

#[tokio::test]
async fn file_without_a_column_of_refs_has_a_problem() {
    let bench = Bench::new(Database::Sqlite).await;
    let inspected = bench.inspect("format=csv", b"plan,colour\na,red\n").await;
    assert!(inspected["problem"].as_str().unwrap().contains("no column \"ref\""), "{inspected}");
    let request = bench.request("inspect=true", b"PK\x03\x04xyz".to_vec());
    Outcome::of(&bench.writer.send(request).await).assert_failed(400, "BAD_USER_INPUT", "a workbook (.xlsx, .ods)");
    let reader = bench.server.reader().await;
    Outcome::of(&reader.send(bench.request("inspect=true", "ann\n")).await).assert_failed(403, "FORBIDDEN", "");
}
