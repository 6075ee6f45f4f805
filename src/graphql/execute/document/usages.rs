//! Checks that variables fit the positions where they are used
//! (<https://spec.graphql.org/draft/#sec-All-Variable-Usages-Are-Allowed>). async-graphql 7.2.1 has this rule, but
//! its visitors never pass it a value.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Pos,
    parser::types::{BaseType, ExecutableDocument, OperationDefinition, Type},
    registry::MetaTypeName,
};

use crate::graphql::{Code, Error};

/// An operation, with its name if it has one, or a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scope<'a> {
    Operation(Option<&'a str>),
    Fragment(&'a str),
}

/// A variable in its place.
pub(super) struct Usage<'a> {
    pub(super) name: &'a str,
    pub(super) pos: Pos,
    /// The type of the place.
    pub(super) ty: String,
    /// Whether the place has a value of its own where the variable has none.
    pub(super) default: bool,
}

/// What is used where.
#[derive(Default)]
pub(super) struct Usages<'a> {
    pub(super) usages: HashMap<Scope<'a>, Vec<Usage<'a>>>,
    pub(super) spreads: HashMap<Scope<'a>, Vec<&'a str>>,
}

impl<'a> Usages<'a> {
    /// Judges each operation with the fragments that it reaches. Returns whether a variable that may be null is used
    /// where null is not allowed, which is valid if one of them has a default.
    pub(super) fn check(&self, document: &'a ExecutableDocument, errors: &mut Vec<Error>) -> bool {
        let mut nullable = false;
        for (name, operation) in document.operations.iter() {
            let scope = Scope::Operation(name.map(async_graphql::Name::as_str));
            let (mut seen, mut open) = (HashSet::from([scope]), vec![scope]);
            let variables = variables(&operation.node);
            while let Some(scope) = open.pop() {
                for usage in self.usages.get(&scope).into_iter().flatten() {
                    let Some(variable) = variables.get(usage.name) else { continue };
                    nullable |= variable.ty.nullable && MetaTypeName::create(&usage.ty).is_non_null();
                    errors.extend(misfit(variable, usage));
                }
                let spreads = self.spreads.get(&scope).into_iter().flatten();
                open.extend(spreads.map(|name| Scope::Fragment(name)).filter(|scope| seen.insert(*scope)));
            }
        }
        nullable
    }
}

/// A variable as its operation declares it.
struct Variable<'a> {
    ty: &'a Type,
    /// Whether it has a default that is not null.
    default: bool,
    pos: Pos,
}

fn variables(operation: &OperationDefinition) -> HashMap<&str, Variable<'_>> {
    let variables = operation.variable_definitions.iter().map(|definition| {
        let node = &definition.node;
        let default = node.default_value.as_ref().is_some_and(|value| value.node != async_graphql::Value::Null);
        (node.name.node.as_str(), Variable { ty: &node.var_type.node, default, pos: definition.pos })
    });
    variables.collect()
}

fn misfit(variable: &Variable<'_>, usage: &Usage<'_>) -> Option<Error> {
    let place = match MetaTypeName::create(&usage.ty) {
        MetaTypeName::NonNull(inner) if variable.ty.nullable && (variable.default || usage.default) => inner,
        _ => &usage.ty,
    };
    if fits(variable.ty, place) {
        return None;
    }
    let message = format!("${} of type {} does not fit where {} is expected", usage.name, variable.ty, usage.ty);
    let error = Error::new(Code::GraphqlValidationFailed, message);
    Some(error.at(usage.pos.line, usage.pos.column).at(variable.pos.line, variable.pos.column))
}

fn fits(variable: &Type, place: &str) -> bool {
    match (MetaTypeName::create(place), &variable.base) {
        (MetaTypeName::NonNull(inner), _) if !variable.nullable => {
            fits(&Type { base: variable.base.clone(), nullable: true }, inner)
        }
        (MetaTypeName::NonNull(_), _) => false,
        (MetaTypeName::List(inner), BaseType::List(variable)) => fits(variable, inner),
        (MetaTypeName::Named(place), BaseType::Named(name)) => name == place,
        _ => false,
    }
}
