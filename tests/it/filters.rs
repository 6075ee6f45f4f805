//! Filters of `members`: every operator, their combinations and their limits.

use memberbase::{
    domain::{
        access::Access,
        filter::{Filter, TextPredicate},
        member::{Order, OrderField, PageStatements, Predicate},
    },
    types::{Anchor, Direction, Id, MemberId, MemberbaseId, Page},
};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server};

async fn query_members(caller: &Caller, base: &str, filter: Value) -> ApiResponse {
    let query = "query($b: ID!, $f: MemberFilter) { \
        members(memberbaseId: $b, filter: $f, orderBy: {field: REF}, first: 1000) { nodes { ref } totalCount } }";
    caller.graphql(query, json!({"b": base, "f": filter})).await
}

/// Returns the refs of the members that match a filter, joined by spaces.
async fn matching_refs(caller: &Caller, base: &str, filter: Value) -> String {
    let data = query_members(caller, base, filter).await.data();
    let nodes = data["members"]["nodes"].as_array().unwrap();
    assert_eq!(data["members"]["totalCount"], nodes.len());
    nodes.iter().map(|node| node["ref"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[rstest]
#[tokio::test]
async fn operators_and_combinations_match_the_expected_members(
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
        assert_eq!(matching_refs(&reader, &base, filter.clone()).await, expected, "{filter}");
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
        assert_eq!(query_members(&reader, &base, filter.clone()).await.code(), "BAD_USER_INPUT", "{filter}");
    }
    let bound = server.bound(Access::Read, &base).await;
    assert_eq!(matching_refs(&bound, &base, a).await, "a");
}

#[rstest]
#[tokio::test]
async fn impossible_ref_matches_no_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
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
            assert_eq!(matching_refs(&reader, &base, filter.clone()).await, expected, "{bad:?} {filter}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn prefix_is_literal(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server
        .memberbase_of(&[
            "100%",
            "1000",
            "a_b",
            "axb",
            "a\\b",
            "é1",
            "e\u{301}1",
            "E",
            "😀1",
            "\u{10ffff}z",
            "\u{d7ff}q",
            "\u{e000}",
        ])
        .await;
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
        assert_eq!(matching_refs(&reader, &base, json!({"ref": {"startsWith": prefix}})).await, expected, "{prefix:?}");
    }
    let all = query_members(&reader, &base, json!({"ref": {"startsWith": ""}})).await.data();
    assert_eq!(all["members"]["totalCount"], 12);
}

/// Inserts members with these ids, `updatedAt` and refs by SQL.
async fn insert_members(server: &Server, base: &str, rows: &[(u64, i64, &str)]) {
    let hex = |id: uuid::Uuid| match server.app.db.backend() {
        sea_orm::DbBackend::Sqlite => format!("x'{}'", id.simple()),
        _ => format!("'{id}'"),
    };
    let memberbase = MemberbaseId::parse(base).unwrap().uuid();
    for (millis, updated_at, reference) in rows {
        let id = uuid::Uuid::from_u128((u128::from(*millis) << 80) | (7 << 76) | (2 << 62) | u128::from(*millis));
        let sql = format!(
            "INSERT INTO member (memberbase_id, id, ref, updated_at) VALUES ({}, {}, '{reference}', {updated_at})",
            hex(memberbase),
            hex(MemberId::from_uuid(id).uuid()),
        );
        let insert = async |session: memberbase::db::Session| session.execute_unprepared(&sql).await;
        server.app.db.write(memberbase::db::Lock::None, insert).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn created_at_compares_in_milliseconds_and_updated_at_in_microseconds(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase("b").await;
    // 2024-01-01T00:00:00.001Z to .003Z
    let (start, micros) = (1_704_067_200_000_u64, 1_704_067_200_000_000_i64);
    let rows = [(start + 1, micros + 1, "a"), (start + 2, micros + 2, "b"), (start + 3, micros + 3, "c")];
    insert_members(&server, &base, &rows).await;
    let reader = server.reader().await;
    let at = |fraction: &str| format!("2024-01-01T00:00:00.{fraction}Z");
    for (field, on, between, before_all) in
        [("createdAt", at("002"), Some(at("002500")), at("000999")), ("updatedAt", at("000002"), None, at("000000"))]
    {
        let mut cases = vec![
            ("eq", json!(on), "b"),
            ("in", json!([on, on, before_all]), "b"),
            ("in", json!([]), ""),
            ("nin", json!([on]), "a c"),
            ("nin", json!([]), "a b c"),
            ("gt", json!(on), "c"),
            ("gte", json!(on), "b c"),
            ("lt", json!(on), "a"),
            ("lte", json!(on), "a b"),
            ("gt", json!(before_all), "a b c"),
            ("lt", json!(before_all), ""),
            ("gt", json!("0001-01-01T00:00:00Z"), "a b c"),
            ("lte", json!("1969-12-31T23:59:59.9999Z"), ""),
            ("lt", json!("9999-12-30T00:00:00Z"), "a b c"),
            ("gte", json!("9999-12-30T00:00:00Z"), ""),
            ("eq", json!(on.replace("2024-01-01T00", "2024-01-01T02").replace('Z', "+02:00")), "b"),
        ];
        if let Some(between) = between {
            // No id has a time between two milliseconds.
            cases.extend([
                ("eq", json!(between), ""),
                ("in", json!([between, on]), "b"),
                ("nin", json!([between]), "a b c"),
                ("gt", json!(between), "c"),
                ("gte", json!(between), "c"),
                ("lt", json!(between), "a b"),
                ("lte", json!(between), "a b"),
            ]);
        }
        for (operator, value, expected) in cases {
            let filter = json!({field: {operator: value}});
            assert_eq!(matching_refs(&reader, &base, filter.clone()).await, expected, "{filter}");
            let negated = json!({"not": filter});
            let others: Vec<_> = ["a", "b", "c"].into_iter().filter(|text| !expected.contains(text)).collect();
            assert_eq!(matching_refs(&reader, &base, negated.clone()).await, others.join(" "), "{negated}");
        }
    }
    let range = json!({"createdAt": {"gte": at("002"), "lt": at("003")}});
    assert_eq!(matching_refs(&reader, &base, range).await, "b");
}

#[rstest]
#[tokio::test]
async fn filter_over_a_limit_is_rejected(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(&["a", "b"]).await;
    let reader = server.reader().await;
    let leaf = || json!({"ref": {"eq": "a"}});
    for wrap in [|inner| json!({"not": inner}), |inner| json!({"and": [inner]}), |inner| json!({"or": [inner]})] {
        let nested = |depth| (0..depth).fold(leaf(), |inner, _| wrap(inner));
        query_members(&reader, &base, nested(10)).await.data();
        assert_eq!(query_members(&reader, &base, nested(11)).await.code(), "LIMIT_EXCEEDED", "{}", nested(11));
    }
    let tests = |count| json!({"or": vec![leaf(); count]});
    assert_eq!(matching_refs(&reader, &base, tests(400)).await, "a");
    assert_eq!(query_members(&reader, &base, tests(401)).await.code(), "LIMIT_EXCEEDED");
    let refs = |count| (0..count - 1).map(|n| n.to_string()).chain(["b".to_owned()]).collect::<Vec<_>>();
    for operator in ["in", "nin"] {
        let expected = if operator == "in" { "b" } else { "a" };
        assert_eq!(matching_refs(&reader, &base, json!({"ref": {operator: refs(100_000)}})).await, expected);
        assert_eq!(
            query_members(&reader, &base, json!({"ref": {operator: refs(100_001)}})).await.code(),
            "LIMIT_EXCEEDED"
        );
    }
}

#[rstest]
#[tokio::test]
async fn regexes_over_a_limit_are_rejected(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(&["a", "b"]).await;
    let reader = server.reader().await;
    let regexes = |count, pattern: &str| json!({"or": vec![json!({"ref": {"regex": {"pattern": pattern}}}); count]});
    assert_eq!(matching_refs(&reader, &base, regexes(32, "^a$")).await, "a");
    let rejected = query_members(&reader, &base, regexes(33, "^a$")).await;
    assert_eq!(rejected.code(), "LIMIT_EXCEEDED");
    assert_eq!(rejected.message(), "the filter has 33 regexes, at most 32 are allowed");
    let lists = async |count: usize, filter: Value| {
        let list = |n| format!("m{n}: members(memberbaseId: $b, filter: $f) {{ nodes {{ ref }} }}");
        let lists: String = (0..count).map(list).collect();
        let query = format!("query($b: ID!, $f: MemberFilter) {{ {lists} }}");
        reader.graphql(&query, json!({"b": base, "f": filter})).await
    };
    // A short regex counts as one of 100 characters.
    for (count, regexes) in [(4, regexes(25, "a")), (10, regexes(1, "(a{248}){4}")), (5, regexes(20, "a"))] {
        lists(count, regexes.clone()).await.data();
        let rejected = lists(count + 1, regexes).await;
        assert_eq!(rejected.code(), "LIMIT_EXCEEDED");
    }
    let names = json!({"or": vec![json!({"name": {"regex": {"pattern": "a"}}}); 33]});
    let query = "query($f: MemberbaseFilter) { memberbases(filter: $f) { nodes { id } } }";
    assert_eq!(reader.graphql(query, json!({"f": names})).await.code(), "LIMIT_EXCEEDED");
}

#[rstest]
#[tokio::test]
async fn long_list_of_refs_uses_the_index(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let refs: Vec<String> = (0..100_000).map(|n| format!("r{n}")).collect();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let reader = server.reader().await;
    let some: Vec<&String> = refs.iter().step_by(2).collect();
    for (field, order) in
        [("CREATED_AT", OrderField::CreatedAt), ("UPDATED_AT", OrderField::UpdatedAt), ("REF", OrderField::Ref)]
    {
        let query = "query($b: ID!, $f: MemberFilter, $o: MemberOrder) { \
            members(memberbaseId: $b, filter: $f, orderBy: $o, first: 10) { nodes { ref } totalCount } }";
        let variables = json!({"b": base, "f": {"ref": {"in": some}}, "o": {"field": field}});
        let data = reader.graphql(query, variables).await.data();
        assert_eq!((&data["members"]["totalCount"], data["members"]["nodes"][9].is_null()), (&json!(50_000), false));
        let plan = plan(&server, &base, order).await;
        let by_id = database == Database::Postgres || plan.contains("PRIMARY KEY (memberbase_id=? AND id=?)");
        assert!(plan.contains("member_ref") && by_id, "{field} reads:\n{plan}");
    }
}

#[rstest]
#[case::of_few(json!({"startsWith": "r1234"}), 11)]
#[case::of_all(json!({"startsWith": "r"}), 20)]
#[case::by_a_regex(json!({"regex": {"pattern": "^r1234"}}), 11)]
#[tokio::test]
async fn filters_on_refs_with_a_common_prefix_use_the_right_index(#[case] test: Value, #[case] found: usize) {
    const COUNTS: &str = "SELECT seq_tup_read + idx_tup_fetch, \
        (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = 'member') \
        FROM pg_stat_user_tables WHERE relname = 'member'";
    let server = Server::start(Database::Postgres).await;
    let refs: Vec<String> = (0..20_000).map(|n| format!("r{n}")).collect();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    server.execute("ANALYZE member").await;
    let query =
        "query($b: ID!, $f: MemberFilter) { members(memberbaseId: $b, filter: $f, first: 20) { nodes { ref } } }";
    let data = server.reader().await.graphql(query, json!({"b": base, "f": {"ref": test}})).await.data();
    assert_eq!(data["members"]["nodes"].as_array().unwrap().len(), found);
    for read in server.postgres_statistics(COUNTS).await {
        assert!(read < 2_000, "{read} rows were read for {found}");
    }
}

/// Returns the query plan of the first page of members with refs of a list.
async fn plan(server: &Server, base: &str, field: OrderField) -> String {
    let filter = Filter::Predicate(Predicate::Ref(TextPredicate::In(vec!["r1".to_owned(), "r2".to_owned()])));
    let page =
        Page { size: 10, direction: Direction::Forward, anchor: Anchor::Start, until: None, check_opposite: false };
    let order = Order { field, descending: false };
    let statements = PageStatements::new(server.app.db.backend(), server.scope(base), &filter, order, &page);
    server.explain(&statements.page).await
}
