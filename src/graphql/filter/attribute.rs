//! The condition on one attribute.

use async_graphql::InputObject;
use serde_json::Value;

use super::all;
use crate::{
    budget,
    domain::{
        attribute::{Comparison, Operator, UntypedPredicate},
        filter::Filter,
    },
    graphql::{Error, scalar::AttributeValue},
};

/// Filters by one attribute. All given operators must match; at least one is required. Null is the same as an omitted operator. A member without a value matches only `exists: false` and `nin`.
///
/// The attribute's declared type determines its operators; any other operator fails with BAD_USER_INPUT:
///
/// - STRING: `eq`, `in`, `nin`, `gt`, `gte`, `lt`, `lte`, `startsWith`, `exists`
/// - NUMBER and DATE: `eq`, `in`, `nin`, `gt`, `gte`, `lt`, `lte`, `exists`
/// - BOOLEAN: `eq`, `in`, `nin`, `exists`
/// - STRING_LIST: `eq` (the same items in the same order), `contains`, `exists`
#[derive(InputObject, Debug)]
pub(crate) struct AttributeFilter {
    /// The attribute's key. A key that the attribute schema does not declare fails with BAD_USER_INPUT.
    key: String,
    /// Equals this value. Numbers are compared by value, dates as instants (a full-date is midnight UTC), strings byte for byte.
    eq: Option<AttributeValue>,
    /// Equals one of these values, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES). An empty list matches nothing.
    #[graphql(name = "in")]
    one_of: Option<Vec<AttributeValue>>,
    /// Equals none of these values, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES), or has no value.
    nin: Option<Vec<AttributeValue>>,
    /// Is greater than this value; for dates: later.
    gt: Option<AttributeValue>,
    /// Is greater than or equal to this value; for dates: not earlier.
    gte: Option<AttributeValue>,
    /// Is less than this value; for dates: earlier.
    lt: Option<AttributeValue>,
    /// Is less than or equal to this value; for dates: not later.
    lte: Option<AttributeValue>,
    /// Begins with this string, which is taken literally.
    starts_with: Option<String>,
    /// Contains this string as an item.
    contains: Option<String>,
    /// True: the member has a value. False: it has none.
    exists: Option<bool>,
}

impl AttributeFilter {
    pub(in crate::graphql) fn parse<P>(self, predicate: impl Fn(UntypedPredicate) -> P) -> Result<Filter<P>, Error> {
        let json = |value: AttributeValue| value.0.to_string();
        let list = |list: Vec<AttributeValue>| {
            list.into_iter().map(|value| budget::tick().map(|()| json(value))).collect::<Result<_, _>>()
        };
        let text = |text: String| Value::from(text).to_string();
        let compare = |comparison| move |value| Operator::Compare(comparison, json(value));
        let operators = [
            self.eq.map(json).map(Operator::Eq),
            self.one_of.map(list).transpose()?.map(Operator::In),
            self.nin.map(list).transpose()?.map(Operator::NotIn),
            self.gt.map(compare(Comparison::Gt)),
            self.gte.map(compare(Comparison::Gte)),
            self.lt.map(compare(Comparison::Lt)),
            self.lte.map(compare(Comparison::Lte)),
            self.starts_with.map(text).map(Operator::StartsWith),
            self.contains.map(text).map(Operator::Contains),
            self.exists.map(Operator::Exists),
        ];
        let key = self.key;
        all(operators, |operator| predicate(UntypedPredicate { key: key.clone(), operator }))
    }
}
