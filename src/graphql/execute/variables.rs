//! Coerces variables from JSON by their types in the schema
//! (<https://spec.graphql.org/draft/#sec-Coercing-Variable-Values>).

mod accepted_json;
mod bulk;
mod object_reader;
mod undefined;
mod value;

use std::{cell::RefCell, collections::HashMap};

use apollo_compiler::schema::ExtendedType;
use async_graphql::{Name, QueryPathNode, QueryPathSegment, Value, Variables};
use serde::de::Error as _;
use serde_json::value::RawValue;

use object_reader::ObjectReader;
pub(super) use undefined::remove_undefined;
use value::{CoercionContext, CoercionSeed, input_path};

use super::{
    bulk_rows::{DeferredRows, RowDecoders},
    prepared_operation::{PreparedOperation, VariableDefinition},
    schema::Types,
};
use crate::{domain::Step, graphql::Error};

/// Coerces variables (<https://spec.graphql.org/draft/#CoerceVariableValues()>). Bulk rows are returned apart, and the
/// variables have a marker for them.
///
/// A list has at most `max_items` items. Returns the first error of each variable. Values that the operation does not define are not read. Variables without
/// a value are not part of the result: async-graphql applies their defaults, and [`remove_undefined`] removes those
/// without.
pub(super) fn coerce(
    types: &Types,
    operation: &PreparedOperation,
    raw: Option<&RawValue>,
    decoders: &RowDecoders,
    max_items: Option<usize>,
) -> Result<(Variables, DeferredRows), Vec<Error>> {
    let deferred = RefCell::new(DeferredRows::default());
    let coerce_one = |variable: &VariableDefinition, text: &mut ObjectReader<'_>| {
        let failure = RefCell::new(None);
        let uses = operation.uses().count(&variable.name);
        let context = CoercionContext { types, decoders, deferred: &deferred, uses, max_items, failure: &failure };
        let path = QueryPathNode { parent: None, segment: QueryPathSegment::Name(&variable.name) };
        let is_object = matches!(types.get(variable.ty.inner_named_type()), Some(ExtendedType::InputObject(_)));
        let in_row = is_object && decoders.get(variable.ty.inner_named_type()).is_some() && !variable.ty.is_list();
        let value = CoercionSeed { context, ty: &variable.ty, path: &path, in_row }.read(text);
        value.map_err(|error| {
            let failure = failure.take().unwrap_or_else(|| Error::bad_input(&input_path(&path), error.to_string()));
            failure.at(variable.pos.line, variable.pos.column)
        })
    };
    let mut values = match raw.filter(|raw| raw.get() != "null") {
        Some(raw) => read_values(raw.get(), operation.variables(), coerce_one)
            .map_err(|_| vec![Error::bad_input(&Vec::new(), "expected the variables as a JSON object")])?,
        None => HashMap::new(),
    };
    let mut variables = Variables::default();
    let mut errors = Vec::new();
    for VariableDefinition { name, ty, default, pos } in operation.variables() {
        match values.remove(name.as_str()) {
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
    if errors.is_empty() { Ok((variables, deferred.into_inner())) } else { Err(errors) }
}

/// Reads the values of defined variables by name.
fn read_values<'o>(
    text: &str,
    definitions: &'o [VariableDefinition],
    coerce_one: impl Fn(&VariableDefinition, &mut ObjectReader<'_>) -> Result<Value, Error>,
) -> Result<HashMap<&'o str, Result<Value, Error>>, serde_json::Error> {
    let definitions: HashMap<_, _> =
        definitions.iter().map(|definition| (definition.name.as_str(), definition)).collect();
    let mut values = HashMap::new();
    let mut object = ObjectReader::open(text).ok_or_else(|| serde_json::Error::custom("no object"))?;
    while let Some(name) = object.next_key()? {
        let Some((name, definition)) = definitions.get_key_value(name.as_str()) else {
            object.skip_value()?;
            continue;
        };
        if values.contains_key(name) {
            let error = Error::bad_input(&vec![Step::Field((*name).to_owned())], "the variable is given twice");
            values.insert(*name, Err(error.at(definition.pos.line, definition.pos.column)));
            object.skip_value()?;
            continue;
        }
        let mut after_value = object;
        let value = coerce_one(definition, &mut after_value);
        match value {
            Ok(_) => object = after_value,
            Err(_) => object.skip_value()?,
        }
        values.insert(*name, value);
    }
    Ok(values)
}

#[cfg(test)]
pub(super) mod tests;
