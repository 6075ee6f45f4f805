//! Pages of all kinds of connections are those of the specification's algorithm
//! (<https://relay.dev/graphql/connections.htm#sec-Pagination-algorithm>), applied to the whole list in memory.

use memberbase::types::{Limits, PageLimits};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Caller, Database, Random, Server};

const DEFAULT_SIZE: usize = 4;

const PAGE: &str = "edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }";

/// An entry of a list. It keeps its cursor and its position after it has been deleted or filtered out.
struct Entry {
    cursor: Value,
    id: Value,
    is_listed: bool,
}

/// Paging arguments. Cursors are indexes of entries.
#[derive(Clone, Copy, Debug)]
struct Arguments {
    first: Option<usize>,
    after: Option<usize>,
    last: Option<usize>,
    before: Option<usize>,
}

impl Arguments {
    fn random(random: &mut Random, entries: usize) -> Self {
        let mut cursor = || (entries > 0 && random.below(3) > 0).then(|| random.below(entries));
        let (after, before) = (cursor(), cursor());
        let size = random.below(entries + 2);
        let (first, last) = [(None, None), (Some(size), None), (None, Some(size))][random.below(3)];
        Self { first, after, last, before }
    }

    fn variables(self, list: &[Entry]) -> Value {
        let cursor = |index: Option<usize>| index.map(|index| &list[index].cursor);
        json!({"first": self.first, "after": cursor(self.after), "last": self.last, "before": cursor(self.before)})
    }

    /// Returns the connection that the algorithm yields. What it leaves to the server is looked up: entries before
    /// `after` and behind `before`. Without a size, the default applies to the first entries, or with `before` alone to
    /// the last.
    fn apply(self, list: &[Entry]) -> Value {
        let is_within = |index: usize| {
            list[index].is_listed
                && self.after.is_none_or(|after| index > after)
                && self.before.is_none_or(|before| index < before)
        };
        let mut edges: Vec<_> = (0..list.len()).filter(|index| is_within(*index)).collect();
        let (first, last) = match self {
            Self { first: None, last: None, after: None, before: Some(_) } => (None, Some(DEFAULT_SIZE)),
            Self { first: None, last: None, .. } => (Some(DEFAULT_SIZE), None),
            Self { first, last, .. } => (first, last),
        };
        let (mut has_next, mut has_previous) = (false, false);
        if let Some(size) = first {
            has_next = edges.len() > size;
            has_previous = self.after.is_some_and(|after| list[..=after].iter().any(|entry| entry.is_listed));
            edges.truncate(size);
        }
        if let Some(size) = last {
            has_previous = edges.len() > size;
            has_next = self.before.is_some_and(|before| list[before..].iter().any(|entry| entry.is_listed));
            edges.drain(..edges.len().saturating_sub(size));
        }
        let edge = |index: &usize| json!({"cursor": list[*index].cursor, "node": {"id": list[*index].id}});
        let cursor = |index: Option<&usize>| index.map(|index| &list[*index].cursor);
        let (start, end) = (cursor(edges.first()), cursor(edges.last()));
        let info =
            json!({"hasNextPage": has_next, "hasPreviousPage": has_previous, "startCursor": start, "endCursor": end});
        json!({"edges": edges.iter().map(edge).collect::<Vec<_>>(), "pageInfo": info})
    }
}

/// Starts a server with a small default page size.
async fn start(database: Database) -> Server {
    let page = PageLimits { default: 4, max: 100, rows: 100_000 };
    Server::with(database, Limits { page, ..Limits::default() }).await
}

/// Returns all entries of a list that `load` reads with these variables.
async fn entries(load: impl AsyncFn(Value) -> Value) -> Vec<Entry> {
    let page = load(json!({"first": 100})).await;
    let entry =
        |edge: &Value| Entry { cursor: edge["cursor"].clone(), id: edge["node"]["id"].clone(), is_listed: true };
    page["edges"].as_array().unwrap().iter().map(entry).collect()
}

/// Compares pages with random arguments.
async fn compare(list: &[Entry], random: &mut Random, case: &str, load: impl AsyncFn(Value) -> Value) {
    for _ in 0..60 {
        let arguments = Arguments::random(random, list.len());
        let found = load(arguments.variables(list)).await;
        assert_eq!(found, arguments.apply(list), "{case} {arguments:?}");
    }
}

#[rstest]
#[tokio::test]
async fn pages_of_members_follow_the_algorithm_in_every_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("CREATED_AT", "UPDATED_AT", "REF")] field: &str,
    #[values("ASC", "DESC")] direction: &str,
    #[values(0, 1, 7, 23)] count: usize,
) {
    let server = start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let mut random = Random(count as u64);
    let refs: Vec<_> = (0..count).map(|n| format!("{}-{n}", random.below(3))).collect();
    // The members of one call have the same `updatedAt`.
    for batch in refs.chunks(5) {
        writer.upsert(&base, &batch.iter().map(String::as_str).collect::<Vec<_>>()).await.data();
    }
    let query = format!(
        "query($b: ID!, $o: MemberOrder, $f: MemberFilter, $first: Int, $after: String, $last: Int, $before: String) {{ \
        members(memberbaseId: $b, orderBy: $o, filter: $f, first: $first, after: $after, last: $last, before: $before) \
        {{ {PAGE} }} }}"
    );
    let load = async |filter: &Value, mut variables: Value| {
        variables["b"] = json!(base);
        variables["o"] = json!({"field": field, "direction": direction});
        variables["f"] = filter.clone();
        writer.graphql(&query, variables).await.data()["members"].take()
    };
    let mut list = entries(async |variables| load(&json!(null), variables).await).await;
    assert_eq!(list.len(), count);
    compare(&list, &mut random, "all", async |variables| load(&json!(null), variables).await).await;
    let deleted: Vec<_> = list.iter().filter(|_| random.below(4) == 0).map(|entry| entry.id.clone()).collect();
    writer.delete_with(json!({"memberbaseId": base, "memberIds": deleted})).await.data();
    list.iter_mut().for_each(|entry| entry.is_listed = !deleted.contains(&entry.id));
    compare(&list, &mut random, "some deleted", async |variables| load(&json!(null), variables).await).await;
    let wanted: Vec<_> = list.iter().filter(|_| random.below(2) == 0).map(|entry| entry.id.clone()).collect();
    list.iter_mut().for_each(|entry| entry.is_listed &= wanted.contains(&entry.id));
    let filter = json!({"id": {"in": wanted}});
    compare(&list, &mut random, "filtered", async |variables| load(&filter, variables).await).await;
}

/// Loads the list of a member that was itself read from a list.
async fn nested(caller: &Caller, base: &str, member: &str, list: &str, mut variables: Value) -> Value {
    let query = format!(
        "query($b: ID!, $m: [ID!], $first: Int, $after: String, $last: Int, $before: String) {{ \
        members(memberbaseId: $b, filter: {{id: {{in: $m}}}}) {{ nodes {{ \
        list: {list}(first: $first, after: $after, last: $last, before: $before) {{ {PAGE} }} }} }} }}"
    );
    variables["b"] = json!(base);
    variables["m"] = json!([member]);
    caller.graphql(&query, variables).await.data()["members"]["nodes"][0]["list"].take()
}

#[rstest]
#[tokio::test]
async fn pages_of_nested_lists_follow_the_algorithm(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("clip", "stampCollection", "transaction")] kind: &str,
) {
    let server = start(database).await;
    let (base, members) = server.base_of(3).await;
    // Three transactions at a time have the same time.
    server.insert_children(&base, &members, [11; 3]).await;
    let (writer, mut random, field) = (server.writer().await, Random(3), format!("{kind}s"));
    let load = async |member: &str, variables| nested(&writer, &base, member, &field, variables).await;
    let mut lists = Vec::new();
    for member in &members {
        let list = entries(async |variables| load(member, variables).await).await;
        assert_eq!(list.len(), 11);
        compare(&list, &mut random, "all", async |variables| load(member, variables).await).await;
        lists.push(list);
    }
    let kinds = format!("{}{}s", kind[..1].to_uppercase(), &kind[1..]);
    let delete = format!("mutation($i: Delete{kinds}Input!) {{ delete{kinds}(input: $i) {{ __typename }} }}");
    for (member, list) in members.iter().zip(&mut lists) {
        list.iter_mut().skip(1).step_by(3).for_each(|entry| entry.is_listed = false);
        let gone: Vec<_> = list.iter().filter(|entry| !entry.is_listed).map(|entry| &entry.id).collect();
        writer.graphql(&delete, json!({"i": {"memberbaseId": base, format!("{kind}Ids"): gone}})).await.data();
        compare(list, &mut random, "some deleted", async |variables| load(member, variables).await).await;
    }
    // The lists of all members at once, which one statement reads. A cursor belongs to one member only.
    let query = format!(
        "query($b: ID!, $first: Int, $last: Int) {{ members(memberbaseId: $b) {{ nodes {{ \
        list: {field}(first: $first, last: $last) {{ {PAGE} }} }} }} }}"
    );
    for size in 0..10 {
        for (first, last) in [(None, None), (Some(size), None), (None, Some(size))] {
            let found = writer.graphql(&query, json!({"b": base, "first": first, "last": last})).await.data();
            let arguments = Arguments { first, after: None, last, before: None };
            for (index, list) in lists.iter().enumerate() {
                assert_eq!(found["members"]["nodes"][index]["list"], arguments.apply(list), "{arguments:?}");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn pages_of_lists_by_id_follow_the_algorithm(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = start(database).await;
    let (admin, mut random) = (server.admin().await, Random(5));
    let mut bases = Vec::new();
    for n in 0..9 {
        bases.push(server.memberbase(&format!("{}", n % 3)).await);
    }
    let start = "mutation($b: ID!) { startSync(input: {memberbaseId: $b, abandonOpen: true}) { sync { id } } }";
    for _ in 0..9 {
        admin.graphql(start, json!({"b": bases[0]})).await.data();
        server.reader().await;
    }
    let arguments = "first: $first, after: $after, last: $last, before: $before";
    for (name, selection) in [
        ("memberbases", format!("list: memberbases({arguments}) {{ {PAGE} }}")),
        (
            "memberbases of a name",
            format!("list: memberbases(filter: {{name: {{eq: \"1\"}}}}, {arguments}) {{ {PAGE} }}"),
        ),
        ("apiTokens", format!("list: apiTokens({arguments}) {{ {PAGE} }}")),
        ("syncs", format!("memberbase(id: \"{}\") {{ list: syncs({arguments}) {{ {PAGE} }} }}", bases[0])),
    ] {
        let query = format!("query($first: Int, $after: String, $last: Int, $before: String) {{ {selection} }}");
        let load = async |variables: Value| {
            let mut data = admin.graphql(&query, variables).await.data();
            if name == "syncs" { data["memberbase"]["list"].take() } else { data["list"].take() }
        };
        let list = entries(&load).await;
        assert!(list.len() >= 3, "{name}");
        compare(&list, &mut random, name, &load).await;
    }
    // The cursor of a deleted memberbase.
    let query = format!(
        "query($first: Int, $after: String, $last: Int, $before: String) {{ list: memberbases({arguments}) {{ {PAGE} }} }}"
    );
    let load = async |variables: Value| admin.graphql(&query, variables).await.data()["list"].take();
    let mut list = entries(&load).await;
    for entry in list.iter_mut().step_by(2) {
        entry.is_listed = false;
        let delete = "mutation($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deletedMemberbaseId } }";
        admin.graphql(delete, json!({"id": entry.id})).await.data();
    }
    compare(&list, &mut random, "some deleted", &load).await;
}
