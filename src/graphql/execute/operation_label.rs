//! The label of an operation for metrics, from a closed set: the operation's own name is chosen by the client.

use super::schema::Types;

/// The label of operations with several different root fields.
const SEVERAL: &str = "several";

/// The label of operations that query the schema only.
const INTROSPECTION: &str = "introspection";

/// Returns all labels.
pub(super) fn labels(types: &Types) -> impl Iterator<Item = &str> {
    types.root_fields().chain([SEVERAL, INTROSPECTION])
}

/// Returns the label of an operation with these root fields.
pub(super) fn of<'a>(root_fields: impl Iterator<Item = &'a str>) -> &'a str {
    let mut label = None;
    for name in root_fields {
        let name = match name {
            "__typename" => continue,
            "__schema" | "__type" => INTROSPECTION,
            name => name,
        };
        if label.replace(name).is_some_and(|before| before != name) {
            return SEVERAL;
        }
    }
    label.unwrap_or(INTROSPECTION)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["a"], "a")]
    #[case(&["a", "a", "__typename"], "a")]
    #[case(&["a", "b"], "several")]
    #[case(&["a", "__schema"], "several")]
    #[case(&["__schema", "__type"], "introspection")]
    #[case(&["__typename"], "introspection")]
    #[case(&[], "introspection")]
    fn an_operation_is_labelled_by_its_root_fields(#[case] fields: &[&str], #[case] label: &str) {
        assert_eq!(of(fields.iter().copied()), label);
    }
}
