//! Converts literals of a document to async-graphql's values by the expected type
//! (<https://spec.graphql.org/draft/#sec-Input-Values>): an integer literal for an `ID` is a string.

use apollo_compiler::ast::{Type, Value as Literal};
use async_graphql::{Name, Number, indexmap::IndexMap};
use async_graphql_value::Value;

use super::schema::Types;

/// Converts a literal. `ty` is `None` inside custom scalars, which take any literal.
pub(super) fn convert(types: &Types, ty: Option<&Type>, literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Variable(name) => Value::Variable(Name::new(name)),
        Literal::Boolean(value) => Value::Boolean(*value),
        Literal::Enum(name) => Value::Enum(Name::new(name)),
        Literal::String(text) => Value::String(text.clone()),
        Literal::Int(text) if ty.is_some_and(|ty| ty.inner_named_type() == "ID") => {
            Value::String(text.as_str().to_owned())
        }
        Literal::Int(text) => Value::Number(number(text.as_str())),
        Literal::Float(text) => Value::Number(number(text.as_str())),
        Literal::List(items) => {
            let item = ty.filter(|ty| ty.is_list()).map(Type::item_type);
            Value::List(items.iter().map(|value| convert(types, item, value)).collect())
        }
        Literal::Object(fields) => {
            let object = ty.and_then(|ty| types.get(ty.inner_named_type())).and_then(|ty| ty.as_input_object());
            let field = |(name, value): &(apollo_compiler::Name, apollo_compiler::Node<Literal>)| {
                let ty = object.and_then(|object| object.fields.get(name)).map(|field| &*field.ty);
                (Name::new(name), convert(types, ty, value))
            };
            Value::Object(fields.iter().map(field).collect::<IndexMap<_, _>>())
        }
    }
}

/// Returns true if two literals are the same value. The order of input fields does not matter.
pub(super) fn is_same(one: &Literal, other: &Literal) -> bool {
    match (one, other) {
        (Literal::List(one), Literal::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Literal::Object(one), Literal::Object(other)) => {
            let has = |(name, value): &(_, apollo_compiler::Node<Literal>)| {
                other.iter().find(|(other, _)| other == name).is_some_and(|(_, other)| is_same(value, other))
            };
            one.len() == other.len() && one.iter().all(has)
        }
        (one, other) => one == other,
    }
}

/// Returns the number of values in a literal.
pub(super) fn count(value: &Literal) -> usize {
    match value {
        Literal::List(items) => 1 + items.iter().map(|item| count(item)).sum::<usize>(),
        Literal::Object(fields) => 1 + fields.iter().map(|(_, field)| count(field)).sum::<usize>(),
        _ => 1,
    }
}

/// Returns the variables in a literal, each as often as it is used, with the number of objects around it.
pub(super) fn variables(value: &Value) -> Vec<(&Name, usize)> {
    let mut found = Vec::new();
    let mut pending = vec![(value, 0)];
    while let Some((value, depth)) = pending.pop() {
        match value {
            Value::Variable(name) => found.push((name, depth)),
            Value::List(items) => pending.extend(items.iter().map(|item| (item, depth))),
            Value::Object(fields) => pending.extend(fields.values().map(|field| (field, depth + 1))),
            _ => {}
        }
    }
    found
}

/// Reads a number. Integers beyond 64 bits become floats, and numbers beyond the range of floats the largest float. No
/// scalar of the schema accepts either.
fn number(text: &str) -> Number {
    if let Ok(integer) = text.parse::<i64>() {
        return integer.into();
    }
    if let Ok(integer) = text.parse::<u64>() {
        return integer.into();
    }
    let float: f64 = text.parse().unwrap_or_default();
    Number::from_f64(float.clamp(f64::MIN, f64::MAX)).unwrap_or_else(|| 0.into())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("-0", "0")]
    #[case("7", "7")]
    #[case("18446744073709551615", "18446744073709551615")]
    #[case("9223372036854775808000", "9.223372036854776e+21")]
    #[case("1.50", "1.5")]
    #[case("-1e400", "-1.7976931348623157e+308")]
    fn numbers_keep_their_value(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(number(text).to_string(), expected);
    }

    #[rstest]
    #[case("[1]", "[1, 2]", false)]
    #[case("{a: 1, b: [2]}", "{b: [2], a: 1}", true)]
    #[case("{a: 1, b: 2}", "{a: 1}", false)]
    #[case("{a: $x}", "{a: $y}", false)]
    fn equal_values_are_the_same(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        let value = |text: &str| {
            let document =
                apollo_compiler::ast::Document::parse(format!("{{ f(v: {text}) }}"), "document").expect(text);
            let operation = document.definitions[0].as_operation_definition().expect("an operation").clone();
            operation.selection_set[0].as_field().expect("a field").arguments[0].value.clone()
        };
        assert_eq!(is_same(&value(one), &value(other)), same);
    }
}
