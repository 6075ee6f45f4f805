//! Pages of `members`: walks, cursors and page info.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use memberbase::{
    domain::{
        access::Access,
        filter::Filter,
        member::{Order, OrderField, PageStatements, Position, find_by_refs},
    },
    types::{Anchor, Direction, Limits, Page, PageLimits},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server};

const ORDERS: [(&str, &str); 6] = [
    ("CREATED_AT", "ASC"),
    ("CREATED_AT", "DESC"),
    ("UPDATED_AT", "ASC"),
    ("UPDATED_AT", "DESC"),
    ("REF", "ASC"),
    ("REF", "DESC"),
];

const PAGE: &str = "query($b: ID!, $o: MemberOrder, $f: MemberFilter, \
    $first: Int, $after: String, $last: Int, $before: String) { \
    members(memberbaseId: $b, orderBy: $o, filter: $f, first: $first, after: $after, last: $last, before: $before) { \
    edges { cursor node { id ref } } totalCount \
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// Requests a page with these arguments.
async fn request_page(caller: &Caller, base: &str, (field, direction): (&str, &str), arguments: Value) -> ApiResponse {
    let mut variables = json!({"b": base, "o": {"field": field, "direction": direction}});
    for (key, value) in arguments.as_object().unwrap() {
        variables[key] = value.clone();
    }
    caller.graphql(PAGE, variables).await
}

async fn page(caller: &Caller, base: &str, order: (&str, &str), arguments: Value) -> Value {
    request_page(caller, base, order, arguments).await.data()["members"].take()
}

fn refs(page: &Value) -> Vec<String> {
    page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["ref"].as_str().unwrap().to_owned()).collect()
}

/// Returns `(hasNextPage, hasPreviousPage)`.
fn around(page: &Value) -> (bool, bool) {
    let info = &page["pageInfo"];
    (info["hasNextPage"].as_bool().unwrap(), info["hasPreviousPage"].as_bool().unwrap())
}

/// Walks a list, checks each page against the pages before it, and returns the refs in the order of the list.
async fn walk(caller: &Caller, base: &str, order: (&str, &str), size: usize, forward: bool) -> Vec<String> {
    let (count, cursor_argument) = if forward { ("first", "after") } else { ("last", "before") };
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let found = page(caller, base, order, json!({count: size, cursor_argument: cursor})).await;
        let edges = found["edges"].as_array().unwrap();
        let info = &found["pageInfo"];
        let ends = (edges.first().map(|edge| &edge["cursor"]), edges.last().map(|edge| &edge["cursor"]));
        assert_eq!((&info["startCursor"], &info["endCursor"]), (ends.0.unwrap(), ends.1.unwrap()));
        let (next, previous) = around(&found);
        let (ahead, behind) = if forward { (next, previous) } else { (previous, next) };
        assert_eq!(behind, !cursor.is_null(), "{order:?} size {size}: what lies behind {found}");
        if forward {
            seen.extend(refs(&found));
        } else {
            seen.splice(0..0, refs(&found));
        }
        let total = usize::try_from(found["totalCount"].as_u64().unwrap()).unwrap();
        assert_eq!(ahead, seen.len() < total, "{order:?} size {size}: what lies ahead {found}");
        if !ahead {
            return seen;
        }
        cursor = info[if forward { "endCursor" } else { "startCursor" }].clone();
    }
}

/// Creates nine members one by one, and returns their refs in the order of creation and in that of bytes.
async fn nine_members(server: &Server) -> (String, Caller, [&'static str; 9], [&'static str; 9]) {
    let created = ["m", "é", "A", "a", "\u{1f600}", "a b", "Z", "\u{ffff}", "0"];
    let mut sorted = created;
    sorted.sort_unstable();
    let base = server.memberbase("nine").await;
    let writer = server.writer().await;
    for reference in created {
        writer.upsert(&base, &[reference]).await.data();
    }
    (base, writer, created, sorted)
}

#[rstest]
#[tokio::test]
async fn walk_sees_each_member_once_and_in_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(1, 2, 7, 9)] size: usize,
) {
    let server = Server::start(database).await;
    let (base, caller, created, sorted) = nine_members(&server).await;
    for order in ORDERS {
        let mut expected = Vec::from(if order.0 == "REF" { sorted } else { created });
        if order.1 == "DESC" {
            expected.reverse();
        }
        for forward in [true, false] {
            assert_eq!(walk(&caller, &base, order, size, forward).await, expected, "{order:?} forward: {forward}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn page_info_is_exact(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, caller, _, sorted) = nine_members(&server).await;
    for order in ORDERS {
        let all = page(&caller, &base, order, json!({"first": 9})).await;
        let cursor = |index: usize| all["edges"][index]["cursor"].clone();
        for (arguments, next, previous) in [
            (json!({"first": 0}), true, false),
            (json!({"last": 0}), false, true),
            (json!({"first": 0, "after": cursor(3)}), true, true),
            (json!({"last": 0, "before": cursor(3)}), true, true),
            (json!({"first": 3}), true, false),
            (json!({"first": 9}), false, false),
            (json!({"last": 9}), false, false),
            (json!({"first": 3, "after": cursor(2)}), true, true),
            (json!({"first": 3, "after": cursor(5)}), false, true),
            (json!({"first": 3, "after": cursor(8)}), false, true),
            (json!({"last": 3, "before": cursor(0)}), true, false),
            (json!({"last": 3, "before": cursor(8)}), true, true),
            (json!({"first": 3, "f": {"ref": {"in": []}}}), false, false),
        ] {
            let found = page(&caller, &base, order, arguments.clone()).await;
            assert_eq!(around(&found), (next, previous), "{order:?} {arguments}");
            let empty = refs(&found).is_empty();
            assert_eq!(found["pageInfo"]["startCursor"].is_null(), empty, "{order:?} {arguments}");
            assert_eq!(found["pageInfo"]["endCursor"].is_null(), empty, "{order:?} {arguments}");
        }
    }
    assert_eq!(sorted.len(), 9);
}

#[rstest]
#[tokio::test]
async fn cursor_outlives_its_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    for order in ORDERS {
        let base = server.memberbase_of(&["a", "b", "c"]).await;
        let writer = server.writer().await;
        let all = page(&writer, &base, order, json!({"first": 3})).await;
        let [first, middle, last] = [0, 1, 2].map(|index| all["edges"][index].clone());
        delete(&writer, &base, &[middle["node"]["ref"].as_str().unwrap()]).await;
        let after = page(&writer, &base, order, json!({"first": 3, "after": middle["cursor"]})).await;
        let before = page(&writer, &base, order, json!({"last": 3, "before": middle["cursor"]})).await;
        assert_eq!((&after["edges"][0], around(&after)), (&last, (false, true)), "{order:?}");
        assert_eq!((&before["edges"][0], around(&before)), (&first, (true, false)), "{order:?}");
        // With the first member deleted as well, no member precedes the cursor.
        delete(&writer, &base, &[first["node"]["ref"].as_str().unwrap()]).await;
        let after = page(&writer, &base, order, json!({"first": 3, "after": middle["cursor"]})).await;
        assert_eq!((refs(&after).len(), around(&after)), (1, (false, false)), "{order:?}");
    }
}

async fn delete(caller: &Caller, base: &str, refs: &[&str]) {
    let query = "mutation($input: DeleteMembersInput!) { deleteMembers(input: $input) { deletedMemberIds } }";
    caller.graphql(query, json!({"input": {"memberbaseId": base, "refs": refs}})).await.data();
}

#[rstest]
#[tokio::test]
async fn total_count_depends_on_the_filter_only(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, caller, ..) = nine_members(&server).await;
    let order = ("REF", "ASC");
    let cursor = page(&caller, &base, order, json!({"first": 5})).await["pageInfo"]["endCursor"].clone();
    for arguments in [json!({"first": 0}), json!({"first": 2, "after": cursor}), json!({"last": 1, "before": cursor})] {
        let mut filtered = arguments.clone();
        filtered["f"] = json!({"ref": {"startsWith": "a"}});
        assert_eq!(page(&caller, &base, order, arguments).await["totalCount"], 9);
        assert_eq!(page(&caller, &base, order, filtered).await["totalCount"], 2);
    }
}

#[rstest]
#[tokio::test]
async fn invalid_page_size_is_rejected(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(&["a", "b"]).await;
    let reader = server.reader().await;
    let order = ("REF", "ASC");
    let cursor = page(&reader, &base, order, json!({"first": 1})).await["pageInfo"]["endCursor"].clone();
    for arguments in [
        json!({"first": 1, "last": 1}),
        json!({"first": -1}),
        json!({"last": -1}),
        json!({"first": 5001}),
        json!({"last": 5001}),
        json!({"first": 1, "last": 1, "after": cursor, "before": cursor}),
    ] {
        assert_eq!(
            request_page(&reader, &base, order, arguments.clone()).await.code(),
            "BAD_USER_INPUT",
            "{arguments}"
        );
    }
    assert_eq!(refs(&page(&reader, &base, order, json!({"first": 5000})).await).len(), 2);
}

#[rstest]
#[tokio::test]
async fn malformed_or_foreign_cursor_is_rejected(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, caller, ..) = nine_members(&server).await;
    let other = server.memberbase_of(&["x"]).await;
    let memberbases = "{ memberbases(first: 1) { pageInfo { endCursor } } }";
    let list = caller.graphql(memberbases, json!({})).await.data()["memberbases"]["pageInfo"]["endCursor"].clone();
    for order in ORDERS {
        let own = page(&caller, &base, order, json!({"first": 1})).await["pageInfo"]["endCursor"].clone();
        let text = own.as_str().unwrap();
        let mut bad: Vec<Value> = vec![json!(""), json!("not base64!"), json!("AAAA"), list.clone()];
        bad.push(json!(format!("{text}=")));
        bad.push(json!(URL_SAFE_NO_PAD.encode([0xff; 40])));
        bad.extend([1, 4, 22].map(|length| json!(text[..length])));
        if order.0 == "REF" {
            let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            bytes.push(0xff);
            bad.push(json!(URL_SAFE_NO_PAD.encode(&bytes)));
            *bytes.last_mut().unwrap() = 0;
            bad.push(json!(URL_SAFE_NO_PAD.encode(&bytes)));
        } else {
            bad.push(json!(text[..text.len() - 4]));
            bad.push(json!(format!("{text}AAAA")));
        }
        for another in ORDERS.into_iter().filter(|another| *another != order) {
            bad.push(page(&caller, &base, another, json!({"first": 1})).await["pageInfo"]["endCursor"].clone());
        }
        bad.push(page(&caller, &other, order, json!({"first": 1})).await["pageInfo"]["endCursor"].clone());
        for cursor in bad {
            for arguments in [json!({"first": 1, "after": cursor}), json!({"last": 1, "before": cursor})] {
                let response = request_page(&caller, &base, order, arguments.clone()).await;
                assert_eq!(response.code(), "BAD_USER_INPUT", "{order:?} {arguments}");
            }
        }
        assert_eq!(refs(&page(&caller, &base, order, json!({"after": own})).await).len(), 8);
    }
}

#[rstest]
#[tokio::test]
async fn cursor_works_with_another_filter(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(&["a1", "b1", "a2", "b2"]).await;
    let reader = server.reader().await;
    for order in [("REF", "ASC"), ("REF", "DESC")] {
        let all = page(&reader, &base, order, json!({"first": 2})).await;
        let filter = json!({"ref": {"in": ["a2", "b1"]}});
        let found = page(&reader, &base, order, json!({"after": all["edges"][0]["cursor"], "f": filter})).await;
        assert_eq!((refs(&found).len(), around(&found)), (2, (false, false)), "{order:?}");
    }
}

#[rstest]
#[tokio::test]
async fn page_costs_the_same_at_every_depth(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let refs: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let reader = server.reader().await;
    for order in ORDERS {
        let (mut cursor, mut costs) = (Value::Null, Vec::new());
        for _ in 0..30 {
            let before = server.app.db.statements();
            let found = page(&reader, &base, order, json!({"first": 10, "after": cursor})).await;
            costs.push(server.app.db.statements() - before);
            cursor = found["pageInfo"]["endCursor"].clone();
        }
        // The page and the count; from the second page on also the probe for a previous page.
        assert!(costs[1..].iter().all(|cost| *cost == costs[1] && *cost <= costs[0].max(2) + 1), "{order:?} {costs:?}");
    }
}

#[rstest]
#[tokio::test]
async fn empty_memberbase_has_an_empty_list_and_a_missing_one_is_not_found(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (empty, gone) = (server.memberbase("empty").await, server.memberbase("gone").await);
    let reader = server.reader().await;
    let query = "mutation($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deletedMemberbaseId } }";
    server.admin().await.graphql(query, json!({"id": gone})).await.data();
    let bound = server.bound(Access::Read, &empty).await;
    for order in ORDERS {
        for arguments in [json!({}), json!({"first": 0}), json!({"last": 5})] {
            let nothing = json!({"edges": [], "totalCount": 0, "pageInfo":
                {"hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null}});
            assert_eq!(page(&reader, &empty, order, arguments.clone()).await, nothing);
            assert_eq!(request_page(&reader, &gone, order, arguments.clone()).await.code(), "NOT_FOUND");
            assert_eq!(request_page(&bound, &gone, order, arguments).await.code(), "NOT_FOUND");
        }
    }
    let malformed = request_page(&reader, "m_01h455vb4pex5vsknk084sn02q", ORDERS[0], json!({})).await;
    assert_eq!(malformed.code(), "BAD_USER_INPUT");
}

#[rstest]
#[tokio::test]
async fn walk_during_writes_sees_every_remaining_member_exactly_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase("busy").await;
    let writer = server.writer().await;
    let stay: Vec<String> = (0..200).map(|n| format!("{:03}-stay", n * 5 % 997)).collect();
    let go: Vec<String> = (0..200).map(|n| format!("{:03}-go", n * 7 % 997)).collect();
    let all: Vec<&str> = stay.iter().zip(&go).flat_map(|(stay, go)| [stay.as_str(), go.as_str()]).collect();
    writer.upsert(&base, &all).await.data();
    let (other, at) = (writer.clone(), base.clone());
    let disturbance = tokio::spawn(async move {
        for (round, reference) in go.iter().enumerate() {
            delete(&other, &at, &[reference]).await;
            other.upsert(&at, &[&format!("{:03}-new", round * 11 % 997), reference]).await.data();
        }
    });
    let mut walks = 0;
    while walks < 2 || !disturbance.is_finished() {
        for order in ORDERS {
            for (count, cursor_argument, end) in [("first", "after", "endCursor"), ("last", "before", "startCursor")] {
                let (mut seen, mut cursor) = (Vec::new(), Value::Null);
                loop {
                    let found = page(&writer, &base, order, json!({count: 60, cursor_argument: cursor})).await;
                    seen.extend(refs(&found).into_iter().filter(|reference| reference.ends_with("-stay")));
                    cursor = found["pageInfo"][end].clone();
                    if !found["pageInfo"][if count == "first" { "hasNextPage" } else { "hasPreviousPage" }]
                        .as_bool()
                        .unwrap()
                    {
                        break;
                    }
                }
                let mut expected = stay.clone();
                expected.sort_unstable();
                seen.sort_unstable();
                assert_eq!(seen, expected, "{order:?} {count}");
            }
        }
        walks += 1;
    }
    disturbance.await.unwrap();
}

#[rstest]
#[tokio::test]
async fn refs_are_ordered_by_their_bytes(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let writer = server.writer().await;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |end: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % end
    };
    let characters: Vec<char> =
        "aAbB09 -_%\\'\"é\u{301}ßıK\u{1}\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}😀".chars().collect();
    for case in 0..12 {
        let mut refs: Vec<String> = (0..=below(40))
            .map(|_| {
                (0..=below(4)).map(|_| characters[usize::try_from(below(26)).unwrap() % characters.len()]).collect()
            })
            .collect();
        let size = usize::try_from(1 + below(9)).unwrap();
        let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
        refs.sort_unstable();
        refs.dedup();
        for forward in [true, false] {
            let walked = walk(&writer, &base, ("REF", "ASC"), size, forward).await;
            assert_eq!(walked, refs, "case {case}, pages of {size}, forward: {forward}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn nested_lists_share_the_row_limit(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let page = PageLimits { default: 4, max: 5, rows: 19 };
    let server = Server::with(database, Limits { page, ..Limits::default() }).await;
    let base = server.memberbase_of(&["a", "b", "c", "d"]).await;
    let reader = server.reader().await;
    let request_page = async |first: u64| {
        let query = "query($b: ID!, $n: Int) { \
            members(memberbaseId: $b, first: $n) { nodes { memberbase { members { nodes { ref } } } } } }";
        reader.graphql(query, json!({"b": base, "n": first})).await
    };
    // 3 and 3 times 4 rows, and 5 and 4 times 4.
    request_page(3).await.data();
    assert_eq!(request_page(5).await.code(), "LIMIT_EXCEEDED");
}

#[rstest]
#[tokio::test]
async fn deep_page_walks_the_index_of_its_order_in_both_directions(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let refs: Vec<_> = (0..5_000).map(|n| format!("r{n:04}")).collect();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let scope = server.scope(&base);
    let found = find_by_refs(&server.app, scope, vec!["r2500".to_owned()]).await.unwrap().remove(0);
    for field in [OrderField::CreatedAt, OrderField::UpdatedAt, OrderField::Ref] {
        for (descending, direction) in [(false, Direction::Forward), (true, Direction::Backward)] {
            let order = Order { field, descending };
            let position = Position::of(found.view(), order);
            for (anchor, until) in [
                (Anchor::Cursor(position.clone()), None),
                (Anchor::Cursor(position.clone()), Some(position.clone())),
                (Anchor::Start, Some(position)),
            ] {
                let bounds = usize::from(anchor != Anchor::Start) + usize::from(until.is_some());
                let page = Page { size: 10, direction, anchor, until, check_opposite: true };
                let PageStatements { page, opposite } =
                    PageStatements::new(server.app.db.backend(), scope, &Filter::default(), order, &page);
                let plan = server.explain(&page).await;
                assert_eq!(
                    plan.replace("->", "").matches(['<', '>']).count(),
                    bounds,
                    "{order:?} {direction:?} reads:\n{plan}"
                );
                let plans = [
                    Some(plan),
                    if let Some(opposite) = opposite { Some(server.explain(&opposite).await) } else { None },
                ];
                for plan in plans.into_iter().flatten() {
                    let words = ["Sort", "Bitmap", "Seq Scan", "TEMP B-TREE", "SCAN"];
                    assert_eq!(
                        words.iter().find(|word| plan.contains(**word)),
                        None,
                        "{order:?} {direction:?} reads:\n{plan}"
                    );
                }
            }
        }
    }
}
