//! The fields of a JSON object, in order and with unparsed values.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

pub(super) struct Fields<'a, Key>(pub(super) Vec<(Key, &'a RawValue)>);

impl<'de, Key: Deserialize<'de>> Deserialize<'de> for Fields<'de, Key> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor(PhantomData))
    }
}

struct FieldsVisitor<Key>(PhantomData<Key>);

impl<'de, Key: Deserialize<'de>> Visitor<'de> for FieldsVisitor<Key> {
    type Value = Fields<'de, Key>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = object.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}
