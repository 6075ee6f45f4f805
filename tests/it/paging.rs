//! Pages of `members`: walks, cursors and what a page says of its surroundings.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Database, Server};

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

/// Asks for a page by the arguments in `arguments`.
async fn ask(caller: &Caller, base: &str, (field, direction): (&str, &str), arguments: Value) -> Answer {
    let mut variables = json!({"b": base, "o": {"field": field, "direction": direction}});
    for (key, value) in arguments.as_object().unwrap() {
        variables[key] = value.clone();
    }
    caller.ask(PAGE, variables).await
}

async fn page(caller: &Caller, base: &str, order: (&str, &str), arguments: Value) -> Value {
    ask(caller, base, order, arguments).await.data()["members"].take()
}

fn refs(page: &Value) -> Vec<String> {
    page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["ref"].as_str().unwrap().to_owned()).collect()
}

/// `(hasNextPage, hasPreviousPage)`.
fn around(page: &Value) -> (bool, bool) {
    let info = &page["pageInfo"];
    (info["hasNextPage"].as_bool().unwrap(), info["hasPreviousPage"].as_bool().unwrap())
}

/// Walks a whole list, checking each page against what came before it; the refs in the order of the list.
async fn walk(caller: &Caller, base: &str, order: (&str, &str), size: usize, forward: bool) -> Vec<String> {
    let (count, beside) = if forward { ("first", "after") } else { ("last", "before") };
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let found = page(caller, base, order, json!({count: size, beside: cursor})).await;
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

/// Nine members, upserted one by one: their refs in the order of creation, and in that of bytes.
async fn nine(server: &Server) -> (String, Caller, [&'static str; 9], [&'static str; 9]) {
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
async fn a_walk_sees_each_member_once_and_in_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(1, 2, 7, 9)] size: usize,
) {
    let server = Server::start(database).await;
    let (base, caller, created, sorted) = nine(&server).await;
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
