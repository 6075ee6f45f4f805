//! Clips, stamp collections and transactions: the nested lists of a member, and look-ups.

use memberbase::{
    db::{ArrayColumn, ArrayTable},
    domain::{
        access::Access,
        clip::Clip,
        member_child::{PageStatements, Position},
        transaction::Transaction,
    },
    types::{Anchor, Direction, Id, Limits, MemberId, MemberbaseId, Page, PageLimits, Time},
};
use rstest::rstest;
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server, missing_memberbase_id};

/// The nested lists, each with its key field, its id prefix, and the suffix of its `deleteXs` mutation.
pub const LISTS: [(&str, &str, &str, &str); 3] = [
    ("clips", "dealId", "clip_", "Clip"),
    ("stampCollections", "loyaltyProgramId", "sc_", "StampCollection"),
    ("transactions", "externalId", "txn_", "Transaction"),
];

/// Requests a page of one list of one member with these arguments.
async fn request_page(
    caller: &Caller,
    member: &str,
    (list, name, ..): (&str, &str, &str, &str),
    arguments: Value,
) -> ApiResponse {
    let query = format!(
        "query($m: ID!, $first: Int, $after: String, $last: Int, $before: String) {{ member(by: {{id: $m}}) {{ \
        list: {list}(first: $first, after: $after, last: $last, before: $before) {{ \
        edges {{ cursor node {{ id name: {name} member {{ id }} }} }} nodes {{ id }} totalCount \
        pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
    );
    let mut variables = arguments;
    variables["m"] = json!(member);
    caller.graphql(&query, variables).await
}

pub async fn page(caller: &Caller, member: &str, list: (&str, &str, &str, &str), arguments: Value) -> Value {
    request_page(caller, member, list, arguments).await.data()["member"]["list"].take()
}

/// Returns the numbers in the keys of a page's nodes.
fn numbers(page: &Value) -> Vec<usize> {
    let name = |edge: &Value| edge["node"]["name"].as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
    page["edges"].as_array().unwrap().iter().map(name).collect()
}

/// Walks a list and checks each page against the pages before it.
async fn walk(caller: &Caller, member: &str, list: (&str, &str, &str, &str), size: usize, forward: bool) -> Vec<usize> {
    let (count, cursor_argument) = if forward { ("first", "after") } else { ("last", "before") };
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let found = page(caller, member, list, json!({count: size, cursor_argument: cursor})).await;
        let info = &found["pageInfo"];
        let (next, previous) = (info["hasNextPage"] == true, info["hasPreviousPage"] == true);
        let (ahead, behind) = if forward { (next, previous) } else { (previous, next) };
        assert_eq!(behind, !cursor.is_null(), "{list:?} size {size}: what lies behind {found}");
        if forward {
            seen.extend(numbers(&found));
        } else {
            seen.splice(0..0, numbers(&found));
        }
        assert_eq!(ahead, json!(seen.len()) != found["totalCount"], "{list:?} size {size}: what lies ahead {found}");
        if !ahead {
            return seen;
        }
        cursor = info[if forward { "endCursor" } else { "startCursor" }].clone();
    }
}

#[rstest]
#[tokio::test]
async fn walk_of_a_nested_list_sees_each_child_once_and_in_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(1, 2, 7, 8)] size: usize,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(3).await;
    server.insert_children(&base, &members, [8; 3]).await;
    let reader = server.reader().await;
    for list in LISTS {
        let mut expected: Vec<_> = (0..8).collect();
        if list.0 == "transactions" {
            expected.reverse();
        }
        for forward in [true, false] {
            assert_eq!(walk(&reader, &members[1], list, size, forward).await, expected, "{list:?} forward: {forward}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn child_has_its_fields_and_its_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(1).await;
    server.insert_children(&base, &members, [1; 3]).await;
    let query = "query($m: ID!) { member(by: {id: $m}) { \
        clips { nodes { member { id } dealId creativeId variantId redeemedAt updatedAt } } \
        stampCollections { nodes { member { id } loyaltyProgramId stamps rewardsEarned updatedAt } } \
        transactions { nodes { member { id } externalId authCode network bin merchantId statementDescriptor amount \
        currency authedAt clearedAt revertedAt updatedAt } } } }";
    let data = server.reader().await.graphql(query, json!({"m": members[0]})).await.data();
    let (member, updated) = (json!({"id": members[0]}), "1970-01-01T00:00:00.000005Z");
    let found = &data["member"];
    let clip = json!({"member": member, "dealId": "0-0", "creativeId": "creative", "variantId": null,
        "redeemedAt": null, "updatedAt": updated});
    assert_eq!(found["clips"]["nodes"], json!([clip]));
    let stamps = json!({"member": member, "loyaltyProgramId": "0-0", "stamps": 3, "rewardsEarned": 1,
        "updatedAt": updated});
    assert_eq!(found["stampCollections"]["nodes"], json!([stamps]));
    let transaction = json!({"member": member, "externalId": "0-0", "authCode": "auth", "network": "AMEX",
        "bin": "370000", "merchantId": "shop", "statementDescriptor": null, "amount": -250, "currency": "GBP",
        "authedAt": "1970-01-01T00:00:00.000Z", "clearedAt": null, "revertedAt": null, "updatedAt": updated});
    assert_eq!(found["transactions"]["nodes"], json!([transaction]));
}

#[rstest]
#[tokio::test]
async fn cursor_of_another_list_member_or_memberbase_is_rejected(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(2).await;
    let (other, others) = server.base_of(1).await;
    server.insert_children(&base, &members, [2; 3]).await;
    server.insert_children(&other, &others, [2; 3]).await;
    let reader = server.reader().await;
    for (index, list) in LISTS.into_iter().enumerate() {
        let own = page(&reader, &members[0], list, json!({"first": 1})).await["pageInfo"]["endCursor"].take();
        let cursors = [
            page(&reader, &members[1], list, json!({"first": 1})).await["pageInfo"]["endCursor"].take(),
            page(&reader, &others[0], list, json!({"first": 1})).await["pageInfo"]["endCursor"].take(),
            page(&reader, &members[0], LISTS[(index + 1) % 3], json!({"first": 1})).await["pageInfo"]["endCursor"]
                .take(),
            json!("AAAA"),
            json!(""),
        ];
        for cursor in cursors {
            let response = request_page(&reader, &members[0], list, json!({"after": cursor})).await;
            assert_eq!(response.code(), "BAD_USER_INPUT", "{list:?} {cursor}");
        }
        // A cursor in a nested list belongs to one member: the list of the other one has the error.
        let query = format!(
            "query($b: ID!, $c: String) {{ members(memberbaseId: $b) {{ nodes {{ id \
            {}(after: $c) {{ nodes {{ id }} }} }} }} }}",
            list.0
        );
        let response = reader.graphql(&query, json!({"b": base, "c": own})).await;
        assert_eq!(response.code(), "BAD_USER_INPUT");
        assert_eq!(response.error()["path"], json!(["members", "nodes", 1, list.0]), "{}", response.json());
    }
}

#[rstest]
#[tokio::test]
async fn nested_lists_of_a_thousand_members_cost_as_many_statements_as_of_ten(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(1_000).await;
    server.insert_children(&base, &members, [10; 3]).await;
    let reader = server.reader().await;
    let lists = LISTS.map(|(list, ..)| format!("{list}(first: 10) {{ nodes {{ id member {{ ref }} }} totalCount }}"));
    let query = format!(
        "query($b: ID!, $n: Int) {{ members(memberbaseId: $b, first: $n) {{ nodes {{ id {} }} }} }}",
        lists.join(" ")
    );
    for count in [10, 1_000] {
        let before = server.app.db.statements();
        let data = reader.graphql(&query, json!({"b": base, "n": count})).await.data();
        // The members, which SQLite reads in two statements if they are a thousand; a page and a count of each list.
        let pages = if database == Database::Sqlite && count == 1_000 { 2 } else { 1 };
        assert_eq!(server.app.db.statements() - before, pages + 6, "of {count}");
        let nodes = data["members"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), count);
        for node in nodes {
            for (list, ..) in LISTS {
                assert_eq!(node[list]["nodes"].as_array().unwrap().len(), 10);
                assert_eq!(node[list]["totalCount"], 10);
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn nodes_read_each_type_and_its_members_with_one_statement_each(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(5).await;
    server.insert_children(&base, &members, [2; 3]).await;
    let reader = server.reader().await;
    let fragments = LISTS.map(|(.., kind)| format!("... on {kind} {{ member {{ id clips {{ totalCount }} }} }}"));
    let query = format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename id {} }} }}", fragments.join(" "));
    let mut ids = Vec::new();
    for list in LISTS {
        for member in &members {
            ids.push(page(&reader, member, list, json!({"first": 1})).await["nodes"][0]["id"].take());
        }
    }
    let before = server.app.db.statements();
    let found = reader.graphql(&query, json!({"ids": ids})).await.data()["nodes"].take();
    // For each type the nodes, their members, and a page and a count of the members' clips.
    assert_eq!(server.app.db.statements() - before, 12);
    for (index, node) in found.as_array().unwrap().iter().enumerate() {
        let (.., kind) = LISTS[index / 5];
        let member = json!({"id": members[index % 5], "clips": {"totalCount": 2}});
        assert_eq!(*node, json!({"__typename": kind, "id": ids[index], "member": member}));
    }
    for id in &ids {
        let one = reader.graphql("query($id: ID!) { node(id: $id) { id } }", json!({"id": id})).await.data();
        assert_eq!(one, json!({"node": {"id": id}}));
    }
}

#[rstest]
#[tokio::test]
async fn token_of_another_memberbase_sees_no_child(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(1).await;
    server.insert_children(&base, &members, [1; 3]).await;
    let (reader, own) = (server.reader().await, server.bound(Access::Read, &base).await);
    let bound = server.bound(Access::Read, &server.memberbase("other").await).await;
    for list in LISTS {
        let id = page(&reader, &members[0], list, json!({})).await["nodes"][0]["id"].take();
        assert!(id.as_str().unwrap().starts_with(list.2));
        let never = missing_memberbase_id().replace("mb_", list.2);
        for (caller, found) in [(&bound, Value::Null), (&own, json!({"id": id}))] {
            let query = "query($id: ID!, $ids: [ID!]!) { node(id: $id) { id } nodes(ids: $ids) { id } }";
            let data = caller.graphql(query, json!({"id": id, "ids": [never, id]})).await.data();
            assert_eq!(data, json!({"node": found, "nodes": [null, found]}));
        }
    }
}

#[rstest]
#[tokio::test]
async fn only_returned_rows_count_towards_the_row_limit(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(0, 1, 2)] kind: usize,
) {
    let page = PageLimits { default: 100, max: 5_000, rows: 25 };
    let server = Server::with(database, Limits { page, ..Limits::default() }).await;
    let (base, members) = server.base_of(5).await;
    let mut counts = [0; 3];
    counts[kind] = 4;
    server.insert_children(&base, &members, counts).await;
    let reader = server.reader().await;
    let query =
        |lists: &str| format!("query($b: ID!) {{ members(memberbaseId: $b, first: 5) {{ nodes {{ {lists} }} }} }}");
    let list = LISTS[kind].0;
    // 5 and 5 times 4: exactly the limit.
    reader.graphql(&query(&format!("{list} {{ nodes {{ id }} }}")), json!({"b": base})).await.data();
    for more in [
        format!("a: {list} {{ nodes {{ id }} }} b: {list}(first: 1) {{ nodes {{ id }} }}"),
        // Cached rows are not read again, but count again.
        format!("{list}(first: 3) {{ nodes {{ member {{ {list}(first: 3) {{ nodes {{ id }} }} }} }} }}"),
    ] {
        let response = reader.graphql(&query(&more), json!({"b": base})).await;
        assert_eq!(response.code(), "LIMIT_EXCEEDED");
        assert!(response.message().contains("25"), "{}", response.message());
    }
}

/// Returns the query plan of this page of these members.
async fn plan(
    server: &Server,
    statement: &str,
    scalars: &[memberbase::db::ScalarBind],
    rows: &ArrayTable<'_>,
) -> String {
    let (explain, column) = match server.app.db.backend() {
        DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        _ => ("EXPLAIN", "QUERY PLAN"),
    };
    let (mut lines, session) = (Vec::new(), server.app.db.read().await.unwrap());
    let take = |row: sea_orm::QueryResult| {
        lines.push(row.try_get::<String>("", column)?);
        Ok(())
    };
    session.bulk_each(&format!("{explain} {statement}"), scalars, rows, take).await.unwrap();
    lines.join("\n")
}

#[rstest]
#[tokio::test]
async fn nested_list_reads_one_index_range_per_member(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Direction::Forward, Direction::Backward)] direction: Direction,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(1_000).await;
    server.insert_children(&base, &members, [10, 0, 10]).await;
    if database == Database::Postgres {
        server.app.db.read().await.unwrap().execute_unprepared("ANALYZE clip, \"transaction\"").await.unwrap();
    }
    let base = MemberbaseId::parse(&base).unwrap().uuid();
    let uuids: Vec<_> = members[..10].iter().map(|id| MemberId::parse(id).unwrap().uuid()).collect();
    let position = Position { time: None, id: uuids[0] };
    let rows = ArrayTable::new([
        ("memberbase_id", ArrayColumn::Uuids(vec![base; 10])),
        ("member_id", ArrayColumn::Uuids(uuids)),
    ]);
    let backend = server.app.db.backend();
    let timed = Position { time: Some(Time::now()), ..position };
    for (has_start, has_end) in [(false, false), (true, false), (false, true), (true, true)] {
        let page = |position: Position| Page {
            size: 3,
            direction,
            anchor: if has_start { Anchor::Cursor(position) } else { Anchor::Start },
            until: has_end.then_some(position),
            check_opposite: true,
        };
        let clips = PageStatements::new::<Clip>(backend, &page(position), 10, 100);
        let transactions = PageStatements::new::<Transaction>(backend, &page(timed), 10, 100);
        for (statements, index) in [(clips, "clip_deal"), (transactions, "transaction_authed_at")] {
            let page = plan(&server, &statements.page, &statements.scalars, &rows).await;
            let mut plans = vec![page.clone()];
            if let Some(opposite) = &statements.opposite {
                plans.push(plan(&server, opposite, &statements.key, &rows).await);
            }
            for plan in plans {
                assert!(plan.contains(index) && plan.contains("member_id"), "{plan}");
                assert!(!plan.contains("Seq Scan") && !plan.contains("SCAN own"), "{plan}");
            }
            // The order of transactions is that of the index.
            let sorts = page.contains("Sort") || page.contains("TEMP B-TREE");
            assert_eq!(sorts, index == "clip_deal", "{page}");
            if index != "clip_deal" {
                let bounds = usize::from(has_start) + usize::from(has_end);
                assert_eq!(page.replace("->", "").matches(['<', '>']).count(), bounds, "{page}");
                assert!(!page.contains("Filter"), "{page}");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn nested_lists_of_members_by_ref_and_of_payloads_are_batched(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(3).await;
    server.insert_children(&base, &members[..2], [2, 0, 0]).await;
    let writer = server.writer().await;
    let names = |member: &Value| {
        let clips = member["clips"]["nodes"].as_array()?;
        Some(clips.iter().map(|clip| clip["dealId"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
    };
    let refs = json!(["ref-0001", "nobody", "ref-0002", "ref-0001"]);
    let query = "query($b: ID!, $r: [String!]!) { \
        membersByRef(memberbaseId: $b, refs: $r) { clips { nodes { dealId } } } }";
    let before = server.app.db.statements();
    let data = writer.graphql(query, json!({"b": base, "r": refs})).await.data();
    // The members, their clips.
    assert_eq!(server.app.db.statements() - before, 2);
    let found: Vec<_> = data["membersByRef"].as_array().unwrap().iter().map(names).collect();
    let second = Some(vec!["1-0".to_owned(), "1-1".to_owned()]);
    assert_eq!(found, [second.clone(), None, Some(vec![]), second.clone()]);
    let query = "mutation($b: ID!) { bulkUpsertMembers(input: {memberbaseId: $b, \
        members: [{ref: \"ref-0001\"}, {ref: \"new\"}]}) { members { clips { nodes { dealId } } } } }";
    let data = writer.graphql(query, json!({"b": base})).await.data();
    let found: Vec<_> = data["bulkUpsertMembers"]["members"].as_array().unwrap().iter().map(names).collect();
    assert_eq!(found, [second, Some(vec![])]);
}
