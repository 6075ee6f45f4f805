//! Bad GraphQL documents.

use serde_json::json;

use super::{Case, REQUEST_ERROR, World};

pub(super) fn cases(world: &World) -> Vec<Case> {
    [unparsable(world), invalid(world), over_limits(world)].into_iter().flatten().collect()
}

/// Documents that do not parse.
fn unparsable(world: &World) -> Vec<Case> {
    [
        "",
        " ",
        "# a comment alone",
        "{",
        "}",
        "{}",
        "{ a",
        "{ a }}",
        "{ a } {",
        "{ \"a\" }",
        "{ 7 }",
        "{ a( }",
        "{ a() }",
        "{ a(b) }",
        "{ a(b: ) }",
        "{ a(b: $) }",
        "{ a(b: 1.) }",
        "{ a(b: .5) }",
        "{ a(b: [1 }",
        "{ a(b: {c: 1) }",
        "{ a(b: \"x) }",
        "{ a(b: \"\\q\") }",
        "{ a(b: \"\"\"x) }",
        "{ a: }",
        "{ a @ }",
        "{ ... }",
        "query",
        "query ($a) { a }",
        "query ($a: ) { a }",
        "query ($a: [Int) { a }",
        "fragment x { a }",
        "mutation { }",
        "good morning",
        "SELECT * FROM member",
        "<query/>",
        "{\u{0} a }",
        "{ é }",
        "{ a b: c: d }",
        "fragment on on Query { __typename }",
        "query () { __typename }",
        "queryQ { __typename }",
    ]
    .into_iter()
    .map(|query| {
        world.graphql(format!("the document {query:?}"), query, &json!({}), (REQUEST_ERROR, "GRAPHQL_PARSE_FAILED"))
    })
    .collect()
}

/// Documents that do not validate against the schema.
fn invalid(world: &World) -> Vec<Case> {
    [
        "{ nothing }",
        "{ memberbases { nothing } }",
        "{ memberbases }",
        "{ memberbases { nodes } }",
        "{ __typename { a } }",
        "{ memberbases(nothing: 1) { totalCount } }",
        "{ memberbases(first: \"1\") { totalCount } }",
        "{ memberbases(first: 1.5) { totalCount } }",
        "{ memberbases(first: 1, first: 1) { totalCount } }",
        "{ memberbases(filter: 7) { totalCount } }",
        "{ memberbases(filter: {nothing: 1}) { totalCount } }",
        "{ memberbases(filter: {name: {eq: 1}}) { totalCount } }",
        "{ node { id } }",
        "{ node(id: null) { id } }",
        "{ node(id: {}) { id } }",
        "{ node(id: \"x\") { name } }",
        "{ member(by: {}) { id } }",
        "{ member(by: {id: \"x\", ref: {memberbaseId: \"x\", ref: \"x\"}}) { id } }",
        "{ members(memberbaseId: \"x\", orderBy: {field: NOTHING}) { totalCount } }",
        "{ members(memberbaseId: \"x\", orderBy: {field: \"REF\"}) { totalCount } }",
        "query($a: Nothing) { memberbases(filter: $a) { totalCount } }",
        "query($a: Memberbase) { memberbases(filter: $a) { totalCount } }",
        "query($a: String) { memberbases(first: $a) { totalCount } }",
        "query($a: ID) { node(id: $a) { id } }",
        "query($a: Int) { memberbases { totalCount } }",
        "query($a: Int, $a: Int) { memberbases(first: $a) { totalCount } }",
        "query($a: Int = \"x\") { memberbases(first: $a) { totalCount } }",
        "{ memberbases(first: $a) { totalCount } }",
        "{ memberbases { ...nothing } }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "{ ...a } fragment a on Query { ...a }",
        "{ __typename } fragment a on Query { __typename }",
        "{ ...a } fragment a on Nothing { __typename }",
        "{ ...a } fragment a on Member { id }",
        "{ ...a } fragment a on String { id }",
        "{ ...a } fragment a on Query { __typename } fragment a on Query { __typename }",
        "{ ... on Member { id } }",
        "{ a: __typename a: memberbases { totalCount } }",
        "{ node(id: \"x\") { ... on Member { x: memberbaseId } ... on Clip { x: id } x: id } }",
        "query($a: [Nothing] = [1]) { nodes(ids: $a) { id } }",
        "{ a: memberbases(first: 1) { totalCount } a: memberbases(first: 2) { totalCount } }",
        "{ __typename @nothing }",
        "{ __typename @skip }",
        "{ memberbases @nothing { totalCount } }",
        "{ memberbases @skip { totalCount } }",
        "{ memberbases @skip(if: true) @skip(if: true) { totalCount } }",
        "{ __typename @skip(if: 1) }",
        "{ __typename @skip(if: true) @skip(if: true) }",
        "query @skip(if: true) { __typename }",
        "query a { __typename } query a { __typename }",
        "query a { __typename } { __typename }",
        "query a { __typename } query b { __typename }",
        "fragment a on Query { __typename }",
        "type X { a: Int }",
        "extend type Query { a: Int }",
        "subscription { nothing }",
        "mutation { createMemberbase { memberbase { id } } }",
        "mutation { createMemberbase(input: {}) { memberbase { id } } }",
        "mutation { createMemberbase(input: {name: null}) { memberbase { id } } }",
        "mutation { createMemberbase(input: {name: 7}) { memberbase { id } } }",
        "mutation { createMemberbase(input: {name: \"x\", nothing: 1}) { memberbase { id } } }",
        "mutation { createMemberbase(input: {name: \"x\", name: \"x\"}) { memberbase { id } } }",
    ]
    .into_iter()
    .map(|query| {
        world.graphql(
            format!("the document {query:?}"),
            query,
            &json!({}),
            (REQUEST_ERROR, "GRAPHQL_VALIDATION_FAILED"),
        )
    })
    .chain([world.posted(
        "the name of an operation that is not there",
        "/graphql",
        r#"{"query": "query a { __typename }", "operationName": "b"}"#,
        (REQUEST_ERROR, "GRAPHQL_VALIDATION_FAILED"),
    )])
    .collect()
}

/// Documents over a limit.
fn over_limits(world: &World) -> Vec<Case> {
    let deep = |depth: usize| {
        let (open, close) = ("{ ofType ".repeat(depth), "}".repeat(depth));
        format!("{{ __type(name: \"Int\") {open} {{ name }} {close} }}")
    };
    let numbered = |count: usize, write: &dyn Fn(usize) -> String| (0..count).map(write).collect::<String>();
    let fragments = |count: usize, body: &dyn Fn(usize) -> String| {
        let spreads = numbered(count, &|n| format!(" ...f{n}"));
        let all = numbered(count, &|n| format!(" fragment f{n} on Query {{ {} }}", body(n)));
        format!("{{ {spreads} }} {all}")
    };
    // Each level doubles the number of fields of the level below.
    let bomb = |levels: usize, spreads: usize| {
        let fragment = |n: usize| match n {
            0 => " fragment f0 on Query { __typename }".to_owned(),
            n => format!(" fragment f{n} on Query {{ {} }}", format!("...f{} ", n - 1).repeat(spreads)),
        };
        format!("{{ ...f{} }} {}", levels - 1, numbered(levels, &fragment))
    };
    let list = |depth: usize| format!("{{ node(id: {}1{}) {{ id }} }}", "[".repeat(depth), "]".repeat(depth));
    let object = |depth: usize| format!("{{ node(id: {}1{}) {{ id }} }}", "{a:".repeat(depth), "}".repeat(depth));
    let of_type = |depth: usize| format!("query($a: {}Int{}) {{ a }}", "[".repeat(depth), "]".repeat(depth));
    [
        ("tokens", format!("{{ {} }}", "a ".repeat(20_001))),
        ("tokens of a list", format!("{{ nodes(ids: [{}]) {{ id }} }}", "1 ".repeat(20_001))),
        ("brackets", list(65)),
        ("very many brackets", list(50_000)),
        ("very many objects", object(40_000)),
        ("very many lists of lists", of_type(50_000)),
        ("very many selections in selections", "{ a ".repeat(50_000)),
        ("depth", deep(16)),
        ("aliases", format!("{{ {} }}", numbered(51, &|n| format!("a{n}: __typename ")))),
        ("very many aliases", format!("{{ {} }}", numbered(5_000, &|n| format!("a{n}: __typename ")))),
        ("directives", format!("{{ {} }}", "__typename @skip(if: false) ".repeat(51))),
        ("fragments", fragments(51, &|_| "__typename".to_owned())),
        ("fragments that double", bomb(20, 2)),
        ("fragments that multiply by thirty", bomb(9, 30)),
        ("operations", numbered(11, &|n| format!("query q{n} {{ __typename }} "))),
        ("bytes", format!("{{ __typename }} #{}", "x".repeat(300 << 10))),
    ]
    .into_iter()
    .map(|(name, query)| {
        world.graphql(format!("too many: {name}"), &query, &json!({}), (REQUEST_ERROR, "LIMIT_EXCEEDED"))
    })
    .chain([
        world.graphql(
            "a document of 2 MiB",
            &format!("{{ __typename }} #{}", "x".repeat(2 << 20)),
            &json!({}),
            (413, "PAYLOAD_TOO_LARGE"),
        ),
        world.graphql(
            "variables of 17 MiB",
            "{ __typename }",
            &json!({"x": "x".repeat(17 << 20)}),
            (413, "PAYLOAD_TOO_LARGE"),
        ),
    ])
    .collect()
}
