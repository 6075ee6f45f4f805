//! Pages have two forms: what of members is asked for is written as JSON at once where it is fields of their own, and
//! resolved field by field where it is not. No selection may tell them apart.

use std::collections::BTreeSet;

use memberbase::types::{DocumentLimits, Limits};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Database, Random, Server};

const FIELDS: [&str; 8] =
    ["id", "ref", "memberbaseId", "attributes", "createdAt", "updatedAt", "sourceUpdatedAt", "__typename"];

/// A field that only the ordinary form has.
const ORDINARY: &str = " ordinary: attribute(key: \"none\")";

/// A selection of a type, and the fragments that it spreads.
struct Selections {
    random: Random,
    fragments: Vec<String>,
    /// The response keys that stand for a field already.
    keys: Vec<(String, &'static str)>,
}

impl Selections {
    fn new(seed: u64) -> Self {
        Self { random: Random(seed), fragments: Vec::new(), keys: Vec::new() }
    }

    fn directive(&mut self) -> &'static str {
        let all = ["", "", "", " @include(if: $yes)", " @skip(if: $yes)", " @skip(if: false) @include(if: $no)"];
        all[self.random.below(all.len())]
    }

    fn of_member(&mut self, depth: usize) -> String {
        let mut items = Vec::new();
        for _ in 0..=self.random.below(5) {
            let directive = self.directive();
            match self.random.below(if depth == 0 { 6 } else { 9 }) {
                6 => items.push(format!("...{directive} {{ {} }}", self.of_member(depth - 1))),
                7 => items.push(format!("... on Member{directive} {{ {} }}", self.of_member(depth - 1))),
                8 => {
                    let inner = self.of_member(depth - 1);
                    let name = format!("F{}", self.fragments.len());
                    self.fragments.push(format!("fragment {name} on Member {{ {inner} }}"));
                    items.push(format!("...{name}{directive}"));
                }
                _ => items.push(format!("{}{directive}", self.field())),
            }
        }
        items.join(" ")
    }

    /// A field under a key that stands for no other.
    fn field(&mut self) -> String {
        let field = FIELDS[self.random.below(FIELDS.len())];
        let key = [field, "a", "b_1", "nodes", "ref"][self.random.below(5)];
        match self.keys.iter().find(|(known, _)| known == key) {
            Some((_, known)) if *known != field => return format!("{key}: {known}"),
            Some(_) => {}
            None => self.keys.push((key.to_owned(), field)),
        }
        format!("{key}: {field}")
    }
}

/// A query of both forms: the same but for one field.
fn queries(seed: u64) -> [String; 2] {
    let mut selections = Selections::new(seed);
    let member = selections.of_member(2);
    let paging =
        ["first: 3", "last: 2", "first: 2, orderBy: {field: REF, direction: DESC}"][selections.random.below(3)];
    let around =
        ["pageInfo { hasNextPage startCursor endCursor }", "totalCount", "__typename"][selections.random.below(3)];
    let form = selections.random.below(4);
    ["", ORDINARY].map(|more| {
        let nodes = format!("nodes {{ {member}{more} }}");
        let edges = format!("edges {{ x: cursor node {{ {member}{more} }} __typename cursor }}");
        let page = match form {
            0 => nodes,
            1 => edges,
            2 => format!("{nodes} again: {edges}"),
            _ => format!("... {{ {nodes} }} {around} {edges}"),
        };
        let fragments = selections.fragments.join(" ");
        format!(
            "query($b: ID!, $yes: Boolean!, $no: Boolean!) {{ \
                used: memberbases(first: 0) @include(if: $yes) @skip(if: $no) {{ totalCount }} \
                members(memberbaseId: $b, {paging}) {{ {page} {around} }} \
                node(id: $b) {{ ... on Memberbase {{ members({paging}) {{ {page} }} }} }} }} {fragments}"
        )
    })
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).expect("UTF-8")
}

#[rstest]
#[tokio::test]
async fn both_forms_of_a_page_are_the_same(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    // What is generated is larger than what people write.
    let document = DocumentLimits { directives: 1_000, aliases: 1_000, fragments: 1_000, ..DocumentLimits::default() };
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
    let reader = server.reader().await;
    let mut seen = BTreeSet::new();
    for seed in 0..400 {
        let variables = json!({"b": base, "yes": true, "no": false});
        let [written, ordinary] = queries(seed);
        let answer = reader.ask(&written, variables.clone()).await;
        assert_eq!(answer.status, 200, "{written}: {}", text(&answer));
        let other = text(&reader.ask(&ordinary, variables).await);
        assert!(!other.contains("\"errors\""), "{ordinary}: {other}");
        let other = other.replace(",\"ordinary\":null", "").replace("\"ordinary\":null", "");
        assert_eq!(text(&answer), other, "{written}");
        for field in FIELDS {
            if written.contains(field) {
                seen.insert(field);
            }
        }
        let _: Value = serde_json::from_slice(&answer.body).expect("JSON");
    }
    assert_eq!(seen.len(), FIELDS.len());
}
