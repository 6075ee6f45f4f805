//! The schema as apollo-compiler reads it, for validation, coercion and introspection.
//!
//! async-graphql has the resolvers. Both have the same types, because this schema is built from the text of the other.

use apollo_compiler::{
    Name, Schema, ast,
    collections::HashMap,
    parser::Parser,
    schema::{ExtendedType, Implementers, ObjectType},
    validation::Valid,
};

/// Directives and their arguments that every schema has
/// (<https://spec.graphql.org/draft/#sec-Type-System.Directives.Built-in-Directives>).
const BUILT_IN_DIRECTIVES: [&str; 5] = ["deprecated", "include", "oneOf", "skip", "specifiedBy"];

/// A field of the introspection types since the specification of September 2025, which apollo-compiler 1.33 lacks
/// (<https://spec.graphql.org/draft/#sec-The-__Type-Type>).
const IS_ONE_OF: &str = "extend type __Type {
  \"Whether an input object is a OneOf Input Object; null for any other type.\"
  isOneOf: Boolean
}";

/// A validated schema, with the types that implement each interface.
pub(crate) struct Types {
    schema: Valid<Schema>,
    implementers: HashMap<Name, Implementers>,
}

impl Types {
    /// Reads a schema in the schema definition language.
    ///
    /// # Panics
    ///
    /// Panics if the schema is invalid, which a test would find, because the schema is a constant of the program.
    pub(super) fn new(sdl: &str) -> Self {
        let text = format!("{sdl}\n{IS_ONE_OF}");
        let parsed = Parser::new().parse_schema(text, "schema.graphql").and_then(Schema::validate);
        let schema = match parsed {
            Ok(schema) => schema,
            Err(invalid) => panic!("the schema is invalid: {}", invalid.errors),
        };
        let implementers = schema.implementers_map();
        Self { schema, implementers }
    }

    pub(super) fn schema(&self) -> &Valid<Schema> {
        &self.schema
    }

    pub(super) fn get(&self, name: &str) -> Option<&ExtendedType> {
        self.schema.types.get(name)
    }

    pub(super) fn object(&self, name: &str) -> Option<&ObjectType> {
        self.get(name)?.as_object()
    }

    /// Returns the object types that a value of a composite type can have
    /// (<https://spec.graphql.org/draft/#GetPossibleTypes()>).
    pub(super) fn possible_types(&self, name: &str) -> Vec<&Name> {
        match self.get(name) {
            Some(ExtendedType::Object(object)) => vec![&object.name],
            Some(ExtendedType::Interface(interface)) => {
                self.implementers.get(&interface.name).into_iter().flat_map(|all| &all.objects).collect()
            }
            Some(ExtendedType::Union(union)) => union.members.iter().map(|member| &member.name).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns true if a fragment on `condition` applies to an object of type `object`
    /// (<https://spec.graphql.org/draft/#DoesFragmentTypeApply()>).
    pub(super) fn applies(&self, condition: &str, object: &str) -> bool {
        condition == object || self.schema.is_subtype(condition, object)
    }

    /// Returns the fields of the root types.
    pub(super) fn root_fields(&self) -> impl Iterator<Item = &str> {
        let root = &self.schema.schema_definition;
        let roots = [&root.query, &root.mutation, &root.subscription].into_iter().flatten();
        let roots = roots.filter_map(|root| self.object(&root.name));
        roots.flat_map(|object| object.fields.keys().map(Name::as_str))
    }

    #[cfg(test)]
    pub(crate) fn scalars(&self) -> impl Iterator<Item = &str> {
        self.schema.types.values().filter(|ty| ty.is_scalar()).map(|ty| ty.name().as_str())
    }
}

/// Formats a schema for publication, without the definitions of built-in directives, which the specification permits to
/// omit (<https://spec.graphql.org/draft/#sec-Type-System.Directives.Built-in-Directives>) and some generators reject.
pub(super) fn publish(sdl: &str) -> String {
    let mut document = match ast::Document::parse(sdl, "schema.graphql") {
        Ok(document) => document,
        Err(invalid) => panic!("the schema is invalid: {}", invalid.errors),
    };
    document.definitions.retain(|definition| match definition {
        ast::Definition::DirectiveDefinition(directive) => !BUILT_IN_DIRECTIVES.contains(&directive.name.as_str()),
        _ => true,
    });
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDL: &str = "directive @oneOf on INPUT_OBJECT
        directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
        directive @own on FIELD
        type Query { node: Node by(a: A): U }
        interface Node { id: ID! }
        type Member implements Node { id: ID! }
        type Label { text: String }
        union U = Member | Label
        input A @oneOf { b: Int c: Int }";

    #[test]
    fn possible_types_are_objects() {
        let types = Types::new(SDL);
        assert_eq!(types.possible_types("Node"), ["Member"]);
        assert_eq!(types.possible_types("U"), ["Member", "Label"]);
        assert_eq!(types.possible_types("Label"), ["Label"]);
        assert!(types.possible_types("A").is_empty());
        assert!(types.applies("Node", "Member") && types.applies("U", "Label") && types.applies("Label", "Label"));
        assert!(!types.applies("Node", "Label"));
    }

    #[test]
    fn built_in_directives_are_not_published() {
        let published = publish(SDL);
        assert!(!published.contains("directive @oneOf") && !published.contains("directive @include"), "{published}");
        assert!(published.contains("directive @own") && published.contains("input A @oneOf"), "{published}");
    }
}
