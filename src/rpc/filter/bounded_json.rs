//! Reads the JSON of filters within the limit of their lists, so that a list is rejected at its limit and not after a tree of
//! values was built, which needs up to twenty times the memory of the text.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Unexpected, Visitor},
};
use serde_json::{Map, Number, Value};

/// Reads a value whose lists have at most `max` items, each a string or an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoundedJson {
    max: usize,
    position: Position,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// The list of all filters.
    Top,
    Item,
    Field,
}

impl BoundedJson {
    pub(super) fn list(max: usize) -> Self {
        Self { max, position: Position::Top }
    }

    fn at(self, position: Position) -> Self {
        Self { position, ..self }
    }

    /// Accepts a value that is a field of an object.
    fn scalar<E: de::Error>(self, value: Value, found: Unexpected<'_>) -> Result<Value, E> {
        if self.position == Position::Field { Ok(value) } else { Err(E::invalid_type(found, &self)) }
    }
}

impl<'de> DeserializeSeed<'de> for BoundedJson {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BoundedJson {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.position {
            Position::Top => "a sequence",
            Position::Item => "a string or a filter",
            Position::Field => "a value",
        })
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(Value::Bool(value), Unexpected::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        self.scalar(number.into(), Unexpected::Signed(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        self.scalar(number.into(), Unexpected::Unsigned(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        self.scalar(Number::from_f64(number).into(), Unexpected::Float(number))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null, Unexpected::Unit)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        if self.position == Position::Top {
            return Err(E::invalid_type(Unexpected::Str(text), &self));
        }
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        if self.position == Position::Item {
            return Err(de::Error::invalid_type(Unexpected::Seq, &self));
        }
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self.at(Position::Item))? {
            if items.len() == self.max {
                let most = self.max;
                let message = format_args!("the list has more than {most} values (MEMBERBASE_MAX_FILTER_VALUES)");
                return Err(de::Error::custom(message));
            }
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        if self.position == Position::Top {
            return Err(de::Error::invalid_type(Unexpected::Map, &self));
        }
        let mut fields = Map::new();
        while let Some(key) = object.next_key()? {
            fields.insert(key, object.next_value_seed(self.at(Position::Field))?);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Value, String> {
        let mut reader = serde_json::Deserializer::from_str(json);
        BoundedJson::list(2).deserialize(&mut reader).map_err(|error| error.to_string())
    }

    #[test]
    fn filters_are_read_as_they_are() {
        let json =
            r#"[{"key":"ref","in":["a","b"]},{"or":[{"exists":true,"n":null,"f":1.5,"regex":{"pattern":"a"}}]}]"#;
        assert_eq!(read(json), Ok(serde_json::from_str(json).expect("JSON")));
    }

    /// The text ends after the item that is rejected, so reading on would fail in another way.
    #[test]
    fn a_list_is_rejected_at_its_limit() {
        for json in [r#"[{},{},{}"#, r#"[{"key":"ref","in":["a","b","c""#, r#"[{"or":[{},{},{}"#] {
            let error = read(json).expect_err("too long");
            assert!(error.starts_with("the list has more than 2 values"), "{error}");
        }
    }

    #[test]
    fn a_list_is_rejected_at_the_first_item_of_another_type() {
        for json in ["[[]", "[1", "[null", r#"[{"in":[[]"#, r#"[{"in":["a",1"#] {
            let error = read(json).expect_err("another type");
            assert!(error.contains("expected a string or a filter"), "{error}");
        }
    }
}
