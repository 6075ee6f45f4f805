//! Generates valid queries that ask for as much memory and time as they can.

use std::time::Duration;

use serde_json::json;

use super::{
    case::{Case, DATA_OR_REJECTED, Json, listed, quoted},
    world::World,
};
use crate::support::Random;

/// Aliases of a document, for root fields and for fields of a member.
const MAX_ROOT_FIELDS: usize = 30;
const MAX_MEMBER_FIELDS: usize = 18;

/// Values that make a list of about 15 MB, whatever their length.
const MAX_LIST_BYTES: usize = 15_000_000;

/// A value of a list in the variables.
#[derive(Clone, Debug)]
enum Item {
    /// An empty string.
    Empty,
    /// The ref of a member with large attributes.
    Ref,
    /// The id of a member.
    Id,
    /// Different strings of this length.
    Text(usize),
    /// A number with a large exponent.
    Number,
    /// A list that contains this many empty lists, each in the other.
    Nested(usize),
    /// An object with one key of this length.
    Object(usize),
}

/// A list in the variables.
#[derive(Clone, Debug)]
struct List {
    item: Item,
    count: usize,
}

/// A generated query.
#[derive(Clone, Debug)]
pub struct Request {
    base: String,
    member: String,
    /// Root fields, which use the variables.
    root: Vec<String>,
    /// Fields of a member.
    member_fields: Vec<String>,
    refs: List,
    ids: List,
    values: List,
    /// The length of the string variable.
    text_bytes: usize,
}

/// Returns a number up to `max`, small ones as often as large ones.
fn magnitude(random: &mut Random, max: usize) -> usize {
    let bits = usize::try_from(max.ilog2()).unwrap() + 1;
    let high = 1 << random.below(bits);
    (high + random.below(high)).min(max)
}

/// Returns a number with leading letters, which make it at least this long.
fn padded(number: usize, bytes: usize) -> String {
    let number = number.to_string();
    "x".repeat(bytes.saturating_sub(number.len())) + &number
}

impl List {
    fn generate(random: &mut Random, usual: Item) -> Self {
        let item = match random.below(12) {
            0 => Item::Empty,
            1 => Item::Text(magnitude(random, 1_000_000)),
            2 => Item::Number,
            3 => Item::Nested(magnitude(random, 40)),
            4 => Item::Object(magnitude(random, 100_000)),
            5 => Item::Id,
            6 => Item::Ref,
            7 => Item::Text(100),
            _ => usual,
        };
        let max = MAX_LIST_BYTES / item.length();
        // More than the maximum of a list only sometimes.
        let max = if random.below(4) == 0 { max } else { max.min(100_000) };
        Self { count: magnitude(random, max), item }
    }

    fn json(&self, member: &str) -> Json {
        listed(self.count, |number| match self.item {
            Item::Empty => "\"\"".to_owned(),
            Item::Ref => "\"big\"".to_owned(),
            Item::Id => format!("\"{member}\""),
            Item::Text(bytes) => format!("\"{}\"", padded(number, bytes)),
            Item::Number => "1e308".to_owned(),
            Item::Nested(depth) => "[".repeat(depth) + &"]".repeat(depth),
            Item::Object(bytes) => format!("{{\"{}\":1}}", padded(number, bytes)),
        })
    }
}

impl Item {
    /// Returns about the number of its bytes.
    fn length(&self) -> usize {
        3 + match self {
            Self::Empty => 0,
            Self::Ref | Self::Number => 5,
            Self::Id => 32,
            Self::Text(bytes) => *bytes,
            Self::Nested(depth) => 2 * depth,
            Self::Object(bytes) => bytes + 6,
        }
    }
}

impl Request {
    pub fn generate(world: &World, random: &mut Random) -> Self {
        let bases = [&world.pages, &world.large, &world.keys];
        let count = magnitude(random, MAX_ROOT_FIELDS);
        // Often the same field again and again.
        let same = random.below(2) == 0;
        let first = root_field(random);
        let root = (0..count).map(|_| if same { first.clone() } else { root_field(random) }).collect();
        let count = magnitude(random, MAX_MEMBER_FIELDS);
        let same = random.below(2) == 0;
        let first = member_field(random);
        let member_fields = (0..count).map(|_| if same { first.clone() } else { member_field(random) }).collect();
        Self {
            base: bases[random.below(bases.len())].clone(),
            member: world.member.clone(),
            root,
            member_fields,
            refs: List::generate(random, Item::Ref),
            ids: List::generate(random, Item::Id),
            values: List::generate(random, Item::Number),
            text_bytes: magnitude(random, MAX_LIST_BYTES),
        }
    }

    /// Returns the query with its budgets.
    pub fn case(&self, time_limit: Duration) -> Case {
        let aliased = |prefix: &str, fields: &[String]| -> String {
            fields.iter().enumerate().map(|(number, field)| format!("{prefix}{number}: {field} ")).collect()
        };
        let mut fields = format!("{{ {}}}", aliased("r", &self.root));
        if fields.contains("...member") {
            fields += &format!(" fragment member on Member {{ {}}}", aliased("m", &self.member_fields));
        }
        let all = [
            ("base", "ID!", quoted(&self.base)),
            ("refs", "[String!]!", self.refs.json(&self.member)),
            ("ids", "[ID!]!", self.ids.json(&self.member)),
            ("values", "[AttributeValue!]!", self.values.json(&self.member)),
            ("text", "String!", quoted(&"x".repeat(self.text_bytes))),
        ];
        let (mut declarations, mut variables) = (Vec::new(), Vec::new());
        for (name, kind, value) in all {
            if fields.contains(&format!("${name}")) {
                declarations.push(format!("${name}: {kind}"));
                variables.push((name, value));
            }
        }
        let declarations = declarations.join(", ");
        let query = if declarations.is_empty() { fields } else { format!("query({declarations}) {fields}") };
        Case::query("a generated query", query, variables).with_time_limit(time_limit).with_codes(DATA_OR_REJECTED)
    }

    /// Returns simpler requests, the simplest first.
    pub fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let half = |fields: &[String]| fields[..fields.len().div_ceil(2)].to_vec();
        if self.root.len() > 1 {
            all.push(Self { root: half(&self.root), ..self.clone() });
            all.push(Self { root: self.root[self.root.len() / 2..].to_vec(), ..self.clone() });
        }
        if self.member_fields.len() > 1 {
            all.push(Self { member_fields: half(&self.member_fields), ..self.clone() });
        }
        let halved = |list: &List| List { count: list.count / 2, item: list.item.clone() };
        let is_used = |variable: &str| self.root.iter().any(|field| field.contains(variable));
        if is_used("$refs") {
            all.push(Self { refs: halved(&self.refs), ..self.clone() });
        }
        if is_used("$ids") {
            all.push(Self { ids: halved(&self.ids), ..self.clone() });
        }
        if is_used("$values") {
            all.push(Self { values: halved(&self.values), ..self.clone() });
        }
        all
    }
}

fn root_field(random: &mut Random) -> String {
    let first = magnitude(random, 5_000);
    match random.below(12) {
        0 | 1 => "membersByRef(memberbaseId: $base, refs: $refs) { ...member }".to_owned(),
        2 => "nodes(ids: $ids) { id ...member }".to_owned(),
        3..=6 => {
            let filter = filter(random, 0);
            let page = "nodes { ...member } edges { cursor node { ...member } } totalCount";
            format!("members(memberbaseId: $base, first: {first}, filter: {filter}) {{ {page} }}")
        }
        7 => format!("members(memberbaseId: $base, last: {first}) {{ nodes {{ ...member }} }}"),
        8 => {
            let page = format!("attributeSchema {{ key type }} members(first: {first}) {{ nodes {{ ...member }} }}");
            format!("memberbases(filter: {{name: {{in: $refs}}}}) {{ nodes {{ {page} }} }}")
        }
        9 => "node(id: $base) { id ... on Memberbase { attributeSchema { key type } } }".to_owned(),
        10 => introspection(random),
        _ => "member(by: {ref: {memberbaseId: $base, ref: $text}}) { ...member }".to_owned(),
    }
}

fn introspection(random: &mut Random) -> String {
    let mut fields = "name description ".repeat(1 + random.below(20));
    for _ in 0..random.below(3) {
        let list = ["fields { type", "possibleTypes", "interfaces", "inputFields { type"][random.below(4)];
        let closed = if list.contains('{') { " }" } else { "" };
        fields = format!("name {list} {{ {fields} }}{closed} ofType {{ name ofType {{ name }} }}");
    }
    if random.below(2) == 0 {
        format!("__schema {{ types {{ {fields} }} }}")
    } else {
        let name = ["Node", "Member", "MemberFilter", "Query"][random.below(4)];
        format!("__type(name: \"{name}\") {{ {fields} }}")
    }
}

fn member_field(random: &mut Random) -> String {
    let first = magnitude(random, 100);
    match random.below(12) {
        0 => "id".to_owned(),
        1 => "ref".to_owned(),
        2..=4 => "attributes".to_owned(),
        5 => "attribute(key: \"notes\")".to_owned(),
        6 => "attribute(key: $text)".to_owned(),
        7 => "attribute(key: \"unknown\")".to_owned(),
        8 => "memberbase { attributeSchema { key type } }".to_owned(),
        9 => format!("memberbase {{ members(first: {first}) {{ nodes {{ ref attributes }} }} }}"),
        10 => format!("transactions(first: {first}) {{ totalCount nodes {{ member {{ attributes }} }} }}"),
        _ => "updatedAt".to_owned(),
    }
}

fn filter(random: &mut Random, depth: usize) -> String {
    match random.below(if depth < 8 { 14 } else { 9 }) {
        0 => "{}".to_owned(),
        1 => "{ref: {in: $refs}}".to_owned(),
        2 => "{ref: {nin: $refs}}".to_owned(),
        3 => "{id: {in: $ids}}".to_owned(),
        4 => "{attribute: {key: \"level\", in: $values}}".to_owned(),
        5 => "{attribute: {key: \"unknown\", nin: $values}}".to_owned(),
        6 => "{attribute: {key: \"notes\", contains: $text}}".to_owned(),
        7 => {
            let (class, times) = (["[^a]", ".", "[a-z]", "\\\\p"][random.below(3)], 1 + random.below(250));
            format!("{{ref: {{regex: {{pattern: {}}}}}}}", json!(format!("{class}{{{times}}}{}", random.below(1_000))))
        }
        8 => format!("{{ref: {{in: [{}]}}}}", "\"literal\" ".repeat(magnitude(random, 500))),
        9 => format!("{{not: {}}}", filter(random, depth + 1)),
        kind => {
            let operator = if kind % 2 == 0 { "and" } else { "or" };
            let count = 1 + random.below(if depth == 0 { 50 } else { 3 });
            // Repeats one filter, so that the same variable is used often.
            let filters = format!("{} ", filter(random, depth + 1)).repeat(count);
            format!("{{{operator}: [{filters}]}}")
        }
    }
}
