//! Validation rules that apollo-compiler 1.33 lacks or applies to some positions only. They run on documents that may be
//! invalid otherwise.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    ExecutableDocument, Name, Node,
    ast::{self, Argument, Definition, DirectiveList, Document, InputValueDefinition, Type, Value, VariableDefinition},
    executable::{Field, Operation, Selection, SelectionSet},
    parser::SourceSpan,
    schema::{ExtendedType, InputObjectType},
};
use async_graphql::Pos;

use super::text::Positions;
use crate::{
    domain::{InputPath, Step},
    graphql::{
        Code, Error,
        execute::{bulk_rows::RowDecoders, literal, schema::Types},
        scalar,
    },
};

/// What the rules found.
pub(super) struct Findings {
    /// The errors, in no order.
    pub(super) errors: Vec<Error>,
    /// The offsets of errors of apollo-compiler that say the same less clearly.
    pub(super) superseded: HashSet<usize>,
    /// Whether the errors are those of variables of unknown types alone.
    pub(super) unknown_types: bool,
    pub(super) late_checks: LateChecks,
}

/// What is checked with the values of variables, by the offset of the argument's value.
pub(in super::super) type LateChecks = HashMap<usize, Vec<LateCheck>>;

/// A part of an argument that depends on the values of variables.
#[derive(Clone)]
pub(in super::super) enum LateCheck {
    /// A custom scalar that has variables inside, such as a JSON object.
    Scalar { name: Name, literal: async_graphql_value::Value, in_row: bool, path: InputPath, pos: Pos },
    /// A variable that must not be null, because its type or a default made it valid where null is not.
    NonNull { variable: Name },
}

/// Checks a document.
pub(super) fn check(
    types: &Types,
    decoders: &RowDecoders,
    parsed: &Document,
    document: &ExecutableDocument,
    positions: &Positions,
) -> Findings {
    let mut rules = Rules {
        types,
        decoders,
        positions,
        findings: Findings {
            errors: Vec::new(),
            superseded: HashSet::new(),
            unknown_types: false,
            late_checks: HashMap::new(),
        },
        parents: HashSet::new(),
        scope: Scope::Operation(None),
        usages: HashMap::new(),
        spreads: HashMap::new(),
        path: InputPath::new(),
        argument: None,
        argument_value: None,
        in_row: false,
    };
    for operation in document.operations.iter() {
        rules.variable_types(operation);
    }
    if !rules.findings.errors.is_empty() {
        rules.findings.unknown_types = true;
        return rules.findings;
    }
    for definition in &parsed.definitions {
        match definition {
            Definition::OperationDefinition(operation) => rules.record_parents(&operation.selection_set),
            Definition::FragmentDefinition(fragment) => rules.record_parents(&fragment.selection_set),
            _ => {}
        }
    }
    for operation in document.operations.iter() {
        rules.operation(operation);
    }
    for fragment in document.fragments.values() {
        rules.scope = Scope::Fragment(&fragment.name);
        rules.directives(&fragment.directives);
        rules.set(&fragment.selection_set);
    }
    for operation in document.operations.iter() {
        rules.variable_usages(operation);
    }
    rules.findings
}

/// An operation, with its name if it has one, or a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Scope<'a> {
    Operation(Option<&'a str>),
    Fragment(&'a str),
}

/// A variable that is used as a value.
struct Usage<'a> {
    name: &'a Name,
    location: Option<SourceSpan>,
    /// The argument that the value belongs to.
    argument: Option<SourceSpan>,
    /// The type that is expected there; `None` inside a custom scalar, which takes any.
    ty: Option<Type>,
    /// Whether the argument or input field has a default.
    has_default: bool,
}

/// Why a value is invalid, and where.
struct Invalid {
    location: Option<SourceSpan>,
    message: String,
}

struct Rules<'a> {
    types: &'a Types,
    decoders: &'a RowDecoders,
    positions: &'a Positions,
    findings: Findings,
    /// The offsets of fields with selections, of which those of unknown fields are missing in the executable document.
    parents: HashSet<usize>,
    scope: Scope<'a>,
    usages: HashMap<Scope<'a>, Vec<Usage<'a>>>,
    spreads: HashMap<Scope<'a>, Vec<&'a str>>,
    /// The path to the current value. It stays where a value is invalid.
    path: InputPath,
    /// The current argument.
    argument: Option<SourceSpan>,
    /// The offset of its value.
    argument_value: Option<usize>,
    /// True inside a bulk row.
    in_row: bool,
}

impl<'a> Rules<'a> {
    fn report(&mut self, message: String, locations: [Option<SourceSpan>; 2]) {
        let error = Error::new(Code::GraphqlValidationFailed, message);
        let locate = |error, location: SourceSpan| self.positions.locate(location.offset(), error);
        self.findings.errors.push(locations.into_iter().flatten().fold(error, locate));
        self.supersede(locations[0]);
    }

    fn supersede(&mut self, location: Option<SourceSpan>) {
        self.findings.superseded.extend(location.map(|location| location.offset()));
    }

    /// Variables are of types that exist (<https://spec.graphql.org/draft/#sec-Variables-Are-Input-Types>).
    fn variable_types(&mut self, operation: &'a Operation) {
        for variable in &operation.variables {
            let name = variable.ty.inner_named_type();
            if self.types.get(name).is_none() {
                self.report(format!("unknown type {name}"), [name.location(), None]);
            }
        }
    }

    fn operation(&mut self, operation: &'a Operation) {
        self.scope = Scope::Operation(operation.name.as_ref().map(Name::as_str));
        for variable in &operation.variables {
            self.directives(&variable.directives);
            if let Some(default) = &variable.default_value {
                let outcome = self.below(Step::Field(variable.name.to_string()), &variable.ty, false, default);
                self.conclude(outcome, "$");
            }
        }
        self.directives(&operation.directives);
        self.set(&operation.selection_set);
    }

    fn set(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            self.directives(selection.directives());
            match selection {
                Selection::Field(field) => {
                    self.arguments(&field.definition.arguments, &field.arguments, field.location());
                    if field.selection_set.is_empty() {
                        self.leaf(field);
                    }
                    self.set(&field.selection_set);
                }
                Selection::InlineFragment(inline) => self.set(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    self.spreads.entry(self.scope).or_default().push(&spread.fragment_name);
                }
            }
        }
    }

    fn record_parents(&mut self, set: &[ast::Selection]) {
        for selection in set {
            match selection {
                ast::Selection::Field(field) => {
                    if !field.selection_set.is_empty() {
                        self.parents.extend(field.location().map(|location| location.offset()));
                    }
                    self.record_parents(&field.selection_set);
                }
                ast::Selection::InlineFragment(inline) => self.record_parents(&inline.selection_set),
                ast::Selection::FragmentSpread(_) => {}
            }
        }
    }

    /// Leaf field selections (<https://spec.graphql.org/draft/#sec-Leaf-Field-Selections>).
    fn leaf(&mut self, field: &'a Node<Field>) {
        let location = field.location();
        let ty = &field.definition.ty;
        if self.types.possible_types(ty.inner_named_type()).is_empty() {
            return;
        }
        // Fields that do not exist have been reported.
        if location.is_some_and(|location| self.parents.contains(&location.offset())) {
            self.supersede(location);
        } else {
            self.report(format!("the field {} of type {ty} needs a selection of fields", field.name), [location, None]);
        }
    }

    fn directives(&mut self, directives: &'a DirectiveList) {
        let types = self.types;
        for directive in directives.iter() {
            if let Some(definition) = types.schema().directive_definitions.get(&directive.name) {
                self.arguments(&definition.arguments, &directive.arguments, directive.location());
            }
        }
    }

    fn arguments(
        &mut self,
        definitions: &'a [Node<InputValueDefinition>],
        arguments: &'a [Node<Argument>],
        location: Option<SourceSpan>,
    ) {
        // Required arguments (https://spec.graphql.org/draft/#sec-Required-Arguments), in the words of the schema.
        for definition in definitions.iter().filter(|definition| definition.is_required()) {
            if !arguments.iter().any(|argument| argument.name == definition.name) {
                let message = format!("the argument {} of type {} is missing", definition.name, definition.ty);
                self.report(message, [location, None]);
            }
        }
        for argument in arguments {
            let Some(definition) = definitions.iter().find(|definition| definition.name == argument.name) else {
                continue;
            };
            self.argument = argument.location();
            self.argument_value = argument.value.location().map(|location| location.offset());
            let step = Step::Field(argument.name.to_string());
            let outcome = self.below(step, &definition.ty, definition.default_value.is_some(), &argument.value);
            self.conclude(outcome, "");
        }
    }

    fn check_later(&mut self, check: LateCheck) {
        if let Some(value) = self.argument_value {
            self.findings.late_checks.entry(value).or_default().push(check);
        }
    }

    /// Ends the check of a value. `prefix` is in front of its path in the message.
    fn conclude(&mut self, outcome: Result<(), Invalid>, prefix: &str) {
        let path = std::mem::take(&mut self.path);
        self.in_row = false;
        if let Err(Invalid { location, message }) = outcome {
            let mut error = Error::new(Code::GraphqlValidationFailed, format!("{prefix}{}: {message}", place(&path)));
            if let Some(location) = location {
                error = self.positions.locate(location.offset(), error);
            }
            self.supersede(location);
            self.findings.errors.push(error.within(&path));
        }
    }

    /// Checks a value that is one step below the current path.
    fn below(&mut self, step: Step, ty: &Type, has_default: bool, value: &'a Node<Value>) -> Result<(), Invalid> {
        self.path.push(step);
        self.value(ty, has_default, value)?;
        self.path.pop();
        Ok(())
    }

    fn value(&mut self, ty: &Type, has_default: bool, value: &'a Node<Value>) -> Result<(), Invalid> {
        match (ty, &**value) {
            (_, Value::Variable(name)) => {
                let (location, argument) = (value.location(), self.argument);
                let usage = Usage { name, location, argument, ty: Some(ty.clone()), has_default };
                if ty.is_non_null() {
                    self.check_later(LateCheck::NonNull { variable: name.clone() });
                }
                self.usages.entry(self.scope).or_default().push(usage);
                Ok(())
            }
            (Type::NonNullNamed(_) | Type::NonNullList(_), Value::Null) => {
                Err(invalid(value, format!("expected a value of type {ty}, found null")))
            }
            (_, Value::Null) => Ok(()),
            (Type::List(item) | Type::NonNullList(item), Value::List(items)) => {
                for (index, value) in items.iter().enumerate() {
                    self.below(Step::Index(index), item, false, value)?;
                }
                Ok(())
            }
            (Type::List(item) | Type::NonNullList(item), _) => self.value(item, false, value),
            (Type::Named(name) | Type::NonNullNamed(name), _) => self.named(name, value),
        }
    }

    fn named(&mut self, name: &Name, value: &'a Node<Value>) -> Result<(), Invalid> {
        let types = self.types;
        match (types.get(name), &**value) {
            // Only custom scalars are not checked otherwise. One with a variable inside, such as a JSON object, is checked
            // with the variable's value.
            (Some(ExtendedType::Scalar(scalar)), _) if !scalar.is_built_in() => {
                let literal = literal::convert(types, None, value);
                self.variables_inside(value);
                let Some(constant) = literal.clone().into_const() else {
                    let pos = self.positions.at(value.location().map_or(0, |location| location.offset()));
                    let (name, in_row, path) = (name.clone(), self.in_row, self.path.clone());
                    self.check_later(LateCheck::Scalar { name, literal, in_row, path, pos });
                    return Ok(());
                };
                let check = if self.in_row { scalar::check_in_row } else { scalar::check };
                check(name, &constant).map_err(|message| invalid(value, message))
            }
            (Some(ExtendedType::InputObject(object)), Value::Object(fields)) => {
                let outside = self.in_row;
                self.in_row |= self.decoders.get(name).is_some();
                self.object(object, fields, value)?;
                self.in_row = outside;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Records the variables inside a custom scalar, which apollo-compiler does not look for.
    fn variables_inside(&mut self, value: &'a Node<Value>) {
        match &**value {
            Value::Variable(name) => {
                let usage = Usage { name, location: value.location(), argument: None, ty: None, has_default: false };
                self.usages.entry(self.scope).or_default().push(usage);
            }
            Value::List(items) => items.iter().for_each(|item| self.variables_inside(item)),
            Value::Object(fields) => fields.iter().for_each(|(_, field)| self.variables_inside(field)),
            _ => {}
        }
    }

    fn object(
        &mut self,
        object: &'a InputObjectType,
        fields: &'a [(Name, Node<Value>)],
        value: &'a Node<Value>,
    ) -> Result<(), Invalid> {
        // OneOf Input Objects: https://spec.graphql.org/draft/#sec-OneOf-Input-Objects
        let one_of = object.directives.has("oneOf");
        if one_of && (fields.len() != 1 || fields[0].1.is_null()) {
            return Err(invalid(value, format!("{} has to have exactly one field, which is not null", object.name)));
        }
        let mut seen = HashSet::with_capacity(fields.len());
        for (name, field) in fields {
            // Input object field uniqueness: https://spec.graphql.org/draft/#sec-Input-Object-Field-Uniqueness
            if !seen.insert(name.as_str()) {
                let location = name.location();
                return Err(Invalid { location, message: format!("the input field {name} is given twice") });
            }
            let Some(definition) = object.fields.get(name) else { continue };
            let has_default = definition.default_value.is_some();
            if field.is_null() && definition.ty.is_non_null() {
                self.supersede(value.location());
            }
            if one_of {
                // A variable that may be null would be no field.
                self.below(Step::Field(name.to_string()), &definition.ty.as_ref().clone().non_null(), false, field)?;
            } else {
                self.below(Step::Field(name.to_string()), &definition.ty, has_default, field)?;
            }
        }
        Ok(())
    }

    /// Variables fit where the operation and the fragments that it reaches use them
    /// (<https://spec.graphql.org/draft/#sec-All-Variable-Usages-Are-Allowed>).
    fn variable_usages(&mut self, operation: &'a Operation) {
        let variables: HashMap<&str, _> =
            operation.variables.iter().map(|variable| (variable.name.as_str(), variable)).collect();
        let scope = Scope::Operation(operation.name.as_ref().map(Name::as_str));
        let mut seen = HashSet::from([scope]);
        let mut pending = vec![scope];
        let mut misfits = Vec::new();
        while let Some(scope) = pending.pop() {
            for usage in self.usages.get(&scope).into_iter().flatten() {
                let name = usage.name;
                match (variables.get(name.as_str()), &usage.ty) {
                    (Some(variable), Some(ty)) if !is_allowed(variable, ty, usage.has_default) => {
                        let message = format!("${name} of type {} does not fit where {ty} is expected", variable.ty);
                        misfits.push((message, [usage.location, variable.location()], usage.argument));
                    }
                    (None, None) => {
                        misfits.push((format!("variable `${name}` is not defined"), [usage.location, None], None));
                    }
                    _ => {}
                }
            }
            for name in self.spreads.get(&scope).into_iter().flatten() {
                let scope = Scope::Fragment(name);
                if seen.insert(scope) {
                    pending.push(scope);
                }
            }
        }
        for (message, locations, argument) in misfits {
            self.report(message, locations);
            self.supersede(argument);
        }
    }
}

/// <https://spec.graphql.org/draft/#IsVariableUsageAllowed()>
fn is_allowed(variable: &VariableDefinition, expected: &Type, has_default: bool) -> bool {
    if expected.is_non_null() && !variable.ty.is_non_null() {
        let has_value = variable.default_value.as_ref().is_some_and(|default| !default.is_null());
        return (has_value || has_default) && variable.ty.is_assignable_to(&expected.clone().nullable());
    }
    variable.ty.is_assignable_to(expected)
}

fn invalid(value: &Node<Value>, message: String) -> Invalid {
    Invalid { location: value.location(), message }
}

/// Formats a path for messages.
fn place(path: &InputPath) -> String {
    let steps = path.iter().map(|step| match step {
        Step::Field(name) => name.clone(),
        Step::Index(index) => index.to_string(),
    });
    steps.collect::<Vec<_>>().join(".")
}
