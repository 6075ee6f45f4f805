//! Rows of the bulk upserts, and attribute schemas.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{object, of, pick, reference};
use crate::model::api::{ChildType, values};

/// Attribute schemas; the first has all types.
pub fn schemas() -> Vec<Value> {
    let schema = |keys: &[(&str, &str)]| keys.iter().map(|(key, kind)| json!({"key": key, "type": kind})).collect();
    vec![
        schema(&[("s", "STRING"), ("n", "NUMBER"), ("b", "BOOLEAN"), ("d", "DATE"), ("$[0] l", "STRING_LIST")]),
        schema(&[("n", "NUMBER"), ("s", "STRING"), ("b", "BOOLEAN"), ("d", "DATE"), ("$[0] l", "STRING_LIST")]),
        schema(&[("s", "STRING_LIST"), ("n", "NUMBER"), ("b", "BOOLEAN"), ("d", "STRING"), ("$[0] l", "STRING_LIST")]),
        schema(&[("d", "DATE"), ("b", "STRING")]),
    ]
}

/// The keys of attributes, each with values of the type that the first schema declares.
pub fn attributes() -> [(&'static str, Vec<Value>); 5] {
    [
        ("s", ["a", "", "A", "ab", "é", "%", "e\u{301}"].map(Value::from).to_vec()),
        (
            "n",
            vec![
                json!(1),
                json!(1.0),
                json!(0),
                json!(-0.0),
                json!(2.5),
                json!(1e-7),
                json!(-3),
                json!(9_007_199_254_740_991_u64),
            ],
        ),
        ("b", vec![json!(true), json!(false)]),
        ("d", values::time_inputs().map(Value::from).collect()),
        ("$[0] l", vec![json!(["a", "b"]), json!([]), json!(["b", "a"]), json!(["a"]), json!(["a", "a"])]),
    ]
}

/// Values of another type than that of the key, or out of its range.
fn bad_values() -> Vec<Value> {
    vec![
        json!(9_007_199_254_740_992_u64),
        json!("a\0"),
        json!(1),
        json!("1"),
        json!([1]),
        json!({"a": 1}),
        json!("2023-02-29"),
    ]
}

/// A value for an attribute with these values: now and then null, or a value of another type.
pub fn attribute_value(values: Vec<Value>) -> BoxedStrategy<Value> {
    prop_oneof![90 => of(values), 9 => Just(Value::Null), 1 => of(bad_values())].boxed()
}

fn time() -> BoxedStrategy<Value> {
    let times = values::time_inputs().filter(|time| time.len() > 10);
    prop_oneof![60 => of(times), 4 => Just(Value::Null), 1 => of(values::BAD_TIMES)].boxed()
}

pub fn member() -> BoxedStrategy<Value> {
    let [s, n, b, d, l] = attributes().map(|(key, values)| (key, 35, attribute_value(values)));
    let attributes = prop_oneof![
        12 => object([s, n, b, d, l, ("x", 2, of([json!(1), Value::Null]))]),
        1 => Just(Value::Null),
        1 => Just(Map::new().into()),
    ];
    object([("ref", 100, reference()), ("attributes", 65, attributes.boxed()), ("sourceUpdatedAt", 35, time())])
}

/// Enough rows of one kind that the server first probes some of their keys, in the hope that all are new, and writes
/// updates to PostgreSQL in parts.
const MANY: usize = 300;

/// Many rows for members, of which other calls have stored all, some or none, and a few others.
pub fn many_members() -> BoxedStrategy<Value> {
    let build = |(first, attributes, others): (usize, Value, Vec<Value>)| {
        let row = |number| json!({"ref": format!("k{number:03}"), "attributes": {"n": attributes}});
        others.into_iter().chain((first..first + MANY).map(row)).collect()
    };
    (0..400_usize, of([json!(1), json!(2), Value::Null]), prop::collection::vec(member(), 0..3)).prop_map(build).boxed()
}

/// Many rows for transactions of one member.
pub fn many_transactions() -> BoxedStrategy<Value> {
    let build = |(first, member, amount): (usize, Value, usize)| {
        let row = |number: usize| {
            json!({
                "externalId": format!("k{number:03}"), "memberRef": member, "authCode": "a", "network": "VISA",
                "bin": "400000", "merchantId": "a", "authedAt": "2020-02-29T00:00:00Z", "amount": amount,
            })
        };
        (first..first + MANY).map(row).collect()
    };
    (0..400_usize, of(["a", "b", "ab"]), 0..2_usize).prop_map(build).boxed()
}

/// Returns the name of the field with the ids of a type.
pub fn id_list(kind: &ChildType) -> &'static str {
    match kind.name {
        "Clip" => "clipIds",
        "StampCollection" => "stampCollectionIds",
        _ => "transactionIds",
    }
}

pub fn child(kind: &ChildType) -> BoxedStrategy<Value> {
    let member = || {
        prop_oneof![
            10 => object([("memberRef", 100, reference())]),
            8 => object([("memberId", 100, pick("m_"))]),
            2 => object([("memberId", 100, pick("m_")), ("memberRef", 80, Just(Value::Null).boxed())]),
            1 => object([("memberId", 50, pick("m_")), ("memberRef", 50, reference())]),
        ]
    };
    let key = || prop_oneof![60 => of(["1", "2", "é", "%"]), 1 => of(["", "a\0"])].boxed();
    let text = || prop_oneof![60 => of(["a", "", "é"]), 1 => of(["\0".to_owned(), "x".repeat(1025)])].boxed();
    let optional = |value: BoxedStrategy<Value>| prop_oneof![5 => value, 1 => Just(Value::Null)].boxed();
    let count = || of([json!(1), json!(0), json!(2.0), json!(2_147_483_647), Value::Null]);
    let count = || prop_oneof![60 => count(), 1 => of([json!(-1), json!(1.5), json!(2_147_483_648_u64)])].boxed();
    let required_time =
        || time().prop_map(|time| if time.is_null() { json!("2020-02-29T00:00:00Z") } else { time }).boxed();
    let fields = match kind.name {
        "Clip" => object([
            ("dealId", 100, key()),
            ("creativeId", 100, text()),
            ("variantId", 40, optional(text())),
            ("redeemedAt", 40, time()),
        ]),
        "StampCollection" => {
            object([("loyaltyProgramId", 100, key()), ("stamps", 60, count()), ("rewardsEarned", 40, count())])
        }
        _ => object([
            ("externalId", 100, key()),
            ("authCode", 100, text()),
            ("network", 100, of(["VISA", "MASTERCARD", "AMEX", "OTHER"])),
            ("bin", 100, prop_oneof![60 => of(["400000", "12345678"]), 1 => of(["12345", "12345a"])].boxed()),
            ("merchantId", 100, text()),
            ("statementDescriptor", 30, optional(text())),
            ("amount", 40, optional(of([json!(-5), json!(5.0), json!(9_007_199_254_740_991_u64), json!(0.5)]))),
            ("currency", 30, optional(of(["GBP", "EUR", "gbp"]))),
            ("authedAt", 100, required_time()),
            ("clearedAt", 30, time()),
            ("revertedAt", 20, time()),
        ]),
    };
    let both = (member(), fields).prop_map(|(mut row, fields)| {
        for (name, value) in fields.as_object().unwrap() {
            row[name] = value.clone();
        }
        row
    });
    both.boxed()
}
