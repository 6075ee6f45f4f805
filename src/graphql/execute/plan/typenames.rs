//! Makes objects tell their type where the plan can't know it.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned,
    parser::types::{DocumentOperations, ExecutableDocument, Field, FragmentDefinition, Selection, SelectionSet},
    registry::{MetaType, MetaTypeName, Registry},
};

use super::{TYPE_KEY, field_type, root_type};

/// Adds an aliased `__typename` to what is selected of interfaces and unions, and to selections of which `@skip`,
/// `@include` or fragments may leave nothing: async-graphql answers an object without fields by `null`. Completion
/// takes it out again. Depends on no variables: done once per document.
pub fn with_typenames(mut document: ExecutableDocument, registry: &Registry) -> ExecutableDocument {
    let mut tagger = Tagger { registry, certain: HashMap::new() };
    while let Some((name, condition)) = tagger.next_certain(&document.fragments) {
        tagger.certain.insert(name, condition);
    }
    let operations: Vec<_> = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations {
        let root = root_type(registry, operation.node.ty);
        tagger.set(&mut operation.node.selection_set.node, root);
    }
    for fragment in document.fragments.values_mut() {
        let name = fragment.node.type_condition.node.on.node.clone();
        tagger.set(&mut fragment.node.selection_set.node, &name);
    }
    document
}

struct Tagger<'r> {
    registry: &'r Registry,
    /// The fragments that select something of whatever they apply to, and the types that they are for.
    certain: HashMap<Name, Name>,
}

impl Tagger<'_> {
    fn set(&self, set: &mut SelectionSet, parent: &str) {
        for item in &mut set.items {
            match &mut item.node {
                Selection::Field(field) => {
                    let field = &mut field.node;
                    let Some(ty) = field_type(self.registry, parent, &field.name.node) else { continue };
                    let name = MetaTypeName::concrete_typename(ty);
                    let inner = &mut field.selection_set.node;
                    self.set(inner, name);
                    let tagged = match self.registry.types.get(name) {
                        Some(MetaType::Interface { .. } | MetaType::Union { .. }) => true,
                        _ => !inner.items.is_empty() && !self.is_certain(inner, name),
                    };
                    if tagged {
                        inner.items.push(typename(field.name.pos));
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition =
                        fragment.node.type_condition.as_ref().map(|condition| condition.node.on.node.clone());
                    let name = condition.as_deref().unwrap_or(parent);
                    self.set(&mut fragment.node.selection_set.node, name);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    /// Another fragment that always selects something. Those that refer to others come later; a cycle never does.
    fn next_certain(&self, fragments: &HashMap<Name, Positioned<FragmentDefinition>>) -> Option<(Name, Name)> {
        fragments.iter().filter(|(name, _)| !self.certain.contains_key(*name)).find_map(|(name, fragment)| {
            let condition = &fragment.node.type_condition.node.on.node;
            self.is_certain(&fragment.node.selection_set.node, condition).then(|| (name.clone(), condition.clone()))
        })
    }

    /// Whether a field is selected of every `parent`, whatever the variables are.
    fn is_certain(&self, set: &SelectionSet, parent: &str) -> bool {
        // A valid fragment in an object type always applies.
        let is_object = matches!(self.registry.types.get(parent), Some(MetaType::Object { .. }));
        set.items.iter().any(|item| {
            item.node.directives().is_empty()
                && match &item.node {
                    Selection::Field(_) => true,
                    Selection::InlineFragment(fragment) => {
                        let condition = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                        condition.is_none_or(|condition| is_object || condition == parent)
                            && self.is_certain(&fragment.node.selection_set.node, parent)
                    }
                    Selection::FragmentSpread(spread) => self
                        .certain
                        .get(&spread.node.fragment_name.node)
                        .is_some_and(|condition| is_object || condition == parent),
                }
        })
    }
}

/// `@type: __typename`
pub(super) fn typename(pos: Pos) -> Positioned<Selection> {
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
