//! Completes the data of async-graphql as the specification requires
//! (<https://spec.graphql.org/draft/#sec-Value-Completion>): keys in the order of the selection, `null` for a field
//! that failed, and propagation of `null` from a non-null field to the nearest nullable parent.

use std::{collections::HashMap, iter, mem};

use async_graphql::{Name, PathSegment, QueryPathNode, QueryPathSegment, ServerError, Value, indexmap::IndexMap};

use super::response_shape::{ResponseField, ResponseObject, ResponseShape, ResponseType, TYPE_KEY};

/// The data of a response.
#[derive(Debug)]
pub(crate) struct Completed {
    /// An object, or null if a null propagated to the root.
    pub(crate) data: Value,
    /// The field errors that completion found.
    pub(crate) errors: Vec<ServerError>,
    /// The reason why the data does not match the schema if no error explains it. This is a bug in the server, and is
    /// logged only.
    pub(crate) fault: Option<String>,
}

/// Completes the data of an operation that was executed with these errors.
pub(crate) fn complete(root: &ResponseObject, data: IndexMap<Name, Value>, errors: &[ServerError]) -> Completed {
    let failures = Failures::new(errors);
    let mut completion = Completion { failed: !errors.is_empty(), errors: Vec::new(), fault: None };
    let data = completion.object(root, data, Some(&failures), None);
    Completed { data: data.unwrap_or_default(), errors: completion.errors, fault: completion.fault }
}

/// The paths of errors. In async-graphql's data, an object whose fields all failed is null, as one that does not exist.
/// Only the former has errors below its path.
#[derive(Default)]
struct Failures<'a> {
    fields: HashMap<&'a str, Failures<'a>>,
    items: HashMap<usize, Failures<'a>>,
}

impl<'a> Failures<'a> {
    fn new(errors: &'a [ServerError]) -> Self {
        let mut root = Self::default();
        for error in errors {
            let mut node = &mut root;
            for segment in &error.path {
                node = match segment {
                    PathSegment::Field(name) => node.fields.entry(name).or_default(),
                    PathSegment::Index(index) => node.items.entry(*index).or_default(),
                };
            }
        }
        root
    }
}

/// A null that propagates to the parent (<https://spec.graphql.org/draft/#sec-Handling-Execution-Errors>).
struct PropagateNull;

struct Completion {
    failed: bool,
    errors: Vec<ServerError>,
    fault: Option<String>,
}

type FailuresBelow<'f> = Option<&'f Failures<'f>>;

fn segments(path: &QueryPathNode<'_>) -> Vec<PathSegment> {
    let mut segments: Vec<_> = iter::once(path)
        .chain(path.parents())
        .map(|node| match node.segment {
            QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
            QueryPathSegment::Index(index) => PathSegment::Index(index),
        })
        .collect();
    segments.reverse();
    segments
}

impl Completion {
    fn object(
        &mut self,
        object: &ResponseObject,
        mut map: IndexMap<Name, Value>,
        failures: FailuresBelow<'_>,
        path: Option<&QueryPathNode<'_>>,
    ) -> Result<Value, PropagateNull> {
        if let Some(failure) = &object.failure {
            let path = path.map(segments).unwrap_or_default();
            self.errors.push(ServerError { path, ..failure.clone() });
            self.failed = true;
            return Err(PropagateNull);
        }
        if object.tagged {
            map.swap_remove(TYPE_KEY);
        }
        let below = |field: &ResponseField| failures.and_then(|failures| failures.fields.get(field.key.as_str()));
        let in_order = map.len() == object.fields.len() && map.keys().eq(object.fields.iter().map(|field| &field.key));
        if in_order {
            for (field, value) in object.fields.iter().zip(map.values_mut()) {
                let path = QueryPathNode { parent: path, segment: QueryPathSegment::Name(&field.key) };
                let completed = self.value(&field.ty, mem::take(value), below(field), &path);
                *value = completed.map_err(|null| self.propagated(null, object, field))?;
            }
            return Ok(Value::Object(map));
        }
        let mut ordered = IndexMap::with_capacity(object.fields.len());
        for field in &object.fields {
            let path = QueryPathNode { parent: path, segment: QueryPathSegment::Name(&field.key) };
            let value = map.swap_remove(&field.key).unwrap_or_default();
            let completed = self.value(&field.ty, value, below(field), &path);
            ordered.insert(field.key.clone(), completed.map_err(|null| self.propagated(null, object, field))?);
        }
        Ok(Value::Object(ordered))
    }

    /// Records a fault if a null propagates without any error.
    fn propagated(&mut self, null: PropagateNull, object: &ResponseObject, field: &ResponseField) -> PropagateNull {
        if !self.failed {
            self.fault.get_or_insert_with(|| format!("{}.{} must not be null", object.type_name, field.key));
        }
        null
    }

    fn value(
        &mut self,
        ty: &ResponseType,
        value: Value,
        failures: FailuresBelow<'_>,
        path: &QueryPathNode<'_>,
    ) -> Result<Value, PropagateNull> {
        let value = self.nullable(&ty.shape, value, failures, path).unwrap_or(Value::Null);
        if ty.non_null && matches!(value, Value::Null) { Err(PropagateNull) } else { Ok(value) }
    }

    fn nullable(
        &mut self,
        shape: &ResponseShape,
        value: Value,
        failures: FailuresBelow<'_>,
        path: &QueryPathNode<'_>,
    ) -> Result<Value, PropagateNull> {
        match (shape, value) {
            // Raw JSON is complete already.
            (ResponseShape::Leaf, value) | (_, value @ Value::Binary(_)) => Ok(value),
            (ResponseShape::List(item), Value::List(mut list)) => {
                for (index, value) in list.iter_mut().enumerate() {
                    let below = failures.and_then(|failures| failures.items.get(&index));
                    let path = QueryPathNode { parent: Some(path), segment: QueryPathSegment::Index(index) };
                    *value = match self.value(item, mem::take(value), below, &path) {
                        Ok(value) => value,
                        Err(null) => {
                            if !self.failed {
                                self.fault.get_or_insert_with(|| "an item of a list must not be null".to_owned());
                            }
                            return Err(null);
                        }
                    };
                }
                Ok(Value::List(list))
            }
            (ResponseShape::Object(object), Value::Object(map)) => self.object(object, map, failures, Some(path)),
            (ResponseShape::Object(object), Value::Null)
                if failures.is_some_and(|failures| !failures.fields.is_empty()) =>
            {
                self.object(object, IndexMap::new(), failures, Some(path))
            }
            (ResponseShape::Abstract(objects), Value::Object(map)) => {
                let object = match map.get(TYPE_KEY) {
                    Some(Value::String(name)) => objects.get(name),
                    _ => None,
                };
                let Some(object) = object else {
                    self.fault.get_or_insert_with(|| "an object of an interface has no known type".to_owned());
                    return Err(PropagateNull);
                };
                self.object(object, map, failures, Some(path))
            }
            (_, Value::Null) => Ok(Value::Null),
            (_, _) => {
                self.fault.get_or_insert_with(|| "a value does not match its type".to_owned());
                Err(PropagateNull)
            }
        }
    }
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
