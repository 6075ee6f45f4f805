//! The label of an operation for metrics, from a closed set: the operation's own name is chosen by the client.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::types::{FragmentDefinition, Selection, SelectionSet},
    registry::{MetaType, Registry},
};

/// Of an operation that asks for several fields.
const SEVERAL: &str = "several";

/// Of one that asks for the schema alone.
const INTROSPECTION: &str = "introspection";

/// All names that there are.
pub(super) fn names(registry: &Registry) -> impl Iterator<Item = &str> {
    let roots = [Some(&registry.query_type), registry.mutation_type.as_ref(), registry.subscription_type.as_ref()];
    let fields = roots.into_iter().flatten().filter_map(|name| match registry.types.get(name) {
        Some(MetaType::Object { fields, .. }) => Some(fields.keys().map(String::as_str)),
        _ => None,
    });
    fields.flatten().chain([SEVERAL, INTROSPECTION])
}

/// The name of a valid operation, whose selections are few enough to be walked through.
pub(super) fn name<'a>(
    selections: &'a SelectionSet,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
) -> &'a str {
    let (mut sets, mut found) = (vec![selections], None);
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            let name = match &selection.node {
                Selection::Field(field) => field.node.name.node.as_str(),
                Selection::InlineFragment(fragment) => {
                    sets.push(&fragment.node.selection_set.node);
                    continue;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = fragments.get(&spread.node.fragment_name.node);
                    sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                    continue;
                }
            };
            let name = match name {
                "__typename" => continue,
                "__schema" | "__type" => INTROSPECTION,
                name => name,
            };
            if found.replace(name).is_some_and(|before| before != name) {
                return SEVERAL;
            }
        }
    }
    found.unwrap_or(INTROSPECTION)
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::{parse_query, types::DocumentOperations};

    use super::*;

    #[test]
    fn an_operation_is_named_by_what_it_asks_for() {
        for (text, expected) in [
            ("{ a }", "a"),
            ("query secret { a }", "a"),
            ("{ x: a(b: 1) { c } y: a { d } __typename }", "a"),
            ("{ a b }", "several"),
            ("{ a __schema { types { name } } }", "several"),
            ("{ __schema { types { name } } __type(name: \"A\") { name } }", "introspection"),
            ("{ __typename }", "introspection"),
            ("{ ...F } fragment F on Q { ... { a } ...G } fragment G on Q { a }", "a"),
            ("{ ...F } fragment F on Q { a ... { b } }", "several"),
        ] {
            let document = parse_query(text).expect("a document");
            let operation = match &document.operations {
                DocumentOperations::Single(operation) => operation,
                DocumentOperations::Multiple(operations) => operations.values().next().expect("an operation"),
            };
            assert_eq!(name(&operation.node.selection_set.node, &document.fragments), expected, "{text}");
        }
    }
}
