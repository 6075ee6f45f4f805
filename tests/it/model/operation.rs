//! Operations and their generation. Pools of keys and values are small, so that collisions are frequent.

mod choice;
mod filter;
mod rows;

use proptest::{prelude::*, sample::select, strategy::Union};
use serde_json::{Map, Value, json};

use super::api::{Api, CHILD_TYPES, ChildType, List, SYMBOL};

/// A request that may name things by picks: `?m_7` is one of the members that exist when the operation is sent.
#[derive(Clone)]
pub struct Operation {
    pub name: String,
    /// The token; null for an ADMIN token that is not bound.
    caller: Value,
    variables: Value,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {} by {}", self.name, self.variables, self.caller)
    }
}

/// An operation whose picks are resolved to symbols.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub operation: String,
    pub token: Option<usize>,
    pub variables: Value,
}

/// The first character of a pick.
const PICK: char = '?';

impl Operation {
    fn new(name: impl Into<String>, variables: Value) -> Self {
        Self { name: name.into(), caller: Value::Null, variables }
    }

    /// Returns the operations with which each sequence begins.
    pub fn first() -> Vec<Self> {
        let schema = json!({"memberbaseId": "?mb_0", "attributes": rows::schemas()[0]});
        vec![
            Self::new("createMemberbase", json!({"input": {"name": "first"}})),
            Self::new("setAttributeSchema", json!({"input": schema})),
        ]
    }

    /// Resolves the picks.
    pub fn resolve(&self, api: &Api) -> Request {
        let (mut caller, mut variables) = (self.caller.clone(), self.variables.clone());
        resolve_ids(&mut caller, api);
        resolve_ids(&mut variables, api);
        let list = api.list_of(&self.name, &variables);
        for argument in ["after", "before"] {
            if let Some(pick) = variables.get_mut(argument) {
                *pick = resolve_cursor(pick, api, list.as_ref());
            }
        }
        let token = caller.as_str().and_then(|symbol| symbol.strip_prefix("§atok_")?.parse().ok());
        Request { operation: self.name.clone(), token, variables }
    }
}

/// Splits a pick into its prefix and its number.
fn parse_pick(value: &Value) -> Option<(&str, usize)> {
    let (prefix, number) = value.as_str()?.strip_prefix(PICK)?.split_once('_')?;
    Some((prefix, number.parse().ok()?))
}

/// Replaces the picks of ids and times. Most of them become something that exists, some become something that existed, or
/// never did.
fn resolve_ids(value: &mut Value, api: &Api) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| resolve_ids(item, api)),
        Value::Object(fields) => fields.values_mut().for_each(|field| resolve_ids(field, api)),
        value => {
            if let Some((prefix, number)) = parse_pick(value).filter(|(prefix, _)| *prefix != "cursor") {
                let prefix = format!("{prefix}_");
                let (existing, created) = (api.existing(&prefix), api.number_created(&prefix));
                *value = match number {
                    // Most requests are for the first memberbase, which has a schema.
                    0..170 if prefix == "mb_" && !existing.is_empty() => Api::symbol(&prefix, existing[0]).into(),
                    0..240 if !existing.is_empty() => Api::symbol(&prefix, existing[number % existing.len()]).into(),
                    _ if number % (created + 1) < created => Api::symbol(&prefix, number % (created + 1)).into(),
                    _ => format!("{SYMBOL}{prefix}none").into(),
                };
            }
        }
    }
}

/// Replaces the pick of a cursor: most become one of the last cursors of the list.
fn resolve_cursor(value: &Value, api: &Api, list: Option<&List>) -> Value {
    let Some((_, number)) = parse_pick(value) else { return value.clone() };
    let own: Vec<usize> = api.cursors_of(list).collect();
    let recent = &own[own.len().saturating_sub(8)..];
    match number {
        0..250 if !recent.is_empty() => Api::symbol("cursor_", recent[number % recent.len()]).into(),
        0..250 => Value::Null,
        _ => match api.number_created("cursor_") {
            0 => format!("{SYMBOL}cursor_none").into(),
            count => Api::symbol("cursor_", number % count).into(),
        },
    }
}

/// Generates a pick.
fn pick(prefix: &'static str) -> BoxedStrategy<Value> {
    any::<u8>().prop_map(move |number| format!("{PICK}{prefix}{number}").into()).boxed()
}

/// Generates one of these values.
fn of<T: Into<Value> + Clone>(values: impl IntoIterator<Item = T>) -> BoxedStrategy<Value> {
    select(values.into_iter().map(Into::into).collect::<Vec<Value>>()).boxed()
}

fn list(item: BoxedStrategy<Value>, max: usize) -> BoxedStrategy<Value> {
    prop::collection::vec(item, 0..=max).prop_map(Value::from).boxed()
}

/// Generates an object from fields, each with the percentage of objects that have it.
fn object<const N: usize>(fields: [Field; N]) -> BoxedStrategy<Value> {
    let names = fields.each_ref().map(|(name, ..)| *name);
    let field = |(_, percent, value): (_, u32, BoxedStrategy<Value>)| match percent {
        100 => value.prop_map(Some).boxed(),
        _ => prop::option::weighted(f64::from(percent) / 100.0, value).boxed(),
    };
    let values: Vec<_> = fields.into_iter().map(field).collect();
    let zip = move |values: Vec<Option<Value>>| {
        let given = names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
        Value::from(given.collect::<Map<_, _>>())
    };
    values.prop_map(zip).boxed()
}

fn flag(percent: u32) -> BoxedStrategy<Value> {
    prop::bool::weighted(f64::from(percent) / 100.0).prop_map(Value::from).boxed()
}

fn paging() -> [Field; 4] {
    let size = || prop_oneof![40 => of([2, 1, 3, 4, 0, 5_000]), 1 => of([5_001, -1])].boxed();
    [("first", 50, size()), ("last", 40, size()), ("after", 40, pick("cursor_")), ("before", 30, pick("cursor_"))]
}

fn with_paging<const N: usize>(fields: [Field; N]) -> BoxedStrategy<Value> {
    let both = (object(fields), object(paging()));
    both.prop_map(|(mut fields, paging)| {
        // Both sizes together are an error, which would hide everything else.
        let keep_both = paging["first"] == 5_001;
        for (name, value) in paging.as_object().unwrap() {
            if name != "last" || paging.get("first").is_none() || keep_both {
                fields[name] = value.clone();
            }
        }
        fields
    })
    .boxed()
}

fn reference() -> BoxedStrategy<Value> {
    prop_oneof![
        60 => of(["a", "b", "ab", "A", "é", "e\u{301}", "%", "a b", "\u{10ffff}", "1"]),
        1 => of([String::new(), "a\0".to_owned(), "x".repeat(1025), "nobody".to_owned()]),
    ]
    .boxed()
}

/// A field of an object: its name, the percentage of objects that have it, and its values.
type Field = (&'static str, u32, BoxedStrategy<Value>);

/// A weight, the name of an operation and its variables.
type Weighted = (u32, String, BoxedStrategy<Value>);

/// The factor of the weights of all operations except large calls, which take the time of many others.
const SMALL: u32 = 20;

fn memberbase() -> Field {
    ("memberbaseId", 100, pick("mb_"))
}

fn on_error() -> Field {
    ("onError", 70, of(["SKIP_FAILED", "REJECT_BATCH"]))
}

fn dry_run(percent: u32) -> Field {
    ("dryRun", percent, flag(70))
}

fn input<const N: usize>(fields: [Field; N]) -> BoxedStrategy<Value> {
    object(fields).prop_map(|input| json!({"input": input})).boxed()
}

fn member_operations() -> Vec<Weighted> {
    let order =
        object([("field", 90, of(["CREATED_AT", "UPDATED_AT", "REF"])), ("direction", 60, of(["DESC", "ASC"]))]);
    let prefixes = [(4, "m_"), (1, "mb_"), (1, "clip_"), (1, "sc_"), (1, "txn_"), (1, "atok_"), (1, "sync_")];
    let node = Union::new_weighted(prefixes.map(|(weight, prefix)| (weight, pick(prefix))).to_vec());
    vec![
        (
            24,
            "bulkUpsertMembers".into(),
            input([
                memberbase(),
                on_error(),
                dry_run(15),
                ("members", 100, list(rows::member(), 7)),
                ("mode", 40, of(["INSERT_ONLY", "UPDATE_ONLY", "UPSERT"])),
                ("syncId", 15, pick("sync_")),
            ]),
        ),
        (
            4,
            "deleteMembers".into(),
            input([
                memberbase(),
                ("memberIds", 50, list(pick("m_"), 2)),
                ("refs", 50, list(reference(), 2)),
                ("atMost", 30, of([1, 0, 2])),
                dry_run(30),
            ]),
        ),
        (4, "membersByRef".into(), object([memberbase(), ("refs", 100, list(reference(), 5))])),
        (
            24,
            "members".into(),
            with_paging([memberbase(), ("filter", 60, filter::any_filter()), ("orderBy", 80, order)]),
        ),
        (5, "nodes".into(), object([("ids", 100, list(node.boxed(), 5))])),
    ]
}

fn memberbase_operations() -> Vec<Weighted> {
    vec![
        (1, "createMemberbase".into(), input([("name", 100, of(["x"]))])),
        (1, "updateMemberbase".into(), input([memberbase(), ("name", 100, of(["x", "y"]))])),
        (2, "setAttributeSchema".into(), input([memberbase(), ("attributes", 100, of(rows::schemas()))])),
        (1, "deleteMemberbase".into(), input([memberbase(), ("atMostMembers", 50, of([0, 2, 5])), dry_run(60)])),
        (3, "memberbase".into(), with_paging([("id", 100, pick("mb_"))])),
        (3, "startSync".into(), input([memberbase(), ("abandonOpen", 40, flag(80))])),
        (
            3,
            "commitSync".into(),
            input([
                ("syncId", 100, pick("sync_")),
                ("onMissing", 80, of(["DELETE", "KEEP"])),
                ("maxDeletedPercent", 80, of([100, 50, 0, 30])),
            ]),
        ),
        (1, "abandonSync".into(), input([("syncId", 100, pick("sync_"))])),
        (
            2,
            "createApiToken".into(),
            input([
                ("access", 100, of(["READ", "WRITE", "ADMIN"])),
                ("description", 100, of(["a token"])),
                ("memberbaseId", 60, pick("mb_")),
            ]),
        ),
        (1, "revokeApiToken".into(), input([("apiTokenId", 100, pick("atok_"))])),
    ]
}

fn child_operations(kind: &ChildType) -> Vec<Weighted> {
    let by = prop_oneof![
        object([("id", 100, pick("m_"))]),
        object([("ref", 100, object([memberbase(), ("ref", 100, reference())]))]),
    ];
    let rows = (kind.field, 100, list(rows::child(kind), 5));
    let ids = (rows::id_list(kind), 100, list(pick(kind.prefix), 2));
    vec![
        (5, format!("bulkUpsert{}", kind.plural), input([memberbase(), on_error(), dry_run(15), rows])),
        (1, format!("delete{}", kind.plural), input([memberbase(), ids])),
        (4, format!("member:{}", kind.field), with_paging([("by", 100, by.boxed())])),
    ]
}

fn large_calls() -> [Weighted; 2] {
    let members = ("members", 100, rows::many_members());
    let transactions = ("transactions", 100, rows::many_transactions());
    [
        (2, "bulkUpsertMembers".into(), input([memberbase(), on_error(), dry_run(15), members])),
        (1, "bulkUpsertTransactions".into(), input([memberbase(), on_error(), transactions])),
    ]
}

/// Generates any operation.
pub fn any_operation() -> BoxedStrategy<Operation> {
    let small = member_operations().into_iter().chain(memberbase_operations());
    let small = small.chain(CHILD_TYPES.iter().flat_map(child_operations));
    let small = small.map(|(weight, name, variables)| (SMALL * weight, name, variables));
    let with_caller = |(weight, name, variables): Weighted| {
        let caller = prop_oneof![4 => Just(Value::Null), 1 => pick("atok_")];
        let operation = move |(variables, caller)| Operation { caller, ..Operation::new(name.clone(), variables) };
        (weight, (variables, caller).prop_map(operation).boxed())
    };
    Union::new_weighted(small.chain(large_calls()).map(with_caller).collect()).boxed()
}
