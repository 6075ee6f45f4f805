//! Groups the selections of an object by response key.

use std::collections::HashSet;

use apollo_compiler::{
    Name, Node,
    ast::DirectiveList,
    collections::IndexMap,
    executable::{Field, Selection, SelectionSet},
    parser::SourceSpan,
};
use async_graphql::ServerError;

use super::Collector;
use crate::graphql::{
    Code, Error,
    execute::{document::Positions, literal},
};

/// The fields of an object by response key.
pub(super) type GroupedFields<'a> = IndexMap<&'a Name, Vec<&'a Node<Field>>>;

/// A condition that is null (<https://spec.graphql.org/draft/#sec--include>).
pub(super) struct NullCondition {
    directive: Name,
    location: Option<SourceSpan>,
}

impl<'a> Collector<'a> {
    /// Merges the selections of fields with the same response key
    /// (<https://spec.graphql.org/draft/#CollectSubfields()>).
    pub(super) fn group(&self, object: &str, sets: &[&'a SelectionSet]) -> Result<GroupedFields<'a>, NullCondition> {
        let mut grouped = GroupedFields::default();
        let mut visited = HashSet::new();
        for set in sets {
            self.collect_fields(&mut grouped, &mut visited, object, set)?;
        }
        Ok(grouped)
    }

    /// <https://spec.graphql.org/draft/#CollectFields()>
    fn collect_fields(
        &self,
        grouped: &mut GroupedFields<'a>,
        visited: &mut HashSet<&'a Name>,
        object: &str,
        set: &'a SelectionSet,
    ) -> Result<(), NullCondition> {
        for selection in &set.selections {
            // The conditions of a fragment that was visited are not evaluated, as in graphql-js.
            if selection.as_fragment_spread().is_some_and(|spread| visited.contains(&spread.fragment_name))
                || !self.is_included(selection.directives())?
            {
                continue;
            }
            match selection {
                Selection::Field(field) => grouped.entry(field.response_key()).or_default().push(field),
                Selection::InlineFragment(inline) => {
                    let condition = inline.type_condition.as_ref();
                    if condition.is_none_or(|condition| self.types.applies(condition, object)) {
                        self.collect_fields(grouped, visited, object, &inline.selection_set)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.source.document.fragments.get(&spread.fragment_name) else { continue };
                    if visited.insert(&spread.fragment_name) && self.types.applies(fragment.type_condition(), object) {
                        self.collect_fields(grouped, visited, object, &fragment.selection_set)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Applies `@skip` and `@include` (<https://spec.graphql.org/draft/#sec--skip>).
    fn is_included(&self, directives: &DirectiveList) -> Result<bool, NullCondition> {
        let Some(conditions) = self.conditions else { return Ok(true) };
        for (name, includes) in [("skip", false), ("include", true)] {
            let Some(directive) = directives.get(name) else { continue };
            let Some(value) = directive.specified_argument_by_name("if") else { continue };
            let condition = match value.as_variable() {
                Some(variable) => conditions.get(variable.as_str()).copied().flatten(),
                None => value.to_bool(),
            };
            match condition {
                Some(condition) if condition == includes => {}
                Some(_) => return Ok(false),
                None => return Err(NullCondition { directive: directive.name.clone(), location: value.location() }),
            }
        }
        Ok(true)
    }

    /// Returns the field error for the object whose selections have the condition.
    pub(super) fn null_condition(&self, condition: &NullCondition) -> ServerError {
        let message = format!("the argument if of @{} must not be null", condition.directive);
        let mut error = ServerError::new(message, Some(self.pos(condition.location)));
        error.extensions = Some(Error::new(Code::BadUserInput, "").extensions());
        error
    }
}

/// Checks the arguments of fields with the same response key
/// (<https://spec.graphql.org/draft/#sec-Field-Selection-Merging>).
pub(super) fn check_same_arguments(fields: &[&Node<Field>], positions: &Positions) -> Result<(), Error> {
    let field = fields[0];
    let Some(other) = fields.iter().find(|other| !is_same_call(field, other)) else { return Ok(()) };
    let message = format!("the fields of the key {} have different arguments; use aliases", field.response_key());
    let (pos, other) = (positions.of(field.location()), positions.of(other.location()));
    let error = Error::new(Code::GraphqlValidationFailed, message);
    Err(error.at(pos.line, pos.column).at(other.line, other.column))
}

/// Returns true if two fields are the same field with the same arguments in any order.
fn is_same_call(field: &Field, other: &Field) -> bool {
    field.name == other.name
        && field.arguments.len() == other.arguments.len()
        && field.arguments.iter().all(|argument| {
            let same = other.arguments.iter().find(|it| it.name == argument.name);
            same.is_some_and(|same| literal::is_same(&argument.value, &same.value))
        })
}
