//! Tests of bulk rows end to end, with a toy schema.

use async_graphql::{EmptySubscription, ID, InputObject, MaybeUndefined, Object, Request, Schema, ValidationMode};
use proptest::prelude::*;
use rstest::rstest;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::{operation::PreparedOperation, schema::Types, variables},
    *,
};
use crate::graphql::bulk::Unparsed;

#[derive(Clone, Debug, PartialEq, InputObject, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: ID,
    age: Option<Unparsed<i32>>,
    #[serde(default)]
    note: MaybeUndefined<String>,
    #[serde(default)]
    #[graphql(default)]
    tags: Vec<String>,
}

#[derive(InputObject)]
struct AddInput {
    rows: BulkRows<Row>,
    more: Option<BulkRows<Row>>,
}

struct Query;

#[Object]
impl Query {
    /// Under a list: the same argument is taken once an item.
    async fn items(&self) -> Vec<Item> {
        vec![Item, Item, Item]
    }
}

struct Item;

#[Object]
impl Item {
    async fn names(&self, ctx: &Context<'_>, rows: BulkRows<Row>) -> async_graphql::Result<Vec<ID>> {
        Ok(rows.take(ctx)?.into_iter().map(|row| row.name).collect())
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn add(&self, ctx: &Context<'_>, input: AddInput) -> async_graphql::Result<usize> {
        let more = input.more.map(|more| more.take(ctx)).transpose()?.unwrap_or_default();
        Ok(input.rows.take(ctx)?.len() + more.len())
    }

    async fn names(&self, ctx: &Context<'_>, rows: BulkRows<Row>) -> async_graphql::Result<Vec<ID>> {
        Ok(rows.take(ctx)?.into_iter().map(|row| row.name).collect())
    }
}

fn types() -> Types {
    Types::new(&Schema::new(Query, Mutation, EmptySubscription).sdl())
}

/// The answer, and how many of the deferred lists are still held.
async fn execute(query: &str, json: &str) -> (serde_json::Value, usize) {
    let types = types();
    let operation = PreparedOperation::unvalidated(&types, query);
    let raw: &RawValue = serde_json::from_str(json).unwrap();
    let decoders = RowDecoders::default().with::<Row>();
    let mut deferred = DeferredRows::default();
    let variables = variables::coerce(&types, &operation, Some(raw), &decoders, &mut deferred).unwrap();
    let schema = Schema::build(Query, Mutation, EmptySubscription).validation_mode(ValidationMode::Fast).finish();
    let mut request = Request::new(query).variables(variables);
    let held = deferred.0.clone();
    request.data.insert(deferred);
    let response = schema.execute(request).await;
    assert_eq!(response.errors, []);
    let held = held.iter().filter(|slot| slot.lock().unwrap().rows.is_some()).count();
    (response.data.into_json().unwrap(), held)
}

#[rstest]
#[case(
    "mutation($i: AddInput!) { add(input: $i) }",
    r#"{"i": {"rows": [{"name": "a"}, {"name": 2}]}}"#,
    r#"{"add": 2}"#,
    0
)]
#[case("mutation($r: [Row!]!) { add(input: {rows: $r}) }", r#"{"r": [{"name": "a"}]}"#, r#"{"add": 1}"#, 0)]
#[case("mutation($r: [Row!]!) { add(input: {rows: $r, more: $r}) }", r#"{"r": [{"name": "a"}]}"#, r#"{"add": 2}"#, 0)]
#[case("mutation($r: [Row!]!) { add(input: {rows: $r, more: null}) }", r#"{"r": {"name": "a"}}"#, r#"{"add": 1}"#, 0)]
#[case("mutation($m: [Row!]) { add(input: {rows: [], more: $m}) }", r#"{"m": null}"#, r#"{"add": 0}"#, 0)]
#[case("mutation($r: Row!) { names(rows: [$r, {name: 7}]) }", r#"{"r": {"name": "a"}}"#, r#"{"names": ["a", "7"]}"#, 0)]
#[case("mutation { names(rows: {name: \"a\", tags: \"x\"}) }", "{}", r#"{"names": ["a"]}"#, 0)]
#[case(
    "mutation($r: [Row!]!) { a: names(rows: $r) b: names(rows: $r) }",
    r#"{"r": [{"name": 1}]}"#,
    r#"{"a": ["1"], "b": ["1"]}"#,
    0
)]
#[case("mutation($r: [Row!]! = [{name: \"d\"}]) { names(rows: $r) }", "{}", r#"{"names": ["d"]}"#, 0)]
#[case(
    "query($r: [Row!]!) { items { names(rows: $r) } }",
    r#"{"r": [{"name": 1}]}"#,
    r#"{"items": [{"names": ["1"]}, {"names": ["1"]}, {"names": ["1"]}]}"#,
    1
)]
#[case(
    "mutation($r: [Row!]!) { ...F ...F } fragment F on Mutation { names(rows: $r) }",
    r#"{"r": [{"name": 1}]}"#,
    r#"{"names": ["1"]}"#,
    1
)]
#[case(
    "mutation($r: [Row!]!) { ...F ... { b: names(rows: $r) } } fragment F on Mutation { names(rows: $r) }",
    r#"{"r": [{"name": 1}]}"#,
    r#"{"names": ["1"], "b": ["1"]}"#,
    0
)]
#[tokio::test]
async fn rows_reach_the_resolver(#[case] query: &str, #[case] json: &str, #[case] data: &str, #[case] held: usize) {
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(execute(query, json).await, (data, held));
}

#[tokio::test]
async fn many_rows() {
    let rows: Vec<_> = (0..100_000).map(|index| format!(r#"{{"name": "{index}", "tags": ["a"]}}"#)).collect();
    let json = format!(r#"{{"i": {{"rows": [{}]}}}}"#, rows.join(","));
    let (data, held) = execute("mutation($i: AddInput!) { add(input: $i) }", &json).await;
    assert_eq!((data["add"].as_u64(), held), (Some(100_000), 0));
}

#[test]
fn the_schema_shows_a_list() {
    let sdl = Schema::new(Query, Mutation, EmptySubscription).sdl();
    assert!(sdl.contains("rows: [Row!]!\n"), "{sdl}");
    assert!(sdl.contains("more: [Row!]\n"), "{sdl}");
    assert!(sdl.contains("names(rows: [Row!]!)"), "{sdl}");
}

/// Any JSON at all at times, mostly what a field holds.
fn field() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::json;
    prop_oneof![
        Just(json!(null)),
        any::<i32>().prop_map(|number| json!(number)),
        "[a-z\u{e9}\"\\\\]{0,4}".prop_map(|text| json!(text)),
        prop::collection::vec("[a-z]{0,2}", 0..3).prop_map(|texts| json!(texts)),
        prop_oneof![Just(json!(true)), Just(json!([null]))],
        Just(json!({"name": "a"})),
    ]
}

fn row() -> impl Strategy<Value = serde_json::Value> {
    let right = ("[a-z]{0,4}", any::<Option<i32>>(), any::<Option<String>>(), any::<bool>()).prop_map(
        |(name, age, note, tags)| {
            let mut row = serde_json::json!({"name": name, "age": age, "note": note});
            if tags {
                row["tags"] = serde_json::json!(["x", name]);
            }
            row
        },
    );
    let key = prop_oneof![Just("name"), Just("age"), Just("note"), Just("tags"), Just("nmae")].prop_map(str::to_owned);
    let any = prop::collection::hash_map(key, field(), 0..4).prop_map(|fields| serde_json::json!(fields));
    prop_oneof![4 => right, 2 => any, 1 => field()]
}

proptest! {
    /// What the fast way takes, the slow way takes, and to the same rows.
    #[test]
    fn both_ways_give_equal_rows(rows in prop::collection::vec(row(), 0..3)) {
        let json = serde_json::to_string(&rows).unwrap();
        let types = types();
    let operation = PreparedOperation::unvalidated(&types, "query($r: [Row!]!, $l: [Row]) { f }");
        let text = format!(r#"{{"r": {json}}}"#);
        let raw: &RawValue = serde_json::from_str(&text).unwrap();
        let coerce = |decoders: RowDecoders| {
            let mut deferred = DeferredRows::default();
            variables::coerce(&types, &operation, Some(raw), &decoders, &mut deferred)
                .map(|mut variables| variables.remove("r").unwrap())
                .map(|value| match value {
                    Value::Binary(_) => deferred.take::<Row>(0).unwrap(),
                    value => <Vec<Row> as InputType>::parse(Some(value)).unwrap(),
                })
                .map_err(|errors| format!("{errors:?}"))
        };
        let plain = coerce(RowDecoders::default());
        prop_assert_eq!(&coerce(RowDecoders::default().with::<Row>()), &plain);
        let reader = Reader::<Row>(PhantomData);
        if let Some(fast) = reader.fast(&json) {
            prop_assert_eq!(Ok(fast.0.downcast_ref::<Vec<Row>>().unwrap()), plain.as_ref());
        }
    }
}

#[rstest]
#[case(r#"[{"name": "a", "age": null, "note": "x", "tags": []}, {"name": ""}]"#, true)]
#[case("[]", true)]
#[case(r#"[{"name": 1}]"#, false)]
#[case(r#"[["a", 1, "x", []]]"#, false)]
#[case(r#"[{"name": "a", "name": "b"}]"#, false)]
fn plain_rows_go_the_fast_way(#[case] json: &str, #[case] fast: bool) {
    assert_eq!(Reader::<Row>(PhantomData).fast(json).is_some(), fast);
}

/// A name that is a number has the list read the slow way.
#[rstest]
fn numbers_of_rows_are_kept_as_they_were_sent(
    #[values("1.0", "1.5", "-0", "1e400", "99999999999", "9007199254740993", "18446744073709551616")] number: &str,
    #[values("\"a\"", "1")] name: &str,
) {
    let types = types();
    let operation = PreparedOperation::unvalidated(&types, "query($r: [Row!]!) { f }");
    let text = format!(r#"{{"r": [{{"name": {name}, "age": {number}}}]}}"#);
    let raw: &RawValue = serde_json::from_str(&text).unwrap();
    let (decoders, mut deferred) = (RowDecoders::default().with::<Row>(), DeferredRows::default());
    variables::coerce(&types, &operation, Some(raw), &decoders, &mut deferred).unwrap();
    let rows = deferred.take::<Row>(0).unwrap();
    assert_eq!(rows[0].age.clone().unwrap().text(), number);
}
