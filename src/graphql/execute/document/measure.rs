//! Measures a document with its fragments expanded, without expanding them: each fragment is measured once.
//!
//! Later steps, validation and execution, expand every spread. Selection sets are nested no deeper here than brackets may
//! be in the text, which bounds the recursion.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::types::{Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet},
};
use async_graphql_value::Value;

use super::scan::over;
use crate::{
    graphql::{Code, Error},
    types::DocumentLimits,
};

/// Variables of all operations: for each use of one, validation looks through their list.
const VARIABLES: usize = 500;

/// Steps that validation takes for what grows faster than the text: values in literals and pairs of arguments wherever
/// they are expanded, and for each selection set the same of what it compares through inline fragments and spreads.
const WORK: usize = 250_000;

/// Measures a document and judges it.
pub(super) fn measure(document: &ExecutableDocument, limits: &DocumentLimits) -> Result<(), Error> {
    let is = |what, figure, unit, limit, setting| {
        if figure > limit { Err(over(what, figure, unit, limit, setting)) } else { Ok(()) }
    };
    let (operations, fragments) = (document.operations.iter().len(), document.fragments.len());
    is("document", operations, "operations", limits.operations, "MEMBERBASE_MAX_OPERATIONS")?;
    is("document", fragments, "fragments", limits.fragments, "MEMBERBASE_MAX_FRAGMENTS")?;
    let mut measure = Measure::new(document, limits);
    for name in document.fragments.keys() {
        measure.fragment(name, 0)?;
    }
    let mut sizes = Vec::new();
    for (_, operation) in document.operations.iter() {
        sizes.push(measure.operation(&operation.node)?);
    }
    is("document", measure.aliases, "aliases", limits.aliases, "MEMBERBASE_MAX_ALIASES")?;
    is("document", measure.directives, "directives", limits.directives, "MEMBERBASE_MAX_DIRECTIVES")?;
    if measure.variables > VARIABLES {
        let message = format!("the document has {} variables, at most {VARIABLES} are allowed", measure.variables);
        return Err(Error::new(Code::LimitExceeded, message));
    }
    for size in &sizes {
        let unit = "selections with its fragments";
        is("operation", size.fields, "fields at its root", limits.root_fields, "MEMBERBASE_MAX_ROOT_FIELDS")?;
        is("operation", size.selections, unit, limits.selections, "MEMBERBASE_MAX_SELECTIONS")?;
        is("operation", size.depth, "levels", limits.selection_depth, "MEMBERBASE_MAX_SELECTION_DEPTH")?;
    }
    let work = sizes.iter().fold(measure.compared, |work, size| work.saturating_add(size.values));
    if work > WORK {
        let message = format!("the document takes {work} steps to validate, at most {WORK} are allowed; use variables");
        return Err(Error::new(Code::LimitExceeded, message));
    }
    Ok(())
}

/// The size of a selection set, its fragments expanded.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Fields of this level.
    fields: usize,
    /// Selections of all levels.
    selections: usize,
    /// Nested fields; inline fragments and spreads are no level of their own.
    depth: usize,
    /// Nested selection sets of all kinds.
    nesting: usize,
    /// Values and pairs of arguments of all levels.
    values: usize,
    /// What it costs to compare the fields of this level.
    compared: usize,
}

/// A fragment, in the middle of its measurement or after it.
enum State {
    Open,
    Done(Size),
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    fragments: HashMap<&'a str, State>,
    /// How deep selection sets nest, at most.
    depth: usize,
    /// Whether the schema may be asked for.
    introspection: bool,
    aliases: usize,
    directives: usize,
    variables: usize,
    compared: usize,
}

impl<'a> Measure<'a> {
    fn new(document: &'a ExecutableDocument, limits: &DocumentLimits) -> Self {
        Self {
            document,
            fragments: HashMap::new(),
            depth: limits.bracket_depth,
            introspection: limits.introspection,
            aliases: 0,
            directives: 0,
            variables: 0,
            compared: 0,
        }
    }

    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Size, Error> {
        self.variables += operation.variable_definitions.len();
        self.directives += operation.variable_definitions.iter().map(|it| it.node.directives.len()).sum::<usize>();
        let values = self.directives(&operation.directives);
        let size = self.set(&operation.selection_set, 0)?;
        Ok(Size { values: size.values.saturating_add(values), ..size })
    }

    fn fragment(&mut self, name: &'a Name, depth: usize) -> Result<Size, Error> {
        match self.fragments.get(name.as_str()) {
            Some(State::Done(size)) => return Ok(*size),
            Some(State::Open) => {
                let message = format!("the fragment {name} contains itself");
                return Err(Error::new(Code::GraphqlValidationFailed, message));
            }
            None => {}
        }
        // Of one that is not there validation tells.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Size::default()) };
        self.fragments.insert(name, State::Open);
        let values = self.directives(&fragment.node.directives);
        let size = self.set(&fragment.node.selection_set, depth)?;
        let size = Size { values: size.values.saturating_add(values), ..size };
        self.fragments.insert(name, State::Done(size));
        Ok(size)
    }

    /// `depth` is that of the walk, which a fragment measured before cuts short: `nesting` is what counts.
    fn set(&mut self, set: &'a Positioned<SelectionSet>, depth: usize) -> Result<Size, Error> {
        if set.node.items.is_empty() {
            return Ok(Size::default());
        }
        if depth >= self.depth {
            return Err(self.too_deep(set));
        }
        let mut total = Size::default();
        for selection in &set.node.items {
            let size = match &selection.node {
                Selection::Field(field) => self.field(&field.node, depth)?,
                Selection::InlineFragment(inline) => {
                    let values = self.directives(&inline.node.directives);
                    let size = self.set(&inline.node.selection_set, depth + 1)?;
                    Size { values: size.values.saturating_add(values), ..size }
                }
                Selection::FragmentSpread(spread) => {
                    let values = self.directives(&spread.node.directives);
                    let at = |error: Error| match error.code() {
                        Code::GraphqlValidationFailed => error.at(selection.pos.line, selection.pos.column),
                        _ => error,
                    };
                    let size = self.fragment(&spread.node.fragment_name.node, depth + 1).map_err(at)?;
                    Size { values: size.values.saturating_add(values), ..size }
                }
            };
            total = total.and(size);
        }
        self.compared = self.compared.saturating_add(total.compared);
        total.nesting += 1;
        if total.nesting > self.depth {
            return Err(self.too_deep(set));
        }
        Ok(total)
    }

    fn too_deep(&self, set: &Positioned<SelectionSet>) -> Error {
        let message = format!(
            "selections and fragments are nested deeper than the maximum of {} (MEMBERBASE_MAX_BRACKET_DEPTH)",
            self.depth
        );
        Error::new(Code::LimitExceeded, message).at(set.pos.line, set.pos.column)
    }

    fn field(&mut self, field: &'a Field, depth: usize) -> Result<Size, Error> {
        let name = &field.name;
        if !self.introspection && matches!(name.node.as_str(), "__schema" | "__type") {
            let message = "introspection is disabled (MEMBERBASE_INTROSPECTION)";
            return Err(Error::new(Code::GraphqlValidationFailed, message).at(name.pos.line, name.pos.column));
        }
        self.aliases += usize::from(field.alias.is_some());
        let arguments = field.arguments.len();
        let values = field.arguments.iter().map(|(_, value)| count(&value.node)).sum::<usize>();
        let values = values.saturating_add(arguments.saturating_mul(arguments));
        let directives = self.directives(&field.directives);
        let below = self.set(&field.selection_set, depth + 1)?;
        Ok(Size {
            fields: 1,
            selections: below.selections,
            depth: below.depth + 1,
            nesting: below.nesting,
            values: below.values.saturating_add(values).saturating_add(directives),
            compared: values.saturating_add(1),
        })
    }

    /// Counts directives; what their arguments hold is answered.
    fn directives(&mut self, directives: &[Positioned<Directive>]) -> usize {
        self.directives += directives.len();
        directives.iter().flat_map(|it| &it.node.arguments).map(|(_, value)| count(&value.node)).sum()
    }
}

impl Size {
    /// The size of a set with one more selection.
    fn and(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            selections: self.selections.saturating_add(other.selections).saturating_add(1),
            depth: self.depth.max(other.depth),
            nesting: self.nesting.max(other.nesting),
            values: self.values.saturating_add(other.values),
            compared: self.compared.saturating_add(other.compared),
        }
    }
}

/// How many values a literal has.
fn count(value: &Value) -> usize {
    match value {
        Value::List(list) => 1 + list.iter().map(count).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
        _ => 1,
    }
}
