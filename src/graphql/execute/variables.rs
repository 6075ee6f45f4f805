//! Coerces variables from raw JSON to the values of the executor, by the types of the schema
//! (<https://spec.graphql.org/draft/#sec-Coercing-Variable-Values>).

mod absent;
mod bulk;
mod object;
mod shape;
mod value;

use std::{cell::RefCell, collections::HashMap};

use async_graphql::{Value, Variables, parser::types::OperationDefinition, registry::Registry};
use serde::de::Error as _;
use serde_json::value::RawValue;

pub(super) use absent::drop_absent;
use object::Object;
use value::{At, Place, Seed, Walk};

use super::rows::{Carried, Fragments, RowReaders, Uses};
use crate::{domain::Step, graphql::Error};

/// Coerces raw JSON variables as the specification's
/// [CoerceVariableValues](https://spec.graphql.org/draft/#sec-Coercing-Variable-Values) says. Rows of bulk calls go to
/// `carried`, and a marker into the variables.
///
/// Each variable fails with its first error. Variables that the operation does not define are not read. Those that it
/// defines and that are not there stay away: their defaults are the executor's
/// to apply, and [`drop_absent`] keeps those without from becoming null. In bulk rows, values of scalars
/// are left to the domain.
pub(super) fn coerce(
    registry: &Registry,
    operation: &OperationDefinition,
    fragments: &Fragments,
    raw: Option<&RawValue>,
    readers: &RowReaders,
    carried: &mut Carried,
) -> Result<Variables, Vec<Error>> {
    let uses = Uses::of(operation, fragments);
    let keeper = RefCell::new(std::mem::take(carried));
    let coerce_one = |name: &str, ty: &str, text: &mut Object<'_>| {
        let failure = RefCell::new(None);
        let walk = Walk { registry, readers, carried: &keeper, uses: uses.count(name), failure: &failure };
        let place = Place { parent: None, step: At::Field(name) };
        // A row that is a variable of its own is read as those that are the variable together.
        let bulk = readers.get(ty.trim_end_matches('!')).is_none();
        let read = Seed { walk, ty, place: &place, bulk }.read(text);
        read.map_err(|error| {
            let (path, message) = failure.take().unwrap_or_else(|| (place.path(), error.to_string()));
            Error::bad_input(&path, message)
        })
    };
    let mut given = match raw.filter(|raw| raw.get() != "null") {
        Some(raw) => read(raw.get(), operation, coerce_one)
            .map_err(|_| vec![Error::bad_input(&Vec::new(), "expected the variables as a JSON object")])?,
        None => HashMap::new(),
    };
    *carried = keeper.into_inner();
    let mut variables = Variables::default();
    let mut errors = Vec::new();
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        match given.remove(name.as_str()) {
            Some(Ok(value)) => {
                variables.insert(name.clone(), value);
            }
            Some(Err(error)) => errors.push(error),
            None if definition.node.default_value().is_none() => {
                let path = vec![Step::Field(name.to_string())];
                let ty = &definition.node.var_type.node;
                errors.push(Error::bad_input(&path, format!("expected a value of type {ty}, got none")));
            }
            None => {}
        }
    }
    if errors.is_empty() { Ok(variables) } else { Err(errors) }
}

/// What `coerce_one` makes of the variables of an operation that are given, by their names. Of a key that is repeated the last
/// value counts, but what was bad is not read again.
fn read<'o>(
    text: &str,
    operation: &'o OperationDefinition,
    coerce_one: impl Fn(&str, &str, &mut Object<'_>) -> Result<Value, Error>,
) -> Result<HashMap<&'o str, Result<Value, Error>>, serde_json::Error> {
    let definitions = operation.variable_definitions.iter().map(|definition| &definition.node);
    let types: HashMap<_, _> = definitions.map(|it| (it.name.node.as_str(), it.var_type.node.to_string())).collect();
    let mut given = HashMap::new();
    let mut object = Object::open(text).ok_or_else(|| serde_json::Error::custom("no object"))?;
    while let Some(name) = object.key()? {
        let defined = types.get_key_value(name.as_str());
        let Some((name, ty)) = defined.filter(|(name, _)| !matches!(given.get(*name), Some(Err(_)))) else {
            object.skip()?;
            continue;
        };
        let mut behind = object;
        let value = coerce_one(name, ty, &mut behind);
        match value {
            Ok(_) => object = behind,
            Err(_) => object.skip()?,
        }
        given.insert(*name, value);
    }
    Ok(given)
}

#[cfg(test)]
pub(super) mod tests;
