//! Executes queries of the schema (<https://spec.graphql.org/draft/#sec-Schema-Introspection>), which need no resolvers
//! and never wait.

mod fields;

use async_graphql::{PathSegment, Positioned, ServerError, Value};
use async_graphql_value::Value as Literal;

use self::fields::{Meta, Resolved};
use super::schema::Types;
use crate::{
    budget,
    graphql::{Code, Error},
};

/// A collected field of an introspection type.
#[derive(Debug)]
pub(super) struct MetaField {
    pub(super) key: async_graphql::Name,
    pub(super) name: String,
    pub(super) arguments: Vec<(String, Positioned<Literal>)>,
    pub(super) fields: Vec<Self>,
    pub(super) is_nullable: bool,
    /// The field error of the field's object if the fields below can't be collected.
    pub(super) failure: Option<ServerError>,
}

impl MetaField {
    /// Returns the number of fields, this one included.
    pub(super) fn count(&self) -> u64 {
        1 + self.fields.iter().map(Self::count).sum::<u64>()
    }
}

/// Writes the value of a root field as JSON, null if it fails. Errors are field errors.
pub(super) fn write<'v>(
    types: &Types,
    field: &MetaField,
    value: impl Fn(&str) -> Option<&'v Value>,
) -> (Vec<u8>, Vec<ServerError>) {
    let mut writer = Writer { types, value, out: Vec::new(), path: Vec::new(), errors: Vec::new() };
    if writer.field(&Meta::Root, field).is_err() {
        writer.out.clear();
        writer.json(&());
    }
    (writer.out, writer.errors)
}

/// A null that propagates to the parent (<https://spec.graphql.org/draft/#sec-Handling-Execution-Errors>).
struct PropagateNull;

type Written = Result<(), PropagateNull>;

/// Writes values, and propagates nulls.
struct Writer<'a, V> {
    types: &'a Types,
    value: V,
    out: Vec<u8>,
    path: Vec<PathSegment>,
    errors: Vec<ServerError>,
}

impl<'a, 'v, V: Fn(&str) -> Option<&'v Value>> Writer<'a, V> {
    fn field(&mut self, object: &Meta<'a>, field: &MetaField) -> Written {
        let start = self.out.len();
        self.path.push(PathSegment::Field(field.key.to_string()));
        let written = self.value(object, field);
        self.path.pop();
        if written.is_err() && field.is_nullable {
            self.out.truncate(start);
            self.json(&());
            return Ok(());
        }
        written
    }

    fn value(&mut self, object: &Meta<'a>, field: &MetaField) -> Written {
        let resolved = match (object, field.name.as_str()) {
            (Meta::Root, "__type") => Resolved::named(self.types, &self.type_argument(field)?),
            (object, name) => {
                let include_deprecated = self.argument(field, "includeDeprecated") == Some(Value::Boolean(true));
                object.resolve(self.types, name, include_deprecated)
            }
        };
        match resolved {
            Resolved::Leaf(json) => {
                self.json(&json);
                Ok(())
            }
            Resolved::Object(object) => self.object(&object, field),
            Resolved::List(items) => self.list(&items, field),
        }
    }

    fn object(&mut self, object: &Meta<'a>, field: &MetaField) -> Written {
        if let Some(failure) = &field.failure {
            return self.fail(failure.clone());
        }
        self.out.push(b'{');
        for (index, field) in field.fields.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.json(field.key.as_str());
            self.out.push(b':');
            self.field(object, field)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn list(&mut self, items: &[Meta<'a>], field: &MetaField) -> Written {
        self.out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            if budget::tick().is_err() {
                return Err(PropagateNull);
            }
            self.path.push(PathSegment::Index(index));
            let written = self.object(item, field);
            self.path.pop();
            written?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn json<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        let written = serde_json::to_writer(&mut self.out, value);
        debug_assert!(written.is_ok(), "{written:?}");
    }

    fn fail<T>(&mut self, mut error: ServerError) -> Result<T, PropagateNull> {
        error.path.clone_from(&self.path);
        self.errors.push(error);
        Err(PropagateNull)
    }

    fn argument(&self, field: &MetaField, name: &str) -> Option<Value> {
        let (_, literal) = field.arguments.iter().find(|(argument, _)| argument == name)?;
        match &literal.node {
            Literal::Variable(variable) => (self.value)(variable).cloned(),
            literal => literal.clone().into_const(),
        }
    }

    /// Returns the argument of `__type`, which a nullable variable with a default can make null.
    fn type_argument(&mut self, field: &MetaField) -> Result<String, PropagateNull> {
        if let Some(Value::String(name)) = self.argument(field, "name") {
            return Ok(name);
        }
        let pos = field.arguments.first().map(|(_, value)| value.pos);
        let mut error = ServerError::new("the argument name must not be null", pos);
        error.extensions = Some(Error::new(Code::BadUserInput, "").extensions());
        self.fail(error)
    }
}
