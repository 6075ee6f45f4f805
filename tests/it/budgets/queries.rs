//! Queries whose response, variables or intermediate results are far larger than their budget.

use super::{
    case::{Case, DATA, DATA_OR_REJECTED, Json, aliased, listed, quoted, repeated},
    world::{World, is_full, size},
};

const REJECTED: &[&str] = &["BAD_USER_INPUT", "LIMIT_EXCEEDED", "PAYLOAD_TOO_LARGE"];

/// Returns the queries whose results are large.
pub fn large_results(world: &World) -> Vec<Case> {
    [lookups(world), pages(world)].into_iter().flatten().collect()
}

/// Returns the queries whose input is large, or which never reach the database.
pub fn large_inputs(world: &World) -> Vec<Case> {
    let mut cases = large_variables(world);
    cases.extend(empty_lists(world));
    cases.extend(introspection());
    if is_full() {
        // A debug build takes most of a minute for them.
        cases.push(regexes(world));
        cases.extend(large_numbers(world));
    }
    cases
}

/// Returns the queries that take the most CPU time.
pub fn slow(world: &World) -> Vec<Case> {
    let mut cases = large_numbers(world);
    cases.extend(large_variables(world));
    cases.extend(introspection());
    cases
}

/// Returns a query as clients usually send it.
pub fn usual(world: &World) -> Case {
    let query = "query($b: ID!) { members(memberbaseId: $b) { nodes { id ref updatedAt } totalCount } }";
    Case::query("a usual page", query, vec![("b", quoted(&world.pages))])
}

/// Returns large queries that the documented limits allow, so that the budget has to allow them too.
pub fn within_limits(world: &World) -> Vec<Case> {
    let short = listed(100_000, |n| format!("\"ref-{n}\""));
    let long = listed(100_000, |n| format!("\"{n:0130}\""));
    let case = |name: &str, field: &str, values: &Json| {
        let query = format!("query($b: ID!, $v: [String!]!) {{ {field} }}");
        Case::query(name, query, vec![("b", quoted(&world.keys)), ("v", values.clone())]).with_codes(DATA)
    };
    let lookup = "membersByRef(memberbaseId: $b, refs: $v) { id ref }";
    let filter = "members(memberbaseId: $b, filter: {ref: {in: $v}}) { totalCount nodes { id } }";
    let page = "members(memberbaseId: $b, first: 5000) { nodes { id ref attributes } }";
    vec![
        case("100,000 short refs", lookup, &short),
        case("100,000 refs of 130 bytes", lookup, &long),
        case("a filter of 100,000 short refs", filter, &short),
        case("a filter of 100,000 refs of 130 bytes", filter, &long),
        Case::query("a page of 5,000", format!("query($b: ID!) {{ {page} }}"), vec![("b", quoted(&world.keys))])
            .with_codes(DATA),
    ]
}

/// Look-ups that name one thing, or nothing, very often.
fn lookups(world: &World) -> Vec<Case> {
    let base = quoted(&world.large);
    let refs = repeated("\"big\"", size(20_000, 50_000));
    let empty = repeated("\"\"", 100_000);
    let mut cases = Vec::new();
    for selection in ["id ref", "id ref attributes", "attribute(key: \"notes\")", "memberbase { name }"] {
        let query = "query($b: ID!, $r: [String!]!) { membersByRef(memberbaseId: $b, refs: $r) { SELECTION } }";
        let name = format!("one ref of a 60 kB member, selecting {selection}");
        let variables = vec![("b", base.clone()), ("r", refs.clone())];
        cases.push(Case::query(name, query.replace("SELECTION", selection), variables));
    }
    for aliases in [10, 50] {
        let query = format!("query($i: [ID!]!) {{ {} }}", aliased(aliases, "nodes(ids: $i) { id }"));
        let name = format!("100,000 empty ids under {aliases} aliases");
        cases.push(Case::query(name, query, vec![("i", empty.clone())]).with_codes(DATA_OR_REJECTED));
    }
    cases
}

/// Pages of members whose fields are large.
fn pages(world: &World) -> Vec<Case> {
    let page = |name: &str, base: &str, first: usize, nodes: &str| {
        let query = format!("query($b: ID!) {{ members(memberbaseId: $b, first: {first}) {{ nodes {{ {nodes} }} }} }}");
        Case::query(name, query, vec![("b", quoted(base))])
    };
    let root = aliased(20, "members(memberbaseId: $b, first: 5000) { nodes { id attributes } }");
    vec![
        page("30 aliases of attributes", &world.pages, 5_000, &aliased(30, "attributes")),
        page("40 aliases of one attribute", &world.large, 1_000, &aliased(40, "attribute(key: \"notes\")")),
        page("attribute schema of each member", &world.keys, 5_000, "memberbase { attributeSchema { key type } }"),
        page("20 aliases of the memberbase", &world.keys, 5_000, &aliased(20, "memberbase { id name createdAt }")),
        Case::query(
            "20 pages of attributes",
            format!("query($b: ID!) {{ {root} }}"),
            vec![("b", quoted(&world.pages))],
        ),
    ]
}

/// Variables near their maximum that a document uses again and again.
fn large_variables(world: &World) -> Vec<Case> {
    let base = quoted(&world.pages);
    let text = "x".repeat(size(130, 138));
    let values = listed(100_000, |n| format!("\"{n:06}{}\"", &text[6..]));
    let mut cases = Vec::new();
    for uses in [20, 49] {
        let fields = aliased(uses, "membersByRef(memberbaseId: $b, refs: $v) { id }");
        let query = format!("query($b: ID!, $v: [String!]!) {{ {fields} }}");
        let variables = vec![("b", base.clone()), ("v", values.clone())];
        cases.push(Case::query(format!("a variable of 14 MB as refs, {uses} times"), query, variables));
    }
    for (uses, operator) in [(49, "in"), (100, "in"), (100, "nin")] {
        let filters = format!("{{ref: {{{operator}: $v}}}} ").repeat(uses);
        let page = format!("members(memberbaseId: $b, first: 1, filter: {{or: [{filters}]}}) {{ totalCount }}");
        let query = format!("query($b: ID!, $v: [String!]!) {{ {page} }}");
        let variables = vec![("b", base.clone()), ("v", values.clone())];
        cases.push(Case::query(
            format!("a variable of 14 MB as {operator} of one filter, {uses} times"),
            query,
            variables,
        ));
    }
    cases.push(nested_filter(world));
    cases.push(unknown_key(world));
    cases
}

/// A filter of many values that is nested deep: async-graphql copies them at each level.
fn nested_filter(world: &World) -> Case {
    let condition = "{attribute: {key: \"level\", in: $v}} ".repeat(5);
    let filter = (0..8).fold(condition, |filter, _| format!("{{or: [{filter}]}}"));
    let page = format!("members(memberbaseId: $b, first: 1, filter: {filter}) {{ totalCount }}");
    let query = format!("query($b: ID!, $v: [AttributeValue!]!) {{ {page} }}");
    let values = repeated("\"\"", 100_000);
    Case::query(
        "100,000 values below 8 levels of a filter, 5 times",
        query,
        vec![("b", quoted(&world.pages)), ("v", values)],
    )
    .with_codes(REJECTED)
}

/// A long key that the attribute schema does not declare: the errors repeat little of it.
fn unknown_key(world: &World) -> Case {
    let page = "members(memberbaseId: $b, filter: {attribute: {key: $k, eq: 1}}) { totalCount }";
    let query = format!("query($b: ID!, $k: String!) {{ {} }}", aliased(49, page));
    let key = quoted(&"k".repeat(14 << 20));
    Case::query("an unknown key of 14 MiB, 49 times", query, vec![("b", quoted(&world.pages)), ("k", key)])
        .with_codes(REJECTED)
        .with_max_body_bytes(64 << 10)
}

/// Ten filters that each have almost as many regexes as a filter may have.
pub fn regexes(world: &World) -> Case {
    let filters =
        listed(399, |n| format!("{{\"ref\":{{\"regex\":{{\"pattern\":\"{n}[^a-m]{{200}}[^n-z]{{200}}\"}}}}}}"));
    let page = "members(memberbaseId: $b, first: 1, filter: {or: $f}) { totalCount }";
    let query = format!("query($b: ID!, $f: [MemberFilter!]) {{ {} }}", aliased(10, page));
    Case::query("10 filters of 399 regexes", query, vec![("b", quoted(&world.keys)), ("f", filters)])
}

/// Returns a query of a list of this type for each field that takes it.
fn lists(world: &World, name: &str, fields: &[(&str, &str)], values: &Json) -> Vec<Case> {
    let case = |(kind, field): &(&str, &str)| {
        let query = format!("query($b: ID!, $v: [{kind}!]!) {{ {field} }}");
        let variables = vec![("b", quoted(&world.pages)), ("v", values.clone())];
        Case::query(format!("{name} in {field}"), query, variables).with_codes(REJECTED)
    };
    fields.iter().map(case).collect()
}

const IN_REFS: (&str, &str) = ("String", "membersByRef(memberbaseId: $b, refs: $v) { id }");
const IN_REF_FILTER: (&str, &str) = ("String", "members(memberbaseId: $b, filter: {ref: {in: $v}}) { totalCount }");
const IN_NUMBER_FILTER: (&str, &str) =
    ("AttributeValue", "members(memberbaseId: $b, filter: {attribute: {key: \"level\", in: $v}}) { totalCount }");

fn empty_lists(world: &World) -> Vec<Case> {
    let values = repeated("[]", size(8 << 20, 15 << 20) / 3);
    lists(world, "empty lists", &[IN_REFS, IN_REF_FILTER, IN_NUMBER_FILTER], &values)
}

/// Numbers whose integer part has 309 digits.
fn large_numbers(world: &World) -> Vec<Case> {
    let values = repeated("1e308", size(8 << 20, 15 << 20) / 6);
    lists(world, "large numbers", &[IN_REF_FILTER, IN_NUMBER_FILTER], &values)
}

/// Lists of types that contain each other.
pub fn introspection() -> Vec<Case> {
    let names = aliased(38, "name");
    let mut nested = format!("{{ {names} }}");
    for _ in 0..3 {
        nested = format!("{{ interfaces {{ possibleTypes {nested} }} }}");
    }
    let fields = "fields { type { name ofType { name ofType { fields { name type { name } } } } } }";
    let types = format!("__schema {{ types {{ {} }} }}", aliased(38, fields));
    vec![
        Case::query(
            "possible types six levels deep",
            format!("{{ __type(name: \"Node\") {{ possibleTypes {nested} }} }}"),
            vec![],
        ),
        Case::query("fields of types of fields, 38 times", format!("{{ {types} }}"), vec![]),
        Case::query(
            "the schema 40 times",
            format!("{{ {} }}", aliased(40, "__schema { types { name fields { name args { name } type { name } } } }")),
            vec![],
        ),
    ]
}
