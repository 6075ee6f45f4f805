//! Literals in the document against the schema, with variables in them or without: async-graphql judges those alone
//! that have none.

use async_graphql::{
    Name, Positioned,
    parser::types::{Directive, ExecutableDocument, Field, OperationType, Selection, SelectionSet},
    registry::{MetaInputValue, MetaType, MetaTypeName, Registry},
};
use async_graphql_value::Value;

use crate::graphql::{Code, Error};

/// Judges the arguments and the defaults of a document that async-graphql finds valid. At most `limit` errors.
pub(super) fn check(registry: &Registry, document: &ExecutableDocument, limit: usize) -> Vec<Error> {
    let mut check = Check { registry, errors: Vec::new() };
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        for variable in &operation.variable_definitions {
            check.directives(&variable.node.directives);
            if let Some(default) = &variable.node.default_value {
                let (ty, value) = (variable.node.var_type.node.to_string(), default.node.clone().into_value());
                let path = format!("${}", variable.node.name.node);
                let outcome = check.value(&ty, &value, &path);
                check.report(default, outcome);
            }
        }
        check.directives(&operation.directives);
        check.set(root(registry, operation.ty), &operation.selection_set);
    }
    for fragment in document.fragments.values() {
        check.directives(&fragment.node.directives);
        check.set(registry.types.get(fragment.node.type_condition.node.on.node.as_str()), &fragment.node.selection_set);
    }
    check.errors.truncate(limit);
    check.errors
}

/// The type at the root of an operation.
pub(super) fn root(registry: &Registry, ty: OperationType) -> Option<&MetaType> {
    registry.types.get(match ty {
        OperationType::Query => registry.query_type.as_str(),
        OperationType::Mutation => registry.mutation_type.as_deref()?,
        OperationType::Subscription => registry.subscription_type.as_deref()?,
    })
}

/// The type of what a field holds, without lists and exclamation marks.
pub(super) fn concrete<'a>(registry: &'a Registry, ty: &str) -> Option<&'a MetaType> {
    registry.types.get(MetaTypeName::concrete_typename(ty))
}

struct Check<'a> {
    registry: &'a Registry,
    errors: Vec<Error>,
}

impl<'a> Check<'a> {
    fn set(&mut self, parent: Option<&'a MetaType>, set: &Positioned<SelectionSet>) {
        for selection in &set.node.items {
            self.directives(selection.node.directives());
            match &selection.node {
                Selection::Field(field) => self.field(parent, field),
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let parent = match condition {
                        Some(condition) => self.registry.types.get(condition.node.on.node.as_str()),
                        None => parent,
                    };
                    self.set(parent, &inline.node.selection_set);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn field(&mut self, parent: Option<&'a MetaType>, field: &Positioned<Field>) {
        let node = &field.node;
        if node.name.node == "__typename" {
            if !node.arguments.is_empty() || !node.selection_set.node.items.is_empty() {
                self.report(field, Err("__typename takes neither arguments nor selections".to_owned()));
            }
            return;
        }
        // What is not in the schema, async-graphql has refused.
        let Some(meta) = parent.and_then(|parent| parent.field_by_name(&node.name.node)) else { return };
        for (name, value) in &node.arguments {
            self.argument(meta.args.get(name.node.as_str()), name, value);
        }
        self.set(concrete(self.registry, &meta.ty), &node.selection_set);
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) {
        for directive in directives {
            let meta = self.registry.directives.get(directive.node.name.node.as_str());
            for (name, value) in &directive.node.arguments {
                self.argument(meta.and_then(|meta| meta.args.get(name.node.as_str())), name, value);
            }
        }
    }

    fn argument(&mut self, meta: Option<&MetaInputValue>, name: &Positioned<Name>, value: &Positioned<Value>) {
        if let Some(meta) = meta {
            let outcome = self.value(&meta.ty, &value.node, &name.node);
            self.report(value, outcome);
        }
    }

    fn report<T>(&mut self, place: &Positioned<T>, outcome: Result<(), String>) {
        if let Err(message) = outcome {
            let error = Error::new(Code::GraphqlValidationFailed, message);
            self.errors.push(error.at(place.pos.line, place.pos.column));
        }
    }

    /// Whether a literal is one of a type, as far as the text tells. Whether a variable fits its place,
    /// async-graphql judges.
    fn value(&self, ty: &str, value: &Value, path: &str) -> Result<(), String> {
        let expected = || Err(format!("{path} has to be of type {ty}"));
        match (MetaTypeName::create(ty), value) {
            (_, Value::Variable(_)) => Ok(()),
            (MetaTypeName::NonNull(_), Value::Null) => Err(format!("{path} must not be null")),
            (MetaTypeName::NonNull(inner), value) => self.value(inner, value, path),
            (_, Value::Null) => Ok(()),
            (MetaTypeName::List(inner), Value::List(list)) => {
                let mut values = list.iter().enumerate();
                values.try_for_each(|(index, value)| self.value(inner, value, &format!("{path}.{index}")))
            }
            (MetaTypeName::List(inner), value) => self.value(inner, value, path),
            (MetaTypeName::Named(name), value) => match (self.registry.types.get(name), value) {
                (Some(MetaType::Enum { enum_values, .. }), Value::Enum(value)) => {
                    if enum_values.contains_key(value.as_str()) {
                        return Ok(());
                    }
                    Err(format!("{path}: the type {name} has no value {value}"))
                }
                (Some(MetaType::Enum { .. }), _) => expected(),
                (Some(MetaType::Scalar { is_valid: Some(is_valid), .. }), value) => {
                    // One with a variable inside, say of JSON, shows what it is with its variables.
                    match value.clone().into_const() {
                        Some(value) if !is_valid(&value) => expected(),
                        _ => Ok(()),
                    }
                }
                (Some(MetaType::InputObject { input_fields, oneof, .. }), Value::Object(given)) => {
                    if *oneof && (given.len() != 1 || given.values().any(|value| *value == Value::Null)) {
                        return Err(format!("{path} has to have exactly one field, which is not null"));
                    }
                    for (key, value) in given {
                        let Some(field) = input_fields.get(key.as_str()) else {
                            return Err(format!("{path}: the type {name} has no field {key}"));
                        };
                        self.value(&field.ty, value, &format!("{path}.{key}"))?;
                    }
                    match input_fields
                        .values()
                        .find(|field| required(field) && !given.contains_key(field.name.as_str()))
                    {
                        Some(missing) => Err(format!("{path}: the field {} is missing", missing.name)),
                        None => Ok(()),
                    }
                }
                (Some(MetaType::InputObject { .. }), _) => expected(),
                _ => Ok(()),
            },
        }
    }
}

fn required(field: &MetaInputValue) -> bool {
    MetaTypeName::create(&field.ty).is_non_null() && field.default_value.is_none()
}
