//! Attributes: typed values of a member besides its ref. The attribute schema of the memberbase declares their keys and
//! types; without a schema no attribute is accepted.

mod condition;
mod document;
mod draft;
mod fields;
mod index;
mod patch;
mod predicate;
mod stored_form;
mod value;

use std::collections::HashMap;

#[cfg(test)]
pub(super) use document::PARSED_DOCUMENTS;
pub(crate) use document::{Attributes, Document};
pub(crate) use draft::AttributesDraft;
pub(crate) use patch::Patch;
pub(crate) use predicate::{Comparison, Operator, Predicate, UntypedPredicate};
pub(crate) use value::{AttributeType, Value};

use super::{Error, Step};
use crate::types::excerpt;

const MAX_KEY_BYTES: usize = 128;

const MAX_KEYS: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// Key, of 1 to 128 bytes without NUL.
    pub(crate) key: String,
    pub(crate) kind: AttributeType,
}

/// The attributes that the members of a memberbase may have; empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    definitions: Vec<Definition>,
    kinds: HashMap<String, AttributeType>,
}

impl Schema {
    /// Creates a schema with these keys in this order. Rejects more than 1,000 keys, invalid keys and duplicates.
    pub(crate) fn new(definitions: Vec<Definition>) -> Result<Self, Error> {
        if definitions.len() > MAX_KEYS {
            let message = format!("attributes has {} keys, at most {MAX_KEYS} are allowed", definitions.len());
            return Err(Error::LimitExceeded(message));
        }
        let mut kinds = HashMap::new();
        for (index, Definition { key, kind }) in definitions.iter().enumerate() {
            let fault = if !(1..=MAX_KEY_BYTES).contains(&key.len()) {
                Some(format!("key has {} bytes, 1 to {MAX_KEY_BYTES} are allowed", key.len()))
            } else if key.contains('\0') {
                Some("key holds a NUL character".to_owned())
            } else if kinds.insert(key.clone(), *kind).is_some() {
                Some(format!("key {:?} is given twice", excerpt(key)))
            } else {
                None
            };
            if let Some(message) = fault {
                let attributes = Step::Field("attributes".to_owned());
                let key = Step::Field("key".to_owned());
                return Err(Error::BadInput { message, path: vec![attributes, Step::Index(index), key] });
            }
        }
        Ok(Self { definitions, kinds })
    }

    /// Returns this schema with further keys. Those that it has already must have the same type.
    pub(crate) fn with(mut self, definitions: &[Definition]) -> Result<Self, Error> {
        for definition in definitions {
            match self.kind(&definition.key) {
                None => self.definitions.push(definition.clone()),
                Some(kind) if kind == definition.kind => {}
                Some(kind) => {
                    let Definition { key, kind: other } = definition;
                    let (key, kind, other) = (excerpt(key), kind.name(), other.name());
                    return Err(Error::Conflict(format!("the attribute {key:?} is of type {kind}, not {other}")));
                }
            }
        }
        Self::new(self.definitions)
    }

    /// Returns the keys with their types, in the order of declaration.
    pub(crate) fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// Returns the type of a key; `None` if it is not declared.
    pub(crate) fn kind(&self, key: &str) -> Option<AttributeType> {
        self.kinds.get(key).copied()
    }

    /// Parses the output of [`Schema::to_stored`].
    pub(super) fn from_stored(text: &str) -> Result<Self, Error> {
        let pairs: Vec<(String, String)> = serde_json::from_str(text).map_err(|error| Error::Internal(error.into()))?;
        let definition = |(key, name): (String, String)| {
            let kind = AttributeType::named(&name)
                .ok_or_else(|| Error::Internal(format!("unknown attribute type {name}").into()))?;
            Ok(Definition { key, kind })
        };
        let schema = Self::new(pairs.into_iter().map(definition).collect::<Result<_, Error>>()?);
        schema.map_err(|_| Error::Internal("a stored attribute schema is invalid".into()))
    }

    /// Returns the schema as a JSON array of `[key, type]` pairs.
    pub(super) fn to_stored(&self) -> String {
        let pair = |definition: &Definition| serde_json::json!([definition.key, definition.kind.name()]);
        serde_json::Value::from_iter(self.definitions.iter().map(pair)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(key: &str, kind: AttributeType) -> Definition {
        Definition { key: key.to_owned(), kind }
    }

    #[test]
    fn a_schema_keeps_its_order_when_stored() {
        let schema =
            Schema::new(vec![definition("z \"", AttributeType::Number), definition("a", AttributeType::StringList)]);
        let schema = schema.expect("a valid schema");
        assert_eq!(schema.to_stored(), r#"[["z \"","NUMBER"],["a","STRING_LIST"]]"#);
        assert_eq!(Schema::from_stored(&schema.to_stored()).expect("a schema"), schema);
        assert_eq!((schema.kind("a"), schema.kind("b")), (Some(AttributeType::StringList), None));
    }

    #[test]
    fn schema_is_extended_by_keys_that_it_does_not_have() {
        let (plan, age) = (definition("plan", AttributeType::String), definition("age", AttributeType::Number));
        let schema = Schema::new(vec![plan.clone()]).expect("a valid schema");
        let extended = schema.clone().with(&[age.clone(), plan.clone()]).expect("a valid schema");
        assert_eq!(extended.definitions(), [plan, age]);
        assert_eq!(extended.kind("age"), Some(AttributeType::Number));
        assert_eq!(extended.clone().with(&[]).expect("a valid schema"), extended);
        let other = [definition("plan", AttributeType::Date)];
        let error = schema.clone().with(&other).expect_err("another type");
        assert!(
            matches!(&error, Error::Conflict(message) if message.contains("is of type STRING, not DATE")),
            "{error:?}"
        );
        assert!(matches!(schema.with(&[definition("", AttributeType::Date)]), Err(Error::BadInput { .. })));
    }

    #[test]
    fn invalid_keys_are_rejected() {
        for keys in [&[""][..], &["a\0"], &["a", "b", "a"], &[&"é".repeat(65)]] {
            let definitions = keys.iter().map(|key| definition(key, AttributeType::String)).collect();
            assert!(matches!(Schema::new(definitions), Err(Error::BadInput { .. })), "{keys:?}");
        }
        let many = (0..1001).map(|n| definition(&n.to_string(), AttributeType::Date)).collect();
        assert!(matches!(Schema::new(many), Err(Error::LimitExceeded(_))));
    }
}
