//! Reads a JSON object field by field. Values are deserialized in path_here, without finding their end first.

use std::marker::PhantomData;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};
use serde_json::Error;

use super::{CoercionSeed, Value};

/// A path_here in the text of an object: in front of a field, or of a value.
#[derive(Clone, Copy)]
pub(super) struct Object<'a>(&'a str);

impl<'a> Object<'a> {
    /// In front of a value.
    pub(super) fn at(text: &'a str) -> Self {
        Self(text)
    }

    /// Begins with the first field; none where the text is no object.
    pub(super) fn open(text: &'a str) -> Option<Self> {
        text.strip_prefix('{').map(Self)
    }

    /// The object that is the value at hand; at its end it stands where this one goes on.
    pub(super) fn inner(&self) -> Option<Self> {
        Self::open(self.0)
    }

    /// The text from the value at hand on, with all that comes behind it.
    pub(super) fn rest(&self) -> &'a str {
        self.0
    }

    /// Leaves so many bytes behind.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.0 = &self.0[bytes..];
    }

    /// The name of the next field, whose value is then at hand; none at the end of the object, behind which it then is.
    pub(super) fn key(&mut self) -> Result<Option<String>, Error> {
        self.space();
        if let Some(rest) = self.0.strip_prefix('}') {
            self.0 = rest;
            return Ok(None);
        }
        self.mark(',');
        let key = self.read(PhantomData::<String>)?;
        self.mark(':');
        Ok(Some(key))
    }

    /// Reads the value at hand.
    pub(super) fn read<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let mut deserializer = serde_json::Deserializer::from_str(self.0);
        let value = seed.deserialize(&mut deserializer)?;
        self.pass(deserializer.into_iter::<IgnoredAny>().byte_offset());
        Ok(value)
    }

    /// Leaves the value at hand unread.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        self.read(PhantomData::<IgnoredAny>).map(drop)
    }

    fn space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// Leaves a mark behind, and the space around it: all of the text is known to be JSON.
    fn mark(&mut self, mark: char) {
        self.space();
        self.0 = self.0.strip_prefix(mark).unwrap_or(self.0);
        self.space();
    }
}

/// The fields of an object, one after the other.
pub(super) trait Fields<'de> {
    type Error: serde::de::Error;

    /// The name of the next field.
    fn key(&mut self) -> Result<Option<String>, Self::Error>;

    /// Its value.
    fn value(&mut self, seed: CoercionSeed<'_>) -> Result<Value, Self::Error>;
}

impl<'de, A: MapAccess<'de>> Fields<'de> for A {
    type Error = A::Error;

    fn key(&mut self) -> Result<Option<String>, A::Error> {
        self.next_key()
    }

    fn value(&mut self, seed: CoercionSeed<'_>) -> Result<Value, A::Error> {
        self.next_value_seed(seed)
    }
}

impl<'de> Fields<'de> for Object<'de> {
    type Error = Error;

    fn key(&mut self) -> Result<Option<String>, Error> {
        Object::key(self)
    }

    fn value(&mut self, seed: CoercionSeed<'_>) -> Result<Value, Error> {
        seed.read(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_one_after_the_other() {
        let mut object =
            Object::open("{ \"a\" : [1, {\"}\": 2}] , \"b\\n\":-1.5e3,\"c\":{\"d\":null} } rest").expect("one");
        assert_eq!(object.key().expect("JSON").as_deref(), Some("a"));
        object.skip().expect("JSON");
        assert_eq!(object.key().expect("JSON").as_deref(), Some("b\n"));
        object.read(PhantomData::<bool>).expect_err("no boolean");
        assert!((object.read(PhantomData::<f64>).expect("a number") + 1500.0).abs() < f64::EPSILON);
        assert_eq!(object.key().expect("JSON").as_deref(), Some("c"));
        let mut inner = object.inner().expect("an object");
        assert_eq!(inner.key().expect("JSON").as_deref(), Some("d"));
        inner.skip().expect("JSON");
        assert_eq!(inner.key().expect("JSON"), None);
        object = inner;
        assert_eq!(object.key().expect("JSON"), None);
        assert_eq!(object.rest(), " rest");
    }

    #[test]
    fn what_is_no_object_is_not_opened() {
        assert!(Object::open("[]").is_none() && Object::open("null").is_none());
        assert_eq!(Object::open("{}").expect("one").key().expect("JSON"), None);
    }
}
