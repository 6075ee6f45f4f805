//! Scalars in bulk rows, kept as they were sent. The domain parses them, so that an invalid one fails its row and not the
//! call.

use std::{borrow::Cow, marker::PhantomData};

use async_graphql::{ID, InputType, InputValueError, InputValueResult, Value, registry::Registry};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::graphql::scalar::{DateTime, MinorUnits};

/// The text of a scalar that has the type `T` in the schema. A number has its JSON text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unparsed<T>(String, PhantomData<fn() -> T>);

/// A scalar that rows keep unparsed.
pub(crate) trait RowScalar: InputType {
    /// True if the scalar is sent as a JSON number, false if it is sent as a string.
    const NUMBER: bool;
}

impl RowScalar for ID {
    const NUMBER: bool = false;
}

impl RowScalar for DateTime {
    const NUMBER: bool = false;
}

impl RowScalar for MinorUnits {
    const NUMBER: bool = true;
}

impl RowScalar for i32 {
    const NUMBER: bool = true;
}

impl<T> Unparsed<T> {
    pub(crate) fn text(self) -> String {
        self.0
    }
}

impl<T: RowScalar + 'static> InputType for Unparsed<T> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let text = match value {
            Some(Value::String(text)) if !T::NUMBER => text,
            // The specification permits an integer as an ID.
            Some(Value::Number(number)) if T::NUMBER || (T::type_name() == "ID" && !number.is_f64()) => {
                number.to_string()
            }
            Some(Value::Binary(json)) if T::NUMBER => String::from_utf8_lossy(&json).into_owned(),
            value => return Err(InputValueError::expected_type(value.unwrap_or_default())),
        };
        Ok(Self(text, PhantomData))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }

    fn federation_fields() -> Option<String> {
        T::federation_fields()
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

impl<'de, T: RowScalar> Deserialize<'de> for Unparsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !T::NUMBER {
            return Ok(Self(String::deserialize(deserializer)?, PhantomData));
        }
        let text = Box::<RawValue>::deserialize(deserializer)?;
        if text.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Ok(Self(text.get().to_owned(), PhantomData));
        }
        Err(de::Error::custom("expected a number"))
    }
}
