//! Removes undefined variables from the operation.

use std::collections::HashSet;

use async_graphql::{
    Name, Variables,
    parser::types::{Field, OperationDefinition, Selection, SelectionSet},
};
use async_graphql_value::Value as Literal;

/// Takes out of the operation what names a variable that is neither given nor has a default: the argument, the field
/// of an input object; in a list it is null.
///
/// So the specification wants it. async-graphql makes null of such a variable, and `update(name: $name)` without
/// `$name` would empty the name instead of leaving it.
pub(in super::super) fn drop_absent(operation: &mut OperationDefinition, variables: &Variables) {
    let definitions = operation.variable_definitions.iter().map(|definition| &definition.node);
    let absent =
        definitions.filter(|definition| definition.default_value.is_none()).map(|definition| &definition.name.node);
    let absent: HashSet<Name> = absent.filter(|name| !variables.contains_key(*name)).cloned().collect();
    if absent.is_empty() {
        return;
    }
    let mut pending: Vec<&mut SelectionSet> = vec![&mut operation.selection_set.node];
    while let Some(set) = pending.pop() {
        for selection in &mut set.items {
            match &mut selection.node {
                Selection::Field(field) => {
                    let Field { arguments, selection_set, .. } = &mut field.node;
                    arguments.retain_mut(|(_, argument)| is_there(&mut argument.node, &absent));
                    pending.push(&mut selection_set.node);
                }
                Selection::InlineFragment(fragment) => pending.push(&mut fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

/// Whether a literal is no absent variable; those within it are taken out.
fn is_there(literal: &mut Literal, absent: &HashSet<Name>) -> bool {
    match literal {
        Literal::Variable(name) => return !absent.contains(name),
        Literal::List(items) => {
            for item in items {
                if !is_there(item, absent) {
                    *item = Literal::Null;
                }
            }
        }
        Literal::Object(fields) => fields.retain(|_, field| is_there(field, absent)),
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
    #[case("f(a: $absent, b: $given, c: $default)", "(b: $given, c: $default)")]
    #[case("f(a: {b: $absent, c: [1, {d: $absent, e: $default}]})", "(a: {c: [1, {e: $default}]})")]
    #[case("f(a: [$absent, $given, [$absent]], b: 1)", "(a: [null, $given, [null]], b: 1)")]
    #[case("... { f(a: $absent, b: E) }", "(b: E)")]
    fn absent_variables_vanish(#[case] selection: &str, #[case] expected: &str) {
        let text = format!("query($absent: Int, $given: Int, $default: Int = 4) {{ {selection} }}");
        let mut document = parse_query(text).unwrap();
        let DocumentOperations::Single(operation) = &mut document.operations else { panic!() };
        let variables = Variables::from_json(serde_json::json!({"given": null}));
        drop_absent(&mut operation.node, &variables);
        let set = match &operation.node.selection_set.node.items[0].node {
            Selection::InlineFragment(inline) => &inline.node.selection_set.node,
            _ => &operation.node.selection_set.node,
        };
        let Selection::Field(field) = &set.items[0].node else { panic!() };
        let arguments: Vec<_> = field.node.arguments.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(format!("({})", arguments.join(", ")), expected);
    }
}
