//! Coerces a value by its type (<https://spec.graphql.org/draft/#sec-Values.Input-Coercion>).

use std::{cell::RefCell, fmt, iter};

use apollo_compiler::{
    ast::Type,
    schema::{EnumType, ExtendedType, InputObjectType},
};
use async_graphql::{Name, Number, QueryPathNode, QueryPathSegment, Value, indexmap::IndexMap};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    accepted_json::AcceptedJson,
    object_reader::{Fields, ObjectReader},
};
use crate::{
    budget,
    domain::{InputPath, Step},
    graphql::{
        Code, Error,
        execute::{
            bulk_rows::{DeferredRows, RowDecoders},
            schema::Types,
        },
        scalar,
    },
};

/// The context of all values of one variable.
#[derive(Clone, Copy)]
pub(super) struct CoercionContext<'a> {
    pub(super) types: &'a Types,
    pub(super) decoders: &'a RowDecoders,
    pub(super) deferred: &'a RefCell<DeferredRows>,
    /// Number of uses of the variable; `None` if it is unknown.
    pub(super) uses: Option<usize>,
    /// Maximum number of items of a list; `None` for a mutation, which accepts any number.
    pub(super) max_items: Option<usize>,
    /// The first error with its path, which serde's errors do not have.
    pub(super) failure: &'a RefCell<Option<Error>>,
}

/// Coerces a value of one type.
#[derive(Clone, Copy)]
pub(super) struct CoercionSeed<'a> {
    pub(super) context: CoercionContext<'a>,
    pub(super) ty: &'a Type,
    pub(super) path: &'a QueryPathNode<'a>,
    /// True if the value is part of a bulk row. There, only the JSON type of a scalar is checked, because a value that
    /// is out of range fails its row alone.
    pub(super) in_row: bool,
}

impl<'de> DeserializeSeed<'de> for CoercionSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.bulk_rows().is_some() {
            let text = <&RawValue>::deserialize(deserializer)?.get();
            return self.read(&mut ObjectReader::at_value(text)).map_err(de::Error::custom);
        }
        if let Some(is_raw) = self.raw_start() {
            let text = <&RawValue>::deserialize(deserializer)?.get();
            if text.starts_with(is_raw) {
                return Ok(Value::Binary(text.as_bytes().to_vec().into()));
            }
            return serde_json::Deserializer::from_str(text).deserialize_any(self).map_err(de::Error::custom);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> CoercionSeed<'a> {
    pub(super) fn item_type(&self) -> Option<&'a Type> {
        self.ty.is_list().then(|| self.ty.item_type())
    }

    /// Returns the seed for a single value where a list is expected.
    fn item(self) -> Option<Self> {
        self.item_type().map(|ty| Self { ty, ..self })
    }

    /// Returns a test of the first character of a value that is kept as JSON text: in a row a number as it was sent, and
    /// everywhere an object, whose tree of values would take many times the memory.
    fn raw_start(&self) -> Option<fn(char) -> bool> {
        if self.ty.is_list() {
            return None;
        }
        match self.named_type() {
            NamedType::Scalar(AcceptedJson::Int | AcceptedJson::Number) if self.in_row => {
                Some(|first| first == '-' || first.is_ascii_digit())
            }
            NamedType::Scalar(AcceptedJson::Object) => Some(|first| first == '{'),
            _ => None,
        }
    }

    /// Stores the error in the context, and returns one for serde.
    pub(super) fn fail<E: de::Error>(&self, message: impl Into<String>) -> E {
        self.fail_with(Code::BadUserInput, message)
    }

    fn fail_with<E: de::Error>(&self, code: Code, message: impl Into<String>) -> E {
        let error = || Error::new(code, message).within(&input_path(self.path));
        self.context.failure.borrow_mut().get_or_insert_with(error);
        E::custom("invalid value")
    }

    /// Checks the length of a list that has another item, and the budget of the request.
    pub(super) fn check_items<E: de::Error>(&self, items: usize) -> Result<(), E> {
        budget::tick().map_err(E::custom)?;
        match self.context.max_items {
            Some(max) if items > max => {
                let message = format!("the list has more than {max} items (MEMBERBASE_MAX_FILTER_VALUES)");
                Err(self.fail_with(Code::LimitExceeded, message))
            }
            _ => Ok(()),
        }
    }

    fn mismatch<E: de::Error>(&self, got: &str) -> E {
        self.fail(format!("expected {}, got {got}", self.expected()))
    }

    fn expected(&self) -> String {
        if self.ty.is_list() {
            return "a list".to_owned();
        }
        match self.named_type() {
            NamedType::Enum(definition) => {
                let names: Vec<_> = definition.values.keys().map(|name| name.as_str()).collect();
                format!("one of {}", names.join(", "))
            }
            NamedType::InputObject(_) => "an object".to_owned(),
            NamedType::Scalar(json) => json.description().to_owned(),
        }
    }

    fn name(&self) -> &'a str {
        self.ty.inner_named_type()
    }

    pub(super) fn named_type(&self) -> NamedType<'a> {
        let name = self.name();
        match self.context.types.get(name) {
            Some(ExtendedType::Enum(definition)) => NamedType::Enum(definition),
            Some(ExtendedType::InputObject(object)) => NamedType::InputObject(object),
            _ => NamedType::Scalar(AcceptedJson::of(name)),
        }
    }
}

/// An input type without its list and non-null wrappers.
pub(super) enum NamedType<'a> {
    Enum(&'a EnumType),
    InputObject(&'a InputObjectType),
    Scalar(AcceptedJson),
}

impl CoercionSeed<'_> {
    /// Returns a value of the right JSON type, which is also checked against its scalar outside of rows.
    fn scalar<E: de::Error>(&self, value: Value) -> Result<Value, E> {
        if self.in_row {
            return Ok(value);
        }
        scalar::check(self.name(), &value).map(|()| value).map_err(|message| self.fail(message))
    }

    /// Coerces a number. `whole` is its value if it is a whole number.
    fn number<E: de::Error>(self, number: Number, whole: Option<i128>) -> Result<Value, E> {
        if let Some(item) = self.item() {
            return item.number(number, whole).map(one);
        }
        let NamedType::Scalar(json) = self.named_type() else { return Err(self.mismatch("a number")) };
        match (json, whole) {
            (AcceptedJson::Number | AcceptedJson::NoObject, _) => self.scalar(Value::Number(number)),
            (AcceptedJson::Id, Some(whole)) if !number.is_f64() => Ok(Value::String(whole.to_string())),
            (AcceptedJson::Int, Some(whole)) => match i32::try_from(whole) {
                Ok(whole) => Ok(Value::from(whole)),
                Err(_) => Err(self.mismatch("a greater one")),
            },
            (AcceptedJson::Int | AcceptedJson::Id, None) => Err(self.mismatch("a fraction")),
            _ => Err(self.mismatch("a number")),
        }
    }
}

/// Wraps a single value where a list is expected (<https://spec.graphql.org/draft/#sec-List.Input-Coercion>).
fn one(value: Value) -> Value {
    Value::List(vec![value])
}

pub(super) fn input_path(path: &QueryPathNode<'_>) -> InputPath {
    let mut steps: InputPath = iter::once(path)
        .chain(path.parents())
        .map(|node| match node.segment {
            QueryPathSegment::Name(name) => Step::Field(name.to_owned()),
            QueryPathSegment::Index(index) => Step::Index(index),
        })
        .collect();
    steps.reverse();
    steps
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
        match self.named_type() {
            NamedType::Scalar(AcceptedJson::Boolean | AcceptedJson::NoObject) => self.scalar(Value::Boolean(value)),
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
        // JSON has one kind of number: 1.0 is the whole number 1. A conversion to an integer saturates.
        #[expect(clippy::cast_possible_truncation, reason = "it has no fraction")]
        let whole = (value.fract() == 0.0).then_some(value as i128);
        match Number::from_f64(value) {
            Some(number) => self.number(number, whole),
            None => Err(self.mismatch("a number out of range")),
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        if let Some(item) = self.item() {
            return item.visit_str(value).map(one);
        }
        match self.named_type() {
            NamedType::Enum(definition) if definition.values.contains_key(value) => Ok(Value::Enum(Name::new(value))),
            NamedType::Enum(_) => Err(self.mismatch("another string")),
            NamedType::Scalar(AcceptedJson::String | AcceptedJson::Id | AcceptedJson::NoObject) => {
                self.scalar(Value::String(value.to_owned()))
            }
            _ => Err(self.mismatch("a string")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        let Some(ty) = self.item_type() else {
            if !matches!(self.named_type(), NamedType::Scalar(AcceptedJson::NoObject)) {
                return Err(self.mismatch("a list"));
            }
            while let Some(text) = list.next_element_seed(ScalarItem(self))? {
                self.check_items(values.len() + 1)?;
                values.push(text);
            }
            return self.scalar(Value::List(values));
        };
        loop {
            let path = QueryPathNode { parent: Some(self.path), segment: QueryPathSegment::Index(values.len()) };
            match list.next_element_seed(CoercionSeed { ty, path: &path, ..self })? {
                Some(value) => {
                    self.check_items(values.len() + 1)?;
                    values.push(value);
                }
                None => return Ok(Value::List(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        if let Some(item) = self.item() {
            return item.visit_map(object).map(one);
        }
        match self.named_type() {
            NamedType::InputObject(definition) => self.fields(definition, &mut object),
            _ => Err(self.mismatch("an object")),
        }
    }
}

/// Coerces an item of a list in a scalar, which is a string.
struct ScalarItem<'a>(CoercionSeed<'a>);

impl<'de> DeserializeSeed<'de> for ScalarItem<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        match serde_json::from_str(text) {
            Ok(text) => Ok(Value::String(text)),
            Err(_) => Err(self.0.fail(scalar::AttributeValue::EXPECTED)),
        }
    }
}

impl CoercionSeed<'_> {
    /// Coerces an input object (<https://spec.graphql.org/draft/#sec-Input-Objects.Input-Coercion>).
    pub(super) fn fields<'de, F: Fields<'de>>(
        self,
        definition: &InputObjectType,
        object: &mut F,
    ) -> Result<Value, F::Error> {
        // OneOf Input Objects: https://spec.graphql.org/draft/#sec-OneOf-Input-Objects
        let one_of = definition.directives.has("oneOf");
        let mut values = IndexMap::new();
        while let Some(key) = object.next_key()? {
            let path = QueryPathNode { parent: Some(self.path), segment: QueryPathSegment::Name(&key) };
            let seed = CoercionSeed { path: &path, ..self };
            let Some(field) = definition.fields.get(key.as_str()) else {
                return Err(seed.fail(format!("{} has no such field", definition.name)));
            };
            if values.contains_key(key.as_str()) {
                return Err(seed.fail("the field is given twice"));
            }
            let value = object.next_value(CoercionSeed { ty: &field.ty, ..seed })?;
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
                let path = QueryPathNode { parent: Some(self.path), segment: QueryPathSegment::Name(name) };
                let missing = CoercionSeed { ty: &field.ty, path: &path, ..self };
                return Err(missing.mismatch("none"));
            }
        }
        Ok(Value::Object(values))
    }
}
