//! Custom scalars of the schema.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::{
    budget,
    types::{self, MalformedTime, Time},
};

/// Checks a value against its scalar type before any resolver runs. Resolvers parse it with the same functions, and so accept
/// every value that was accepted here.
pub(crate) fn check(scalar: &str, value: &Value) -> Result<(), String> {
    match scalar {
        "DateTime" => DateTime::read(value).map(drop).map_err(|error| error.to_string()),
        "Count" => Count::read(value).map(drop).map_err(str::to_owned),
        "MinorUnits" => MinorUnits::read(value).map(drop).map_err(str::to_owned),
        "Attributes" => Attributes::check(value).map_err(str::to_owned),
        "AttributeValue" => AttributeValue::check(value).map_err(str::to_owned),
        "Int" => {
            let parsed = <i32 as ScalarType>::parse(value.clone());
            parsed.map(drop).map_err(|_| "expected a 32-bit integer".to_owned())
        }
        _ => Ok(()),
    }
}

/// Checks only the JSON type of a value in a bulk row, because a value that is out of range fails its row alone.
pub(crate) fn check_in_row(scalar: &str, value: &Value) -> Result<(), String> {
    match (scalar, value) {
        ("DateTime", Value::String(_)) | ("Int" | "Count" | "MinorUnits", Value::Number(_)) => Ok(()),
        _ => check(scalar, value),
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct DateTime(pub(crate) Time);

/// An RFC 3339 date-time. Output: in UTC, ending in Z, with 3 or more fraction digits. Input: any offset, 0 to 9 fraction digits, stored with microseconds.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl DateTime {
    fn read(value: &Value) -> Result<Self, MalformedTime> {
        let Value::String(text) = value else { return Err(MalformedTime) };
        Time::parse(text).map(Self)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Count(pub(crate) u64);

/// A count: a whole number from 0 to 2^53-1, as a JSON number.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-6")]
impl ScalarType for Count {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

impl Count {
    fn read(value: &Value) -> Result<Self, &'static str> {
        let count = whole(value).and_then(|count| u64::try_from(count).ok());
        count.map(Self).ok_or("expected a whole number from 0 to 9007199254740991")
    }
}

/// Returns the value as an integer from -(2^53-1) to 2^53-1.
fn whole(value: &Value) -> Option<i64> {
    let Value::Number(number) = value else { return None };
    types::parse_safe_integer(&number.to_string())
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct MinorUnits(pub(crate) i64);

/// An amount of money in minor units (such as cents): a whole number from -(2^53-1) to 2^53-1, as a JSON number.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-6")]
impl ScalarType for MinorUnits {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

impl MinorUnits {
    fn read(value: &Value) -> Result<Self, &'static str> {
        whole(value).map(Self).ok_or("expected a whole number from -9007199254740991 to 9007199254740991")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Attributes(pub(crate) Box<str>);

/// Attribute values by key, as a JSON object. Each value is a string, number, boolean, RFC 3339 date or list of strings, as the attribute schema declares.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-4")]
impl ScalarType for Attributes {
    /// Parses a literal; a value from variables arrives as its JSON text.
    fn parse(value: Value) -> InputValueResult<Self> {
        if let Value::Binary(json) = &value {
            return Ok(Self(String::from_utf8_lossy(json).into()));
        }
        Self::check(&value).map_err(InputValueError::custom)?;
        let json = serde_json::to_string(&value).map_err(InputValueError::custom)?;
        Ok(Self(json.into_boxed_str()))
    }

    fn to_value(&self) -> Value {
        Value::Binary(self.0.as_bytes().to_vec().into())
    }
}

impl Attributes {
    fn check(value: &Value) -> Result<(), &'static str> {
        match value {
            // The coercion of variables has checked it.
            Value::Binary(_) => Ok(()),
            Value::Object(fields) if fields.values().all(is_json) => Ok(()),
            Value::Object(_) => Err("expected only JSON values in the object, got an enum value"),
            _ => Err("expected an object"),
        }
    }
}

/// Returns true if the literal is also a JSON value.
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

#[derive(Clone, Debug)]
pub(crate) struct AttributeValue(pub(crate) serde_json::Value);

/// The value of an attribute: a string, number, boolean or list of strings. A date is an RFC 3339 string. A variable inside a list literal must be of type AttributeValue.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-3")]
impl ScalarType for AttributeValue {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::check(&value).map_err(InputValueError::custom)?;
        budget::tick().map_err(InputValueError::custom)?;
        value.into_json().map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

impl AttributeValue {
    pub(super) const EXPECTED: &str = "expected a string, a number, a boolean or a list of strings";

    fn check(value: &Value) -> Result<(), &'static str> {
        let fits = match value {
            Value::String(_) | Value::Number(_) | Value::Boolean(_) => true,
            Value::List(items) => items.iter().all(|item| matches!(item, Value::String(_))),
            _ => false,
        };
        if fits { Ok(()) } else { Err(Self::EXPECTED) }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    /// Returns a value that the scalar rejects.
    fn misfit(scalar: &str) -> Value {
        match scalar {
            "Boolean" | "Float" | "ID" | "String" => Value::Null,
            "Int" => Value::from(1_u64 << 31),
            "Count" | "MinorUnits" => Value::from(1_u64 << 53),
            "Attributes" | "DateTime" => Value::from("nope"),
            "AttributeValue" => Value::List(vec![Value::from(1)]),
            unknown => panic!("{unknown} is a new scalar: check its values, and add one here"),
        }
    }

    #[test]
    fn every_scalar_of_the_schema_is_checked() {
        let api = crate::graphql::api(&types::Limits::default());
        let scalars: Vec<_> = api.types().scalars().collect();
        for name in scalars {
            let misfit = misfit(name);
            // The other scalars are checked by the coercion of variables and by async-graphql's validation.
            assert_eq!(check(name, &misfit).is_err(), misfit != Value::Null, "{name}");
        }
    }

    #[test]
    fn in_rows_only_the_json_type_is_checked() {
        assert!(check_in_row("DateTime", &Value::from("nope")).is_ok());
        assert!(check_in_row("MinorUnits", &Value::from(0.5)).is_ok());
        assert!(check_in_row("Int", &Value::from(1_u64 << 31)).is_ok());
        for scalar in ["DateTime", "MinorUnits", "Int", "Attributes"] {
            assert!(check_in_row(scalar, &Value::Boolean(true)).is_err(), "{scalar}");
        }
    }
}
