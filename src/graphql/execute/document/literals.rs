//! Literals in the document against the schema, with variables in them or without: async-graphql judges those alone
//! that have none. On the way it is noted where variables are used.

use std::borrow::Cow;

use async_graphql::{
    Name, Pos, Positioned,
    parser::types::{Directive, ExecutableDocument, Field, OperationType, Selection, SelectionSet, VariableDefinition},
    registry::{MetaInputValue, MetaType, MetaTypeName, Registry},
};
use async_graphql_value::Value;

use super::usages::{Scope, Usage, Usages};
use crate::graphql::{Code, Error};

/// Judges the arguments and the defaults of a document that async-graphql finds valid.
pub(super) fn check(registry: &Registry, document: &ExecutableDocument) -> Vec<Error> {
    let mut check = Check::new(registry);
    for (name, operation) in document.operations.iter() {
        check.scope = Scope::Operation(name.map(Name::as_str));
        let operation = &operation.node;
        for variable in &operation.variable_definitions {
            check.directives(&variable.node.directives);
            if let Some(default) = &variable.node.default_value {
                check.default(&variable.node, default);
            }
        }
        check.directives(&operation.directives);
        check.set(root(registry, operation.ty), &operation.selection_set);
    }
    for (name, fragment) in &document.fragments {
        check.scope = Scope::Fragment(name);
        check.directives(&fragment.node.directives);
        check.set(registry.types.get(fragment.node.type_condition.node.on.node.as_str()), &fragment.node.selection_set);
    }
    let Check { usages, mut errors, .. } = check;
    usages.check(document, &mut errors);
    errors
}

/// Refuses a variable whose default is of a type that there is none of: async-graphql looks at the default all the same.
pub(super) fn check_types(registry: &Registry, document: &ExecutableDocument) -> Result<(), Error> {
    let variables = document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
    for variable in variables.filter(|variable| variable.node.default_value.is_some()) {
        let ty = variable.node.var_type.node.to_string();
        let (name, pos) = (MetaTypeName::concrete_typename(&ty), variable.node.var_type.pos);
        if !registry.types.contains_key(name) {
            let error = Error::new(Code::GraphqlValidationFailed, format!("unknown type {name:?}"));
            return Err(error.at(pos.line, pos.column));
        }
    }
    Ok(())
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
    /// Where the walk is.
    scope: Scope<'a>,
    pos: Pos,
    usages: Usages<'a>,
}

impl<'a> Check<'a> {
    fn new(registry: &'a Registry) -> Self {
        let (scope, pos) = (Scope::Operation(None), Pos::default());
        Self { registry, errors: Vec::new(), scope, pos, usages: Usages::default() }
    }

    fn set(&mut self, parent: Option<&'a MetaType>, set: &'a Positioned<SelectionSet>) {
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
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    self.usages.spreads.entry(self.scope).or_default().push(name);
                }
            }
        }
    }

    fn field(&mut self, parent: Option<&'a MetaType>, field: &'a Positioned<Field>) {
        let node = &field.node;
        if node.name.node == "__typename" {
            if !node.arguments.is_empty() || !node.selection_set.node.items.is_empty() {
                self.report(field, Err("__typename takes neither arguments nor selections".to_owned()));
            }
            self.directives_of_typename(&node.directives);
            return;
        }
        // What is not in the schema, async-graphql has refused.
        let Some(meta) = parent.and_then(|parent| parent.field_by_name(&node.name.node)) else { return };
        for (name, value) in &node.arguments {
            self.argument(meta.args.get(name.node.as_str()), name, value);
        }
        self.set(concrete(self.registry, &meta.ty), &node.selection_set);
    }

    /// What async-graphql judges of every other field.
    fn directives_of_typename(&mut self, directives: &'a [Positioned<Directive>]) {
        let mut seen = Vec::new();
        for directive in directives {
            let name = directive.node.name.node.as_str();
            let outcome = match name {
                "skip" | "include" if directive.node.get_argument("if").is_none() => {
                    Err(format!("the directive @{name} needs the argument if"))
                }
                "skip" | "include" if seen.contains(&name) => Err(format!("the directive @{name} is given twice")),
                "skip" | "include" => Ok(()),
                _ => Err(format!("there is no directive @{name} for a field")),
            };
            seen.push(name);
            self.report(directive, outcome);
        }
    }

    fn directives(&mut self, directives: &'a [Positioned<Directive>]) {
        for directive in directives {
            let meta = self.registry.directives.get(directive.node.name.node.as_str());
            for (name, value) in &directive.node.arguments {
                self.argument(meta.and_then(|meta| meta.args.get(name.node.as_str())), name, value);
            }
        }
    }

    fn argument(&mut self, meta: Option<&'a MetaInputValue>, name: &Positioned<Name>, value: &'a Positioned<Value>) {
        if let Some(meta) = meta {
            self.pos = value.pos;
            let outcome = self.value(&meta.ty, meta.default_value.is_some(), &value.node, &name.node);
            self.report(value, outcome);
        }
    }

    fn report<T>(&mut self, place: &Positioned<T>, outcome: Result<(), String>) {
        if let Err(message) = outcome {
            let error = Error::new(Code::GraphqlValidationFailed, message);
            self.errors.push(error.at(place.pos.line, place.pos.column));
        }
    }

    fn default(&mut self, variable: &VariableDefinition, default: &Positioned<async_graphql::Value>) {
        let (ty, path) = (variable.var_type.node.to_string(), format!("${}", variable.name.node));
        let value = default.node.clone().into_value();
        let mut check = Check::new(self.registry);
        let outcome = check.value(&ty, false, &value, &path);
        self.report(default, outcome);
    }

    /// Whether a literal is one of a type, as far as the text tells. `default` is whether the place has one.
    fn value(&mut self, ty: &str, default: bool, value: &'a Value, path: &str) -> Result<(), String> {
        let expected = || Err(format!("{path} has to be of type {ty}"));
        match (MetaTypeName::create(ty), value) {
            (_, Value::Variable(name)) => {
                let usage = Usage { name, pos: self.pos, ty: ty.to_owned(), default };
                self.usages.usages.entry(self.scope).or_default().push(usage);
                Ok(())
            }
            (MetaTypeName::NonNull(_), Value::Null) => Err(format!("{path} must not be null")),
            (MetaTypeName::NonNull(inner), value) => self.value(inner, false, value, path),
            (_, Value::Null) => Ok(()),
            (MetaTypeName::List(inner), Value::List(list)) => {
                let mut values = list.iter().enumerate();
                values.try_for_each(|(index, value)| self.value(inner, false, value, &format!("{path}.{index}")))
            }
            (MetaTypeName::List(inner), value) => self.value(inner, false, value, path),
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
                        // A variable that may be null would be none.
                        let ty = if *oneof { format!("{}!", field.ty).into() } else { Cow::from(&field.ty) };
                        self.value(&ty, field.default_value.is_some(), value, &format!("{path}.{key}"))?;
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
