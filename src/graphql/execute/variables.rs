//! Variables: from raw JSON, by the types of the schema, to the values that the executor works with.

mod absent;
mod object;
mod shape;

use std::{cell::RefCell, collections::HashMap, fmt, marker::PhantomData};

use async_graphql::{
    Name, Number, Value, Variables,
    indexmap::IndexMap,
    parser::types::OperationDefinition,
    registry::{MetaEnumValue, MetaInputValue, MetaType, MetaTypeName, Registry},
};
use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::value::RawValue;

pub(super) use absent::drop_absent;
use object::{Fields, Object};
use shape::Shape;

use super::rows::{AnyRows, Carried, Fragments, RowReader, RowReaders, Uses};
use crate::{
    domain::{InputPath, Step},
    graphql::Error,
};

/// Coerces raw JSON variables as the specification's
/// [CoerceVariableValues](https://spec.graphql.org/draft/#sec-Coercing-Variable-Values) says. Rows of bulk calls go to
/// `carried`, and a marker into the variables.
///
/// Each variable fails with its first error. Variables that the operation does not define are not read. Those that it
/// defines and that are not there stay away: their defaults are the executor's
/// to apply, and [`drop_absent`] keeps those without from becoming null. What a custom scalar makes
/// of its text is judged when the resolver's arguments are parsed, except in bulk rows.
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
    let definitions = &operation.variable_definitions;
    let names = definitions.iter().enumerate().map(|(at, definition)| (definition.node.name.node.as_str(), at));
    let places: HashMap<_, _> = names.collect();
    let mut found: Vec<_> = definitions.iter().map(|_| None).collect();
    let mut read = || {
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(()) };
        let mut object = Object::open(raw.get()).ok_or_else(|| de::Error::custom("no object"))?;
        while let Some(name) = object.key()? {
            // What was bad is not read again where its key is repeated.
            let Some(&at) = places.get(name.as_str()).filter(|&&at| !matches!(found[at], Some(Err(_)))) else {
                object.skip()?;
                continue;
            };
            let failure = RefCell::new(None);
            let walk = Walk { registry, readers, carried: &keeper, uses: uses.count(&name), failure: &failure };
            let place = Place { parent: None, step: At::Field(&name) };
            let ty = definitions[at].node.var_type.node.to_string();
            let seed = Seed { walk, ty: &ty, place: &place, bulk: true };
            let mut behind = object;
            found[at] = Some(match seed.read(&mut behind) {
                Ok(value) => {
                    object = behind;
                    Ok(value)
                }
                Err(error) => {
                    object.skip()?;
                    let (path, message) = failure.take().unwrap_or_else(|| (place.path(), error.to_string()));
                    Err(Error::bad_input(&path, message))
                }
            });
        }
        Ok(())
    };
    read().map_err(|_: serde_json::Error| {
        vec![Error::bad_input(&Vec::new(), "expected the variables as a JSON object")]
    })?;
    let mut variables = Variables::default();
    let mut errors = Vec::new();
    for (definition, found) in definitions.iter().zip(found) {
        let name = &definition.node.name.node;
        match found {
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
    *carried = keeper.into_inner();
    if errors.is_empty() { Ok(variables) } else { Err(errors) }
}

/// What all of one variable's values have in common.
#[derive(Clone, Copy)]
struct Walk<'a> {
    registry: &'a Registry,
    readers: &'a RowReaders,
    carried: &'a RefCell<Carried>,
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
            let text = <&RawValue>::deserialize(deserializer)?.get();
            return match reader.fast(text) {
                Some((rows, _)) => self.keep(rows),
                None => self.read_rows(text, item, reader),
            };
        }
        if let Some(first) = self.raw() {
            let text = <&RawValue>::deserialize(deserializer)?.get();
            if text.starts_with(first) {
                return Ok(Value::Binary(text.as_bytes().to_vec().into()));
            }
            return self.deserialize_again(text);
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

    /// How the JSON of a value begins that rows keep raw: their reader judges it, and nothing is lost on the way there.
    fn raw(&self) -> Option<fn(char) -> bool> {
        if self.bulk || matches!(self.bare(), MetaTypeName::List(_)) {
            return None;
        }
        match self.named() {
            Named::Scalar(Shape::Int | Shape::Number) => Some(|first| first == '-' || first.is_ascii_digit()),
            Named::Scalar(Shape::Object) => Some(|first| first == '{'),
            _ => None,
        }
    }

    fn deserialize_again<E: de::Error>(self, text: &str) -> Result<Value, E> {
        serde_json::Deserializer::from_str(text).deserialize_any(self).map_err(E::custom)
    }

    /// Reads the value that is next in `from`: bulk rows, also those in an object, without a look at where they end.
    fn read(self, from: &mut Object<'_>) -> Result<Value, serde_json::Error> {
        if let Some((item, reader)) = self.rows() {
            let rows = reader.fast(from.rest());
            return match rows {
                Some((rows, length)) => {
                    from.pass(length);
                    self.keep(rows)
                }
                None => {
                    let text = from.read(PhantomData::<&RawValue>)?;
                    self.read_rows(text.get(), item, reader)
                }
            };
        }
        if let Named::Object(name, fields, oneof) = self.named()
            && self.item().is_none()
            && fields.values().any(|field| Seed { ty: &field.ty, ..self }.rows().is_some())
            && let Some(mut object) = from.inner()
        {
            let value = self.fields(name, fields, oneof, &mut object)?;
            from.pass_inner(&object);
            return Ok(value);
        }
        from.read(self)
    }

    /// Reads rows one by one.
    fn read_rows<E: de::Error>(self, text: &str, item: &'a str, reader: &dyn RowReader) -> Result<Value, E> {
        if text == "null" {
            return self.visit_unit();
        }
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
        self.keep(rows.finish())
    }

    fn keep<E: de::Error>(&self, rows: AnyRows) -> Result<Value, E> {
        let kept = self.walk.carried.borrow_mut().keep(rows, self.walk.uses);
        kept.ok_or_else(|| self.fail("the same list of rows is given again and again"))
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

/// A type that has a name.
enum Named<'a> {
    Enum(&'a IndexMap<String, MetaEnumValue>),
    Object(&'a str, &'a IndexMap<String, MetaInputValue>, bool),
    Scalar(Shape),
}

impl Seed<'_> {
    /// A number of any kind; `whole` where it is one of at most 64 bits.
    fn number<E: de::Error>(self, number: Number, whole: Option<i128>) -> Result<Value, E> {
        if let Some(item) = self.item() {
            return item.number(number, whole).map(one);
        }
        let Named::Scalar(shape) = self.named() else { return Err(self.mismatch("a number")) };
        match (shape, whole) {
            (Shape::Number | Shape::Plain | Shape::Any, _) => Ok(Value::Number(number)),
            (Shape::Id, Some(whole)) if !number.is_f64() => Ok(Value::String(whole.to_string())),
            (Shape::Int, Some(whole)) => match i32::try_from(whole) {
                Ok(whole) => Ok(Value::from(whole)),
                Err(_) => Err(self.mismatch("a greater one")),
            },
            (Shape::Int | Shape::Id, None) => Err(self.mismatch("a fraction")),
            _ => Err(self.mismatch("a number")),
        }
    }
}

/// A single value where a list is expected.
fn one(value: Value) -> Value {
    Value::List(vec![value])
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.expected())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        if MetaTypeName::create(self.ty).is_non_null() { Err(self.mismatch("null")) } else { Ok(Value::Null) }
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        if let Some(item) = self.item() {
            return item.visit_bool(value).map(one);
        }
        match self.named() {
            Named::Scalar(Shape::Boolean | Shape::Plain | Shape::Any) => Ok(Value::Boolean(value)),
            _ => Err(self.mismatch("a boolean")),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.number(value.into(), Some(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.number(value.into(), Some(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        // JSON has one kind of number: 1.0 is the whole number 1.
        let whole = (value.fract() == 0.0).then(|| format!("{value:.0}").parse().unwrap_or(i128::MAX));
        match Number::from_f64(value) {
            Some(number) => self.number(number, whole),
            None => Err(self.mismatch("a number out of range")),
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        if let Some(item) = self.item() {
            return item.visit_str(value).map(one);
        }
        match self.named() {
            Named::Enum(values) if values.contains_key(value) => Ok(Value::Enum(Name::new(value))),
            Named::Enum(_) => Err(self.mismatch("another string")),
            Named::Scalar(Shape::String | Shape::Id | Shape::Plain | Shape::Any) => Ok(Value::String(value.to_owned())),
            _ => Err(self.mismatch("a string")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        let MetaTypeName::List(ty) = self.bare() else {
            if !matches!(self.named(), Named::Scalar(Shape::Plain | Shape::Any)) {
                return Err(self.mismatch("a list"));
            }
            return Value::deserialize(SeqAccessDeserializer::new(list));
        };
        loop {
            let place = Place { parent: Some(self.place), step: At::Index(values.len()) };
            match list.next_element_seed(Seed { ty, place: &place, ..self })? {
                Some(value) => values.push(value),
                None => return Ok(Value::List(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        if let Some(item) = self.item() {
            return item.visit_map(object).map(one);
        }
        match self.named() {
            Named::Object(name, fields, oneof) => self.fields(name, fields, oneof, &mut object),
            Named::Scalar(Shape::Object | Shape::Any) => Value::deserialize(MapAccessDeserializer::new(object)),
            _ => Err(self.mismatch("an object")),
        }
    }
}

impl Seed<'_> {
    fn fields<'de, F: Fields<'de>>(
        self,
        type_name: &str,
        fields: &IndexMap<String, MetaInputValue>,
        oneof: bool,
        object: &mut F,
    ) -> Result<Value, F::Error> {
        let mut values = IndexMap::new();
        while let Some(key) = object.key()? {
            let place = Place { parent: Some(self.place), step: At::Field(&key) };
            let seed = Seed { place: &place, ..self };
            let Some(field) = fields.get(&key) else {
                return Err(seed.fail(format!("{type_name} has no such field")));
            };
            let value = object.value(Seed { ty: &field.ty, ..seed })?;
            if oneof && value == Value::Null {
                return Err(seed.fail("expected a value, got null"));
            }
            values.insert(Name::new(key), value);
        }
        if oneof && values.len() != 1 {
            return Err(self.fail(format!("expected exactly one of the fields of {type_name}, got {}", values.len())));
        }
        for (name, field) in fields {
            let required = field.default_value.is_none() && MetaTypeName::create(&field.ty).is_non_null();
            if required && !values.contains_key(name.as_str()) {
                let place = Place { parent: Some(self.place), step: At::Field(name) };
                let missing = Seed { ty: &field.ty, place: &place, ..self };
                return Err(missing.mismatch("none"));
            }
        }
        Ok(Value::Object(values))
    }
}

/// Reads a list of rows one by one.
struct EachRow<'a, P> {
    seed: Seed<'a>,
    push: P,
}

impl<'de, P: FnMut(Value) -> Result<(), String>> Visitor<'de> for EachRow<'_, P> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        for index in 0.. {
            let place = Place { parent: Some(self.seed.place), step: At::Index(index) };
            let seed = Seed { place: &place, ..self.seed };
            let Some(value) = list.next_element_seed(seed)? else { break };
            (self.push)(value).map_err(|message| seed.fail::<A::Error>(message))?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests;
