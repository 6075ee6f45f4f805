//! Filters of `members`: every operator, their combinations and their limits.

use memberbase::{
    domain::access::Access,
    types::{Id, MemberId},
};
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Database, Server};

async fn ask(caller: &Caller, base: &str, filter: Value) -> Answer {
    let query = "query($b: ID!, $f: MemberFilter) { \
        members(memberbaseId: $b, filter: $f, orderBy: {field: REF}, first: 1000) { nodes { ref } totalCount } }";
    caller.ask(query, json!({"b": base, "f": filter})).await
}

/// The refs that a filter leaves, joined by blanks.
async fn left(caller: &Caller, base: &str, filter: Value) -> String {
    let data = ask(caller, base, filter).await.data();
    let nodes = data["members"]["nodes"].as_array().unwrap();
    assert_eq!(data["members"]["totalCount"], nodes.len());
    nodes.iter().map(|node| node["ref"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[rstest]
#[tokio::test]
async fn operators_and_combinations_hold_for_whom_they_should(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase("b").await;
    let data = server.writer().await.upsert(&base, &["a", "b", "c"]).await.data();
    let id = &data["bulkUpsertMembers"]["memberIds"];
    let reader = server.reader().await;
    let unknown = "m_01h455vb4pex5vsknk084sn02q";
    let (a, b) = (json!({"ref": {"eq": "a"}}), json!({"ref": {"eq": "b"}}));
    for (filter, expected) in [
        (Value::Null, "a b c"),
        (json!({}), "a b c"),
        (json!({"and": []}), "a b c"),
        (json!({"or": []}), ""),
        (json!({"not": {}}), ""),
        (json!({"not": {"or": []}}), "a b c"),
        (json!({"and": null, "or": null, "not": null, "id": null, "ref": null, "createdAt": null}), "a b c"),
        (json!({"ref": {"eq": null, "in": ["a"], "nin": null}}), "a"),
        (json!({"ref": {"in": []}}), ""),
        (json!({"ref": {"nin": []}}), "a b c"),
        (json!({"ref": {"in": ["c", "a", "c", "none"]}}), "a c"),
        (json!({"ref": {"nin": ["c", "a", "none"]}}), "b"),
        (json!({"ref": {"eq": "a", "in": ["b"]}}), ""),
        (json!({"ref": {"in": ["a", "b"], "nin": ["b"]}}), "a"),
        (json!({"id": {"eq": id[1]}}), "b"),
        (json!({"id": {"eq": unknown}}), ""),
        (json!({"id": {"in": [id[2], id[0], unknown]}}), "a c"),
        (json!({"id": {"in": []}}), ""),
        (json!({"id": {"nin": []}}), "a b c"),
        (json!({"id": {"nin": [id[2]]}}), "a b"),
        (json!({"id": {"nin": [id[2], id[0]]}}), "b"),
        (json!({"id": {"in": [id[0], id[1]]}, "ref": {"nin": ["a"]}}), "b"),
        (json!({"or": [a, b]}), "a b"),
        (json!({"and": [a, b]}), ""),
        (json!({"not": a}), "b c"),
        (json!({"not": {"or": [a, b]}}), "c"),
        (json!({"not": {"and": [a, {"id": {"eq": id[0]}}]}}), "b c"),
        (json!({"not": {"not": a}}), "a"),
        (json!({"or": [a, {}]}), "a b c"),
        (json!({"or": [b], "not": a, "ref": {"in": ["a", "b"]}}), "b"),
        (json!({"or": [{"and": [a, {"not": b}]}, {"ref": {"eq": "c"}}]}), "a c"),
    ] {
        assert_eq!(left(&reader, &base, filter.clone()).await, expected, "{filter}");
    }
    for filter in [
        json!({"ref": {}}),
        json!({"id": {}}),
        json!({"createdAt": {}}),
        json!({"updatedAt": {"gt": null}}),
        json!({"ref": {"regex": {}}}),
        json!({"id": {"eq": base}}),
        json!({"id": {"in": [id[0], "m_bad"]}}),
        json!({"id": {"nin": [base]}}),
        json!({"or": [{"id": {"eq": ""}}]}),
        json!({"createdAt": {"gt": "yesterday"}}),
        json!({"nothing": 1}),
    ] {
        assert_eq!(ask(&reader, &base, filter.clone()).await.code(), "BAD_USER_INPUT", "{filter}");
    }
    let bound = server.bound(Access::Read, &base).await;
    assert_eq!(left(&bound, &base, a).await, "a");
}

#[rstest]
#[tokio::test]
async fn a_ref_that_can_not_exist_is_nobody_s(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(&["a", "b"]).await;
    let reader = server.reader().await;
    let long = "a".repeat(1025);
    for bad in ["", "\0", "a\0", "a\0b", &long] {
        for (filter, expected) in [
            (json!({"ref": {"eq": bad}}), ""),
            (json!({"ref": {"in": [bad]}}), ""),
            (json!({"ref": {"in": [bad, "a"]}}), "a"),
            (json!({"ref": {"in": [bad, "a", "b"]}}), "a b"),
            (json!({"ref": {"nin": [bad]}}), "a b"),
            (json!({"ref": {"nin": [bad, "a"]}}), "b"),
            (json!({"not": {"ref": {"eq": bad}}}), "a b"),
            (json!({"not": {"ref": {"startsWith": "a\0"}}}), "a b"),
            (json!({"ref": {"startsWith": long}}), ""),
        ] {
            assert_eq!(left(&reader, &base, filter.clone()).await, expected, "{bad:?} {filter}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_prefix_is_taken_literally(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(&["100%", "1000", "a_b", "axb", "a\\b", "é1", "e\u{301}1", "E", "😀1", "\u{10ffff}z", "\u{d7ff}q", "\u{e000}"]).await;
    let reader = server.reader().await;
    for (prefix, expected) in [
        ("100%", "100%"),
        ("100", "100% 1000"),
        ("a_", "a_b"),
        ("a\\", "a\\b"),
        ("é", "é1"),
        ("e", "e\u{301}1"),
        ("😀", "😀1"),
        ("\u{10ffff}", "\u{10ffff}z"),
        ("\u{d7ff}", "\u{d7ff}q"),
        ("a_b", "a_b"),
        ("a_bc", ""),
    ] {
        assert_eq!(left(&reader, &base, json!({"ref": {"startsWith": prefix}})).await, expected, "{prefix:?}");
    }
    let all = ask(&reader, &base, json!({"ref": {"startsWith": ""}})).await.data();
    assert_eq!(all["members"]["totalCount"], 12);
}
