//! `deleteClips`, `deleteStampCollections`, `deleteTransactions`.

use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    member_children::{LISTS, page},
    support::{ApiResponse, Caller, Database, Server, missing_memberbase_id},
};

/// Deletes children of one type by their ids.
async fn delete(caller: &Caller, base: &str, kind: &str, ids: &Value) -> ApiResponse {
    let name = format!("{}{}", kind[..1].to_lowercase(), &kind[1..]);
    let query = format!(
        "mutation($input: Delete{kind}sInput!) {{ payload: delete{kind}s(input: $input) {{ \
        deleted: deleted{kind}Ids notFound: notFound{kind}Ids }} }}"
    );
    let ids_of = format!("{name}Ids");
    caller.graphql(&query, json!({"input": {"memberbaseId": base, ids_of: ids}})).await
}

#[rstest]
#[tokio::test]
async fn children_are_deleted_by_id_and_missing_ids_are_reported(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(2).await;
    let (other, others) = server.base_of(1).await;
    server.insert_children(&base, &members, [2; 3]).await;
    server.insert_children(&other, &others, [1; 3]).await;
    let writer = server.writer().await;
    for (index, list) in LISTS.into_iter().enumerate() {
        let first = page(&writer, &members[0], list, json!({})).await["nodes"].take();
        let second = page(&writer, &members[1], list, json!({})).await["nodes"].take();
        let elsewhere = page(&writer, &others[0], list, json!({})).await["nodes"][0]["id"].take();
        let never = json!(missing_memberbase_id().replace("mb_", list.2));
        let (a, b, c) = (&first[0]["id"], &first[1]["id"], &second[1]["id"]);
        let ids = json!([c, never, a, c, elsewhere, never, b]);
        let payload = delete(&writer, &base, list.3, &ids).await.data()["payload"].take();
        assert_eq!(payload, json!({"deleted": [c, a, b], "notFound": [never, elsewhere]}));
        let again = delete(&writer, &base, list.3, &json!([a])).await.data()["payload"].take();
        assert_eq!(again, json!({"deleted": [], "notFound": [a]}));
        let nothing = delete(&writer, &base, list.3, &json!([])).await.data()["payload"].take();
        assert_eq!(nothing, json!({"deleted": [], "notFound": []}));
        let remaining = page(&writer, &members[1], list, json!({})).await["nodes"].take();
        assert_eq!((remaining, server.member_children().await[index]), (json!([second[0]]), 2));
    }
}

#[rstest]
#[tokio::test]
async fn deleting_children_requires_write_access_to_the_memberbase(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(1).await;
    server.insert_children(&base, &members, [1; 3]).await;
    let (reader, writer) = (server.reader().await, server.writer().await);
    let bound = server.bound(Access::Write, &server.memberbase("other").await).await;
    for list in LISTS {
        let id = page(&reader, &members[0], list, json!({})).await["nodes"][0]["id"].take();
        let ids = json!([id]);
        assert_eq!(delete(&reader, &base, list.3, &ids).await.code(), "FORBIDDEN");
        assert_eq!(delete(&bound, &base, list.3, &ids).await.code(), "NOT_FOUND");
        assert_eq!(delete(&writer, &missing_memberbase_id(), list.3, &ids).await.code(), "NOT_FOUND");
        let malformed = delete(&writer, &base, list.3, &json!([id, members[0]])).await;
        assert_eq!(malformed.code(), "BAD_USER_INPUT");
        assert_eq!(malformed.error()["extensions"]["path"][1], 1, "{}", malformed.json());
        assert!(malformed.message().contains(list.2), "{}", malformed.message());
    }
    assert_eq!(server.member_children().await, [1; 3]);
}

#[rstest]
#[tokio::test]
async fn overlapping_deletions_succeed(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(200).await;
    server.insert_children(&base, &members, [3; 3]).await;
    let writer = server.writer().await;
    let query = "query($b: ID!) { members(memberbaseId: $b, first: 200) { nodes { clips { nodes { id } } } } }";
    let data = writer.graphql(query, json!({"b": base})).await.data();
    let nodes = data["members"]["nodes"].as_array().unwrap();
    let mut clips: Vec<_> = nodes
        .iter()
        .flat_map(|node| node["clips"]["nodes"].as_array().unwrap())
        .map(|clip| clip["id"].clone())
        .collect();
    let forward = json!(clips);
    clips.reverse();
    let backward = json!(clips);
    let mut last_first = members.clone();
    last_first.reverse();
    let responses = tokio::join!(
        delete(&writer, &base, "Clip", &forward),
        writer.delete_with(json!({"memberbaseId": base, "memberIds": members})),
        delete(&writer, &base, "Clip", &backward),
        writer.delete_with(json!({"memberbaseId": base, "memberIds": last_first})),
    );
    let count = |response: &ApiResponse| response.data()["payload"]["deleted"].as_array().unwrap().len() as u64;
    let rows = |response: &ApiResponse, kind: &str| response.data()["deleteMembers"]["deleted"][kind].as_u64().unwrap();
    let sum = |kind: &str| rows(&responses.1, kind) + rows(&responses.3, kind);
    // Each deleted row was counted by exactly one of the calls.
    assert_eq!((sum("members"), sum("stampCollections"), sum("transactions")), (200, 600, 600));
    assert_eq!(count(&responses.0) + count(&responses.2) + sum("clips"), 600);
    assert_eq!((server.members().await, server.member_children().await), (0, [0; 3]));
}
