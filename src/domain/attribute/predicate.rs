//! Tests of one attribute, which mean what the type of the attribute makes of them.

use std::fmt;

use super::{Kind, Schema, Value};
use crate::domain::{Error, filter::ValueCount};

/// A test as it is asked for: its values are JSON that nobody has judged.
#[derive(Clone, Debug)]
pub struct UntypedPredicate {
    /// Of which attribute.
    pub key: String,
    /// What is asked of its value.
    pub operator: Operator<String>,
}

/// A test of an attribute of a known type, whose operator and values fit it.
#[derive(Clone, Debug)]
pub struct Predicate {
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) operator: Operator<Value>,
}

/// What is asked of a value. Of no value, only [`Operator::NotIn`] and `Exists(false)` hold.
#[derive(Clone, Debug)]
pub enum Operator<Operand> {
    /// It is this one.
    Eq(Operand),
    /// It is one of these.
    In(Vec<Operand>),
    /// It is none of these.
    NotIn(Vec<Operand>),
    /// It stands so to this one.
    Compare(Comparison, Operand),
    /// It begins with this.
    StartsWith(Operand),
    /// This is in the list.
    Contains(Operand),
    /// Whether it is there at all.
    Exists(bool),
}

/// How a value stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// After it.
    Gt,
    /// After it or the same.
    Gte,
    /// Before it.
    Lt,
    /// Before it or the same.
    Lte,
}

impl UntypedPredicate {
    /// The test by the schema of the memberbase.
    pub fn resolve_type(self, schema: &Schema) -> Result<Predicate, Error> {
        let Self { key, operator } = self;
        let Some(kind) = schema.kind(&key) else {
            return Err(bad("key", format!("attribute {key:?} is not in the schema")));
        };
        let name = operator.name();
        let refuse = |expected: &dyn fmt::Display| {
            bad(name, format!("attribute {key:?} is of type {}: {expected}", kind.name()))
        };
        let known = operators(kind);
        if !known.contains(&name) {
            return Err(refuse(&format_args!("expected one of {}, not {name}", known.join(", "))));
        }
        let read = |json: String| kind.read(&json).map_err(|expected| refuse(&expected));
        let text = |json: String| Kind::String.read(&json).map_err(|expected| refuse(&expected));
        let list = |list: Vec<String>| {
            let read = |(place, json)| read(json).map_err(|error| error.at(place));
            list.into_iter().enumerate().map(read).collect::<Result<Vec<_>, Error>>()
        };
        let operator = match operator {
            Operator::Eq(value) => Operator::Eq(read(value)?),
            Operator::In(values) => Operator::In(list(values)?),
            Operator::NotIn(values) => Operator::NotIn(list(values)?),
            Operator::Compare(comparison, value) => Operator::Compare(comparison, read(value)?),
            Operator::StartsWith(prefix) => Operator::StartsWith(text(prefix)?),
            Operator::Contains(item) => Operator::Contains(text(item)?),
            Operator::Exists(there) => Operator::Exists(there),
        };
        Ok(Predicate { key, kind, operator })
    }
}

/// What can be asked of a value of a type.
fn operators(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::String => &["eq", "in", "nin", "gt", "gte", "lt", "lte", "startsWith", "exists"],
        Kind::Number | Kind::Date => &["eq", "in", "nin", "gt", "gte", "lt", "lte", "exists"],
        Kind::Boolean => &["eq", "in", "nin", "exists"],
        Kind::StringList => &["eq", "contains", "exists"],
    }
}

fn bad(field: &str, message: String) -> Error {
    Error::bad_input(field, message).within("attribute")
}

impl<Operand> Operator<Operand> {
    /// As the API names it.
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

impl<Operand> ValueCount for Operator<Operand> {
    fn values(&self) -> usize {
        match self {
            Self::In(values) | Self::NotIn(values) => values.len(),
            _ => 1,
        }
    }
}

impl ValueCount for UntypedPredicate {
    fn values(&self) -> usize {
        self.operator.values()
    }
}

impl ValueCount for Predicate {
    fn values(&self) -> usize {
        self.operator.values()
    }
}
