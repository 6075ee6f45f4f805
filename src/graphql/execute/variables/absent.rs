//! Variables that were not given, taken out of the operation.

use std::{collections::HashMap, convert::Infallible};

use async_graphql::{
    Name, Value, Variables,
    parser::types::{Field, OperationDefinition, Selection, SelectionSet},
};

use super::Fragments;

/// Takes out of the operation what names a variable that is neither given nor has a default: the argument, the field
/// of an input object; in a list it is null.
///
/// So the specification wants it. async-graphql makes null of such a variable, and `update(name: $name)` without
/// `$name` would empty the name instead of leaving it.
pub(in super::super) fn drop_absent(
    operation: &mut OperationDefinition,
    fragments: &mut Fragments,
    variables: &Variables,
) {
    let given: HashMap<Name, Option<Value>> = operation
        .variable_definitions
        .iter()
        .map(|definition| {
            let name = &definition.node.name.node;
            let default = || definition.node.default_value.as_ref().map(|value| &value.node);
            (name.clone(), variables.get(name).or_else(default).cloned())
        })
        .collect();
    if given.values().all(Option::is_some) {
        return;
    }
    let mut pending: Vec<&mut SelectionSet> = vec![&mut operation.selection_set.node];
    pending.extend(fragments.values_mut().map(|fragment| &mut fragment.node.selection_set.node));
    while let Some(set) = pending.pop() {
        for selection in &mut set.items {
            match &mut selection.node {
                Selection::Field(field) => {
                    arguments(&mut field.node, &given);
                    pending.push(&mut field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => pending.push(&mut fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

fn arguments(field: &mut Field, given: &HashMap<Name, Option<Value>>) {
    field.arguments.retain_mut(|(_, argument)| {
        // async-graphql's literals have no public name, and so the way is through the values it makes of them.
        let mut found = false;
        let Ok(mut value) = argument.node.clone().into_const_with(|name| {
            let value = given.get(&name).cloned().flatten();
            found |= value.is_none();
            Ok::<_, Infallible>(value.unwrap_or_else(marker))
        });
        if found {
            if value == marker() {
                return false;
            }
            prune(&mut value);
            argument.node = value.into_value();
        }
        true
    });
}

/// Stands for a variable that is absent; no literal is binary, and the markers of bulk rows are longer.
fn marker() -> Value {
    Value::Binary(b"absent".as_slice().into())
}

fn prune(value: &mut Value) {
    match value {
        Value::List(items) => {
            for item in items {
                if *item == marker() {
                    *item = Value::Null;
                }
                prune(item);
            }
        }
        Value::Object(fields) => {
            fields.retain(|_, value| *value != marker());
            fields.values_mut().for_each(prune);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::{parse_query, types::DocumentOperations};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("f(a: $absent, b: $given, c: $default)", "(b: $given, c: $default)")]
    #[case("f(a: {b: $absent, c: [1, {d: $absent, e: $default}]})", "(a: {c: [1, {e: 4}]})")]
    #[case("f(a: [$absent, $given, [$absent]], b: 1)", "(a: [null, null, [null]], b: 1)")]
    #[case("... { ...F }", "(b: E)")]
    fn absent_variables_vanish(#[case] selection: &str, #[case] expected: &str) {
        let text = format!(
            "query($absent: Int, $given: Int, $default: Int = 4) {{ {selection} }} fragment F on Q {{ f(a: $absent, b: E) }}"
        );
        let mut document = parse_query(text).unwrap();
        let DocumentOperations::Single(operation) = &mut document.operations else { panic!() };
        let variables = Variables::from_json(serde_json::json!({"given": null}));
        drop_absent(&mut operation.node, &mut document.fragments, &variables);
        let set = match &operation.node.selection_set.node.items[0].node {
            Selection::Field(_) => &operation.node.selection_set.node,
            _ => &document.fragments["F"].node.selection_set.node,
        };
        let Selection::Field(field) = &set.items[0].node else { panic!() };
        let arguments: Vec<_> = field.node.arguments.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(format!("({})", arguments.join(", ")), expected);
    }
}
