//! Validates that variables fit where they are used
//! (<https://spec.graphql.org/draft/#sec-All-Variable-Usages-Are-Allowed>).

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    Name,
    ast::{Type, VariableDefinition},
    executable::Operation,
    parser::SourceSpan,
};

use super::Rules;

/// An operation, with its name if it has one, or a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scope<'a> {
    Operation(Option<&'a str>),
    Fragment(&'a str),
}

/// A variable that is used as a value.
pub(super) struct Usage<'a> {
    pub(super) name: &'a Name,
    pub(super) location: Option<SourceSpan>,
    /// The argument that the value belongs to.
    pub(super) argument: Option<SourceSpan>,
    /// The expected type; `None` inside a custom scalar, which takes any.
    pub(super) ty: Option<Type>,
    /// True if the argument or input field has a default.
    pub(super) has_default: bool,
}

impl<'a> Rules<'a> {
    /// Checks the usages in an operation and in the fragments that it reaches.
    pub(super) fn variable_usages(&mut self, operation: &'a Operation) {
        let variables: HashMap<&str, _> =
            operation.variables.iter().map(|variable| (variable.name.as_str(), variable)).collect();
        let scope = Scope::Operation(operation.name.as_ref().map(Name::as_str));
        let mut seen = HashSet::from([scope]);
        let mut pending = vec![scope];
        let mut misfits = Vec::new();
        while let Some(scope) = pending.pop() {
            for usage in self.usages.get(&scope).into_iter().flatten() {
                let name = usage.name;
                match (variables.get(name.as_str()), &usage.ty) {
                    (Some(variable), Some(ty)) if !is_allowed(variable, ty, usage.has_default) => {
                        let message = format!("${name} of type {} does not fit where {ty} is expected", variable.ty);
                        misfits.push((message, [usage.location, variable.location()], usage.argument));
                    }
                    (None, None) => {
                        misfits.push((format!("variable `${name}` is not defined"), [usage.location, None], None));
                    }
                    _ => {}
                }
            }
            for name in self.spreads.get(&scope).into_iter().flatten() {
                let scope = Scope::Fragment(name);
                if seen.insert(scope) {
                    pending.push(scope);
                }
            }
        }
        for (message, locations, argument) in misfits {
            self.report(message, locations);
            self.supersede(argument);
        }
    }
}

/// <https://spec.graphql.org/draft/#IsVariableUsageAllowed()>
fn is_allowed(variable: &VariableDefinition, expected: &Type, has_default: bool) -> bool {
    if expected.is_non_null() && !variable.ty.is_non_null() {
        let has_value = variable.default_value.as_ref().is_some_and(|default| !default.is_null());
        return (has_value || has_default) && variable.ty.is_assignable_to(&expected.clone().nullable());
    }
    variable.ty.is_assignable_to(expected)
}
