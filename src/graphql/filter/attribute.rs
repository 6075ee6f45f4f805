//! The filter of one attribute.

use async_graphql::InputObject;
use serde_json::Value;

use super::all;
use crate::{
    domain::{
        attribute::{Comparison, Operator, UntypedPredicate},
        filter::Filter,
    },
    graphql::{Error, scalar::AttributeValue},
};

/// By the key's declared type. STRING, NUMBER and DATE: eq in nin and ranges, STRING startsWith too; BOOLEAN: eq in nin; STRING_LIST: eq (same order) and contains; exists: all. A member without a value matches only `exists: false` and `nin`.
#[derive(InputObject, Debug)]
pub struct AttributeFilter {
    /// Which attribute; one of the memberbase's schema.
    key: String,
    /// It is this value: numbers as numbers, dates as instants (a full-date is its midnight UTC), texts byte for byte.
    eq: Option<AttributeValue>,
    /// It is one of these; of none, where there are none.
    #[graphql(name = "in")]
    one_of: Option<Vec<AttributeValue>>,
    /// It is none of these.
    nin: Option<Vec<AttributeValue>>,
    /// It is greater than this, or after it.
    gt: Option<AttributeValue>,
    /// It is this value, greater than it or after it.
    gte: Option<AttributeValue>,
    /// It is less than this, or before it.
    lt: Option<AttributeValue>,
    /// It is this value, less than it or before it.
    lte: Option<AttributeValue>,
    /// It begins with this, taken literally.
    starts_with: Option<String>,
    /// This is one of its items.
    contains: Option<String>,
    /// Whether there is a value at all.
    exists: Option<bool>,
}

impl AttributeFilter {
    pub(in crate::graphql) fn read<Test>(self, test: impl Fn(UntypedPredicate) -> Test) -> Result<Filter<Test>, Error> {
        let json = |value: AttributeValue| value.0.to_string();
        let list = |list: Vec<AttributeValue>| list.into_iter().map(json).collect();
        let text = |text: String| Value::from(text).to_string();
        let compare = |comparison| move |value| Operator::Compare(comparison, json(value));
        let operators = [
            self.eq.map(json).map(Operator::Eq),
            self.one_of.map(list).map(Operator::In),
            self.nin.map(list).map(Operator::NotIn),
            self.gt.map(compare(Comparison::Gt)),
            self.gte.map(compare(Comparison::Gte)),
            self.lt.map(compare(Comparison::Lt)),
            self.lte.map(compare(Comparison::Lte)),
            self.starts_with.map(text).map(Operator::StartsWith),
            self.contains.map(text).map(Operator::Contains),
            self.exists.map(Operator::Exists),
        ];
        let key = self.key;
        all(operators, |operator| test(UntypedPredicate { key: key.clone(), operator }))
    }
}
