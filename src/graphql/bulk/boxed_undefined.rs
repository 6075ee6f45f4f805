//! Optional fields that most rows of a large call omit.

use std::borrow::Cow;

use async_graphql::{InputType, InputValueResult, MaybeUndefined, Value, registry::Registry};
use serde::{Deserialize, Deserializer};

use crate::domain::bulk::Undefinable;

/// A [`MaybeUndefined`] of the size of a pointer, which keeps rows without the field small.
#[derive(Clone, Debug)]
pub(crate) struct BoxedUndefined<T>(Option<Box<Option<T>>>);

impl<T> BoxedUndefined<T> {
    /// Converts the value, keeping the difference between an omitted field and null.
    pub(crate) fn map<R>(self, convert: impl FnOnce(T) -> R) -> Undefinable<R> {
        self.0.map(|value| value.map(convert))
    }
}

impl<T> Default for BoxedUndefined<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: InputType> InputType for BoxedUndefined<T> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <MaybeUndefined<T> as InputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <MaybeUndefined<T> as InputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <MaybeUndefined<T> as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let value = MaybeUndefined::<T>::parse(value).map_err(async_graphql::InputValueError::propagate)?;
        Ok(Self(Option::<Option<T>>::from(value).map(Box::new)))
    }

    fn to_value(&self) -> Value {
        self.0.as_deref().and_then(Option::as_ref).map(InputType::to_value).unwrap_or_default()
    }

    fn federation_fields() -> Option<String> {
        T::federation_fields()
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for BoxedUndefined<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Some(Box::new(Option::deserialize(deserializer)?))))
    }
}
