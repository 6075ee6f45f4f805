//! `bulkUpsertMembers`.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Database, Server, nowhere};

#[rstest]
#[tokio::test]
async fn ids_come_in_input_order_and_the_same_again(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let first = writer.upsert(&base, &["b", "a", "c"]).await.data();
    let again = writer.upsert(&base, &["c", "b", "a"]).await.data();
    let ids = &first["bulkUpsertMembers"]["memberIds"];
    assert_eq!(again["bulkUpsertMembers"]["memberIds"], json!([ids[2], ids[0], ids[1]]));
    assert_eq!(again["bulkUpsertMembers"]["summary"]["unchanged"], 3);
}

/// The ids of an answer.
fn ids(payload: &Value) -> Vec<Option<&str>> {
    payload["memberIds"].as_array().unwrap().iter().map(Value::as_str).collect()
}

/// The outcomes of an answer.
fn outcomes(payload: &Value) -> Vec<&str> {
    payload["results"].as_array().unwrap().iter().map(|result| result["outcome"].as_str().unwrap()).collect()
}

/// The payload of an upsert that has to succeed.
async fn upserted(caller: &Caller, base: &str, refs: &[&str]) -> Value {
    caller.upsert(base, refs).await.data()["bulkUpsertMembers"].take()
}

/// The payload of an upsert with options that has to succeed.
async fn upserted_with(caller: &Caller, base: &str, refs: &[&str], options: Value) -> Value {
    caller.upsert_with(input(base, refs, options)).await.data()["bulkUpsertMembers"].take()
}

fn input(base: &str, refs: &[&str], options: Value) -> Value {
    let members: Vec<_> = refs.iter().map(|reference| json!({"ref": reference})).collect();
    let mut input = json!({"memberbaseId": base, "members": members});
    for (key, value) in options.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

#[rstest]
#[tokio::test]
async fn a_ref_that_repeats_is_created_by_its_first_row_and_has_one_id(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let payload = upserted(&writer, &base, &["b", "a", "b", "b"]).await;
    let ids = ids(&payload);
    assert_eq!(outcomes(&payload), ["CREATED", "CREATED", "UNCHANGED", "UNCHANGED"]);
    assert!(ids[0] == ids[2] && ids[0] == ids[3] && ids[0] != ids[1] && ids[0].is_some(), "{ids:?}");
    assert_eq!((server.members().await, &payload["summary"]["created"]), (2, &json!(2)));
}

#[rstest]
#[tokio::test]
async fn refs_that_differ_in_a_byte_are_different_members(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let refs = [
        "A", "a", "\u{e9}", "e\u{301}", "x", "x ", " x", "x\n", "\u{1f600}", "\u{1f469}\u{200d}\u{1f467}", "\u{1f469}",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}", "\u{202e}abc", "abc", "m_01h455vb4pex5vsknk084sn02q", "1", "01", "1.0", "null",
        "'; DROP TABLE member; --", "%", "_", "\\", "\"", "{a,b}", "NULL", "\u{1}", "\u{ffff}", "\u{10ffff}", "\u{7f}",
    ];
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let first = upserted(&writer, &base, &refs).await;
    let reversed: Vec<_> = refs.iter().rev().copied().collect();
    let again = upserted(&writer, &base, &reversed).await;
    let mut back = ids(&again);
    back.reverse();
    assert_eq!((&first["summary"]["created"], &again["summary"]["unchanged"]), (&json!(refs.len()), &json!(refs.len())));
    assert_eq!(back, ids(&first));
    let mut sorted = refs.map(str::to_owned);
    sorted.sort_unstable();
    assert_eq!(server.column::<String>("SELECT ref FROM member ORDER BY ref").await, sorted);
}
