//! Coerces the values of variables by their types in the schema
//! (<https://spec.graphql.org/draft/#sec-Coercing-Variable-Values>).

use std::{cell::RefCell, fmt};

use apollo_compiler::{
    ast::Type,
    schema::{EnumType, ExtendedType, InputObjectType},
};
use async_graphql::{Name, Number, Value, indexmap::IndexMap};
use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::value::RawValue;

use super::{
    object::{Fields, Object},
    shape::Shape,
};
use crate::{
    domain::{InputPath, Step},
    graphql::{
        execute::{
            bulk_rows::{DeferredRows, RowDecoders},
            schema::Types,
        },
        scalar,
    },
};

/// What all of one variable's values have in common.
#[derive(Clone, Copy)]
pub(super) struct CoercionContext<'a> {
    pub(crate) types: &'a Types,
    pub(crate) decoders: &'a RowDecoders,
    pub(crate) deferred: &'a RefCell<DeferredRows>,
    /// How often the variable is used; nothing where that is not known.
    pub(crate) uses: Option<usize>,
    /// The first error: serde's own errors carry no path.
    pub(crate) failure: &'a RefCell<Option<(InputPath, String)>>,
}

/// Where a value stands; the way up to the variable.
#[derive(Clone, Copy)]
pub(super) struct ValuePath<'a> {
    pub(crate) parent: Option<&'a Self>,
    pub(crate) step: ValueStep<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum ValueStep<'a> {
    Field(&'a str),
    Index(usize),
}

impl ValuePath<'_> {
    pub(crate) fn path(&self) -> InputPath {
        let mut path = self.parent.map(ValuePath::path).unwrap_or_default();
        path.push(match self.step {
            ValueStep::Field(name) => Step::Field(name.to_owned()),
            ValueStep::Index(index) => Step::Index(index),
        });
        path
    }
}

/// Reads a value of a type: `Member!`, `[Member!]`, `String`.
#[derive(Clone, Copy)]
pub(super) struct CoercionSeed<'a> {
    pub(crate) context: CoercionContext<'a>,
    pub(crate) ty: &'a Type,
    pub(crate) path_here: &'a ValuePath<'a>,
    /// True outside bulk rows: lists of rows are bulk rows there. Inside a row only the kind of
    /// a scalar's value is judged.
    pub(crate) bulk: bool,
}

impl<'de> DeserializeSeed<'de> for CoercionSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.rows().is_some() {
            let text = <&RawValue>::deserialize(deserializer)?.get();
            return self.read(&mut Object::at(text)).map_err(de::Error::custom);
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

impl<'a> CoercionSeed<'a> {
    /// The type of the items of a list type.
    pub(super) fn item_type(&self) -> Option<&'a Type> {
        match self.ty {
            Type::List(item) | Type::NonNullList(item) => Some(item),
            Type::Named(_) | Type::NonNullNamed(_) => None,
        }
    }

    /// The same path_here, but for an item of its list type.
    pub(super) fn item(self) -> Option<Self> {
        self.item_type().map(|ty| Self { ty, ..self })
    }

    /// How the JSON of a value begins that rows keep raw: their reader judges it, and nothing is lost on the way there.
    fn raw(&self) -> Option<fn(char) -> bool> {
        if self.bulk || self.ty.is_list() {
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

    /// Keeps the error for the caller; serde only passes on that there is one.
    pub(super) fn fail<E: de::Error>(&self, message: impl Into<String>) -> E {
        self.context.failure.borrow_mut().get_or_insert_with(|| (self.path_here.path(), message.into()));
        E::custom("not of its type")
    }

    fn mismatch<E: de::Error>(&self, got: &str) -> E {
        self.fail(format!("expected {}, got {got}", self.expected()))
    }

    fn expected(&self) -> String {
        if self.ty.is_list() {
            return "a list".to_owned();
        }
        match self.named() {
            Named::Enum(definition) => {
                let names: Vec<_> = definition.values.keys().map(|name| name.as_str()).collect();
                format!("one of {}", names.join(", "))
            }
            Named::Object(_) => "an object".to_owned(),
            Named::Scalar(shape) => shape.expected().to_owned(),
        }
    }

    fn name(&self) -> &'a str {
        self.ty.inner_named_type()
    }

    /// The type that the value itself has to be of: no list, no `!`.
    pub(super) fn named(&self) -> Named<'a> {
        let name = self.name();
        match self.context.types.get(name) {
            Some(ExtendedType::Enum(definition)) => Named::Enum(definition),
            Some(ExtendedType::InputObject(object)) => Named::Object(object),
            _ => Named::Scalar(Shape::of(name)),
        }
    }
}

/// A type that has a name.
pub(super) enum Named<'a> {
    Enum(&'a EnumType),
    Object(&'a InputObjectType),
    Scalar(Shape),
}

impl CoercionSeed<'_> {
    /// Returns a scalar's value of the right kind. Outside rows, rejects one that the scalar does not have.
    fn scalar<E: de::Error>(&self, value: Value) -> Result<Value, E> {
        if !self.bulk {
            return Ok(value);
        }
        scalar::check(self.name(), &value).map(|()| value).map_err(|message| self.fail(message))
    }

    /// A number of any kind; `whole` where it is one of at most 64 bits.
    fn number<E: de::Error>(self, number: Number, whole: Option<i128>) -> Result<Value, E> {
        if let Some(item) = self.item() {
            return item.number(number, whole).map(one);
        }
        let Named::Scalar(shape) = self.named() else { return Err(self.mismatch("a number")) };
        match (shape, whole) {
            (Shape::Number | Shape::Plain | Shape::Any, _) => self.scalar(Value::Number(number)),
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

impl<'de> Visitor<'de> for CoercionSeed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.expected())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        if self.ty.is_non_null() { Err(self.mismatch("null")) } else { Ok(Value::Null) }
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        if let Some(item) = self.item() {
            return item.visit_bool(value).map(one);
        }
        match self.named() {
            Named::Scalar(Shape::Boolean | Shape::Plain | Shape::Any) => self.scalar(Value::Boolean(value)),
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
            Named::Enum(definition) if definition.values.contains_key(value) => Ok(Value::Enum(Name::new(value))),
            Named::Enum(_) => Err(self.mismatch("another string")),
            Named::Scalar(Shape::String | Shape::Id | Shape::Plain | Shape::Any) => {
                self.scalar(Value::String(value.to_owned()))
            }
            _ => Err(self.mismatch("a string")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        let Some(ty) = self.item_type() else {
            if !matches!(self.named(), Named::Scalar(Shape::Plain | Shape::Any)) {
                return Err(self.mismatch("a list"));
            }
            return self.scalar(Value::deserialize(SeqAccessDeserializer::new(list))?);
        };
        loop {
            let path_here = ValuePath { parent: Some(self.path_here), step: ValueStep::Index(values.len()) };
            match list.next_element_seed(CoercionSeed { ty, path_here: &path_here, ..self })? {
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
            Named::Object(definition) => self.fields(definition, &mut object),
            Named::Scalar(Shape::Object | Shape::Any) => {
                self.scalar(Value::deserialize(MapAccessDeserializer::new(object))?)
            }
            _ => Err(self.mismatch("an object")),
        }
    }
}

impl CoercionSeed<'_> {
    pub(super) fn fields<'de, F: Fields<'de>>(
        self,
        definition: &InputObjectType,
        object: &mut F,
    ) -> Result<Value, F::Error> {
        let one_of = definition.directives.has("oneOf");
        let mut values = IndexMap::new();
        while let Some(key) = object.key()? {
            let path_here = ValuePath { parent: Some(self.path_here), step: ValueStep::Field(&key) };
            let seed = CoercionSeed { path_here: &path_here, ..self };
            let Some(field) = definition.fields.get(key.as_str()) else {
                return Err(seed.fail(format!("{} has no such field", definition.name)));
            };
            if values.contains_key(key.as_str()) {
                return Err(seed.fail("the field is given twice"));
            }
            let value = object.value(CoercionSeed { ty: &field.ty, ..seed })?;
            if one_of && value == Value::Null {
                return Err(seed.fail("expected a value, got null"));
            }
            values.insert(Name::new(key), value);
        }
        if one_of && values.len() != 1 {
            let message = format!("expected exactly one of the fields of {}, got {}", definition.name, values.len());
            return Err(self.fail(message));
        }
        for (name, field) in &definition.fields {
            if field.is_required() && !values.contains_key(name.as_str()) {
                let path_here = ValuePath { parent: Some(self.path_here), step: ValueStep::Field(name) };
                let missing = CoercionSeed { ty: &field.ty, path_here: &path_here, ..self };
                return Err(missing.mismatch("none"));
            }
        }
        Ok(Value::Object(values))
    }
}
