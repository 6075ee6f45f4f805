//! Scalars of the schema's own.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::execute::raw_json;
use crate::types::{self, Time};

/// RFC 3339 date-time. Out: UTC with milliseconds or finer, ending in Z. In: any offset, 0 to 9 fraction digits, kept to the microsecond.
#[derive(Clone, Copy, Debug)]
pub struct DateTime(pub Time);

/// RFC 3339 date-time. Out: UTC with milliseconds or finer, ending in Z. In: any offset, 0 to 9 fraction digits, kept to the microsecond.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Time::parse(text).map(Self).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A whole number of rows, 0 to 2^53-1, as a JSON number.
#[derive(Clone, Copy, Debug)]
pub struct Count(pub u64);

/// A whole number of rows, 0 to 2^53-1, as a JSON number.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-6")]
impl ScalarType for Count {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => types::whole(&number.to_string())
                .and_then(|count| u64::try_from(count).ok())
                .map(Self)
                .ok_or_else(|| InputValueError::custom("expected a whole number from 0 to 9007199254740991")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// An amount of money in minor units (cents): a whole number within plus or minus 2^53-1, as a JSON number.
#[derive(Clone, Copy, Debug)]
pub struct MinorUnits(pub i64);

/// An amount of money in minor units (cents): a whole number within plus or minus 2^53-1, as a JSON number.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-6")]
impl ScalarType for MinorUnits {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => types::whole(&number.to_string()).map(Self).ok_or_else(|| {
                InputValueError::custom("expected a whole number within plus or minus 9007199254740991")
            }),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// A JSON object from attribute key to value: string, number, boolean, RFC 3339 date or list of strings, as the attribute schema declares.
#[derive(Clone, Debug)]
pub struct Attributes(pub Box<str>);

/// A JSON object from attribute key to value: string, number, boolean, RFC 3339 date or list of strings, as the attribute schema declares.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-4")]
impl ScalarType for Attributes {
    /// From a literal, or from the variables the text itself.
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Binary(json) => Ok(Self(String::from_utf8_lossy(json).into())),
            Value::Object(fields) if fields.values().all(is_json) => {
                let json = serde_json::to_string(&value).map_err(InputValueError::custom)?;
                Ok(Self(json.into_boxed_str()))
            }
            Value::Object(_) => {
                Err(InputValueError::custom("expected JSON alone in the object, got the name of an enum"))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        raw_json(self.0.as_bytes().to_vec())
    }
}

/// Whether a literal is as JSON has it.
fn is_json(value: &Value) -> bool {
    match value {
        Value::Enum(_) | Value::Binary(_) => false,
        Value::List(items) => items.iter().all(is_json),
        Value::Object(fields) => fields.values().all(is_json),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Boolean(_) => true,
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json: Box<str> = Box::<RawValue>::deserialize(deserializer)?.into();
        if json.starts_with('{') { Ok(Self(json)) } else { Err(de::Error::custom("expected an object")) }
    }
}

/// One attribute value: string, number, boolean, or list of strings (a date is its RFC 3339 string).
#[derive(Clone, Debug)]
pub struct AttributeValue(pub serde_json::Value);

/// One attribute value: string, number, boolean, or list of strings (a date is its RFC 3339 string).
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-3")]
impl ScalarType for AttributeValue {
    fn parse(value: Value) -> InputValueResult<Self> {
        // What a list may hold is for the type of the attribute to say.
        if matches!(value, Value::Null | Value::Object(_)) || !is_json(&value) {
            return Err(InputValueError::custom("expected a string, a number, a boolean or a list of strings"));
        }
        value.into_json().map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}
