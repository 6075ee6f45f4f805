//! Tests of bulk rows end to end, with a toy schema.

use async_graphql::{EmptySubscription, ID, InputObject, MaybeUndefined, Object, Request, Schema, ValidationMode};
use proptest::prelude::*;
use rstest::rstest;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::{prepared_operation::PreparedOperation, schema::Types, variables},
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
    /// Uses an argument below once per item.
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

/// Returns the data, and the number of lists of rows that are still in memory.
async fn execute(query: &str, json: &str) -> (serde_json::Value, usize) {
    let types = types();
    let operation = PreparedOperation::unvalidated(&types, query);
    let raw: &RawValue = serde_json::from_str(json).unwrap();
    let decoders = RowDecoders::default().with::<Row>();
    let (variables, deferred) = variables::coerce(&types, &operation, Some(raw), &decoders, None).unwrap();
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
async fn many_rows_are_moved() {
    let rows: Vec<_> = (0..100_000).map(|index| format!(r#"{{"name": "{index}", "tags": ["a"]}}"#)).collect();
    let json = format!(r#"{{"i": {{"rows": [{}]}}}}"#, rows.join(","));
    let (data, held) = execute("mutation($i: AddInput!) { add(input: $i) }", &json).await;
    assert_eq!((data["add"].as_u64(), held), (Some(100_000), 0));
}

#[test]
fn bulk_rows_are_a_list_in_the_schema() {
    let sdl = Schema::new(Query, Mutation, EmptySubscription).sdl();
    assert!(sdl.contains("rows: [Row!]!\n"), "{sdl}");
    assert!(sdl.contains("more: [Row!]\n"), "{sdl}");
    assert!(sdl.contains("names(rows: [Row!]!)"), "{sdl}");
}

/// JSON for a field, mostly valid.
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
    /// Rows that are deserialized are the same as if they are coerced one by one.
    #[test]
    fn deserialized_and_coerced_rows_are_equal(rows in prop::collection::vec(row(), 0..3)) {
        let json = serde_json::to_string(&rows).unwrap();
        let types = types();
        let operation = PreparedOperation::unvalidated(&types, "query($r: [Row!]!, $l: [Row]) { f }");
        let text = format!(r#"{{"r": {json}}}"#);
        let raw: &RawValue = serde_json::from_str(&text).unwrap();
        let coerce = |decoders: RowDecoders| {
            variables::coerce(&types, &operation, Some(raw), &decoders, None)
                .map(|(mut variables, deferred)| match variables.remove("r").unwrap() {
                    Value::Binary(_) => Arc::unwrap_or_clone(deferred.take::<Row>(0).unwrap()),
                    value => <Vec<Row> as InputType>::parse(Some(value)).unwrap(),
                })
                .map_err(|errors| format!("{errors:?}"))
        };
        let plain = coerce(RowDecoders::default());
        prop_assert_eq!(&coerce(RowDecoders::default().with::<Row>()), &plain);
        if let Some((rows, _)) = Decoder::<Row>(PhantomData).deserialize(&json, usize::MAX) {
            prop_assert_eq!(Ok(rows.rows.downcast_ref::<Vec<Row>>().unwrap()), plain.as_ref());
        }
    }
}

#[rstest]
#[case(r#"[{"name": "a", "age": null, "note": "x", "tags": []}, {"name": ""}]"#, true)]
#[case("[]", true)]
#[case(r#"[{"name": 1}]"#, false)]
#[case(r#"[["a", 1, "x", []]]"#, false)]
#[case(r#"[{"name": "a", "name": "b"}]"#, false)]
fn only_plain_rows_are_deserialized(#[case] json: &str, #[case] is_plain: bool) {
    assert_eq!(Decoder::<Row>(PhantomData).deserialize(json, usize::MAX).is_some(), is_plain);
}

/// With a number for a name, rows are coerced one by one.
#[rstest]
fn numbers_of_rows_keep_their_text(
    #[values("1.0", "1.5", "-0", "1e400", "99999999999", "9007199254740993", "18446744073709551616")] number: &str,
    #[values("\"a\"", "1")] name: &str,
) {
    let types = types();
    let operation = PreparedOperation::unvalidated(&types, "query($r: [Row!]!) { f }");
    let text = format!(r#"{{"r": [{{"name": {name}, "age": {number}}}]}}"#);
    let raw: &RawValue = serde_json::from_str(&text).unwrap();
    let decoders = RowDecoders::default().with::<Row>();
    let (_, deferred) = variables::coerce(&types, &operation, Some(raw), &decoders, None).unwrap();
    let rows = deferred.take::<Row>(0).unwrap();
    assert_eq!(rows[0].age.clone().unwrap().text(), number);
}

#[test]
fn a_list_with_too_many_rows_is_not_read_to_its_end() {
    let decoder = Decoder::<Row>(PhantomData);
    let json = r#"[{"name": "a"}, {"name": "b"}]"#;
    assert!(decoder.deserialize(json, 1).is_none() && decoder.deserialize(json, 2).is_some());
}
