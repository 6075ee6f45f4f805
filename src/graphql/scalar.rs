//! Scalars of the schema's own.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use crate::types::Time;

/// RFC 3339 date-time. Out: UTC with milliseconds or finer, ending in Z. In: any offset, 0 to 9 fraction digits, kept to the microsecond.
#[derive(Clone, Copy, Debug)]
pub struct DateTime(pub Time);

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

/// The largest whole number that every JSON reader keeps.
const MAX_COUNT: u64 = (1 << 53) - 1;

#[Scalar]
impl ScalarType for Count {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number
                .as_u64()
                .filter(|count| *count <= MAX_COUNT)
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

#[Scalar]
impl ScalarType for MinorUnits {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => {
                number.as_i64().filter(|amount| amount.unsigned_abs() <= MAX_COUNT).map(Self).ok_or_else(|| {
                    InputValueError::custom("expected a whole number within plus or minus 9007199254740991")
                })
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// One attribute value: string, number, boolean, or list of strings (a date is its RFC 3339 string).
#[derive(Clone, Debug)]
pub struct AttributeValue(pub serde_json::Value);

#[Scalar]
impl ScalarType for AttributeValue {
    fn parse(value: Value) -> InputValueResult<Self> {
        match plain(value) {
            // What a list may hold is for the type of the attribute to say.
            Some(json) if !json.is_null() => Ok(Self(json)),
            _ => Err(InputValueError::custom("expected a string, a number, a boolean or a list of strings")),
        }
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

/// As JSON, where no object and nothing that JSON lacks is in it.
fn plain(value: Value) -> Option<serde_json::Value> {
    match value {
        Value::Null => Some(serde_json::Value::Null),
        Value::Number(number) => Some(number.into()),
        Value::String(text) => Some(text.into()),
        Value::Boolean(boolean) => Some(boolean.into()),
        Value::List(list) => list.into_iter().map(plain).collect::<Option<Vec<_>>>().map(Into::into),
        Value::Binary(_) | Value::Enum(_) | Value::Object(_) => None,
    }
}
