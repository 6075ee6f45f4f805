//! Ids in requests and responses.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::types::{ApiTokenId, Id, MemberId, MemberbaseId};

pub(crate) type MemberBaseIdText = IdText<MemberbaseId>;

pub(crate) type MemberIdText = IdText<MemberId>;

pub(crate) type ApiTokenIdText = IdText<ApiTokenId>;

/// An id that is serialized and deserialized in its text form.
#[derive(Clone, Copy)]
pub(crate) struct IdText<T>(pub(crate) T);

impl<'de, T: Id> Deserialize<'de> for IdText<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::parse(&Cow::<str>::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

impl<T: Id> Serialize for IdText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<T: Id> fmt::Debug for IdText<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl<T: Id> PartialSchema for IdText<T> {
    fn schema() -> RefOr<Schema> {
        schema(T::PREFIX).into()
    }
}

impl<T: Id> ToSchema for IdText<T> {
    /// Returns the name of the id's type.
    fn name() -> Cow<'static, str> {
        let name = std::any::type_name::<T>();
        Cow::Borrowed(name.rsplit("::").next().unwrap_or(name))
    }
}

/// Returns the OpenAPI schema of an id with this prefix.
pub(super) fn schema(prefix: &str) -> ObjectBuilder {
    let pattern = format!("^{prefix}[0-7][0-9a-hjkmnp-tv-z]{{25}}$");
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}
