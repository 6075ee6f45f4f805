//! The filter language of the original API: a list of entries that must all match. An entry is a condition on one key, or
//! `and` or `or` with a list of entries.

mod bounded_json;
mod schema;

use std::marker::PhantomData;

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use self::bounded_json::BoundedJson;
use super::{
    Code, Error,
    endpoint::{self, message},
};
use crate::{
    domain::filter::{Filter, IdPredicate, Pattern, TextPredicate, TimePredicate},
    types::{FilterLimits, Id, Strict, Time, excerpt},
};

/// Maximum nesting of entries, independent of the configured limit, because the conversion recurses.
const MAX_DEPTH: usize = 60;

/// A type of record that can be filtered.
pub(crate) trait Filterable {
    /// The domain's predicate of this type.
    type Predicate;

    /// Name of the entry's schema in OpenAPI.
    const NAME: &'static str;

    const KEYS: &'static [(&'static str, ValueType)];

    /// Converts a condition on one of the keys.
    fn predicate(key: &str, operator: Operator) -> Result<Filter<Self::Predicate>, Error>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueType {
    /// Ids with this prefix.
    Ids(&'static str),
    /// RFC 3339 date-times.
    Times,
    /// Strings, which also support regex.
    Strings,
}

/// A list of entries that must all match.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Filters<T> {
    /// Unparsed, because the limits are not known when the body is deserialized.
    entries: Box<RawValue>,
    #[serde(skip)]
    marker: PhantomData<T>,
}

pub(crate) enum Operator {
    In(Vec<Value>),
    NotIn(Vec<Value>),
    /// Has a value (true) or none (false); the fields of this API always have one.
    Exists(bool),
    Regex {
        pattern: String,
        /// True if upper- and lower-case ASCII letters are equal.
        case_insensitive: bool,
    },
}

impl<T: Filterable> Filters<T> {
    /// Converts the entries to a filter of the domain.
    pub(crate) fn parse(&self, limits: &FilterLimits) -> Result<Filter<T::Predicate>, Error> {
        let entries = endpoint::read_with(self.entries.get().as_bytes(), BoundedJson::list(limits.values), "filters")?;
        let Value::Array(entries) = entries else { return Err(bad("filters: expected a list")) };
        all::<T>(entries, 0).map(Filter::All)
    }
}

fn all<T: Filterable>(entries: Vec<Value>, depth: usize) -> Result<Vec<Filter<T::Predicate>>, Error> {
    if depth > MAX_DEPTH {
        return Err(bad(&format!("filters are nested deeper than {MAX_DEPTH}")));
    }
    entries.into_iter().map(|entry| parse::<T>(entry, depth)).collect()
}

fn parse<T: Filterable>(entry: Value, depth: usize) -> Result<Filter<T::Predicate>, Error> {
    let Value::Object(mut fields) = entry else { return Err(bad("a filter must be an object")) };
    for (name, combine) in [("and", Filter::All as fn(_) -> _), ("or", Filter::Any)] {
        if let Some(list) = fields.remove(name) {
            return match list {
                Value::Array(entries) if fields.is_empty() => all::<T>(entries, depth + 1).map(combine),
                _ => Err(bad(&format!("a filter with {name} must have a list of filters and no other field"))),
            };
        }
    }
    let Some(Value::String(key)) = fields.remove("key") else {
        return Err(bad("a filter must have key, and, or or"));
    };
    if !T::KEYS.iter().any(|(known, _)| *known == key) {
        let known: Vec<_> = T::KEYS.iter().map(|(known, _)| *known).collect();
        let key = excerpt(&key);
        return Err(bad(&format!("unknown filter key {key:?}, expected one of {}", known.join(", "))));
    }
    T::predicate(&key, operator(&key, fields)?)
}

fn operator(key: &str, fields: Map<String, Value>) -> Result<Operator, Error> {
    let mut others = fields.into_iter();
    let (Some((name, value)), None) = (others.next(), others.next()) else {
        return Err(bad(&format!("the filter on {key} needs exactly one of eq, in, nin, exists and regex")));
    };
    let list = |value| match value {
        Value::Array(list) => Ok(list),
        _ => Err(bad(&format!("{name} on {key} needs a list"))),
    };
    Ok(match name.as_str() {
        "eq" => Operator::In(vec![value]),
        "in" => Operator::In(list(value)?),
        "nin" => Operator::NotIn(list(value)?),
        "exists" => {
            Operator::Exists(value.as_bool().ok_or_else(|| bad(&format!("exists on {key} needs true or false")))?)
        }
        "regex" => regex(key, &value)?,
        _ => return Err(bad(&format!("the filter on {key} has an unknown operator {:?}", excerpt(&name)))),
    })
}

fn regex(key: &str, value: &Value) -> Result<Operator, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Regex {
        pattern: String,
        #[serde(default)]
        case_insensitive: bool,
    }
    let Regex { pattern, case_insensitive } = Regex::deserialize(Strict(value)).map_err(|error| {
        bad(&format!("regex on {key} needs pattern, and optionally case_insensitive: {}", message(&error)))
    })?;
    Ok(Operator::Regex { pattern, case_insensitive })
}

impl Operator {
    pub(crate) fn id_filter<T: Id, P>(
        self,
        key: &str,
        predicate: impl Fn(IdPredicate<T>) -> P,
    ) -> Result<Filter<P>, Error> {
        let parse = |value: Value| {
            let text = value.as_str().ok_or_else(|| bad(&format!("{key} needs ids")))?;
            T::parse(text).map_err(|error| bad(&format!("{key}: {error}")))
        };
        match self {
            Self::In(values) => Ok(Filter::Predicate(predicate(IdPredicate::In(list(values, parse)?)))),
            Self::NotIn(values) => Ok(Filter::Predicate(predicate(IdPredicate::NotIn(list(values, parse)?)))),
            other => other.common_filter(key),
        }
    }

    pub(crate) fn time_filter<P>(self, key: &str, predicate: impl Fn(TimePredicate) -> P) -> Result<Filter<P>, Error> {
        let parse = |value: Value| {
            let text = value.as_str().ok_or_else(|| bad(&format!("{key} needs times")))?;
            Time::parse(text).map_err(|error| bad(&format!("{key}: {error}")))
        };
        match self {
            Self::In(values) => Ok(Filter::Predicate(predicate(TimePredicate::In(list(values, parse)?)))),
            Self::NotIn(values) => Ok(Filter::Predicate(predicate(TimePredicate::NotIn(list(values, parse)?)))),
            other => other.common_filter(key),
        }
    }

    pub(crate) fn string_filter<P>(
        self,
        key: &str,
        predicate: impl Fn(TextPredicate) -> P,
    ) -> Result<Filter<P>, Error> {
        let parse = |value: Value| match value {
            Value::String(text) => Ok(text),
            _ => Err(bad(&format!("{key} needs strings"))),
        };
        match self {
            Self::In(values) => Ok(Filter::Predicate(predicate(TextPredicate::In(list(values, parse)?)))),
            Self::NotIn(values) => Ok(Filter::Predicate(predicate(TextPredicate::NotIn(list(values, parse)?)))),
            Self::Regex { pattern, case_insensitive } => {
                Ok(Filter::Predicate(predicate(TextPredicate::Matches(Pattern::parse(&pattern, case_insensitive)?))))
            }
            other => other.common_filter(key),
        }
    }

    /// Converts the operators that every key supports.
    fn common_filter<P>(self, key: &str) -> Result<Filter<P>, Error> {
        match self {
            Self::Exists(true) => Ok(Filter::All(Vec::new())),
            Self::Exists(false) => Ok(Filter::Any(Vec::new())),
            _ => Err(bad(&format!("{key} does not support regex"))),
        }
    }
}

fn list<T>(values: Vec<Value>, parse: impl Fn(Value) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    values.into_iter().map(parse).collect()
}

fn bad(message: &str) -> Error {
    Error::new(Code::BadRequest, message)
}
