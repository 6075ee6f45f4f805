//! `bulkUpsertMembers`.

mod large;

use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server, missing_memberbase_id};

#[rstest]
#[tokio::test]
async fn ids_have_input_order_and_are_the_same_when_repeated(
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

fn ids(payload: &Value) -> Vec<Option<&str>> {
    payload["memberIds"].as_array().unwrap().iter().map(Value::as_str).collect()
}

fn outcomes(payload: &Value) -> Vec<&str> {
    payload["results"].as_array().unwrap().iter().map(|result| result["outcome"].as_str().unwrap()).collect()
}

/// Upserts refs, asserts success and returns the payload.
async fn upserted(caller: &Caller, base: &str, refs: &[&str]) -> Value {
    caller.upsert(base, refs).await.data()["bulkUpsertMembers"].take()
}

/// Upserts refs with options, asserts success and returns the payload.
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
async fn repeated_ref_is_created_by_its_first_row_and_has_one_id(
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
async fn refs_that_differ_in_one_byte_are_different_members(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let refs = [
        "A",
        "a",
        "\u{e9}",
        "e\u{301}",
        "x",
        "x ",
        " x",
        "x\n",
        "\u{1f600}",
        "\u{1f469}\u{200d}\u{1f467}",
        "\u{1f469}",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        "\u{202e}abc",
        "abc",
        "m_01h455vb4pex5vsknk084sn02q",
        "1",
        "01",
        "1.0",
        "null",
        "'; DROP TABLE member; --",
        "%",
        "_",
        "\\",
        "\"",
        "{a,b}",
        "NULL",
        "\u{1}",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{7f}",
    ];
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let first = upserted(&writer, &base, &refs).await;
    let reversed: Vec<_> = refs.iter().rev().copied().collect();
    let again = upserted(&writer, &base, &reversed).await;
    let mut back = ids(&again);
    back.reverse();
    assert_eq!(
        (&first["summary"]["created"], &again["summary"]["unchanged"]),
        (&json!(refs.len()), &json!(refs.len()))
    );
    assert_eq!(back, ids(&first));
    let mut sorted = refs.map(str::to_owned);
    sorted.sort_unstable();
    assert_eq!(server.column::<String>("SELECT ref FROM member ORDER BY ref").await, sorted);
}

#[rstest]
#[tokio::test]
async fn ref_has_at_most_1024_bytes(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let (ascii, wide) = ("x".repeat(1024), "\u{1f600}".repeat(256));
    let payload = upserted(&writer, &base, &[&ascii, &wide]).await;
    assert_eq!(outcomes(&payload), ["CREATED", "CREATED"]);
}

#[rstest]
#[tokio::test]
async fn one_bad_row_rejects_the_batch(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let (long, wide) = ("x".repeat(1025), format!("{}x", "\u{1f600}".repeat(256)));
    let response = writer.upsert(&base, &["good", &long, "", "a\0b", &wide]).await;
    let error = response.error();
    let failures = error["extensions"]["failures"].as_array().unwrap();
    let reported: Vec<_> =
        failures.iter().map(|reported| (&reported["index"], &reported["code"], &reported["path"])).collect();
    let expected = [json!(1), json!(2), json!(3), json!(4)];
    let (code, path) = (json!("INVALID_REF"), json!(["ref"]));
    assert_eq!(reported, expected.iter().map(|index| (index, &code, &path)).collect::<Vec<_>>());
    assert!(failures[0]["message"].as_str().unwrap().contains("1025"), "{error}");
    assert_eq!((response.code().as_str(), &error["extensions"]["failureCount"]), ("BAD_USER_INPUT", &json!(4)));
    assert_eq!(response.json()["errors"].as_array().unwrap().len(), 1);
    assert_eq!((&response.json()["data"]["bulkUpsertMembers"], server.members().await), (&Value::Null, 0));
}

#[rstest]
#[tokio::test]
async fn first_hundred_failures_are_reported(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let refs: Vec<_> = (0..300).map(|n| if n % 2 == 0 { "good" } else { "" }).collect();
    let error = writer.upsert(&base, &refs).await.error();
    let failures = error["extensions"]["failures"].as_array().unwrap();
    let indexes: Vec<_> = failures.iter().map(|reported| reported["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, (0..100).map(|n| 2 * n + 1).collect::<Vec<_>>());
    assert_eq!((&error["extensions"]["failureCount"], server.members().await), (&json!(150), 0));
}

#[rstest]
#[tokio::test]
async fn skip_failed_stores_the_valid_rows(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let options = json!({"onError": "SKIP_FAILED"});
    let payload = upserted_with(&writer, &base, &["a", "", "b", "a\0", ""], options).await;
    assert_eq!(outcomes(&payload), ["CREATED", "FAILED", "CREATED", "FAILED", "FAILED"]);
    let has_id: Vec<_> = ids(&payload).iter().map(Option::is_some).collect();
    assert_eq!(has_id, [true, false, true, false, false]);
    let member_ids: Vec<_> =
        payload["results"].as_array().unwrap().iter().map(|row| row["memberId"].as_str()).collect();
    assert_eq!(member_ids, ids(&payload));
    let result = &payload["results"][1];
    assert_eq!((&result["index"], &result["ref"]), (&json!(1), &json!("")));
    assert_eq!((&result["error"]["code"], &result["error"]["path"]), (&json!("INVALID_REF"), &json!(["ref"])));
    assert_eq!((&payload["results"][0]["error"], &payload["summary"]["failed"]), (&Value::Null, &json!(3)));
    assert_eq!(server.column::<String>("SELECT ref FROM member ORDER BY ref").await, ["a", "b"]);
}

#[rstest]
#[tokio::test]
async fn skip_failed_with_only_bad_rows_stores_nothing_without_an_error(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let payload = upserted_with(&writer, &base, &["", ""], json!({"onError": "SKIP_FAILED"})).await;
    assert_eq!((ids(&payload), server.members().await), (vec![None, None], 0));
}

#[rstest]
#[tokio::test]
async fn insert_only_skips_existing_members_and_returns_their_ids(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let first = upserted(&writer, &base, &["a"]).await;
    let payload = upserted_with(&writer, &base, &["b", "a", "a", "b"], json!({"mode": "INSERT_ONLY"})).await;
    assert_eq!(outcomes(&payload), ["CREATED", "SKIPPED", "SKIPPED", "UNCHANGED"]);
    let returned = ids(&payload);
    assert!(
        returned[1] == ids(&first)[0]
            && returned[2] == returned[1]
            && returned[3] == returned[0]
            && returned[0].is_some(),
        "{returned:?}"
    );
}

#[rstest]
#[tokio::test]
async fn update_only_creates_no_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let first = upserted(&writer, &base, &["a"]).await;
    let payload = upserted_with(&writer, &base, &["b", "a"], json!({"mode": "UPDATE_ONLY"})).await;
    assert_eq!((outcomes(&payload), ids(&payload)), (vec!["SKIPPED", "UNCHANGED"], vec![None, ids(&first)[0]]));
    assert_eq!((&payload["summary"]["skipped"], server.members().await), (&json!(1), 1));
}

#[rstest]
#[tokio::test]
async fn dry_run_reports_outcomes_and_stores_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let first = upserted(&writer, &base, &["a"]).await;
    let payload = upserted_with(&writer, &base, &["b", "a", "b"], json!({"dryRun": true})).await;
    assert_eq!(outcomes(&payload), ["CREATED", "UNCHANGED", "UNCHANGED"]);
    assert_eq!(ids(&payload), [None, ids(&first)[0], None]);
    assert_eq!(server.column::<String>("SELECT ref FROM member").await, ["a"]);
}

#[rstest]
#[tokio::test]
async fn dry_run_selects_members_as_they_are_stored(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase_with(&[("n", "NUMBER")], &[("a", json!({"n": 1}))]).await;
    let members = json!([{"ref": "a", "attributes": {"n": 2}}, {"ref": "b"}]);
    let query = "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { \
        members { attributes } results { outcome } } }";
    let input = json!({"memberbaseId": base, "members": members, "dryRun": true});
    let payload =
        server.writer().await.graphql(query, json!({"input": input})).await.data()["bulkUpsertMembers"].take();
    assert_eq!(outcomes(&payload), ["UPDATED", "CREATED"]);
    assert_eq!(payload["members"], json!([{"attributes": {"n": 1}}, null]));
}

#[rstest]
#[tokio::test]
async fn dry_run_is_rejected_like_the_real_call(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let bad = writer.upsert_with(input(&base, &["a", ""], json!({"dryRun": true}))).await;
    let absent = writer.upsert_with(input(&missing_memberbase_id(), &["a"], json!({"dryRun": true}))).await;
    assert_eq!((bad.code().as_str(), absent.code().as_str()), ("BAD_USER_INPUT", "NOT_FOUND"));
}

#[rstest]
#[tokio::test]
async fn members_of_a_payload_are_null_for_rows_without_an_id(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a"]).await, server.writer().await);
    let query = "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { members { ref } } }";
    let options = json!({"mode": "UPDATE_ONLY", "onError": "SKIP_FAILED"});
    let data = writer.graphql(query, json!({"input": input(&base, &["", "a", "b", "a"], options)})).await.data();
    assert_eq!(data["bulkUpsertMembers"]["members"], json!([null, {"ref": "a"}, null, {"ref": "a"}]));
}

#[rstest]
#[tokio::test]
async fn empty_batch_succeeds(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let payload = upserted(&writer, &base, &[]).await;
    assert_eq!((&payload["memberIds"], &payload["results"]), (&json!([]), &json!([])));
    assert_eq!(writer.upsert(&missing_memberbase_id(), &[]).await.code(), "NOT_FOUND");
}

#[rstest]
#[tokio::test]
async fn memberbase_outside_the_token_looks_like_a_missing_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (own, other, never) =
        (server.memberbase("own").await, server.memberbase("other").await, missing_memberbase_id());
    let bound = server.bound(Access::Write, &own).await;
    let message = |response: &ApiResponse, base: &str| (response.code(), response.message().replace(base, "<id>"));
    let elsewhere = message(&bound.upsert(&other, &["a"]).await, &other);
    let of_bound = message(&bound.upsert(&never, &["a"]).await, &never);
    let of_all = message(&server.writer().await.upsert(&never, &["a"]).await, &never);
    assert_eq!((elsewhere.0.as_str(), &elsewhere, &elsewhere), ("NOT_FOUND", &of_bound, &of_all));
    assert!(elsewhere.1.contains("<id>"), "{elsewhere:?}");
    assert_eq!(server.members().await, 0);
    assert_eq!(outcomes(&upserted(&bound, &own, &["a"]).await), ["CREATED"]);
}

#[rstest]
#[tokio::test]
async fn reader_cannot_upsert(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, reader) = (server.memberbase("b").await, server.reader().await);
    let (there, absent) = (reader.upsert(&base, &["a"]).await, reader.upsert(&missing_memberbase_id(), &["a"]).await);
    assert_eq!((there.code(), absent.code()), ("FORBIDDEN".to_owned(), "FORBIDDEN".to_owned()));
    assert_eq!(server.members().await, 0);
}

#[rstest]
#[tokio::test]
async fn same_ref_in_two_memberbases_is_two_members(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (one, two) = (server.memberbase("one").await, server.memberbase("two").await);
    let writer = server.writer().await;
    let (first, second) = (upserted(&writer, &one, &["a"]).await, upserted(&writer, &two, &["a"]).await);
    assert_eq!(outcomes(&second), ["CREATED"]);
    assert_ne!(ids(&first), ids(&second));
}

#[rstest]
#[tokio::test]
async fn recreated_ref_gets_a_new_id(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let first = upserted(&writer, &base, &["a", "b"]).await;
    writer.delete_with(json!({"memberbaseId": base, "refs": ["a"]})).await.data();
    let again = upserted(&writer, &base, &["a", "b"]).await;
    assert_eq!(outcomes(&again), ["CREATED", "UNCHANGED"]);
    assert!(ids(&again)[0] > ids(&first)[0] && ids(&again)[1] == ids(&first)[1], "{first} {again}");
}

// This error path is set by the code that coerces bulk rows itself.
#[rstest]
#[case::a_missing_ref(json!({}))]
#[case::a_ref_that_is_null(json!({"ref": null}))]
#[case::an_unknown_field(json!({"ref": "a", "name": "b"}))]
#[case::a_number_for_a_ref(json!({"ref": 7}))]
#[case::a_row_that_is_null(Value::Null)]
#[case::a_text_for_a_row(json!("a"))]
#[tokio::test]
async fn row_of_the_wrong_shape_rejects_the_request_and_is_named(
    #[case] row: Value,
    #[values("REJECT_BATCH", "SKIP_FAILED")] on_error: &str,
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let input = json!({"memberbaseId": base, "members": [{"ref": "good"}, row], "onError": on_error});
    let response = writer.upsert_with(input).await;
    assert_eq!((response.code().as_str(), server.members().await), ("BAD_USER_INPUT", 0), "{}", response.json());
    let path = response.error()["extensions"]["path"].as_array().cloned().unwrap_or_default();
    assert!(path.windows(2).any(|steps| steps == [json!("members"), json!(1)]), "{}", response.json());
}
