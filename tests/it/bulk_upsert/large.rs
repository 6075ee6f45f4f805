//! Calls that exceed the size of one statement, or that are large enough for the probe whether all rows are new.

use rstest::rstest;
use serde_json::{Value, json};

use super::{ids, input, upserted, upserted_with};
use crate::support::{Database, Server};

#[rstest]
#[tokio::test]
async fn members_of_ten_thousand_rows_have_the_order_of_the_rows(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let refs: Vec<_> = (0..10_000).map(|n| format!("ref-{}", n * 7919 % 10_000)).collect();
    let refs: Vec<_> = refs.iter().map(String::as_str).collect();
    let query = "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { \
        memberIds members { id ref memberbaseId } summary { created } } }";
    let data = writer.graphql(query, json!({"input": input(&base, &refs, json!({}))})).await.data();
    let payload = &data["bulkUpsertMembers"];
    let members = payload["members"].as_array().unwrap();
    let returned_refs: Vec<_> = members.iter().map(|member| member["ref"].as_str().unwrap()).collect();
    let of_members: Vec<_> = members.iter().map(|member| member["id"].as_str()).collect();
    assert!(returned_refs == refs && of_members == ids(payload), "the order is another");
    assert_eq!((&payload["summary"]["created"], server.members().await), (&json!(10_000), 10_000));
}

/// More rows than one lookup statement holds (100,000), and more than twice as many as one insert statement holds.
#[rstest]
#[tokio::test]
async fn call_may_have_more_rows_than_a_statement(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    const ROWS: usize = 100_003;
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let call = async |rows: &mut dyn Iterator<Item = usize>, stamped: bool| {
        let row = |n: usize| match stamped {
            true => json!({"ref": format!("ref-{n}"), "sourceUpdatedAt": stamp(n)}),
            false => json!({"ref": format!("ref-{n}")}),
        };
        let members: Vec<_> = rows.map(row).collect();
        let query = "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { \
            memberIds summary { created updated unchanged } } }";
        let data = writer.graphql(query, json!({"input": {"memberbaseId": base, "members": members}})).await.data();
        let payload = &data["bulkUpsertMembers"];
        let ids: Vec<_> = ids(payload).into_iter().map(|id| id.unwrap().to_owned()).collect();
        (ids, payload["summary"].clone())
    };
    let summary = |created, updated, unchanged| json!({"created": created, "updated": updated, "unchanged": unchanged});

    let (made, created) = call(&mut (0..ROWS), false).await;
    assert_eq!((created, server.members().await), (summary(ROWS, 0, 0), 100_003));
    let (mut again, unchanged) = call(&mut (0..ROWS).rev(), false).await;
    again.reverse();
    assert!(again == made, "a row has another id");
    assert_eq!(unchanged, summary(0, 0, ROWS));
    // A newer `sourceUpdatedAt` alone makes the row UNCHANGED, and is stored all the same.
    let (stamped, unchanged) = call(&mut (0..ROWS), true).await;
    assert!(stamped == made, "a row has another id");
    assert_eq!((unchanged, server.members().await), (summary(0, 0, ROWS), 100_003));

    let query = "query($base: ID!, $refs: [String!]!) { \
        membersByRef(memberbaseId: $base, refs: $refs) { id sourceUpdatedAt } }";
    let some: Vec<_> = (0..ROWS).step_by(997).chain([ROWS - 1]).collect();
    let refs: Vec<_> = some.iter().map(|n| format!("ref-{n}")).collect();
    let data = writer.graphql(query, json!({"base": base, "refs": refs})).await.data();
    let expected: Vec<_> = some.iter().map(|&n| json!({"id": made[n], "sourceUpdatedAt": stamp(n)})).collect();
    assert_eq!(data["membersByRef"], json!(expected));
}

fn stamp(number: usize) -> String {
    let (day, hour, minute) = (1 + number / 86_400, number / 3_600 % 24, number / 60 % 60);
    format!("2026-01-{day:02}T{hour:02}:{minute:02}:{:02}.000Z", number % 60)
}

/// Returns 800 refs and those of existing members: all but every fiftieth, which are the ones that the probe looks up.
fn seemingly_new() -> (Vec<String>, Vec<String>) {
    let all: Vec<_> = (0..800).rev().map(|n| format!("member-{n:03}")).collect();
    let there = all.iter().filter(|reference| reference[7..].parse::<u32>().unwrap() % 50 != 0).cloned().collect();
    (all, there)
}

fn texts(refs: &[String]) -> Vec<&str> {
    refs.iter().map(String::as_str).collect()
}

#[rstest]
#[case("UPSERT", "unchanged")]
#[case("INSERT_ONLY", "skipped")]
#[tokio::test]
async fn existing_members_are_recognised_after_an_all_new_probe(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] mode: &str,
    #[case] outcome: &str,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let (all, there) = seemingly_new();
    let before = upserted(&writer, &base, &texts(&there)).await;
    assert_eq!(before["summary"]["created"], 784);
    let mut known = ids(&before).into_iter();
    let dry = upserted_with(&writer, &base, &texts(&all), json!({"mode": mode, "dryRun": true})).await;
    let wet = upserted_with(&writer, &base, &texts(&all), json!({"mode": mode})).await;
    for payload in [&dry, &wet] {
        assert_eq!((&payload["summary"]["created"], &payload["summary"][outcome]), (&json!(16), &json!(784)));
    }
    let (dry, wet) = (ids(&dry), ids(&wet));
    for (index, reference) in all.iter().enumerate() {
        if there.contains(reference) {
            assert_eq!([dry[index], wet[index]], [known.next().unwrap(); 2], "{reference}");
        } else {
            assert!(dry[index].is_none() && wet[index].is_some(), "{reference}");
        }
    }
    assert_eq!(server.members().await, 800);
    let again = upserted(&writer, &base, &texts(&all)).await;
    assert_eq!(ids(&again), wet);
}

#[rstest]
#[tokio::test]
async fn existing_members_keep_their_attributes_after_an_all_new_probe(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase_with(&[("a", "NUMBER"), ("b", "STRING")], &[]).await;
    let writer = server.writer().await;
    let (all, there) = seemingly_new();
    let rows = |refs: &[String], attributes: Value| -> Vec<_> {
        refs.iter().map(|reference| json!({"ref": reference, "attributes": attributes})).collect()
    };
    let input = |members: Vec<Value>| json!({"memberbaseId": base, "members": members});
    writer.upsert_with(input(rows(&there, json!({"a": 1})))).await.data();
    let payload = writer.upsert_with(input(rows(&all, json!({"b": "x"})))).await.data()["bulkUpsertMembers"].take();
    assert_eq!((&payload["summary"]["created"], &payload["summary"]["updated"]), (&json!(16), &json!(784)));
    let query = "query($b: ID!, $r: [String!]!) { membersByRef(memberbaseId: $b, refs: $r) { ref attributes } }";
    let data = writer.graphql(query, json!({"b": base, "r": all})).await.data();
    for member in data["membersByRef"].as_array().unwrap() {
        let merged = there.iter().any(|reference| member["ref"] == **reference);
        let expected = if merged { json!({"a": 1, "b": "x"}) } else { json!({"b": "x"}) };
        assert_eq!(member["attributes"], expected, "{}", member["ref"]);
    }
}
