//! Clips, stamp collections and transactions: lists below members, and look-ups.

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

use crate::support::{Answer, Caller, Database, Server, missing_memberbase_id};

/// The lists below a member, what names a thing of each, the prefix of its id, and what it is called in `deleteXs`.
pub const LISTS: [(&str, &str, &str, &str); 3] = [
    ("clips", "dealId", "clip_", "Clip"),
    ("stampCollections", "loyaltyProgramId", "sc_", "StampCollection"),
    ("transactions", "externalId", "txn_", "Transaction"),
];

/// A page of one list of one member, by the arguments in `arguments`.
async fn ask(caller: &Caller, member: &str, (list, name, ..): (&str, &str, &str, &str), arguments: Value) -> Answer {
    let query = format!(
        "query($m: ID!, $first: Int, $after: String, $last: Int, $before: String) {{ member(by: {{id: $m}}) {{ \
        list: {list}(first: $first, after: $after, last: $last, before: $before) {{ \
        edges {{ cursor node {{ id name: {name} member {{ id }} }} }} nodes {{ id }} totalCount \
        pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
    );
    let mut variables = arguments;
    variables["m"] = json!(member);
    caller.ask(&query, variables).await
}

pub async fn page(caller: &Caller, member: &str, list: (&str, &str, &str, &str), arguments: Value) -> Value {
    ask(caller, member, list, arguments).await.data()["member"]["list"].take()
}

/// The numbers in the names of a page's things.
fn numbers(page: &Value) -> Vec<usize> {
    let name = |edge: &Value| edge["node"]["name"].as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
    page["edges"].as_array().unwrap().iter().map(name).collect()
}

/// Walks a whole list, checking each page against what came before it.
async fn walk(caller: &Caller, member: &str, list: (&str, &str, &str, &str), size: usize, forward: bool) -> Vec<usize> {
    let (count, beside) = if forward { ("first", "after") } else { ("last", "before") };
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let found = page(caller, member, list, json!({count: size, beside: cursor})).await;
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
async fn a_walk_of_one_members_list_sees_each_thing_once_and_in_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(1, 2, 7, 8)] size: usize,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(3).await;
    server.give(&base, &members, [8; 3]).await;
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
async fn a_thing_shows_its_fields_and_its_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(1).await;
    server.give(&base, &members, [1; 3]).await;
    let query = "query($m: ID!) { member(by: {id: $m}) { \
        clips { nodes { member { id } dealId creativeId variantId redeemedAt updatedAt } } \
        stampCollections { nodes { member { id } loyaltyProgramId stamps rewardsEarned updatedAt } } \
        transactions { nodes { member { id } externalId authCode network bin merchantId statementDescriptor amount \
        currency authedAt clearedAt revertedAt updatedAt } } } }";
    let data = server.reader().await.ask(query, json!({"m": members[0]})).await.data();
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
async fn a_cursor_of_another_list_member_or_memberbase_is_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(2).await;
    let (other, others) = server.base_of(1).await;
    server.give(&base, &members, [2; 3]).await;
    server.give(&other, &others, [2; 3]).await;
    let reader = server.reader().await;
    for (place, list) in LISTS.into_iter().enumerate() {
        let own = page(&reader, &members[0], list, json!({"first": 1})).await["pageInfo"]["endCursor"].take();
        let cursors = [
            page(&reader, &members[1], list, json!({"first": 1})).await["pageInfo"]["endCursor"].take(),
            page(&reader, &others[0], list, json!({"first": 1})).await["pageInfo"]["endCursor"].take(),
            page(&reader, &members[0], LISTS[(place + 1) % 3], json!({"first": 1})).await["pageInfo"]["endCursor"]
                .take(),
            json!("AAAA"),
            json!(""),
        ];
        for cursor in cursors {
            let answer = ask(&reader, &members[0], list, json!({"after": cursor})).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{list:?} {cursor}");
        }
        // Below a list it is of one member: the other has the error.
        let query = format!(
            "query($b: ID!, $c: String) {{ members(memberbaseId: $b) {{ nodes {{ id \
            {}(after: $c) {{ nodes {{ id }} }} }} }} }}",
            list.0
        );
        let answer = reader.ask(&query, json!({"b": base, "c": own})).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        assert_eq!(answer.error()["path"], json!(["members", "nodes", 1, list.0]), "{}", answer.json());
    }
}

#[rstest]
#[tokio::test]
async fn a_thousand_members_cost_as_many_statements_as_ten(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(1_000).await;
    server.give(&base, &members, [10; 3]).await;
    let reader = server.reader().await;
    let lists = LISTS.map(|(list, ..)| format!("{list}(first: 10) {{ nodes {{ id member {{ ref }} }} totalCount }}"));
    let query = format!(
        "query($b: ID!, $n: Int) {{ members(memberbaseId: $b, first: $n) {{ nodes {{ id {} }} }} }}",
        lists.join(" ")
    );
    for count in [10, 1_000] {
        let before = server.app.db.statements();
        let data = reader.ask(&query, json!({"b": base, "n": count})).await.data();
        // The members; a page and a count of each list.
        assert_eq!(server.app.db.statements() - before, 7, "of {count}");
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
async fn nodes_find_each_kind_and_its_members_by_one_statement_each(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(5).await;
    server.give(&base, &members, [2; 3]).await;
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
    let found = reader.ask(&query, json!({"ids": ids})).await.data()["nodes"].take();
    // Of each kind the things, their members, and a page and a count of the members' clips.
    assert_eq!(server.app.db.statements() - before, 12);
    for (place, node) in found.as_array().unwrap().iter().enumerate() {
        let (.., kind) = LISTS[place / 5];
        let member = json!({"id": members[place % 5], "clips": {"totalCount": 2}});
        assert_eq!(*node, json!({"__typename": kind, "id": ids[place], "member": member}));
    }
    for id in &ids {
        let one = reader.ask("query($id: ID!) { node(id: $id) { id } }", json!({"id": id})).await.data();
        assert_eq!(one, json!({"node": {"id": id}}));
    }
}

#[rstest]
#[tokio::test]
async fn a_token_of_another_memberbase_sees_none_of_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(1).await;
    server.give(&base, &members, [1; 3]).await;
    let (reader, own) = (server.reader().await, server.bound(Access::Read, &base).await);
    let bound = server.bound(Access::Read, &server.memberbase("other").await).await;
    for list in LISTS {
        let id = page(&reader, &members[0], list, json!({})).await["nodes"][0]["id"].take();
        assert!(id.as_str().unwrap().starts_with(list.2));
        let never = missing_memberbase_id().replace("mb_", list.2);
        for (caller, found) in [(&bound, Value::Null), (&own, json!({"id": id}))] {
            let query = "query($id: ID!, $ids: [ID!]!) { node(id: $id) { id } nodes(ids: $ids) { id } }";
            let data = caller.ask(query, json!({"id": id, "ids": [never, id]})).await.data();
            assert_eq!(data, json!({"node": found, "nodes": [null, found]}));
        }
    }
}

#[rstest]
#[tokio::test]
async fn only_rows_that_are_there_count_towards_the_limit_of_a_request(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(0, 1, 2)] kind: usize,
) {
    let page = PageLimits { default: 100, max: 5_000, rows: 25 };
    let server = Server::with(database, Limits { page, ..Limits::default() }).await;
    let (base, members) = server.base_of(5).await;
    let mut counts = [0; 3];
    counts[kind] = 4;
    server.give(&base, &members, counts).await;
    let reader = server.reader().await;
    let query =
        |lists: &str| format!("query($b: ID!) {{ members(memberbaseId: $b, first: 5) {{ nodes {{ {lists} }} }} }}");
    let list = LISTS[kind].0;
    // 5 and 5 times 4: just as many as are allowed.
    reader.ask(&query(&format!("{list} {{ nodes {{ id }} }}")), json!({"b": base})).await.data();
    for more in [
        format!("a: {list} {{ nodes {{ id }} }} b: {list}(first: 1) {{ nodes {{ id }} }}"),
        // What was read before is not read again, but is there again.
        format!("{list}(first: 3) {{ nodes {{ member {{ {list}(first: 3) {{ nodes {{ id }} }} }} }} }}"),
    ] {
        let answer = reader.ask(&query(&more), json!({"b": base})).await;
        assert_eq!(answer.code(), "LIMIT_EXCEEDED");
        assert!(answer.message().contains("25"), "{}", answer.message());
    }
}

/// How the database would read this page of these members.
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
async fn each_member_costs_a_range_of_an_index_whatever_others_have(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Direction::Forward, Direction::Backward)] direction: Direction,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(1_000).await;
    server.give(&base, &members, [10, 0, 10]).await;
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
    for start in [Anchor::Start, Anchor::Cursor(position)] {
        let page = Page { size: 3, direction, anchor: start, check_opposite: true };
        let clips = PageStatements::new::<Clip>(backend, &page, 10, 100);
        let start = match page.anchor {
            Anchor::Start | Anchor::Offset(_) => Anchor::Start,
            Anchor::Cursor(position) => Anchor::Cursor(Position { time: Some(Time::now()), ..position }),
        };
        let transactions = PageStatements::new::<Transaction>(backend, &Page { anchor: start, ..page }, 10, 100);
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
        }
    }
}

#[rstest]
#[tokio::test]
async fn members_by_ref_and_of_an_upsert_read_their_lists_together(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, members) = server.base_of(3).await;
    server.give(&base, &members[..2], [2, 0, 0]).await;
    let writer = server.writer().await;
    let names = |member: &Value| {
        let clips = member["clips"]["nodes"].as_array()?;
        Some(clips.iter().map(|clip| clip["dealId"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
    };
    let refs = json!(["ref-0001", "nobody", "ref-0002", "ref-0001"]);
    let query = "query($b: ID!, $r: [String!]!) { \
        membersByRef(memberbaseId: $b, refs: $r) { clips { nodes { dealId } } } }";
    let before = server.app.db.statements();
    let data = writer.ask(query, json!({"b": base, "r": refs})).await.data();
    // The members, their clips.
    assert_eq!(server.app.db.statements() - before, 2);
    let found: Vec<_> = data["membersByRef"].as_array().unwrap().iter().map(names).collect();
    let second = Some(vec!["1-0".to_owned(), "1-1".to_owned()]);
    assert_eq!(found, [second.clone(), None, Some(vec![]), second.clone()]);
    let query = "mutation($b: ID!) { bulkUpsertMembers(input: {memberbaseId: $b, \
        members: [{ref: \"ref-0001\"}, {ref: \"new\"}]}) { members { clips { nodes { dealId } } } } }";
    let data = writer.ask(query, json!({"b": base})).await.data();
    let found: Vec<_> = data["bulkUpsertMembers"]["members"].as_array().unwrap().iter().map(names).collect();
    assert_eq!(found, [second, Some(vec![])]);
}
