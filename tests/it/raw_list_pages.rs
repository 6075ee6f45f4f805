//! Compares the two renderings of a member page: raw, if only plain member fields are selected, or field by field
//! through resolvers. Both must return the same JSON for every selection.

use std::collections::BTreeSet;

use memberbase::types::{DocumentLimits, Limits};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Database, Random, Server};

const FIELDS: [&str; 8] =
    ["id", "ref", "memberbaseId", "attributes", "createdAt", "updatedAt", "sourceUpdatedAt", "__typename"];

/// Texts of which some generated queries must contain each.
const REQUIRED_IN_QUERIES: [&str; 6] =
    ["... on Node", "... on MemberEdge", " on MemberConnection {", " on MemberEdge {", " on Node {", " on Clip"];

/// Texts of which some responses must contain each.
const REQUIRED_IN_RESPONSES: [&str; 4] = ["\"clip_", "\"sc_", "\"txn_", "\"MemberEdge\""];

/// Markers that are replaced by a field of [`ORDINARY`] or removed.
const MARKS: [&str; 2] = ["@nodes", "@edges"];

/// Fields of a node and of an edge that force the rendering through resolvers.
const ORDINARY: [&str; 2] =
    ["ordinary: attribute(key: \"none\")", "ordinary: node { ordinary: attribute(key: \"none\") }"];

/// The arguments of the pages.
const PAGES: [&str; 4] = ["first: 3", "last: 2", "first: 0", "first: 2, orderBy: {field: REF, direction: DESC}"];

/// A field with its arguments, and its type if that has fields.
type Field = (&'static str, &'static str);

const OF_MEMBER: [Field; 13] = [
    ("id", ""),
    ("ref", ""),
    ("memberbaseId", ""),
    ("attributes", ""),
    ("createdAt", ""),
    ("updatedAt", ""),
    ("sourceUpdatedAt", ""),
    ("__typename", ""),
    // The fields from here on are rendered by resolvers only.
    ("attribute(key: \"name\")", ""),
    ("clips(first: 1)", "ClipConnection"),
    ("stampCollections(last: 1)", "StampCollectionConnection"),
    ("transactions(first: 2)", "TransactionConnection"),
    ("memberbase", "Memberbase"),
];

/// Returns the fields to choose from for a type; with `plain`, only plain fields of a member.
fn fields(parent: &str, plain: bool) -> &'static [Field] {
    match parent {
        "Member" if plain => &OF_MEMBER[..FIELDS.len()],
        "Member" => &OF_MEMBER,
        "Node" => &[("id", ""), ("__typename", "")],
        "MemberConnection" => &[
            ("nodes", "Member"),
            ("edges", "MemberEdge"),
            ("nodes", "Member"),
            ("edges", "MemberEdge"),
            ("pageInfo", "PageInfo"),
            ("totalCount", ""),
            ("__typename", ""),
        ],
        "MemberEdge" => &[("node", "Member"), ("node", "Member"), ("cursor", ""), ("__typename", "")],
        "PageInfo" => &[("hasNextPage", ""), ("hasPreviousPage", ""), ("startCursor", ""), ("endCursor", "")],
        "Memberbase" => {
            &[("id", ""), ("members(first: 1)", "MemberConnection"), ("members(last: 2)", "MemberConnection")]
        }
        "ClipConnection" => &[("nodes", "Clip"), ("edges", "ClipEdge"), ("pageInfo", "PageInfo"), ("totalCount", "")],
        "StampCollectionConnection" => &[("nodes", "StampCollection"), ("totalCount", ""), ("__typename", "")],
        "TransactionConnection" => &[("nodes", "Transaction"), ("pageInfo", "PageInfo"), ("__typename", "")],
        "ClipEdge" => &[("cursor", ""), ("node", "Clip")],
        "Clip" => &[("id", ""), ("dealId", ""), ("variantId", ""), ("member", "Member")],
        "StampCollection" => &[("id", ""), ("stamps", ""), ("updatedAt", "")],
        "Transaction" => &[("id", ""), ("amount", ""), ("authedAt", ""), ("__typename", "")],
        other => panic!("no fields of {other}"),
    }
}

/// A named fragment.
struct Fragment {
    name: String,
    on: &'static str,
    plain: bool,
    depth: usize,
    text: String,
}

/// A random selection set, and the fragments that it spreads.
struct Selections {
    random: Random,
    fragments: Vec<Fragment>,
    /// The response keys in use for each type, with their fields.
    keys: Vec<(&'static str, String, Field)>,
    /// The remaining number of selections.
    remaining: usize,
}

impl Selections {
    fn new(seed: u64) -> Self {
        Self { random: Random(seed), fragments: Vec::new(), keys: Vec::new(), remaining: 60 }
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.random.below(count) == 0
    }

    fn directive(&mut self) -> &'static str {
        let all = [
            " @include(if: $yes)",
            " @skip(if: $no)",
            " @include(if: true)",
            " @include(if: $default)",
            " @skip(if: false) @include(if: $yes)",
            " @skip(if: $yes)",
            " @include(if: false)",
            " @skip(if: false) @include(if: $no)",
        ];
        if self.one_in(4) { all[self.random.below(all.len())] } else { "" }
    }

    /// A selection set on a type with nested fields up to this depth; with `plain`, only plain fields of members.
    fn selection_set(&mut self, parent: &'static str, depth: usize, plain: bool) -> String {
        let mut items = Vec::new();
        for _ in 0..=self.random.below(4) {
            self.remaining = self.remaining.saturating_sub(1);
            let item = match self.random.below(if self.remaining == 0 { 6 } else { 9 }) {
                6 => format!("...{} {{ {} }}", self.directive(), self.selection_set(parent, depth, plain)),
                7 => {
                    let on = self.condition(parent);
                    format!("... on {on}{} {{ {} }}", self.directive(), self.selection_set(on, depth, plain))
                }
                8 => format!("...{}{}", self.fragment(parent, depth, plain), self.directive()),
                _ => self.field(parent, depth, plain),
            };
            items.push(item);
        }
        items.join(" ")
    }

    fn condition(&mut self, parent: &'static str) -> &'static str {
        if parent == "Member" && self.one_in(3) { "Node" } else { parent }
    }

    /// Returns the name of a new or known fragment.
    fn fragment(&mut self, parent: &'static str, depth: usize, plain: bool) -> String {
        let on = self.condition(parent);
        let fits = |known: &&Fragment| known.on == on && known.depth <= depth && (known.plain || !plain);
        let known: Vec<_> = self.fragments.iter().filter(fits).map(|known| known.name.clone()).collect();
        if !known.is_empty() && self.random.below(2) == 0 {
            return known[self.random.below(known.len())].clone();
        }
        let text = self.selection_set(on, depth, plain);
        let name = format!("F{}", self.fragments.len());
        self.fragments.push(Fragment { name: name.clone(), on, plain, depth, text });
        name
    }

    /// A field with a response key that no other field of the type has.
    fn field(&mut self, parent: &'static str, depth: usize, plain: bool) -> String {
        let fits = |field: &Field| depth > 0 && (depth > 1 || field.1 != "MemberEdge") || field.1.is_empty();
        let fields: Vec<Field> = fields(parent, plain).iter().copied().filter(fits).collect();
        // The selections of a node apply to a member.
        let owner = if parent == "Node" { "Member" } else { parent };
        for _ in 0..5 {
            let field = fields[self.random.below(fields.len())];
            let name = field.0.split('(').next().unwrap();
            let key = [name, name, "a", "b_1", "nodes", "ref"][self.random.below(6)];
            match self
                .keys
                .iter()
                .find(|(parent, known, _)| *parent == owner && known == key)
                .map(|(_, _, known)| *known)
            {
                Some(known) if !fields.contains(&known) => continue,
                Some(known) => return self.field_text(key, known, parent, depth, plain),
                None => self.keys.push((owner, key.to_owned(), field)),
            }
            return self.field_text(key, field, parent, depth, plain);
        }
        "__typename".to_owned()
    }

    fn field_text(&mut self, key: &str, (field, inner): Field, parent: &str, depth: usize, plain: bool) -> String {
        let alias = if field == key { String::new() } else { format!("{key}: ") };
        let directive = self.directive();
        if inner.is_empty() {
            return format!("{alias}{field}{directive}");
        }
        let (plain, mark) = match (parent, inner) {
            ("MemberConnection", "Member") => (!self.one_in(5), MARKS[0]),
            ("MemberConnection", "MemberEdge") => (!self.one_in(5), MARKS[1]),
            _ => (plain, ""),
        };
        format!("{alias}{field}{directive} {{ {} {mark} }}", self.selection_set(inner, depth - 1, plain))
    }
}

/// Returns a query in four variants: with raw pages, resolved nodes, resolved edges, or both resolved.
fn queries(seed: u64) -> [String; 4] {
    let mut selections = Selections::new(seed);
    let paging = PAGES[selections.random.below(PAGES.len())];
    let pages = [(); 3].map(|()| selections.selection_set("MemberConnection", 6, true));
    let fragment = |it: &Fragment| format!("fragment {} on {} {{ {} }}", it.name, it.on, it.text);
    let fragments: Vec<_> = selections.fragments.iter().map(fragment).collect();
    let [page, more, below] = pages;
    let query = format!(
        "query($b: ID!, $yes: Boolean!, $no: Boolean!, $default: Boolean = true) {{ \
            used: memberbases(first: 0) @include(if: $yes) @skip(if: $no) {{ totalCount @include(if: $default) }} \
            members(memberbaseId: $b, {paging}) {{ {page} }} \
            members(memberbaseId: $b, {paging}) {{ {more} }} \
            node(id: $b) {{ ... on Memberbase {{ members({paging}) {{ {below} }} }} }} }} {}",
        fragments.join(" ")
    );
    [[false, false], [true, false], [false, true], [true, true]].map(|ordinary| {
        let replace_marker = |query: String, index: usize| {
            query.replace(MARKS[index], if ordinary[index] { ORDINARY[index] } else { "" })
        };
        replace_marker(replace_marker(query.clone(), 0), 1)
    })
}

/// Removes the fields that forced the rendering through resolvers.
fn without_forced_fields(response: String) -> String {
    ["\"ordinary\":{\"ordinary\":null}", "\"ordinary\":null"].iter().fold(response, |response, field| {
        [format!(",{field}"), format!("{field},"), (*field).to_owned()]
            .iter()
            .fold(response, |response, field| response.replace(field, ""))
    })
}

fn text(response: &ApiResponse) -> String {
    String::from_utf8(response.body.clone()).expect("UTF-8")
}

#[rstest]
#[tokio::test]
async fn raw_and_resolved_pages_are_equal(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    // Generated queries exceed the default limits.
    let document = DocumentLimits {
        directives: 1_000,
        aliases: 1_000,
        fragments: 1_000,
        selection_depth: 50,
        ..DocumentLimits::default()
    };
    let server = Server::with(database, Limits { document, ..Limits::default() }).await;
    let members = [
        ("plain", json!({})),
        ("\"quoted\"\\ \u{1}\u{2028}é😀", json!({"name": "a \"b\" \\ \n", "points": 1.5})),
        ("</script>", json!({"points": 9_007_199_254_740_991_i64, "tags": ["x", ""]})),
        ("last", json!({"name": ""})),
    ];
    let schema = [("name", "STRING"), ("points", "NUMBER"), ("tags", "STRING_LIST")];
    let base = server.memberbase_with(&schema, &members).await;
    let rows = json!([{"ref": "last", "sourceUpdatedAt": "2026-01-31T12:00:00.123456Z"}]);
    server.writer().await.upsert_with(json!({"memberbaseId": base, "members": rows})).await.data();
    let clips = json!([
        {"memberRef": "plain", "dealId": "d", "creativeId": "c"},
        {"memberRef": "plain", "dealId": "e", "creativeId": "c"},
        {"memberRef": "last", "dealId": "\"d\"", "creativeId": "c"},
    ]);
    let mutation = "mutation($i: BulkUpsertClipsInput!) { bulkUpsertClips(input: $i) { summary { created } } }";
    let input = json!({"i": {"memberbaseId": base, "clips": clips}});
    assert_eq!(server.writer().await.graphql(mutation, input).await.data()["bulkUpsertClips"]["summary"]["created"], 3);
    let reader = server.reader().await;
    let all = "query($b: ID!) { members(memberbaseId: $b, first: 3) { nodes { id } } }";
    let data = reader.graphql(all, json!({"b": base})).await.data();
    let nodes = data["members"]["nodes"].as_array().unwrap();
    let ids: Vec<_> = nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
    server.insert_children(&base, &ids, [2, 1, 4]).await;
    let variables = json!({"b": base, "yes": true, "no": false});
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for seed in 0..300 {
        let [raw, ordinary @ ..] = queries(seed);
        let response = reader.graphql(&raw, variables.clone()).await;
        assert_eq!(response.status, 200, "{raw}: {}", text(&response));
        let response = text(&response);
        assert!(!response.contains("\"errors\""), "{raw}: {response}");
        let _: Value = serde_json::from_str(&response).expect("JSON");
        for ordinary in ordinary.iter().filter(|ordinary| **ordinary != raw) {
            let other = without_forced_fields(text(&reader.graphql(ordinary, variables.clone()).await));
            assert_eq!(response, other, "{raw}\n{ordinary}");
        }
        seen.extend(FIELDS.iter().chain(&REQUIRED_IN_QUERIES).filter(|part| raw.contains(**part)));
        seen.extend(REQUIRED_IN_RESPONSES.iter().filter(|part| response.contains(**part)));
    }
    assert_eq!(seen.len(), FIELDS.len() + REQUIRED_IN_QUERIES.len() + REQUIRED_IN_RESPONSES.len(), "{seen:?}");
}

#[rstest]
#[tokio::test]
async fn members_by_ref_are_the_same_in_both_renderings(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase("members").await;
    let rows = json!([{"ref": "\"a\"\n", "sourceUpdatedAt": "2026-01-31T12:00:00Z"}, {"ref": "é"}]);
    server.writer().await.upsert_with(json!({"memberbaseId": base, "members": rows})).await.data();
    let reader = server.reader().await;
    let variables = json!({"b": base, "refs": ["é", "missing", "\"a\"\n", "é"]});
    for fields in (1..=FIELDS.len()).map(|count| FIELDS[..count].join(" ")) {
        let query = |more: &str| {
            format!(
                "query($b: ID!, $refs: [String!]!) {{ membersByRef(memberbaseId: $b, refs: $refs) {{ {fields} {more} }} }}"
            )
        };
        let raw = text(&reader.graphql(&query(""), variables.clone()).await);
        let ordinary = reader.graphql(&query(ORDINARY[0]), variables.clone()).await;
        assert_eq!(raw, without_forced_fields(text(&ordinary)), "{fields}");
        assert_eq!(raw.matches("null").count(), if fields.contains("sourceUpdatedAt") { 3 } else { 1 }, "{raw}");
    }
}
