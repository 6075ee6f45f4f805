//! Rows that the database returns as columns equal the rows that were stored.

use memberbase::db::{ArrayColumn, ArrayTable, ColumnSpec, ColumnarRows, Db, Settings};
use rstest::rstest;
use sea_orm::QueryResult;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::support::{Database, Server};

const NAMES: [ColumnSpec; 6] = [
    ColumnSpec::Id("id"),
    ColumnSpec::MaybeText("text"),
    ColumnSpec::MaybeInt("number"),
    ColumnSpec::Document("document"),
    ColumnSpec::Text("plain"),
    ColumnSpec::Int("n"),
];

/// Texts that differ in their lengths only, and texts that look like separators or escapes of a wire format.
const TEXTS: [Option<&str>; 8] = [
    Some(""),
    None,
    Some("\\x41\\\\"),
    Some("\"',{}\n\t"),
    Some("é\u{1f600}"),
    Some("\u{1}\u{7f}"),
    Some(""),
    Some("a"),
];
const NUMBERS: [Option<i64>; 8] =
    [Some(0), Some(-1), None, Some(i64::MAX), Some(i64::MIN + 1), Some(1 << 53), Some(7), None];
const DOCUMENTS: [Option<&str>; 8] =
    [None, Some("{}"), None, Some("{\"a\": 1}"), Some("[\"\\\\\"]"), None, Some("[]"), Some("\"é\"")];

async fn read_columns(server: &Server, count: usize) -> ColumnarRows {
    let ids = (0..count as u128).map(|n| Uuid::from_u128(n << 100 | n)).collect();
    let rows = ArrayTable::new([
        ("id", ArrayColumn::Uuids(ids)),
        ("text", ArrayColumn::MaybeTexts(TEXTS[..count].to_vec())),
        ("number", ArrayColumn::MaybeInts(NUMBERS[..count].to_vec())),
        ("document", ArrayColumn::Documents(DOCUMENTS[..count].to_vec())),
        ("plain", ArrayColumn::Texts(TEXTS[..count].iter().map(|text| text.unwrap_or("none")).collect())),
    ]);
    let sql = "SELECT input.id, input.text, input.number, CAST(input.document AS text) AS document, \
        input.plain, input.n \
        FROM {rows} AS input ORDER BY input.n DESC";
    server.app.db.read().await.unwrap().bulk_columns(sql, &NAMES, &[], &rows).await.unwrap()
}

#[tokio::test]
async fn postgres_plan_for_sorted_rows_has_no_sort() {
    let server = Server::start(Database::Postgres).await;
    let rows = ArrayTable::new([("plain", ArrayColumn::Texts(vec!["a", "b"]))]);
    let session = server.app.db.read().await.unwrap();
    for (order, sorts) in [("input.i", false), ("input.n", true)] {
        let mut plan = String::new();
        let take = |line: QueryResult| {
            plan.push_str(&line.try_get::<String>("", "QUERY PLAN")?);
            Ok(())
        };
        let sql = format!("EXPLAIN SELECT input.plain FROM {{rows}} AS input ORDER BY {order}");
        session.bulk_each(&sql, &[], &rows, take).await.unwrap();
        assert_eq!(plan.contains("Sort"), sorts, "{order}: {plan}");
    }
}

#[rstest]
#[tokio::test]
async fn columns_equal_the_rows_in_their_order(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let columns = read_columns(&server, TEXTS.len()).await;
    let ids: Vec<_> = (0..TEXTS.len()).rev().map(|n| Uuid::from_u128((n as u128) << 100 | n as u128)).collect();
    assert_eq!(columns.column::<Uuid>(0).unwrap(), ids);
    let texts: Vec<_> = TEXTS.iter().rev().map(|text| text.map(str::to_owned)).collect();
    assert_eq!(columns.column::<Option<String>>(1).unwrap(), texts);
    let numbers: Vec<_> = NUMBERS.iter().rev().copied().collect();
    assert_eq!(columns.column::<Option<i64>>(2).unwrap(), numbers);
    let documents: Vec<_> = DOCUMENTS.iter().rev().map(|text| text.map(str::to_owned)).collect();
    assert_eq!(columns.column::<Option<String>>(3).unwrap(), documents);
    let plain: Vec<_> = TEXTS.iter().rev().map(|text| text.unwrap_or("none").to_owned()).collect();
    assert_eq!(columns.column::<String>(4).unwrap(), plain);
    assert_eq!(columns.column::<i64>(5).unwrap(), [7, 6, 5, 4, 3, 2, 1, 0]);

    let mut cells = columns.cells::<Option<i64>>(2).unwrap();
    for number in numbers {
        assert_eq!(cells.take().unwrap(), number);
    }
    assert!(cells.take().is_err(), "there is no other row");
    assert!(columns.column::<i64>(2).is_err(), "a null is no number");
    assert!(columns.column::<String>(1).is_err(), "a null is no text");
}

#[rstest]
#[tokio::test]
async fn no_rows_give_empty_columns(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let columns = read_columns(&server, 0).await;
    assert!(columns.column::<Uuid>(0).unwrap().is_empty());
    assert!(columns.column::<String>(1).unwrap().is_empty());
    assert!(columns.column::<i64>(2).unwrap().is_empty());
    assert!(columns.column::<String>(3).unwrap().is_empty());
    assert!(columns.column::<String>(4).unwrap().is_empty());
}

#[tokio::test]
async fn postgres_database_with_another_encoding_is_rejected() {
    let (settings, _storage) = Database::Postgres.make().await;
    let (server, name) = settings.url.rsplit_once('/').unwrap();
    let mut connection = PgConnection::connect(&settings.url).await.unwrap();
    let latin = format!("{name}_latin1");
    let sql = format!("CREATE DATABASE {latin} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
    let refused = Db::connect(&Settings { url: format!("{server}/{latin}"), ..settings.clone() }).await;
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("the encoding LATIN1"), "{message}");
}

#[tokio::test]
async fn utf16_sqlite_file_is_rejected() {
    let (settings, _storage) = Database::Sqlite.make().await;
    let url = format!("{}.utf16", settings.url);
    let mut connection = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
    connection.execute("PRAGMA encoding = 'UTF-16le'; CREATE TABLE any (a)").await.unwrap();
    connection.close().await.unwrap();
    let message = Db::connect(&Settings { url, ..settings.clone() }).await.unwrap_err().to_string();
    assert!(message.contains("the encoding UTF-16le"), "{message}");
}
