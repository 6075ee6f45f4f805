//! Bad filters of `members`.

use serde_json::{Value, json};

use super::{Case, INVALID, LONG_LIST, OVER_LIMIT, WRONG_TYPE, World};

/// Texts that are not valid times.
pub(super) const NO_TIMES: [&str; 18] = [
    "",
    "today",
    "2026",
    "2026-01-01",
    "2026-01-01T00:00:00",
    "2026-01-01 00:00:00",
    "2026-13-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-01-01T24:00:01Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:00+25:00",
    "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00.1234567890Z",
    "20260101T000000Z",
    "+12026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z ",
    "1767225600",
    "２０２６-01-01T00:00:00Z",
];

/// Patterns outside of the regex dialect.
pub(super) fn bad_patterns() -> Vec<String> {
    let bad = [
        "(",
        ")",
        "[",
        "[]",
        "[z-a]",
        "a{2,1}",
        "a{256}",
        "a{,2}",
        "a{x}",
        "*",
        "+a",
        "?",
        "a**",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?i)a",
        "(?P<n>a)",
        "\\",
        "\\1",
        "\\b",
        "\\p{L}",
        "\\x41",
        "\\u0041",
        "[[:alpha:]]",
        "a\0b",
        "(((a{9}){9}){9}){9}",
    ];
    let mut bad: Vec<_> = bad.into_iter().map(str::to_owned).collect();
    bad.extend(["(".repeat(50_000), format!("{}a{}", "(".repeat(25), ")".repeat(25)), "a".repeat(5_000)]);
    bad
}

pub(super) fn cases(world: &World) -> Vec<Case> {
    let query = format!(
        "query($f: MemberFilter) {{ members(memberbaseId: \"{}\", filter: $f) {{ nodes {{ id }} }} }}",
        world.base
    );
    let case = |filter: &Value, expected| {
        let name = format!("the filter {:.120}", filter.to_string());
        world.graphql(name, &query, &json!({"f": filter}), expected)
    };
    let mut cases = Vec::new();
    for filter in [
        json!(7),
        json!("x"),
        json!([[]]),
        json!({"nothing": 1}),
        json!({"ref": "a"}),
        json!({"ref": 7}),
        json!({"ref": []}),
        json!({"ref": {"like": "a"}}),
        json!({"ref": {"eq": 7}}),
        json!({"ref": {"eq": {}}}),
        json!({"ref": {"in": [null]}}),
        json!({"ref": {"in": [7]}}),
        json!({"ref": {"in": {}}}),
        json!({"ref": {"startsWith": 7}}),
        json!({"ref": {"regex": "a"}}),
        json!({"ref": {"regex": {}}}),
        json!({"ref": {"regex": {"pattern": null}}}),
        json!({"ref": {"regex": {"pattern": 7}}}),
        json!({"ref": {"regex": {"pattern": "a", "caseInsensitive": "yes"}}}),
        json!({"and": [null]}),
        json!({"and": 7}),
        json!({"or": [[]]}),
        json!({"or": "x"}),
        json!({"not": []}),
        json!({"not": "x"}),
        json!({"id": "x"}),
        json!({"id": {"eq": {}}}),
        json!({"createdAt": 7}),
        json!({"createdAt": {"eq": 7}}),
        json!({"createdAt": {"in": [7]}}),
        json!({"createdAt": {"gt": true}}),
        json!({"updatedAt": {"between": []}}),
        json!({"attribute": {"eq": 1}}),
        json!({"attribute": {"key": null}}),
        json!({"attribute": {"key": 7, "eq": 1}}),
        json!({"attribute": {"key": "level", "like": 1}}),
        json!({"attribute": "level"}),
        json!({"attribute": {"key": "tags", "eq": [1]}}),
        json!({"attribute": {"key": "tier", "startsWith": 7}}),
        json!({"attribute": {"key": "tier", "exists": "yes"}}),
    ] {
        cases.push(case(&filter, WRONG_TYPE));
    }
    for pattern in bad_patterns() {
        cases.push(case(&json!({"ref": {"regex": {"pattern": pattern}}}), INVALID));
    }
    for test in [
        json!({"key": "", "eq": 1}),
        json!({"key": "nothing", "eq": 1}),
        json!({"key": "Level", "eq": 1}),
        json!({"key": "level' OR 1=1 --", "eq": 1}),
        json!({"key": "level", "eq": "1"}),
        json!({"key": "level", "eq": true}),
        json!({"key": "level", "in": [1, "2"]}),
        json!({"key": "level", "gt": []}),
        json!({"key": "level", "startsWith": "1"}),
        json!({"key": "level", "contains": "1"}),
        json!({"key": "level", "eq": 9_007_199_254_740_993_i64}),
        json!({"key": "tier", "eq": 1}),
        json!({"key": "tier", "contains": "x"}),
        json!({"key": "tier", "lt": false}),
        json!({"key": "active", "eq": "true"}),
        json!({"key": "active", "gt": false}),
        json!({"key": "active", "startsWith": "t"}),
        json!({"key": "since", "eq": "today"}),
        json!({"key": "since", "eq": 20_260_101}),
        json!({"key": "since", "gte": "2026-02-30"}),
        json!({"key": "since", "startsWith": "2"}),
        json!({"key": "tags", "eq": "x"}),
        json!({"key": "tags", "in": [["x"]]}),
        json!({"key": "tags", "gt": ["x"]}),
    ] {
        cases.push(case(&json!({"attribute": test}), INVALID));
    }
    for time in NO_TIMES {
        cases.push(case(&json!({"createdAt": {"eq": time}}), WRONG_TYPE));
        cases.push(case(&json!({"not": {"updatedAt": {"in": [time]}}}), WRONG_TYPE));
    }
    let nested = |depth: usize, key: &str| {
        (0..depth).fold(json!({"ref": {"eq": "a"}}), |inner, _| {
            if key == "not" { json!({key: inner}) } else { json!({key: [inner, {}]}) }
        })
    };
    for key in ["and", "or", "not"] {
        for depth in [12, 50] {
            cases.push(case(&nested(depth, key), OVER_LIMIT));
        }
    }
    let many: Vec<_> = (0..100_001).map(|n| format!("{n}")).collect();
    cases.push(case(&json!({"ref": {"in": many}}), LONG_LIST));
    cases.push(case(&json!({"not": {"ref": {"nin": many}}}), LONG_LIST));
    for (field, query) in [
        (
            "membersByRef",
            format!("query($v: [String!]!) {{ membersByRef(memberbaseId: \"{}\", refs: $v) {{ id }} }}", world.base),
        ),
        ("nodes", "query($v: [ID!]!) { nodes(ids: $v) { id } }".to_owned()),
    ] {
        cases.push(world.graphql(format!("{field} of very many"), &query, &json!({"v": many}), LONG_LIST));
    }
    // Nested so deeply that a recursive parser could overflow the stack.
    for depth in [1_000, 100_000] {
        let body = format!(
            r#"{{"query": "query($f: MemberFilter) {{ members(memberbaseId: \"{}\", filter: $f) {{ totalCount }} }}", "variables": {{"f": {}{{}}{}}}}}"#,
            world.base,
            r#"{"not": "#.repeat(depth),
            "}".repeat(depth)
        );
        cases.push(world.posted(format!("a filter that is {depth} deep"), "/graphql", &body, WRONG_TYPE));
    }
    cases
}
