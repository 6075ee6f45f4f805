//! Coerces variables from raw JSON to the values of the executor, by the types of the schema
//! (<https://spec.graphql.org/draft/#sec-Coercing-Variable-Values>).

mod bulk;
mod object;
mod shape;
mod undefined;
mod value;

use std::{cell::RefCell, collections::HashMap};

use async_graphql::{Name, Value, Variables};
use serde::de::Error as _;
use serde_json::value::RawValue;

use object::Object;
pub(super) use undefined::drop_absent;
use value::{CoercionContext, CoercionSeed, ValuePath, ValueStep};

use super::{
    bulk_rows::{DeferredRows, RowDecoders},
    operation::{PreparedOperation, VariableDefinition},
    schema::Types,
};
use crate::{domain::Step, graphql::Error};

/// Coerces raw JSON variables as the specification's
/// [CoerceVariableValues](https://spec.graphql.org/draft/#sec-Coercing-Variable-Values) says. Rows of bulk calls go to
/// `deferred`, and a marker into the variables.
///
/// Each variable fails with its first error. Variables that the operation does not define are not read. Those that it
/// defines and that are not there stay away: their defaults are the executor's
/// to apply, and [`drop_absent`] keeps those without from becoming null. In bulk rows, values of scalars
/// are left to the domain.
pub(super) fn coerce(
    types: &Types,
    operation: &PreparedOperation,
    raw: Option<&RawValue>,
    decoders: &RowDecoders,
    deferred: &mut DeferredRows,
) -> Result<Variables, Vec<Error>> {
    let keeper = RefCell::new(std::mem::take(deferred));
    let coerce_one = |variable: &VariableDefinition, text: &mut Object<'_>| {
        let failure = RefCell::new(None);
        let uses = operation.uses().count(&variable.name);
        let context = CoercionContext { types, decoders, deferred: &keeper, uses, failure: &failure };
        let path_here = ValuePath { parent: None, step: ValueStep::Field(&variable.name) };
        // A row that is a variable of its own is read as those that are the variable together.
        let bulk = decoders.get(variable.ty.inner_named_type()).is_none() || variable.ty.is_list();
        let read = CoercionSeed { context, ty: &variable.ty, path_here: &path_here, bulk }.read(text);
        read.map_err(|error| {
            let (path, message) = failure.take().unwrap_or_else(|| (path_here.path(), error.to_string()));
            Error::bad_input(&path, message).at(variable.pos.line, variable.pos.column)
        })
    };
    let mut given = match raw.filter(|raw| raw.get() != "null") {
        Some(raw) => read(raw.get(), operation.variables(), coerce_one)
            .map_err(|_| vec![Error::bad_input(&Vec::new(), "expected the variables as a JSON object")])?,
        None => HashMap::new(),
    };
    *deferred = keeper.into_inner();
    let mut variables = Variables::default();
    let mut errors = Vec::new();
    for VariableDefinition { name, ty, default, pos } in operation.variables() {
        match given.remove(name.as_str()) {
            Some(Ok(value)) => {
                variables.insert(Name::new(name), value);
            }
            Some(Err(error)) => errors.push(error),
            None if default.is_none() && ty.is_non_null() => {
                let path = vec![Step::Field(name.clone())];
                let error = Error::bad_input(&path, format!("expected a value of type {ty}, got none"));
                errors.push(error.at(pos.line, pos.column));
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
    definitions: &'o [VariableDefinition],
    coerce_one: impl Fn(&VariableDefinition, &mut Object<'_>) -> Result<Value, Error>,
) -> Result<HashMap<&'o str, Result<Value, Error>>, serde_json::Error> {
    let definitions: HashMap<_, _> =
        definitions.iter().map(|definition| (definition.name.as_str(), definition)).collect();
    let mut given = HashMap::new();
    let mut object = Object::open(text).ok_or_else(|| serde_json::Error::custom("no object"))?;
    while let Some(name) = object.key()? {
        let defined = definitions.get_key_value(name.as_str());
        let Some((name, definition)) = defined.filter(|(name, _)| !matches!(given.get(*name), Some(Err(_)))) else {
            object.skip()?;
            continue;
        };
        let mut behind = object;
        let value = coerce_one(definition, &mut behind);
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
