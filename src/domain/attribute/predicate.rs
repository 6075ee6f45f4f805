//! Predicates on one attribute. The type of the attribute decides which operators apply and how values compare.

use std::{fmt, slice};

use super::{AttributeType, Schema, Value};
use crate::{
    budget,
    domain::{Error, filter::PredicateSize},
    types::excerpt,
};

/// A predicate as the client sent it: its values are JSON that is not checked yet.
#[derive(Clone, Debug)]
pub(crate) struct UntypedPredicate {
    pub(crate) key: String,
    /// Operator, with unparsed JSON as its operands.
    pub(crate) operator: Operator<String>,
}

/// A predicate whose operator and values fit the type of its attribute.
#[derive(Clone, Debug)]
pub struct Predicate {
    pub(super) key: String,
    pub(super) kind: AttributeType,
    pub(super) operator: Operator<Value>,
}

/// A comparison of an attribute's value with operands. If there is no value, only [`Operator::NotIn`] and
/// `Exists(false)` are true.
#[derive(Clone, Debug)]
pub(crate) enum Operator<Operand> {
    Eq(Operand),
    In(Vec<Operand>),
    NotIn(Vec<Operand>),
    Compare(Comparison, Operand),
    /// A text that begins with the operand.
    StartsWith(Operand),
    /// A list that contains the operand.
    Contains(Operand),
    /// Present (`true`) or absent (`false`).
    Exists(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Gt,
    Gte,
    Lt,
    Lte,
}

impl UntypedPredicate {
    /// Resolves the type of the attribute in the schema and parses the values by it. Rejects an unknown key, an
    /// operator that the type does not have, and values of another type.
    pub(crate) fn resolve_type(self, schema: &Schema) -> Result<Predicate, Error> {
        let Self { key, operator } = self;
        let Some(kind) = schema.kind(&key) else {
            return Err(bad("key", format!("attribute {:?} is not in the schema", excerpt(&key))));
        };
        let name = operator.name();
        let reject = |expected: &dyn fmt::Display| {
            bad(name, format!("attribute {:?} is of type {}: {expected}", excerpt(&key), kind.name()))
        };
        let known = operators(kind);
        if !known.contains(&name) {
            return Err(reject(&format_args!("expected one of {}, not {name}", known.join(", "))));
        }
        let read = |json: String| kind.read(&json).map_err(|expected| reject(&expected));
        let text = |json: String| AttributeType::String.read(&json).map_err(|expected| reject(&expected));
        let list = |list: Vec<String>| {
            let read_at = |(index, json)| {
                budget::tick()?;
                read(json).map_err(|error| error.at(index))
            };
            list.into_iter().enumerate().map(read_at).collect::<Result<Vec<_>, Error>>()
        };
        let operator = match operator {
            Operator::Eq(value) => Operator::Eq(read(value)?),
            Operator::In(values) => Operator::In(list(values)?),
            Operator::NotIn(values) => Operator::NotIn(list(values)?),
            Operator::Compare(comparison, value) => Operator::Compare(comparison, read(value)?),
            Operator::StartsWith(prefix) => Operator::StartsWith(text(prefix)?),
            Operator::Contains(item) => Operator::Contains(text(item)?),
            Operator::Exists(present) => Operator::Exists(present),
        };
        Ok(Predicate { key, kind, operator })
    }
}

/// Returns the API names of the operators that a type has.
fn operators(kind: AttributeType) -> &'static [&'static str] {
    match kind {
        AttributeType::String => &["eq", "in", "nin", "gt", "gte", "lt", "lte", "startsWith", "exists"],
        AttributeType::Number | AttributeType::Date => &["eq", "in", "nin", "gt", "gte", "lt", "lte", "exists"],
        AttributeType::Boolean => &["eq", "in", "nin", "exists"],
        AttributeType::StringList => &["eq", "contains", "exists"],
    }
}

fn bad(field: &str, message: String) -> Error {
    Error::bad_input(field, message).within("attribute")
}

impl<Operand> Operator<Operand> {
    /// Returns the API name.
    fn name(&self) -> &'static str {
        match self {
            Self::Eq(_) => "eq",
            Self::In(_) => "in",
            Self::NotIn(_) => "nin",
            Self::Compare(Comparison::Gt, _) => "gt",
            Self::Compare(Comparison::Gte, _) => "gte",
            Self::Compare(Comparison::Lt, _) => "lt",
            Self::Compare(Comparison::Lte, _) => "lte",
            Self::StartsWith(_) => "startsWith",
            Self::Contains(_) => "contains",
            Self::Exists(_) => "exists",
        }
    }
}

impl<Operand> Operator<Operand> {
    fn operands(&self) -> &[Operand] {
        match self {
            Self::In(values) | Self::NotIn(values) => values,
            Self::Eq(value) | Self::Compare(_, value) | Self::StartsWith(value) | Self::Contains(value) => {
                slice::from_ref(value)
            }
            Self::Exists(_) => &[],
        }
    }
}

impl PredicateSize for UntypedPredicate {
    fn values(&self) -> usize {
        self.operator.operands().len()
    }

    fn bytes(&self) -> usize {
        self.operator.operands().iter().map(String::len).sum()
    }
}

impl PredicateSize for Predicate {
    fn values(&self) -> usize {
        self.operator.operands().len()
    }

    fn bytes(&self) -> usize {
        self.operator.operands().iter().map(Value::bytes).sum()
    }
}
