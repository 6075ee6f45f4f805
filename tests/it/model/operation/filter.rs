//! Filters of members.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{list, of, pick, reference, rows};
use crate::model::api::REGEXES;

/// An operator and its operand. Now and then the operand is null, which is the same as an omitted operator.
fn operator(names: Vec<&'static str>, operand: BoxedStrategy<Value>) -> BoxedStrategy<(String, Value)> {
    let operator = (prop::sample::select(names), operand.clone(), list(operand, 3), prop::bool::weighted(0.03));
    let build = |(name, one, some, is_null): (&str, Value, Value, bool)| {
        let operand = match name {
            "in" | "nin" => some,
            _ => one,
        };
        (name.to_owned(), if is_null { Value::Null } else { operand })
    };
    operator.prop_map(build).boxed()
}

/// A condition of one operator, or of two, or, rarely, of none.
fn condition(operator: BoxedStrategy<(String, Value)>) -> BoxedStrategy<Map<String, Value>> {
    let count = prop_oneof![80 => 1..=1_usize, 20 => 2..=2_usize, 1 => 0..=0_usize];
    count.prop_flat_map(move |count| prop::collection::vec(operator.clone(), count).prop_map(Map::from_iter)).boxed()
}

fn attribute() -> BoxedStrategy<Value> {
    let of_key = |(key, values): (&'static str, Vec<Value>)| {
        let value = || prop_oneof![80 => of(values.clone()), 1 => of([json!(1), json!("a")])].boxed();
        let ordered = || operator(vec!["eq", "in", "nin", "gt", "gte", "lt", "lte"], value());
        let exists = operator(vec!["exists"], of([true, false]));
        let operators = match key {
            "s" => {
                prop_oneof![5 => ordered(), 1 => operator(vec!["startsWith"], of(values.clone())), 1 => exists].boxed()
            }
            "b" => prop_oneof![5 => operator(vec!["eq", "in", "nin"], value()), 1 => exists].boxed(),
            "$[0] l" => {
                let contains = operator(vec!["contains"], of(["a", "b", ""]));
                prop_oneof![2 => operator(vec!["eq"], value()), 2 => contains, 1 => exists].boxed()
            }
            _ => prop_oneof![5 => ordered(), 1 => exists].boxed(),
        };
        let unknown = (prop::bool::weighted(0.01), condition(operators));
        let with_key = move |(is_unknown, mut condition): (bool, Map<String, Value>)| {
            condition.insert("key".to_owned(), if is_unknown { "x" } else { key }.into());
            json!({"attribute": condition})
        };
        unknown.prop_map(with_key).boxed()
    };
    proptest::strategy::Union::new(rows::attributes().map(of_key)).boxed()
}

/// Generates filters of up to three levels of `and`, `or` and `not`.
pub fn any_filter() -> BoxedStrategy<Value> {
    let on =
        |name: &'static str, operator| condition(operator).prop_map(move |condition| json!({name: condition})).boxed();
    let patterns = REGEXES.map(|(pattern, _)| json!({"pattern": pattern}));
    let of_ref = prop_oneof![
        4 => operator(vec!["eq", "in", "nin", "startsWith"], reference()),
        1 => operator(vec!["regex"], of(patterns)),
    ];
    let times = operator(vec!["eq", "in", "nin", "gt", "gte", "lt", "lte"], pick("t_"));
    let creations = of(["2001-01-01T00:00:00Z", "2100-01-01T00:00:00+01:00"]);
    let creations = operator(vec!["gt", "gte", "lt", "lte", "eq", "in", "nin"], creations);
    let leaf = prop_oneof![
        8 => attribute(),
        3 => on("ref", of_ref.boxed()),
        1 => on("id", operator(vec!["eq", "in", "nin"], pick("m_"))),
        2 => on("updatedAt", times),
        1 => on("createdAt", creations),
        1 => Just(json!({})),
    ];
    let level = |inner: BoxedStrategy<Value>| {
        let combined = prop_oneof![
            2 => list(inner.clone(), 3).prop_map(|filters| json!({"and": filters})),
            2 => list(inner.clone(), 3).prop_map(|filters| json!({"or": filters})),
            3 => inner.clone().prop_map(|filter| json!({"not": filter})),
        ];
        // All entries of one object have to match as well.
        let merged = (combined.clone(), inner).prop_map(|(mut combined, inner)| {
            for (name, value) in inner.as_object().unwrap() {
                combined[name] = value.clone();
            }
            combined
        });
        prop_oneof![4 => combined, 1 => merged].boxed()
    };
    leaf.boxed().prop_recursive(3, 10, 3, level).boxed()
}
