//! Bulk rows in variables: deserialized in path_here, without a tree of values.

use std::{fmt, marker::PhantomData};

use apollo_compiler::ast::Type;
use async_graphql::Value;
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    object::Object,
    value::{CoercionSeed, Named, ValuePath, ValueStep},
};
use crate::graphql::execute::bulk_rows::{AnyRows, RowDecoder};

impl<'a> CoercionSeed<'a> {
    /// The type of the items and its reader, where this is a list of bulk rows.
    pub(super) fn rows(&self) -> Option<(&'a Type, &'a dyn RowDecoder)> {
        let item = self.item_type()?;
        let Type::NonNullNamed(name) = item else { return None };
        let reader = self.context.decoders.get(name).filter(|_| self.bulk)?;
        Some((item, reader))
    }

    /// Reads the value that is next in `from`: bulk rows, also those in an object, without a look at where they end.
    pub(super) fn read(self, from: &mut Object<'_>) -> Result<Value, serde_json::Error> {
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
        if let Named::Object(definition) = self.named()
            && !self.ty.is_list()
            && definition.fields.values().any(|field| CoercionSeed { ty: &field.ty, ..self }.rows().is_some())
            && let Some(mut object) = from.inner()
        {
            let value = self.fields(definition, &mut object)?;
            *from = object;
            return Ok(value);
        }
        from.read(self)
    }

    /// Reads rows one by one.
    fn read_rows<E: de::Error>(self, text: &str, item: &'a Type, reader: &dyn RowDecoder) -> Result<Value, E> {
        if text == "null" {
            return self.visit_unit();
        }
        let mut rows = reader.slow();
        let seed = CoercionSeed { ty: item, bulk: false, ..self };
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
        let kept = self.context.deferred.borrow_mut().keep(rows, self.context.uses);
        kept.ok_or_else(|| self.fail("the same list of rows is used too often in one operation"))
    }
}

/// Reads a list of rows one by one.
struct EachRow<'a, P> {
    seed: CoercionSeed<'a>,
    push: P,
}

impl<'de, P: FnMut(Value) -> Result<(), String>> Visitor<'de> for EachRow<'_, P> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        for index in 0.. {
            let path_here = ValuePath { parent: Some(self.seed.path_here), step: ValueStep::Index(index) };
            let seed = CoercionSeed { path_here: &path_here, ..self.seed };
            let Some(value) = list.next_element_seed(seed)? else { break };
            (self.push)(value).map_err(|message| seed.fail::<A::Error>(message))?;
        }
        Ok(())
    }
}
