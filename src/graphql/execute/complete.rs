//! Completes the data of async-graphql as the specification requires
//! (<https://spec.graphql.org/draft/#sec-Value-Completion>): keys in the order of the selection, `null` for a field that
//! failed, and propagation of `null` from a non-null field to the nearest nullable parent.

use std::{collections::HashMap, mem};

use async_graphql::{Name, PathSegment, ServerError, Value, indexmap::IndexMap};

use super::plan::{Field, Object, Plan, Shape, TYPE_KEY, Type};

/// Data as a client sees it.
#[derive(Debug)]
pub(crate) struct Completed {
    /// An object, or `null` where a null went all the way up.
    pub(crate) data: Value,
    /// Where the data does not fit the schema though no error says why: a fault of ours, not for clients.
    pub(crate) fault: Option<String>,
}

/// Completes the data of an operation that was executed; not of one that was refused.
pub(crate) fn complete(plan: &Plan, data: Value, errors: &[ServerError]) -> Completed {
    let failures = Failures::new(errors);
    let mut completion = Completion { failed: !errors.is_empty(), fault: None };
    // A root of which nothing is left is `null` as well.
    let data = match data {
        Value::Object(map) => completion.object(plan.root(), map, Some(&failures)),
        _ => completion.object(plan.root(), IndexMap::new(), Some(&failures)),
    };
    Completed { data: data.unwrap_or_default(), fault: completion.fault }
}

/// Where errors are. An object of which every field failed is `null` in the data, as one that is not there; but then
/// there are errors below it.
#[derive(Default)]
struct Failures<'a> {
    fields: HashMap<&'a str, Failures<'a>>,
    items: HashMap<usize, Failures<'a>>,
}

impl<'a> Failures<'a> {
    fn new(errors: &'a [ServerError]) -> Self {
        let mut root = Self::default();
        for error in errors {
            let mut at = &mut root;
            for segment in &error.path {
                at = match segment {
                    PathSegment::Field(name) => at.fields.entry(name).or_default(),
                    PathSegment::Index(index) => at.items.entry(*index).or_default(),
                };
            }
        }
        root
    }
}

/// A null where there may be none.
struct Missing;

struct Completion {
    failed: bool,
    fault: Option<String>,
}

type Where<'f> = Option<&'f Failures<'f>>;

impl Completion {
    fn object(&mut self, plan: &Object, mut map: IndexMap<Name, Value>, failures: Where<'_>) -> Result<Value, Missing> {
        if plan.tagged {
            map.swap_remove(TYPE_KEY);
        }
        let below = |field: &Field| failures.and_then(|failures| failures.fields.get(field.key.as_str()));
        let in_order = map.len() == plan.fields.len() && map.keys().eq(plan.fields.iter().map(|field| &field.key));
        if in_order {
            for (field, value) in plan.fields.iter().zip(map.values_mut()) {
                let done = self.value(&field.ty, mem::take(value), below(field));
                *value = done.map_err(|missing| self.missing(missing, plan, field))?;
            }
            return Ok(Value::Object(map));
        }
        let mut ordered = IndexMap::with_capacity(plan.fields.len());
        for field in &plan.fields {
            let value = map.swap_remove(&field.key).unwrap_or_default();
            let done = self.value(&field.ty, value, below(field));
            ordered.insert(field.key.clone(), done.map_err(|missing| self.missing(missing, plan, field))?);
        }
        Ok(Value::Object(ordered))
    }

    /// A null leaves the object: without any error, something is wrong with us.
    fn missing(&mut self, missing: Missing, plan: &Object, field: &Field) -> Missing {
        if !self.failed {
            self.fault.get_or_insert_with(|| format!("{}.{} must not be null", plan.name, field.key));
        }
        missing
    }

    fn value(&mut self, ty: &Type, value: Value, failures: Where<'_>) -> Result<Value, Missing> {
        let value = match self.nullable(&ty.shape, value, failures) {
            Ok(value) => value,
            Err(Missing) => Value::Null,
        };
        if ty.non_null && matches!(value, Value::Null) { Err(Missing) } else { Ok(value) }
    }

    fn nullable(&mut self, shape: &Shape, value: Value, failures: Where<'_>) -> Result<Value, Missing> {
        match (shape, value) {
            // A prebuilt part is complete.
            (Shape::Leaf, value) | (_, value @ Value::Binary(_)) => Ok(value),
            (Shape::List(item), Value::List(mut list)) => {
                for (index, value) in list.iter_mut().enumerate() {
                    let below = failures.and_then(|failures| failures.items.get(&index));
                    *value = match self.value(item, mem::take(value), below) {
                        Ok(value) => value,
                        Err(missing) => {
                            if !self.failed {
                                self.fault.get_or_insert_with(|| "an item of a list must not be null".to_owned());
                            }
                            return Err(missing);
                        }
                    };
                }
                Ok(Value::List(list))
            }
            (Shape::Object(plan), Value::Object(map)) => self.object(plan, map, failures),
            (Shape::Object(plan), Value::Null) if failures.is_some_and(|failures| !failures.fields.is_empty()) => {
                self.object(plan, IndexMap::new(), failures)
            }
            (Shape::Abstract(plans), Value::Object(map)) => {
                let plan = match map.get(TYPE_KEY) {
                    Some(Value::String(name)) => plans.get(name),
                    _ => None,
                };
                let Some(plan) = plan else {
                    self.fault.get_or_insert_with(|| "an object of an interface has no known type".to_owned());
                    return Err(Missing);
                };
                self.object(plan, map, failures)
            }
            (_, Value::Null) => Ok(Value::Null),
            (_, _) => {
                self.fault.get_or_insert_with(|| "a value does not match its type".to_owned());
                Err(Missing)
            }
        }
    }
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
