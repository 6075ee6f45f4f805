//! The cost of an operation: the number of fields of its response if every page is full.
//!
//! It is an expression over page sizes and lengths of lists, which are arguments and so can depend on variables. A list
//! that is requested by ids or refs counts once for each of them. The result of a mutation counts once, because bulk
//! upserts accept any number of rows. An object of an interface or a union counts as the most expensive type.

use std::ops::{Add, Mul};

use apollo_compiler::ast::FieldDefinition;
use async_graphql::{Name, Value, parser::types::Field};
use async_graphql_value::Value as Literal;

use super::bulk_rows;
use crate::types::PageLimits;

/// The work of a field of a member's attributes, which are up to 64 KiB, in that of other fields.
const WORK_OF_ATTRIBUTES: u64 = 10;

/// The cost of a response.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// The number of its fields.
    pub(super) fields: u64,
    /// An estimate of the time to compute it: the number of its fields, of which those with attributes count more.
    pub(super) work: u64,
}

/// The cost of a field.
#[derive(Debug)]
pub(super) struct FieldCost {
    /// The field alone, once.
    own: Cost,
    /// True if the field is repeated for each entry of the page around it.
    per_entry: bool,
    times: Times,
    /// The cost of the selected fields, for each type that the field's value can have.
    below: Vec<Vec<Self>>,
}

/// The number of times that the fields below a field are in the response.
#[derive(Debug)]
enum Times {
    Constant(u64),
    /// Once for each entry of the page.
    Page {
        first: Size,
        last: Size,
    },
    /// Once for each item of an argument, and once if it is not a list.
    Items(Size),
}

/// A number that is known or a variable's value.
#[derive(Debug)]
enum Size {
    None,
    Constant(u64),
    Variable(Name),
}

impl FieldCost {
    /// Returns the cost of a field with its arguments. `below` is the cost of the selected fields for each type of its
    /// value.
    pub(super) fn new(definition: &FieldDefinition, field: &Field, below: Vec<Vec<Self>>) -> Self {
        let argument = |name| field.get_argument(name).map(|value| &value.node);
        let times = if definition.argument_by_name("first").is_some() {
            Times::Page { first: Size::of_page(argument("first")), last: Size::of_page(argument("last")) }
        } else {
            argument("ids")
                .or_else(|| argument("refs"))
                .map_or(Times::Constant(1), |list| Times::Items(Size::of_list(list)))
        };
        let is_of_attributes = matches!(definition.ty.inner_named_type().as_str(), "Attributes" | "AttributeValue");
        let own = Cost { fields: 1, work: if is_of_attributes { WORK_OF_ATTRIBUTES } else { 1 } };
        Self { own, per_entry: matches!(field.name.node.as_str(), "nodes" | "edges"), times, below }
    }

    /// Returns the cost of a field that queries the schema.
    pub(super) fn of_introspection(fields: u64) -> Self {
        let own = Cost { fields: 1, work: 1 };
        Self { own, per_entry: false, times: Times::Constant(fields), below: Vec::new() }
    }

    fn evaluate<'v>(&self, entries: u64, pages: &PageLimits, value: &impl Fn(&str) -> Option<&'v Value>) -> Cost {
        let (repeated, entries_below) = match &self.times {
            Times::Constant(times) => (*times, 1),
            Times::Page { first, last } => {
                let size = first.page(value).or_else(|| last.page(value)).unwrap_or(pages.default);
                // A larger page is rejected when it is requested.
                (1, size.min(pages.max))
            }
            Times::Items(items) => (items.items(value), 1),
        };
        let below = self.below.iter().map(|fields| evaluate(fields, entries_below, pages, value));
        let below = below.fold(Cost::default(), Cost::highest);
        let outside = if self.per_entry { entries } else { 1 };
        (below + self.own) * repeated * outside
    }
}

/// Returns the cost of the fields of an object. `entries` is the size of the page if the object is a connection.
fn evaluate<'v>(
    fields: &[FieldCost],
    entries: u64,
    pages: &PageLimits,
    value: &impl Fn(&str) -> Option<&'v Value>,
) -> Cost {
    fields.iter().map(|field| field.evaluate(entries, pages, value)).fold(Cost::default(), Add::add)
}

/// Returns the cost of an operation's root fields with the values of its variables.
pub(super) fn cost<'v>(fields: &[FieldCost], pages: &PageLimits, value: impl Fn(&str) -> Option<&'v Value>) -> Cost {
    evaluate(fields, 1, pages, &value)
}

impl Cost {
    fn highest(self, other: Self) -> Self {
        Self { fields: self.fields.max(other.fields), work: self.work.max(other.work) }
    }
}

/// Adds without overflow.
impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { fields: self.fields.saturating_add(other.fields), work: self.work.saturating_add(other.work) }
    }
}

/// Multiplies without overflow.
impl Mul<u64> for Cost {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self { fields: self.fields.saturating_mul(times), work: self.work.saturating_mul(times) }
    }
}

impl Size {
    fn of_page(literal: Option<&Literal>) -> Self {
        match literal {
            Some(Literal::Variable(name)) => Self::Variable(name.clone()),
            Some(Literal::Number(number)) => number.as_u64().map_or(Self::None, Self::Constant),
            _ => Self::None,
        }
    }

    fn of_list(literal: &Literal) -> Self {
        match literal {
            Literal::Variable(name) => Self::Variable(name.clone()),
            Literal::List(items) => Self::Constant(items.len() as u64),
            _ => Self::Constant(1),
        }
    }

    fn page<'v>(&self, value: &impl Fn(&str) -> Option<&'v Value>) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Constant(size) => Some(*size),
            Self::Variable(name) => match value(name)? {
                Value::Number(size) => size.as_u64(),
                _ => None,
            },
        }
    }

    fn items<'v>(&self, value: &impl Fn(&str) -> Option<&'v Value>) -> u64 {
        match self {
            Self::None => 1,
            Self::Constant(items) => *items,
            Self::Variable(name) => match value(name) {
                Some(Value::List(items)) => items.len() as u64,
                Some(Value::Binary(marker)) => bulk_rows::count(marker) as u64,
                _ => 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{graphql::execute::Request, types::Limits};

    /// Returns the number of fields and the work of the first 100 members.
    fn cost(selection: &str) -> (u64, u64) {
        let api = crate::graphql::api(&Limits::default());
        let query = format!("{{ members(memberbaseId: \"mb\", first: 100) {{ {selection} }} }}");
        let body = serde_json::json!({ "query": query }).to_string();
        let request = Request::from_json(body.as_bytes()).expect("a request");
        let operation = api.prepare(request).unwrap_or_else(|errors| panic!("{errors:?}"));
        (operation.cost.fields, operation.work())
    }

    #[test]
    fn fields_of_a_page_count_once_for_each_entry() {
        assert_eq!(cost("totalCount nodes { id ref }"), (1 + 1 + 100 * 3, 302));
    }

    #[test]
    fn attributes_are_more_work() {
        assert_eq!(cost("nodes { attributes }"), (1 + 100 * 2, 1 + 100 * 11));
        assert_eq!(cost("nodes { attribute(key: \"a\") }"), (1 + 100 * 2, 1 + 100 * 11));
    }
}
