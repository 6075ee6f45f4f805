//! Realistic refs, stored, paged, deleted and recreated without a change to their bytes.

use std::collections::HashSet;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Caller, Database, Server};

/// Returns 5,000 different refs: package names, addresses, names in many scripts, paths, ids of other systems.
fn realistic_refs() -> Vec<String> {
    const WORDS: [&str; 20] = [
        "lib",
        "Müller",
        "o'Neil",
        "北京",
        "naïve",
        "rust",
        "données",
        "Ελλάδα",
        "мир",
        "עברית",
        "e\u{301}t\u{e9}",
        "😀👍🏽",
        "100%",
        "a_b",
        "C:\\x",
        "\"quoted\"",
        " blank ",
        "tab\t",
        "ﬁ",
        "İstanbul",
    ];
    let mut refs: Vec<String> = (0..5_000_usize)
        .map(|n| {
            let (first, second) = (WORDS[n % 20], WORDS[n / 20 % 20]);
            match n % 5 {
                0 => format!("{first}-{second}{n}-dev"),
                1 => format!("{first}.{second}+{n}@example.org"),
                2 => format!("{n:08}"),
                3 => format!("/{first}/{second}/{n}"),
                _ => format!("{second} {first} #{n}"),
            }
        })
        .collect();
    refs[17] = "x".repeat(1024);
    refs[18] = "日".repeat(341);
    refs
}

async fn upsert(caller: &Caller, base: &str, refs: &[String]) -> (Vec<String>, Value) {
    let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
    let mut data = caller.upsert(base, &refs).await.data();
    let payload = &mut data["bulkUpsertMembers"];
    (serde_json::from_value(payload["memberIds"].take()).unwrap(), payload["summary"].take())
}

/// Returns all refs, page by page.
async fn walk(caller: &Caller, base: &str, field: &str, forward: bool) -> Vec<String> {
    let query = "query($b: ID!, $o: MemberOrder, $first: Int, $after: String, $last: Int, $before: String) { \
        members(memberbaseId: $b, orderBy: $o, first: $first, after: $after, last: $last, before: $before) { \
        nodes { ref } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    let (count, cursor_argument, end, more) = match forward {
        true => ("first", "after", "endCursor", "hasNextPage"),
        false => ("last", "before", "startCursor", "hasPreviousPage"),
    };
    loop {
        let variables = json!({"b": base, "o": {"field": field}, count: 613, cursor_argument: cursor});
        let data = caller.graphql(query, variables).await.data();
        let nodes = data["members"]["nodes"].as_array().unwrap();
        let refs = nodes.iter().map(|node| node["ref"].as_str().unwrap().to_owned());
        seen.splice(if forward { seen.len()..seen.len() } else { 0..0 }, refs.collect::<Vec<_>>());
        if data["members"]["pageInfo"][more] == false {
            return seen;
        }
        cursor = data["members"]["pageInfo"][end].clone();
    }
}

#[rstest]
#[tokio::test]
async fn realistic_refs_are_stored_paged_deleted_and_recreated(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer, refs) = (server.memberbase("real").await, server.writer().await, realistic_refs());
    assert_eq!(refs.iter().collect::<HashSet<_>>().len(), 5_000);
    let (ids, summary) = upsert(&writer, &base, &refs).await;
    assert_eq!(summary["created"], 5_000);
    let mut sorted = refs.clone();
    sorted.sort_unstable();
    for forward in [true, false] {
        assert_eq!(walk(&writer, &base, "REF", forward).await, sorted, "forward: {forward}");
        assert_eq!(walk(&writer, &base, "CREATED_AT", forward).await, refs, "forward: {forward}");
    }
    let to_delete: Vec<&String> = refs.iter().step_by(2).collect();
    let query = "mutation($input: DeleteMembersInput!) { deleteMembers(input: $input) { \
        deletedMemberIds notFoundRefs deleted { members } } }";
    let input = json!({"input": {"memberbaseId": base, "refs": to_delete}});
    let gone = writer.graphql(query, input).await.data()["deleteMembers"].take();
    let deleted: Vec<&String> = ids.iter().step_by(2).collect();
    assert_eq!(gone, json!({"deletedMemberIds": deleted, "notFoundRefs": [], "deleted": {"members": 2_500}}));
    let (again, summary) = upsert(&writer, &base, &refs).await;
    assert_eq!((&summary["created"], &summary["unchanged"]), (&json!(2_500), &json!(2_500)));
    let old: HashSet<&String> = ids.iter().collect();
    for (index, id) in again.iter().enumerate() {
        assert_eq!(*id == ids[index], index % 2 == 1, "{:?}", refs[index]);
        assert_eq!(old.contains(id), index % 2 == 1, "{:?}", refs[index]);
    }
    assert_eq!(walk(&writer, &base, "REF", true).await, sorted);
}
