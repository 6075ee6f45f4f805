//! Reads a JSON object from its text, one field after the other.
//!
//! A value is deserialized from the rest of the text, so that long values are not scanned for their end first.

use std::marker::PhantomData;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};
use serde_json::Error;

use super::{CoercionSeed, Value};

/// A position in the valid JSON text of an object, in front of a key or of a value.
#[derive(Clone, Copy)]
pub(super) struct ObjectReader<'a>(&'a str);

impl<'a> ObjectReader<'a> {
    /// Reads a single value.
    pub(super) fn at_value(text: &'a str) -> Self {
        Self(text)
    }

    /// Starts at the first field; `None` if the text is no object.
    pub(super) fn open(text: &'a str) -> Option<Self> {
        text.strip_prefix('{').map(Self)
    }

    /// Starts at the first field of the next value; `None` if that is no object. After its last field, the returned
    /// reader is after the value.
    pub(super) fn open_value(&self) -> Option<Self> {
        Self::open(self.0)
    }

    /// Returns the text from the next value to the end.
    pub(super) fn rest(&self) -> &'a str {
        self.0
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.0 = &self.0[bytes..];
    }

    /// Reads the name of the next field; `None` at the end of the object.
    pub(super) fn next_key(&mut self) -> Result<Option<String>, Error> {
        self.skip_whitespace();
        if let Some(rest) = self.0.strip_prefix('}') {
            self.0 = rest;
            return Ok(None);
        }
        self.skip_punctuator(',');
        let key = self.read_value(PhantomData::<String>)?;
        self.skip_punctuator(':');
        Ok(Some(key))
    }

    pub(super) fn read_value<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let mut deserializer = serde_json::Deserializer::from_str(self.0);
        let value = seed.deserialize(&mut deserializer)?;
        self.advance(deserializer.into_iter::<IgnoredAny>().byte_offset());
        Ok(value)
    }

    pub(super) fn skip_value(&mut self) -> Result<(), Error> {
        self.read_value(PhantomData::<IgnoredAny>).map(drop)
    }

    fn skip_whitespace(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn skip_punctuator(&mut self, punctuator: char) {
        self.skip_whitespace();
        self.0 = self.0.strip_prefix(punctuator).unwrap_or(self.0);
        self.skip_whitespace();
    }
}

/// The fields of an object, from any deserializer or from [`ObjectReader`].
pub(super) trait Fields<'de> {
    type Error: serde::de::Error;

    fn next_key(&mut self) -> Result<Option<String>, Self::Error>;

    fn next_value(&mut self, seed: CoercionSeed<'_>) -> Result<Value, Self::Error>;
}

impl<'de, A: MapAccess<'de>> Fields<'de> for A {
    type Error = A::Error;

    fn next_key(&mut self) -> Result<Option<String>, A::Error> {
        MapAccess::next_key(self)
    }

    fn next_value(&mut self, seed: CoercionSeed<'_>) -> Result<Value, A::Error> {
        self.next_value_seed(seed)
    }
}

impl<'de> Fields<'de> for ObjectReader<'de> {
    type Error = Error;

    fn next_key(&mut self) -> Result<Option<String>, Error> {
        ObjectReader::next_key(self)
    }

    fn next_value(&mut self, seed: CoercionSeed<'_>) -> Result<Value, Error> {
        seed.read(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_order() {
        let text = "{ \"a\" : [1, {\"}\": 2}] , \"b\\n\":-1.5e3,\"c\":{\"d\":null} } rest";
        let mut object = ObjectReader::open(text).expect("an object");
        assert_eq!(object.next_key().expect("JSON").as_deref(), Some("a"));
        object.skip_value().expect("JSON");
        assert_eq!(object.next_key().expect("JSON").as_deref(), Some("b\n"));
        object.read_value(PhantomData::<bool>).expect_err("no boolean");
        assert!((object.read_value(PhantomData::<f64>).expect("a number") + 1500.0).abs() < f64::EPSILON);
        assert_eq!(object.next_key().expect("JSON").as_deref(), Some("c"));
        let mut inner = object.open_value().expect("an object");
        assert_eq!(inner.next_key().expect("JSON").as_deref(), Some("d"));
        inner.skip_value().expect("JSON");
        assert_eq!(inner.next_key().expect("JSON"), None);
        object = inner;
        assert_eq!(object.next_key().expect("JSON"), None);
        assert_eq!(object.rest(), " rest");
    }

    #[test]
    fn only_objects_are_opened() {
        assert!(ObjectReader::open("[]").is_none() && ObjectReader::open("null").is_none());
        assert_eq!(ObjectReader::open("{}").expect("an object").next_key().expect("JSON"), None);
    }
}
