//! The cost of an operation: the number of fields of its response if every page is full.
//!
//! A list that is requested by ids or refs counts as often as it has ids or refs. The result of a mutation counts once,
//! because bulk upserts accept any number of rows.

use std::{borrow::Cow, collections::HashMap};

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::types::{ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet},
    registry::{MetaField, MetaTypeName, Registry},
};
use async_graphql_value::Value as Literal;

use super::plan::root_type;
use crate::types::PageLimits;

/// The cost of an operation of a validated document, which `measure` has bounded.
pub(super) fn cost(
    registry: &Registry,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    pages: &PageLimits,
) -> u64 {
    let cost = Cost { registry, fragments: &document.fragments, operation, variables, pages };
    cost.set(root_type(registry, operation.ty), &operation.selection_set.node, 1)
}

struct Cost<'a> {
    registry: &'a Registry,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    pages: &'a PageLimits,
}

impl Cost<'_> {
    /// `rows` is how often what is listed below stands there, where the type is a connection.
    fn set(&self, ty: &str, set: &SelectionSet, rows: u64) -> u64 {
        let selection = |selection: &Positioned<Selection>| match &selection.node {
            Selection::Field(field) => self.field(ty, &field.node, rows),
            Selection::InlineFragment(inline) => {
                let condition = inline.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                self.set(condition.unwrap_or(ty), &inline.node.selection_set.node, rows)
            }
            Selection::FragmentSpread(spread) => {
                let fragment = self.fragments.get(&spread.node.fragment_name.node);
                fragment.map_or(0, |fragment| {
                    let condition = fragment.node.type_condition.node.on.node.as_str();
                    self.set(condition, &fragment.node.selection_set.node, rows)
                })
            }
        };
        set.items.iter().map(selection).fold(0, u64::saturating_add)
    }

    fn field(&self, ty: &str, field: &Field, rows: u64) -> u64 {
        let name = field.name.node.as_str();
        let Some(known) = self.registry.types.get(ty).and_then(|ty| ty.field_by_name(name)) else { return 1 };
        let below = MetaTypeName::concrete_typename(&known.ty);
        let times = if matches!(name, "nodes" | "edges") { rows } else { 1 };
        let (own, rows) = match self.page(known, field) {
            Some(size) => (1, size),
            None => (self.asked(field), 1),
        };
        let below = self.set(below, &field.selection_set.node, rows).saturating_add(1);
        below.saturating_mul(own).saturating_mul(times)
    }

    /// How long the page is that a field asks for; none where it has no pages.
    fn page(&self, known: &MetaField, field: &Field) -> Option<u64> {
        if !known.args.contains_key("first") {
            return None;
        }
        let size = |name| match self.argument(field, name).as_deref() {
            Some(Value::Number(size)) => size.as_u64(),
            _ => None,
        };
        // More than the largest page is refused when it is asked for.
        Some(size("first").or_else(|| size("last")).unwrap_or(self.pages.default).min(self.pages.max))
    }

    /// How many ids or refs a field asks for.
    fn asked(&self, field: &Field) -> u64 {
        let count = |name| match &field.get_argument(name)?.node {
            // There may be variables in it.
            Literal::List(list) => Some(list.len()),
            _ => match self.argument(field, name)?.as_ref() {
                Value::List(list) => Some(list.len()),
                _ => None,
            },
        };
        ["ids", "refs"].into_iter().find_map(count).unwrap_or(1) as u64
    }

    fn argument(&self, field: &Field, name: &str) -> Option<Cow<'_, Value>> {
        let literal = &field.get_argument(name)?.node;
        if let Literal::Variable(variable) = literal {
            let given = self.variables.get(variable).or_else(|| {
                let mut definitions = self.operation.variable_definitions.iter();
                let definition = definitions.find(|definition| definition.node.name.node == *variable)?;
                definition.node.default_value()
            });
            return given.map(Cow::Borrowed);
        }
        literal.clone().into_const().map(Cow::Owned)
    }
}
