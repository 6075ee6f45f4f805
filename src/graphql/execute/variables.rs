//! Variables: from raw JSON, by the types of the schema, to the values that the executor works with.

use std::{cell::RefCell, collections::BTreeMap, fmt};

use async_graphql::{
    Name, Number, Value, Variables,
    indexmap::IndexMap,
    parser::types::OperationDefinition,
    registry::{MetaInputValue, MetaType, MetaTypeName, Registry},
};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::rows::{Carried, Fragments, RowReader, RowReaders, Uses};
use crate::{
    domain::{InputPath, Step},
    graphql::Error,
};

/// Coerces raw JSON variables as the specification's
/// [CoerceVariableValues](https://spec.graphql.org/draft/#sec-Coercing-Variable-Values) says. Rows of bulk calls go to
/// `carried`, and a marker into the variables.
///
/// Each variable fails with its first error. Variables that the operation does not define are not read. Those that it
/// defines and that are not there stay away: their defaults are the executor's to apply. What a custom scalar makes
/// of its text is judged when the resolver's arguments are parsed, except in bulk rows.
pub(super) fn coerce(
    registry: &Registry,
    operation: &OperationDefinition,
    fragments: &Fragments,
    raw: Option<&RawValue>,
    readers: &RowReaders,
    carried: &mut Carried,
) -> Result<Variables, Vec<Error>> {
    let texts: BTreeMap<String, &RawValue> = match raw.filter(|raw| raw.get() != "null") {
        Some(raw) => serde_json::from_str(raw.get())
            .map_err(|_| vec![Error::bad_input(&Vec::new(), "expected the variables as a JSON object")])?,
        None => BTreeMap::new(),
    };
    let uses = Uses::of(operation, fragments);
    let carried = RefCell::new(carried);
    let mut variables = Variables::default();
    let mut errors = Vec::new();
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        let ty = definition.node.var_type.node.to_string();
        let Some(text) = texts.get(name.as_str()) else {
            if definition.node.default_value().is_none() {
                let path = vec![Step::Field(name.to_string())];
                errors.push(Error::bad_input(&path, format!("expected a value of type {ty}, got none")));
            }
            continue;
        };
        let failure = RefCell::new(None);
        let walk = Walk { registry, readers, carried: &carried, uses: uses.count(name), failure: &failure };
        let place = Place { parent: None, step: At::Field(name) };
        let seed = Seed { walk, ty: &ty, place: &place, bulk: true };
        match seed.deserialize(&mut serde_json::Deserializer::from_str(text.get())) {
            Ok(value) => {
                variables.insert(name.clone(), value);
            }
            Err(error) => {
                let (path, message) = failure.take().unwrap_or_else(|| (place.path(), error.to_string()));
                errors.push(Error::bad_input(&path, message));
            }
        }
    }
    if errors.is_empty() { Ok(variables) } else { Err(errors) }
}

/// What all of one variable's values have in common.
#[derive(Clone, Copy)]
struct Walk<'a> {
    registry: &'a Registry,
    readers: &'a RowReaders,
    carried: &'a RefCell<&'a mut Carried>,
    uses: Option<usize>,
    /// The first error: serde's own errors carry no path.
    failure: &'a RefCell<Option<(InputPath, String)>>,
}

/// Where a value stands; the way up to the variable.
#[derive(Clone, Copy)]
struct Place<'a> {
    parent: Option<&'a Self>,
    step: At<'a>,
}

#[derive(Clone, Copy)]
enum At<'a> {
    Field(&'a str),
    Index(usize),
}

impl Place<'_> {
    fn path(&self) -> InputPath {
        let mut path = self.parent.map(Place::path).unwrap_or_default();
        path.push(match self.step {
            At::Field(name) => Step::Field(name.to_owned()),
            At::Index(index) => Step::Index(index),
        });
        path
    }
}

/// Reads a value of a type: `Member!`, `[Member!]`, `String`.
#[derive(Clone, Copy)]
struct Seed<'a> {
    walk: Walk<'a>,
    ty: &'a str,
    place: &'a Place<'a>,
    /// Whether lists of rows in it are bulk rows: not those inside a row.
    bulk: bool,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if let Some((item, reader)) = self.rows() {
            let text = <&RawValue>::deserialize(deserializer)?;
            return self.read_rows(text.get(), item, reader);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> Seed<'a> {
    /// Without the `!`.
    fn bare(&self) -> MetaTypeName<'a> {
        MetaTypeName::create(self.ty).unwrap_non_null()
    }

    /// The same place, but for an item of its list type.
    fn item(self) -> Option<Self> {
        match self.bare() {
            MetaTypeName::List(ty) => Some(Self { ty, ..self }),
            _ => None,
        }
    }

    /// The type of the items and its reader, where this is a list of bulk rows.
    fn rows(&self) -> Option<(&'a str, &'a dyn RowReader)> {
        let MetaTypeName::List(item) = self.bare() else { return None };
        let MetaTypeName::NonNull(name) = MetaTypeName::create(item) else { return None };
        let reader = self.walk.readers.get(name).filter(|_| self.bulk)?;
        Some((item, reader))
    }

    fn read_rows<E: de::Error>(self, text: &str, item: &str, reader: &dyn RowReader) -> Result<Value, E> {
        if text == "null" {
            return self.visit_unit();
        }
        let rows = match reader.fast(text) {
            Some(rows) => rows,
            None => {
                let mut rows = reader.slow();
                let seed = Seed { ty: item, bulk: false, ..self };
                let mut deserializer = serde_json::Deserializer::from_str(text);
                if text.starts_with('[') {
                    let each = EachRow { seed, push: &mut |value| rows.push(value) };
                    deserializer.deserialize_seq(each).map_err(E::custom)?;
                } else {
                    let value = seed.deserialize(&mut deserializer).map_err(E::custom)?;
                    rows.push(value).map_err(|message| seed.fail(message))?;
                }
                rows.finish()
            }
        };
        Ok(self.walk.carried.borrow_mut().keep(rows, self.walk.uses))
    }

    /// Keeps the error for the caller; serde only passes on that there is one.
    fn fail<E: de::Error>(&self, message: impl Into<String>) -> E {
        self.walk.failure.borrow_mut().get_or_insert_with(|| (self.place.path(), message.into()));
        E::custom("not of its type")
    }

    fn mismatch<E: de::Error>(&self, got: &str) -> E {
        self.fail(format!("expected {}, got {got}", self.expected()))
    }

    fn expected(&self) -> String {
        let name = match self.bare() {
            MetaTypeName::List(_) => return "a list".to_owned(),
            MetaTypeName::NonNull(name) | MetaTypeName::Named(name) => name,
        };
        match self.walk.registry.types.get(name) {
            Some(MetaType::Enum { enum_values, .. }) => {
                let names: Vec<_> = enum_values.keys().map(String::as_str).collect();
                format!("one of {}", names.join(", "))
            }
            Some(MetaType::InputObject { .. }) => "an object".to_owned(),
            _ => Shape::of(name).expected().to_owned(),
        }
    }

    /// The type that the value itself has to be of: no list, no `!`.
    fn named(&self) -> Named<'a> {
        let (MetaTypeName::List(name) | MetaTypeName::NonNull(name) | MetaTypeName::Named(name)) = self.bare();
        match self.walk.registry.types.get(name) {
            Some(MetaType::Enum { enum_values, .. }) => Named::Enum(enum_values),
            Some(MetaType::InputObject { input_fields, oneof, .. }) => Named::Object(name, input_fields, *oneof),
            _ => Named::Scalar(Shape::of(name)),
        }
    }
}
