//! Validation rules that apollo-compiler 1.33 lacks or applies to some positions only
//! (<https://spec.graphql.org/draft/#sec-Validation>). They run on documents that may be invalid otherwise.

mod values;
mod variable_usages;

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    ExecutableDocument, Name, Node,
    ast::{self, Argument, Definition, DirectiveList, Document, InputValueDefinition},
    executable::{Field, Operation, Selection, SelectionSet},
    parser::SourceSpan,
};
use async_graphql::Pos;

use self::variable_usages::{Scope, Usage};
use super::positions::Positions;
use crate::{
    domain::{InputPath, Step},
    graphql::{
        Code, Error,
        execute::{bulk_rows::RowDecoders, schema::Types},
    },
};

/// The result of the rules.
#[derive(Default)]
pub(super) struct Findings {
    /// The errors, in no particular order.
    pub(super) errors: Vec<Error>,
    /// The offsets of errors of apollo-compiler that these errors replace, because they have clearer messages.
    pub(super) superseded: HashSet<usize>,
    /// True if variables have unknown types. Then no other rule has run.
    pub(super) unknown_types: bool,
    pub(super) late_checks: LateChecks,
}

/// The checks that depend on the values of variables, by the offset of the argument's value.
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
        findings: Findings::default(),
        fields_with_selections: HashSet::new(),
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
            Definition::OperationDefinition(operation) => rules.record_fields_with_selections(&operation.selection_set),
            Definition::FragmentDefinition(fragment) => rules.record_fields_with_selections(&fragment.selection_set),
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

struct Rules<'a> {
    types: &'a Types,
    decoders: &'a RowDecoders,
    positions: &'a Positions,
    findings: Findings,
    /// The offsets of fields with selections. The executable document lacks selections of unknown fields.
    fields_with_selections: HashSet<usize>,
    scope: Scope<'a>,
    usages: HashMap<Scope<'a>, Vec<Usage<'a>>>,
    spreads: HashMap<Scope<'a>, Vec<&'a str>>,
    /// The path to the current value. After an error it is the path of the invalid value.
    path: InputPath,
    argument: Option<SourceSpan>,
    /// The offset of the argument's value.
    argument_value: Option<usize>,
    /// True if the current value is part of a bulk row.
    in_row: bool,
}

impl<'a> Rules<'a> {
    fn report(&mut self, message: String, locations: [Option<SourceSpan>; 2]) {
        let error = Error::new(Code::GraphqlValidationFailed, message);
        let locate = |error, location| self.positions.locate(location, error);
        self.findings.errors.push(locations.into_iter().fold(error, locate));
        self.supersede(locations[0]);
    }

    fn supersede(&mut self, location: Option<SourceSpan>) {
        self.findings.superseded.extend(location.map(|location| location.offset()));
    }

    /// Checks that the types of variables exist (<https://spec.graphql.org/draft/#sec-Variables-Are-Input-Types>).
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

    fn record_fields_with_selections(&mut self, set: &[ast::Selection]) {
        for selection in set {
            match selection {
                ast::Selection::Field(field) => {
                    if !field.selection_set.is_empty() {
                        self.fields_with_selections.extend(field.location().map(|location| location.offset()));
                    }
                    self.record_fields_with_selections(&field.selection_set);
                }
                ast::Selection::InlineFragment(inline) => self.record_fields_with_selections(&inline.selection_set),
                ast::Selection::FragmentSpread(_) => {}
            }
        }
    }

    /// Checks that a field without selections is a leaf (<https://spec.graphql.org/draft/#sec-Leaf-Field-Selections>).
    fn leaf(&mut self, field: &'a Node<Field>) {
        let location = field.location();
        let ty = &field.definition.ty;
        if self.types.possible_types(ty.inner_named_type()).is_empty() {
            return;
        }
        // Fields that do not exist have been reported.
        if location.is_some_and(|location| self.fields_with_selections.contains(&location.offset())) {
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
        // Required arguments: https://spec.graphql.org/draft/#sec-Required-Arguments
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
}
