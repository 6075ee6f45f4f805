//! Merges fields with the same response key into one, because async-graphql resolves a field as often as the document
//! has it.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Pos, Positioned, Variables,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, InlineFragment, OperationDefinition, Selection, SelectionSet,
        TypeCondition,
    },
    registry::{MetaType, MetaTypeName, Registry},
};

use super::{Collected, MAX_DEPTH, Object, Planner, TYPE_KEY, field_type, introspection, root_type};

/// How many fields a flat operation has at most: fragments in fragments grow fast.
const MAX_FIELDS: usize = 20_000;

/// The operation of a validated document as it runs: with its fragments, `@skip` and `@include` applied, every field
/// once, and objects of interfaces and unions telling their type. For a schema that validates no more: variables may
/// be unused. `None` where it grows too large or knows no type.
pub(crate) fn flatten(
    registry: &Registry,
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    variables: &Variables,
) -> Option<ExecutableDocument> {
    let planner = Planner::new(registry, document, &operation.node, variables);
    let mut flattener = Flattener { planner, fields: 0, depth: 0 };
    let set = &operation.node.selection_set;
    let flat = flattener.object(root_type(registry, operation.node.ty), &[&set.node])?;
    let flat = OperationDefinition {
        ty: operation.node.ty,
        variable_definitions: operation.node.variable_definitions.clone(),
        directives: operation.node.directives.clone(),
        selection_set: Positioned::new(flat, set.pos),
    };
    let operations = DocumentOperations::Single(Positioned::new(flat, operation.pos));
    Some(ExecutableDocument { operations, fragments: HashMap::new() })
}

struct Flattener<'a> {
    planner: Planner<'a>,
    fields: usize,
    depth: usize,
}

impl<'a> Flattener<'a> {
    fn object(&mut self, name: &str, sets: &[&'a SelectionSet]) -> Option<SelectionSet> {
        let mut object = Object::new(name);
        let (mut fields, mut spread) = (Collected::new(), HashSet::new());
        for set in sets {
            self.planner.collect(&mut object, &mut fields, &mut spread, set);
        }
        self.fields += fields.len();
        if self.fields > MAX_FIELDS || self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let mut items = Vec::with_capacity(fields.len());
        for (field, sets) in fields.into_values() {
            let Field { alias, name: field_name, arguments, directives, selection_set } = &field.node;
            let inner = match sets.iter().any(|set| !set.items.is_empty()) {
                true => self.value(field, field_type(self.planner.registry, name, &field_name.node)?, &sets)?,
                false => SelectionSet::default(),
            };
            let mut directives = directives.clone();
            directives.retain(|directive| !matches!(directive.node.name.node.as_str(), "skip" | "include"));
            let flat = Field {
                alias: alias.clone(),
                name: field_name.clone(),
                arguments: arguments.clone(),
                directives,
                selection_set: Positioned::new(inner, selection_set.pos),
            };
            items.push(Positioned::new(Selection::Field(Positioned::new(flat, field.pos)), field.pos));
        }
        self.depth -= 1;
        Some(SelectionSet { items })
    }

    /// What is selected of the value of a field.
    fn value(&mut self, field: &Positioned<Field>, ty: &str, sets: &[&'a SelectionSet]) -> Option<SelectionSet> {
        let name = MetaTypeName::concrete_typename(ty);
        let mut set = match self.planner.registry.types.get(name) {
            Some(ty @ (MetaType::Interface { .. } | MetaType::Union { .. })) => {
                let mut items = Vec::new();
                for name in ty.possible_types()? {
                    let fragment = InlineFragment {
                        type_condition: Some(at(field, TypeCondition { on: at(field, Name::new(name)) })),
                        directives: Vec::new(),
                        selection_set: at(field, self.object(name, sets)?),
                    };
                    items.push(at(field, Selection::InlineFragment(at(field, fragment))));
                }
                items.push(typename(field.pos));
                SelectionSet { items }
            }
            Some(MetaType::Object { .. }) => self.object(name, sets)?,
            None if introspection::is_object(name) => self.object(name, sets)?,
            _ => return None,
        };
        if set.items.is_empty() {
            // Of an object of which nothing is selected, async-graphql makes `null`.
            set.items.push(typename(field.pos));
        }
        Some(set)
    }
}

fn at<T>(field: &Positioned<Field>, node: T) -> Positioned<T> {
    Positioned::new(node, field.pos)
}

/// `@type: __typename`
fn typename(pos: Pos) -> Positioned<Selection> {
    let name = |name| Positioned::new(Name::new(name), pos);
    let field = Field {
        alias: Some(name(TYPE_KEY)),
        name: name("__typename"),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet::default(), pos),
    };
    Positioned::new(Selection::Field(Positioned::new(field, pos)), pos)
}
