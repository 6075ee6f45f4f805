//! Reads bulk rows from variables.

use std::{fmt, marker::PhantomData};

use apollo_compiler::ast::Type;
use async_graphql::{QueryPathNode, QueryPathSegment, Value};
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    object_reader::ObjectReader,
    value::{CoercionSeed, NamedType},
};
use crate::graphql::execute::bulk_rows::{AnyRows, RowDecoder};

impl<'a> CoercionSeed<'a> {
    /// Returns the item type and the decoder if this is a list of bulk rows.
    pub(super) fn bulk_rows(&self) -> Option<(&'a Type, &'a dyn RowDecoder)> {
        let item = self.item_type()?;
        let Type::NonNullNamed(name) = item else { return None };
        let decoder = self.context.decoders.get(name).filter(|_| !self.in_row)?;
        Some((item, decoder))
    }

    /// Reads the next value. Bulk rows, and those in an object, are not scanned for their end first.
    pub(super) fn read(self, from: &mut ObjectReader<'_>) -> Result<Value, serde_json::Error> {
        if let Some((item, decoder)) = self.bulk_rows() {
            if let Some((rows, length)) = decoder.deserialize(from.rest(), self.context.max_items.unwrap_or(usize::MAX))
            {
                from.advance(length);
                return self.defer(rows);
            }
            let text = from.read_value(PhantomData::<&RawValue>)?;
            return self.coerce_rows(text.get(), item, decoder);
        }
        if let NamedType::InputObject(definition) = self.named_type()
            && !self.ty.is_list()
            && definition.fields.values().any(|field| CoercionSeed { ty: &field.ty, ..self }.bulk_rows().is_some())
            && let Some(mut object) = from.open_value()
        {
            let value = self.fields(definition, &mut object)?;
            *from = object;
            return Ok(value);
        }
        from.read_value(self)
    }

    /// Coerces rows one by one, which also finds the first error.
    fn coerce_rows<E: de::Error>(self, text: &str, item: &'a Type, decoder: &dyn RowDecoder) -> Result<Value, E> {
        if text == "null" {
            return self.visit_unit();
        }
        let mut rows = decoder.builder();
        let seed = CoercionSeed { ty: item, in_row: true, ..self };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        if text.starts_with('[') {
            let each = EachRow { seed, push: &mut |value| rows.push(value) };
            deserializer.deserialize_seq(each).map_err(E::custom)?;
        } else {
            let value = seed.deserialize(&mut deserializer).map_err(E::custom)?;
            rows.push(value).map_err(|message| seed.fail(message))?;
        }
        self.defer(rows.finish())
    }

    fn defer<E: de::Error>(&self, rows: AnyRows) -> Result<Value, E> {
        let marker = self.context.deferred.borrow_mut().add(rows, self.context.uses);
        marker.ok_or_else(|| self.fail("the same list of rows is used too often in one operation"))
    }
}

/// Visits a list of rows, and passes each coerced row to `push`.
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
            let path = QueryPathNode { parent: Some(self.seed.path), segment: QueryPathSegment::Index(index) };
            let seed = CoercionSeed { path: &path, ..self.seed };
            let Some(value) = list.next_element_seed(seed)? else { break };
            self.seed.check_items(index + 1)?;
            (self.push)(value).map_err(|message| seed.fail::<A::Error>(message))?;
        }
        Ok(())
    }
}
