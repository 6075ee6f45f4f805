//! Builds async-graphql's syntax tree of an operation.

use std::collections::HashMap;

use apollo_compiler::{Name, Node, ast::OperationType, executable};
use async_graphql::{
    Pos, Positioned,
    parser::types::{
        self as parsed, DocumentOperations, ExecutableDocument, Field, InlineFragment, OperationDefinition, Selection,
        SelectionSet, TypeCondition,
    },
};

use super::Collector;
use crate::graphql::execute::{literal, prepared_operation::VariableDefinition, response_shape::TYPE_KEY};

/// Returns a document with one operation.
pub(super) fn document(
    operation_type: OperationType,
    variables: &[VariableDefinition],
    mut selections: Vec<Positioned<Selection>>,
    pos: Pos,
) -> ExecutableDocument {
    if selections.is_empty() {
        selections.push(type_name(pos));
    }
    let operation = OperationDefinition {
        ty: match operation_type {
            OperationType::Query => parsed::OperationType::Query,
            OperationType::Mutation => parsed::OperationType::Mutation,
            OperationType::Subscription => parsed::OperationType::Subscription,
        },
        variable_definitions: variables.iter().filter_map(|variable| variable_definition(variable, pos)).collect(),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet { items: selections }, pos),
    };
    let operations = DocumentOperations::Single(Positioned::new(operation, pos));
    ExecutableDocument { operations, fragments: HashMap::new() }
}

fn variable_definition(variable: &VariableDefinition, pos: Pos) -> Option<Positioned<parsed::VariableDefinition>> {
    let definition = parsed::VariableDefinition {
        name: name(&variable.name, pos),
        var_type: Positioned::new(parsed::Type::new(&variable.ty.to_string())?, pos),
        directives: Vec::new(),
        default_value: variable.default.clone().map(|default| Positioned::new(default, pos)),
    };
    Some(Positioned::new(definition, pos))
}

impl<'a> Collector<'a> {
    /// Builds a field, and records the late checks of its arguments.
    pub(super) fn selection(
        &mut self,
        field: &'a Node<executable::Field>,
        items: Vec<Positioned<Selection>>,
    ) -> Positioned<Field> {
        let pos = self.pos(field.location());
        let mut arguments = Vec::with_capacity(field.arguments.len());
        for argument in &field.arguments {
            let ty = field.definition.argument_by_name(&argument.name).map(|definition| &*definition.ty);
            self.values += literal::count(&argument.value);
            let value = literal::convert(self.types, ty, &argument.value);
            for (variable, depth) in literal::variables(&value) {
                self.variable_copies.entry(variable.clone()).or_default().add_use(depth);
            }
            let value_pos = self.pos(argument.value.location());
            let checks = argument.value.location().and_then(|it| self.source.late_checks.get(&it.offset()));
            self.late_checks.extend(checks.into_iter().flatten().map(|check| (value_pos, check.clone())));
            let name = name(&argument.name, self.pos(argument.location()));
            arguments.push((name, Positioned::new(value, value_pos)));
        }
        let field = Field {
            alias: field.alias.as_ref().map(|alias| name(alias, pos)),
            name: name(&field.name, pos),
            arguments,
            directives: Vec::new(),
            selection_set: Positioned::new(SelectionSet { items }, pos),
        };
        Positioned::new(field, pos)
    }
}

/// `... on Type { selections }`
pub(super) fn on_type(type_name: &Name, items: Vec<Positioned<Selection>>, pos: Pos) -> Positioned<Selection> {
    let fragment = InlineFragment {
        type_condition: Some(Positioned::new(TypeCondition { on: name(type_name, pos) }, pos)),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet { items }, pos),
    };
    Positioned::new(Selection::InlineFragment(Positioned::new(fragment, pos)), pos)
}

/// `@type: __typename`
pub(super) fn type_name(pos: Pos) -> Positioned<Selection> {
    let field = Field {
        alias: Some(name(TYPE_KEY, pos)),
        name: name("__typename", pos),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet::default(), pos),
    };
    Positioned::new(Selection::Field(Positioned::new(field, pos)), pos)
}

fn name(name: &str, pos: Pos) -> Positioned<async_graphql::Name> {
    Positioned::new(async_graphql::Name::new(name), pos)
}
