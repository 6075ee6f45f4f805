//! Filters of members.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{Api, Base, Error, Member, values};

/// A pattern and its meaning.
type Regex = (&'static str, fn(&str) -> bool);

pub const REGEXES: [Regex; 4] = [
    ("^a", |text| text.starts_with('a')),
    ("b", |text| text.contains('b')),
    ("^.$", |text| text.chars().count() == 1),
    ("(a|%)$", |text| text.ends_with(['a', '%'])),
];

/// Returns the given entries of an object: null is the same as an omitted entry.
fn given(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flat_map(Map::iter).filter(|(_, value)| !value.is_null())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Checks a filter: each condition has an operator, and attributes are used as the schema declares them, if the memberbase
/// exists.
pub(super) fn check(base: Option<&Base>, filter: &Value) -> Result<(), Error> {
    for (name, condition) in given(filter) {
        match name.as_str() {
            "and" | "or" => list(condition).iter().try_for_each(|filter| check(base, filter))?,
            "not" => check(base, condition)?,
            "attribute" => check_attribute(base, condition)?,
            _ if given(condition).next().is_none() => return Err(Error::BAD_INPUT),
            _ => {}
        }
    }
    Ok(())
}

fn check_attribute(base: Option<&Base>, condition: &Value) -> Result<(), Error> {
    let mut given = given(condition).filter(|(name, _)| *name != "key").peekable();
    if given.peek().is_none() {
        return Err(Error::BAD_INPUT);
    }
    let Some(base) = base else { return Ok(()) };
    let kind = base.kind(condition["key"].as_str().unwrap_or_default()).ok_or(Error::BAD_INPUT)?;
    let operators: &[&str] = match kind {
        "STRING" => &["eq", "in", "nin", "gt", "gte", "lt", "lte", "startsWith", "exists"],
        "NUMBER" | "DATE" => &["eq", "in", "nin", "gt", "gte", "lt", "lte", "exists"],
        "BOOLEAN" => &["eq", "in", "nin", "exists"],
        _ => &["eq", "contains", "exists"],
    };
    let fits = |value: &Value| values::attribute(kind, value).is_some();
    let fits_operator = |(name, operand): (&String, &Value)| {
        operators.contains(&name.as_str())
            && match name.as_str() {
                "exists" => true,
                "startsWith" | "contains" => values::text(operand).is_some(),
                "in" | "nin" => list(operand).iter().all(fits),
                _ => fits(operand),
            }
    };
    if given.all(fits_operator) { Ok(()) } else { Err(Error::BAD_INPUT) }
}

impl Api {
    /// Returns whether a member matches a filter that was checked. All conditions must match.
    pub(super) fn matches(&self, member: &Member, filter: &Value) -> bool {
        given(filter).all(|(name, condition)| match name.as_str() {
            "and" => list(condition).iter().all(|filter| self.matches(member, filter)),
            "or" => list(condition).iter().any(|filter| self.matches(member, filter)),
            "not" => !self.matches(member, condition),
            "id" => text_matches(&Api::symbol("m_", member.number), condition),
            "ref" => text_matches(&member.reference, condition),
            "updatedAt" => given(condition).all(|(name, operand)| {
                let at = |operand: &Value| Api::number("t_", operand);
                match name.as_str() {
                    "in" => list(operand).iter().any(|operand| at(operand) == Some(member.updated)),
                    "nin" => list(operand).iter().all(|operand| at(operand) != Some(member.updated)),
                    name => is_ordered(name, member.updated.cmp(&at(operand).unwrap_or(0))),
                }
            }),
            // The operands are times long before all creations and long after them.
            "createdAt" => given(condition).all(|(name, operand)| match name.as_str() {
                "in" => false,
                "nin" => true,
                name => {
                    is_ordered(name, if operand.as_str() < Some("2026") { Ordering::Greater } else { Ordering::Less })
                }
            }),
            _ => attribute_matches(&self.bases[&member.base], member, condition),
        })
    }
}

fn text_matches(text: &str, condition: &Value) -> bool {
    given(condition).all(|(name, operand)| match name.as_str() {
        "eq" => operand == text,
        "in" => list(operand).iter().any(|operand| operand == text),
        "nin" => list(operand).iter().all(|operand| operand != text),
        "startsWith" => text.starts_with(operand.as_str().unwrap()),
        _ => REGEXES.iter().any(|(pattern, matches)| operand["pattern"] == *pattern && matches(text)),
    })
}

/// A member without a value matches `exists: false` and `nin` only.
fn attribute_matches(base: &Base, member: &Member, condition: &Value) -> bool {
    let key = condition["key"].as_str().unwrap();
    let kind = base.kind(key).unwrap();
    let value = member.attributes.get(key);
    let equals = |operand: &Value| {
        let operand = values::attribute(kind, operand).unwrap();
        value.is_some_and(|value| values::equal(kind, value, &operand))
    };
    given(condition).filter(|(name, _)| *name != "key").all(|(name, operand)| match name.as_str() {
        "eq" => equals(operand),
        "in" => list(operand).iter().any(equals),
        "nin" => !list(operand).iter().any(equals),
        "exists" => value.is_some() == *operand,
        "startsWith" => value.is_some_and(|value| value.as_str().unwrap().starts_with(operand.as_str().unwrap())),
        "contains" => value.is_some_and(|value| list(value).contains(operand)),
        name => value.is_some_and(|value| {
            is_ordered(name, values::compare(kind, value, &values::attribute(kind, operand).unwrap()))
        }),
    })
}

fn is_ordered(operator: &str, ordering: Ordering) -> bool {
    match operator {
        "gt" => ordering.is_gt(),
        "gte" => ordering.is_ge(),
        "lt" => ordering.is_lt(),
        "lte" => ordering.is_le(),
        _ => ordering.is_eq(),
    }
}
