//! Single root field of subscriptions (<https://spec.graphql.org/draft/#sec-Single-Root-Field>), a rule that
//! async-graphql does not check.

use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

use crate::graphql::{Code, Error};

/// Refuses a subscription that asks for several fields, for the schema, or perhaps for none. Of a valid document.
pub(super) fn check(document: &ExecutableDocument) -> Result<(), Error> {
    let subscriptions = document.operations.iter().map(|(_, operation)| operation);
    for operation in subscriptions.filter(|operation| operation.node.ty == OperationType::Subscription) {
        let refuse = |message: &str| {
            let at = operation.pos;
            Err(Error::new(Code::GraphqlValidationFailed, message).at(at.line, at.column))
        };
        let mut keys = Vec::new();
        let mut sets: Vec<&SelectionSet> = vec![&operation.node.selection_set.node];
        while let Some(set) = sets.pop() {
            for selection in &set.items {
                let directives = selection.node.directives();
                if directives.iter().any(|directive| matches!(directive.node.name.node.as_str(), "skip" | "include")) {
                    return refuse("@skip and @include are not allowed on the root field of a subscription");
                }
                match &selection.node {
                    Selection::Field(field) if field.node.name.node.starts_with("__") => {
                        return refuse("a subscription must not select introspection fields");
                    }
                    Selection::Field(field) => keys.push(field.node.response_key().node.as_str()),
                    Selection::InlineFragment(fragment) => sets.push(&fragment.node.selection_set.node),
                    Selection::FragmentSpread(spread) => {
                        let fragment = document.fragments.get(&spread.node.fragment_name.node);
                        sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                    }
                }
            }
        }
        // Fields of one key are one field, which other rules see to.
        if keys.iter().any(|key| *key != keys[0]) {
            return refuse("a subscription must have exactly one root field");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn a_subscription_asks_for_one_field() {
        for text in [
            "subscription { a }",
            "subscription A { x: a(b: 1) { c d } } subscription B { y: a { c } }",
            "subscription { ...F } fragment F on S { ... { a { b @skip(if: true) } } }",
            "subscription { a { b } a { c } }",
            "query { a b } mutation M { a b }",
        ] {
            check(&parse_query(text.replace("query {", "query Q {")).expect("a document")).expect(text);
        }
        for text in [
            "subscription { a b }",
            "subscription { x: a y: a }",
            "subscription { __typename }",
            "subscription { a ... { b } }",
            "subscription { ...F } fragment F on S { a b }",
            "subscription { a @skip(if: true) }",
            "query Q { a } subscription { ...F @include(if: true) } fragment F on S { a }"
                .replace("subscription {", "subscription S {")
                .as_str(),
        ] {
            let error = check(&parse_query(text).expect("a document")).expect_err(text);
            assert_eq!((error.code(), error.locations().len()), (Code::GraphqlValidationFailed, 1), "{text}");
        }
    }
}
