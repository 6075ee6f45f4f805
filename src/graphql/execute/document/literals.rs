//! Validates literals of the document against the schema, with or without variables in them; async-graphql validates
//! only literals without variables. Also records where variables are used. Rules that depend on the values of variables
//! are checked once these are known, before any resolver runs.

use std::{borrow::Cow, collections::HashMap};

use async_graphql::{
    Name, Pos, Positioned, Value as Constant, Variables,
    indexmap::IndexMap,
    parser::types::{
        Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
        VariableDefinition,
    },
    registry::{MetaInputValue, MetaType, MetaTypeName, Registry},
};
use async_graphql_value::Value;

use super::usages::{Scope, Usage, Usages};
use crate::{
    domain::{InputPath, Step},
    graphql::{Code, Error, execute::rows::RowReaders, scalar},
};

/// Judges the arguments and the defaults of a document that async-graphql finds valid. Returns whether some of them
/// depend on the values of variables: those are left to [`check_given`].
pub(super) fn check(
    registry: &Registry,
    readers: &RowReaders,
    document: &ExecutableDocument,
) -> Result<bool, Vec<Error>> {
    let mut check = Check::new(registry, readers);
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
    let Check { usages, mut errors, open, .. } = check;
    let nullable = usages.check(document, &mut errors);
    if errors.is_empty() { Ok(open || nullable) } else { Err(errors) }
}

/// Judges the arguments of a flat operation with the values of its variables: scalars that have variables inside, and
/// null for a variable where the place takes none. Reports at most `limit` errors.
pub(in super::super) fn check_given(
    registry: &Registry,
    readers: &RowReaders,
    operation: &OperationDefinition,
    variables: &Variables,
    limit: usize,
) -> Result<(), Vec<Error>> {
    let definitions = operation.variable_definitions.iter().map(|definition| &definition.node);
    let given = definitions.map(|definition| {
        let name = &definition.name.node;
        (name.as_str(), variables.get(name).or(definition.default_value()).unwrap_or(&Constant::Null))
    });
    let mut check = Check { given: Some(given.collect()), ..Check::new(registry, readers) };
    check.set(root(registry, operation.ty), &operation.selection_set);
    check.errors.truncate(limit.max(1));
    if check.errors.is_empty() { Ok(()) } else { Err(check.errors) }
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
    readers: &'a RowReaders,
    errors: Vec<Error>,
    /// Where the walk is.
    scope: Scope<'a>,
    pos: Pos,
    path: InputPath,
    /// True inside a bulk row.
    in_row: bool,
    usages: Usages<'a>,
    /// True if a scalar has a variable inside.
    open: bool,
    /// The values of variables, if they are known.
    given: Option<HashMap<&'a str, &'a Constant>>,
}

impl<'a> Check<'a> {
    fn new(registry: &'a Registry, readers: &'a RowReaders) -> Self {
        Self {
            registry,
            readers,
            errors: Vec::new(),
            scope: Scope::Operation(None),
            pos: Pos::default(),
            path: InputPath::new(),
            in_row: false,
            usages: Usages::default(),
            open: false,
            given: None,
        }
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
            let outcome = self.inner(field(&name.node), &meta.ty, meta.default_value.is_some(), &value.node);
            self.report(value, outcome);
        }
    }

    /// Reports an outcome, which if it is an error has left the path at its place.
    fn report<T>(&mut self, place: &Positioned<T>, outcome: Result<(), String>) {
        let path = std::mem::take(&mut self.path);
        if let Err(message) = outcome {
            let code = if self.given.is_some() { Code::BadUserInput } else { Code::GraphqlValidationFailed };
            self.errors.push(Error::new(code, message).within(&path).at(place.pos.line, place.pos.column));
        }
    }

    fn default(&mut self, variable: &VariableDefinition, default: &Positioned<Constant>) {
        let ty = variable.var_type.node.to_string();
        let value = default.node.clone().into_value();
        let mut check = Check::new(self.registry, self.readers);
        let outcome = check.inner(field(&variable.name.node), &ty, false, &value);
        self.path = check.path;
        self.report(default, outcome.map_err(|message| format!("${message}")));
    }

    /// Judges what is one step below the path.
    fn inner(&mut self, step: Step, ty: &str, default: bool, value: &'a Value) -> Result<(), String> {
        self.path.push(step);
        self.value(ty, default, value)?;
        self.path.pop();
        Ok(())
    }

    /// Whether a literal is one of a type, as far as the text tells. `default` is whether the place has one.
    fn value(&mut self, ty: &str, default: bool, value: &'a Value) -> Result<(), String> {
        match (MetaTypeName::create(ty), value) {
            (MetaTypeName::NonNull(_), Value::Variable(name)) if self.given(name) == Some(&Constant::Null) => {
                Err(self.null())
            }
            (_, Value::Variable(name)) => {
                let usage = Usage { name, pos: self.pos, ty: ty.to_owned(), default };
                self.usages.usages.entry(self.scope).or_default().push(usage);
                Ok(())
            }
            (MetaTypeName::NonNull(_), Value::Null) => Err(self.null()),
            (MetaTypeName::NonNull(inner), value) => self.value(inner, false, value),
            (_, Value::Null) => Ok(()),
            (MetaTypeName::List(inner), Value::List(list)) => {
                let mut values = list.iter().enumerate();
                values.try_for_each(|(index, value)| self.inner(Step::Index(index), inner, false, value))
            }
            (MetaTypeName::List(inner), value) => self.value(inner, false, value),
            (MetaTypeName::Named(name), value) => self.named(name, value),
        }
    }

    fn named(&mut self, name: &str, value: &'a Value) -> Result<(), String> {
        match (self.registry.types.get(name), value) {
            (Some(MetaType::Enum { enum_values, .. }), Value::Enum(value)) => {
                if enum_values.contains_key(value.as_str()) {
                    return Ok(());
                }
                Err(format!("{}: the type {name} has no value {value}", self.place()))
            }
            (Some(MetaType::Scalar { is_valid, .. }), value) => {
                // One with a variable inside, say of JSON, shows what it is with its variables.
                let given = |name: Name| self.given(&name).cloned().ok_or(());
                let Ok(value) = value.clone().into_const_with(given) else {
                    self.open = true;
                    return Ok(());
                };
                if is_valid.as_ref().is_some_and(|is_valid| !is_valid(&value)) {
                    return Err(self.mismatch(name));
                }
                let judge = if self.in_row { scalar::check_in_row } else { scalar::check };
                judge(name, &value).map_err(|message| format!("{}: {message}", self.place()))
            }
            (Some(MetaType::InputObject { input_fields, oneof, .. }), Value::Object(given)) => {
                let outside = self.in_row;
                self.in_row |= self.readers.get(name).is_some();
                let outcome = self.object(name, input_fields, *oneof, given);
                self.in_row = outside;
                outcome
            }
            (Some(MetaType::Enum { .. } | MetaType::InputObject { .. }), _) => Err(self.mismatch(name)),
            _ => Ok(()),
        }
    }

    fn object(
        &mut self,
        name: &str,
        fields: &IndexMap<String, MetaInputValue>,
        oneof: bool,
        given: &'a IndexMap<Name, Value>,
    ) -> Result<(), String> {
        if oneof && (given.len() != 1 || given.values().any(|value| *value == Value::Null)) {
            return Err(format!("{} has to have exactly one field, which is not null", self.place()));
        }
        for (key, value) in given {
            let Some(meta) = fields.get(key.as_str()) else {
                return Err(format!("{}: the type {name} has no field {key}", self.place()));
            };
            // A variable that may be null would be none.
            let ty = if oneof { format!("{}!", meta.ty).into() } else { Cow::from(&meta.ty) };
            self.inner(field(key), &ty, meta.default_value.is_some(), value)?;
        }
        match fields.values().find(|field| required(field) && !given.contains_key(field.name.as_str())) {
            Some(missing) => Err(format!("{}: the field {} is missing", self.place(), missing.name)),
            None => Ok(()),
        }
    }

    /// The value of a variable, if it is known.
    fn given(&self, name: &Name) -> Option<&'a Constant> {
        self.given.as_ref()?.get(name.as_str()).copied()
    }

    fn null(&self) -> String {
        format!("{} must not be null", self.place())
    }

    fn mismatch(&self, ty: &str) -> String {
        format!("{} must be of type {ty}", self.place())
    }

    /// The path, for messages.
    fn place(&self) -> String {
        let steps = self.path.iter().map(|step| match step {
            Step::Field(name) => name.clone(),
            Step::Index(index) => index.to_string(),
        });
        steps.collect::<Vec<_>>().join(".")
    }
}

fn field(name: &Name) -> Step {
    Step::Field(name.to_string())
}

fn required(field: &MetaInputValue) -> bool {
    MetaTypeName::create(&field.ty).is_non_null() && field.default_value.is_none()
}
