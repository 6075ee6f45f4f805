//! Removes variables without a value from an operation.

use std::collections::HashSet;

use async_graphql::{
    Name, Variables,
    parser::types::{Field, OperationDefinition, Selection, SelectionSet},
};
use async_graphql_value::Value as Literal;

/// Removes the arguments and input fields whose variable has neither a value nor a default
/// (<https://spec.graphql.org/draft/#CoerceArgumentValues()>). In a list, such a variable is null.
///
/// async-graphql makes null of them everywhere, so that `update(name: $name)` without a value for `$name` would set the
/// name to null instead of leaving it unchanged.
pub(in super::super) fn remove_undefined(operation: &mut OperationDefinition, variables: &Variables) {
    let definitions = operation.variable_definitions.iter().map(|definition| &definition.node);
    let undefined =
        definitions.filter(|definition| definition.default_value.is_none()).map(|definition| &definition.name.node);
    let undefined: HashSet<Name> = undefined.filter(|name| !variables.contains_key(*name)).cloned().collect();
    if undefined.is_empty() {
        return;
    }
    let mut pending: Vec<&mut SelectionSet> = vec![&mut operation.selection_set.node];
    while let Some(set) = pending.pop() {
        for selection in &mut set.items {
            match &mut selection.node {
                Selection::Field(field) => {
                    let Field { arguments, selection_set, .. } = &mut field.node;
                    arguments.retain_mut(|(_, argument)| is_defined(&mut argument.node, &undefined));
                    pending.push(&mut selection_set.node);
                }
                Selection::InlineFragment(fragment) => pending.push(&mut fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

/// Returns true if a literal has a value. Removes undefined variables inside the literal.
fn is_defined(literal: &mut Literal, undefined: &HashSet<Name>) -> bool {
    match literal {
        Literal::Variable(name) => return !undefined.contains(name),
        Literal::List(items) => {
            for item in items {
                if !is_defined(item, undefined) {
                    *item = Literal::Null;
                }
            }
        }
        Literal::Object(fields) => fields.retain(|_, field| is_defined(field, undefined)),
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::{parse_query, types::DocumentOperations};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("f(a: $undefined, b: $given, c: $default)", "(b: $given, c: $default)")]
    #[case("f(a: {b: $undefined, c: [1, {d: $undefined, e: $default}]})", "(a: {c: [1, {e: $default}]})")]
    #[case("f(a: [$undefined, $given, [$undefined]], b: 1)", "(a: [null, $given, [null]], b: 1)")]
    #[case("... { f(a: $undefined, b: E) }", "(b: E)")]
    fn undefined_variables_are_removed(#[case] selection: &str, #[case] expected: &str) {
        let text = format!("query($undefined: Int, $given: Int, $default: Int = 4) {{ {selection} }}");
        let mut document = parse_query(text).unwrap();
        let DocumentOperations::Single(operation) = &mut document.operations else { panic!() };
        let variables = Variables::from_json(serde_json::json!({"given": null}));
        remove_undefined(&mut operation.node, &variables);
        let set = match &operation.node.selection_set.node.items[0].node {
            Selection::InlineFragment(inline) => &inline.node.selection_set.node,
            _ => &operation.node.selection_set.node,
        };
        let Selection::Field(field) = &set.items[0].node else { panic!() };
        let arguments: Vec<_> = field.node.arguments.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(format!("({})", arguments.join(", ")), expected);
    }
}
