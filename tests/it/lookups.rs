//! Look-ups of members and nodes by id and by ref.

use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server};

const UNKNOWN: &str = "m_01h455vb4pex5vsknk084sn02q";

async fn member(caller: &Caller, by: Value) -> ApiResponse {
    caller.graphql("query($by: MemberBy!) { member(by: $by) { id ref memberbaseId } }", json!({"by": by})).await
}

async fn by_refs(caller: &Caller, base: &str, refs: Value) -> ApiResponse {
    let query = "query($b: ID!, $r: [String!]!) { membersByRef(memberbaseId: $b, refs: $r) { id ref } }";
    caller.graphql(query, json!({"b": base, "r": refs})).await
}

async fn nodes(caller: &Caller, ids: Value) -> ApiResponse {
    caller.graphql("query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", json!({"ids": ids})).await
}

async fn node(caller: &Caller, id: &str) -> ApiResponse {
    caller.graphql("query($id: ID!) { node(id: $id) { __typename id } }", json!({"id": id})).await
}

/// Upserts members and returns their ids.
async fn ids(server: &Server, base: &str, refs: &[&str]) -> Vec<String> {
    let data = server.writer().await.upsert(base, refs).await.data();
    serde_json::from_value(data["bulkUpsertMembers"]["memberIds"].clone()).unwrap()
}

#[rstest]
#[tokio::test]
async fn member_is_found_by_id_and_by_ref(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, other) = (server.memberbase("b").await, server.memberbase("other").await);
    let id = ids(&server, &base, &["a", "A", "x ", "é"]).await.swap_remove(0);
    ids(&server, &other, &["a"]).await;
    let reader = server.reader().await;
    let expected = json!({"member": {"id": id, "ref": "a", "memberbaseId": base}});
    assert_eq!(member(&reader, json!({"id": id})).await.data(), expected);
    assert_eq!(member(&reader, json!({"ref": {"memberbaseId": base, "ref": "a"}})).await.data(), expected);
    assert_eq!(member(&reader, json!({"id": UNKNOWN})).await.data(), json!({"member": null}));
    for reference in ["", "x", "X ", "e\u{301}", "a\0", "\0", &"a".repeat(1025)] {
        let by = json!({"ref": {"memberbaseId": base, "ref": reference}});
        assert_eq!(member(&reader, by).await.data(), json!({"member": null}), "{reference:?}");
    }
    let bound = server.bound(Access::Read, &other).await;
    assert_eq!(member(&bound, json!({"id": id})).await.data(), json!({"member": null}));
    let by = json!({"ref": {"memberbaseId": base, "ref": "a"}});
    assert_eq!(member(&bound, by).await.data(), json!({"member": null}));
}

#[rstest]
#[tokio::test]
async fn member_lookup_requires_exactly_one_member_id_or_ref(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase("b").await;
    let id = ids(&server, &base, &["a"]).await.swap_remove(0);
    let reader = server.reader().await;
    let reference = json!({"memberbaseId": base, "ref": "a"});
    for by in [
        json!({}),
        json!({"id": null}),
        json!({"id": id, "ref": reference}),
        json!({"id": id, "ref": null}),
        json!({"id": base}),
        json!({"id": "m_"}),
        json!({"id": id.to_uppercase()}),
        json!({"id": format!("{id}0")}),
        json!({"ref": {"memberbaseId": id, "ref": "a"}}),
        json!({"ref": {"memberbaseId": base}}),
    ] {
        let response = member(&reader, by.clone()).await;
        assert_eq!(response.code(), "BAD_USER_INPUT", "{by}: {}", response.json());
    }
}

#[rstest]
#[tokio::test]
async fn members_by_ref_have_the_requested_order(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, other) = (server.memberbase("b").await, server.memberbase("other").await);
    let id = ids(&server, &base, &["a", "é"]).await;
    let reader = server.reader().await;
    let (a, e) = (json!({"id": id[0], "ref": "a"}), json!({"id": id[1], "ref": "é"}));
    let lookups = json!(["é", "a", "none", "a", "", "\0", "a".repeat(2000), "A"]);
    let response = by_refs(&reader, &base, lookups).await.data();
    assert_eq!(response["membersByRef"], json!([e, a, null, a, null, null, null, null]));
    assert_eq!(by_refs(&reader, &base, json!([])).await.data()["membersByRef"], json!([]));
    assert_eq!(by_refs(&reader, &other, json!(["a"])).await.data()["membersByRef"], json!([null]));
    let bound = server.bound(Access::Read, &other).await;
    for refs in [json!(["a"]), json!([])] {
        assert_eq!(by_refs(&bound, &base, refs).await.code(), "NOT_FOUND");
    }
    assert_eq!(by_refs(&reader, &id[0], json!(["a"])).await.code(), "BAD_USER_INPUT");
}

#[rstest]
#[tokio::test]
async fn nodes_have_the_requested_order_with_errors_at_their_indexes(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, other) = (server.memberbase("b").await, server.memberbase("other").await);
    let id = ids(&server, &base, &["a"]).await.swap_remove(0);
    let reader = server.reader().await;
    let (m, b) = (json!({"__typename": "Member", "id": id}), json!({"__typename": "Memberbase", "id": base}));
    let good = nodes(&reader, json!([id, UNKNOWN, base, id])).await.data();
    assert_eq!(good["nodes"], json!([m, null, b, m]));
    let response = nodes(&reader, json!([base, "m_bad", id, "what_01h455vb4pex5vsknk084sn02q", ""])).await.json();
    assert_eq!(response["data"]["nodes"], json!([b, null, m, null, null]), "{response}");
    let errors = response["errors"].as_array().unwrap();
    let paths: Vec<&Value> = errors.iter().map(|error| &error["path"]).collect();
    assert_eq!(paths, [&json!(["nodes", 1]), &json!(["nodes", 3]), &json!(["nodes", 4])]);
    assert!(errors.iter().all(|error| error["extensions"]["code"] == "BAD_USER_INPUT"), "{response}");
    let bound = server.bound(Access::Read, &other).await;
    assert_eq!(nodes(&bound, json!([id, base])).await.data()["nodes"], json!([null, null]));
    assert_eq!(node(&reader, &id).await.data()["node"], m);
    assert_eq!(node(&reader, &base).await.data()["node"], b);
    assert_eq!(node(&reader, UNKNOWN).await.data()["node"], Value::Null);
    assert_eq!(node(&bound, &id).await.data()["node"], Value::Null);
    assert_eq!(node(&bound, &base).await.data()["node"], Value::Null);
    assert_eq!(node(&reader, "what_01h455vb4pex5vsknk084sn02q").await.code(), "BAD_USER_INPUT");
}

#[rstest]
#[tokio::test]
async fn coalesced_lookups_return_to_their_requests(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let bases = [server.memberbase("one").await, server.memberbase("other").await];
    let refs: Vec<_> = (0..50).map(|n| format!("r{n}")).collect();
    let refs: Vec<_> = refs.iter().map(String::as_str).collect();
    let mut expected = Vec::new();
    for base in &bases {
        expected.push(ids(&server, base, &refs).await);
    }
    let (reader, bound) = (server.reader().await, server.bound(Access::Read, &bases[0]).await);
    let statements = server.app.db.statements();
    let mut lookups = Vec::new();
    for (index, reference) in refs.iter().enumerate() {
        for (base, expected) in bases.iter().zip(&expected) {
            for (caller, sees) in [(&reader, true), (&bound, *base == bases[0])] {
                let id = if sees { json!(expected[index]) } else { Value::Null };
                let by = json!({"ref": {"memberbaseId": base, "ref": reference}});
                lookups.push(async move { (member(caller, by).await.data()["member"]["id"].take(), id) });
            }
        }
    }
    let count = lookups.len() as u64;
    for (found, expected) in futures_util::future::join_all(lookups).await {
        assert_eq!(found, expected);
    }
    let statements = server.app.db.statements() - statements;
    assert!(statements < count, "{statements} statements for {count} look-ups: none was shared");
}
