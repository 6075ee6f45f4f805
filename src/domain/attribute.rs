//! Attributes: what a company keeps of its members beside their refs, as the schema of its memberbase declares it.

mod condition;
mod document;
mod patch;
mod predicate;
mod value;

use std::collections::HashMap;

pub use document::{Attributes, Document};
pub use patch::Patch;
pub use predicate::{Comparison, Operator, Predicate, UntypedPredicate};
pub use value::{Kind, Value};

use super::{Error, Step};

/// The most bytes of a key.
const MAX_KEY: usize = 128;

/// The most keys of a schema.
const MAX_KEYS: usize = 1000;

/// A key with the type of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// 1 to 128 bytes.
    pub key: String,
    /// The type.
    pub kind: Kind,
}

/// Which attributes the members of a memberbase may have; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    definitions: Vec<Definition>,
    kinds: HashMap<String, Kind>,
}

impl Schema {
    /// A schema of these keys, each given once, in this order.
    pub fn new(definitions: Vec<Definition>) -> Result<Self, Error> {
        if definitions.len() > MAX_KEYS {
            let message = format!("attributes has {} keys, at most {MAX_KEYS} are allowed", definitions.len());
            return Err(Error::LimitExceeded(message));
        }
        let mut kinds = HashMap::new();
        for (place, Definition { key, kind }) in definitions.iter().enumerate() {
            let fault = if !(1..=MAX_KEY).contains(&key.len()) {
                Some(format!("key has {} bytes, 1 to {MAX_KEY} are allowed", key.len()))
            } else if key.contains('\0') {
                Some("key holds a NUL character".to_owned())
            } else if kinds.insert(key.clone(), *kind).is_some() {
                Some(format!("key {key:?} is there twice"))
            } else {
                None
            };
            if let Some(message) = fault {
                let path = ["attributes", "key"].map(|field| Step::Field(field.to_owned()));
                let [attributes, key] = path;
                return Err(Error::BadInput { message, path: vec![attributes, Step::Index(place), key] });
            }
        }
        Ok(Self { definitions, kinds })
    }

    /// The keys, in the order in which they were declared.
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// The type of a key; none where it is not declared.
    pub fn kind(&self, key: &str) -> Option<Kind> {
        self.kinds.get(key).copied()
    }

    /// Reads what [`Schema::to_stored`] wrote.
    pub(super) fn from_stored(text: &str) -> Result<Self, Error> {
        let pairs: Vec<(String, String)> = serde_json::from_str(text).map_err(|error| Error::Internal(error.into()))?;
        let definition = |(key, name): (String, String)| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
            let kind = kind.ok_or_else(|| Error::Internal(format!("no type of attributes is called {name}").into()))?;
            Ok(Definition { key, kind })
        };
        let schema = Self::new(pairs.into_iter().map(definition).collect::<Result<_, Error>>()?);
        schema.map_err(|_| Error::Internal("a stored attribute schema is none".into()))
    }

    /// A JSON list of pairs of key and type.
    pub(super) fn to_stored(&self) -> String {
        let pair = |definition: &Definition| serde_json::json!([definition.key, definition.kind.name()]);
        serde_json::Value::from_iter(self.definitions.iter().map(pair)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(key: &str, kind: Kind) -> Definition {
        Definition { key: key.to_owned(), kind }
    }

    #[test]
    fn a_schema_is_stored_and_read_in_its_order() {
        let schema = Schema::new(vec![definition("z \"", Kind::Number), definition("a", Kind::StringList)]);
        let schema = schema.expect("a good one");
        assert_eq!(schema.to_stored(), r#"[["z \"","NUMBER"],["a","STRING_LIST"]]"#);
        assert_eq!(Schema::from_stored(&schema.to_stored()).expect("the same"), schema);
        assert_eq!((schema.kind("a"), schema.kind("b")), (Some(Kind::StringList), None));
    }

    #[test]
    fn bad_keys_are_refused() {
        for keys in [&[""][..], &["a\0"], &["a", "b", "a"], &[&"é".repeat(65)]] {
            let definitions = keys.iter().map(|key| definition(key, Kind::String)).collect();
            assert!(matches!(Schema::new(definitions), Err(Error::BadInput { .. })), "{keys:?}");
        }
        let many = (0..1001).map(|n| definition(&n.to_string(), Kind::Date)).collect();
        assert!(matches!(Schema::new(many), Err(Error::LimitExceeded(_))));
    }
}
