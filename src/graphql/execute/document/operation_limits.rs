//! Limits of a document with its fragments expanded, checked in linear time: each fragment is measured once.
//!
//! Validation and execution expand every spread. The recursion is bounded, because selection sets with their fragments
//! may be nested no deeper than brackets.

use std::collections::HashMap;

use apollo_compiler::{
    Name, Node,
    ast::{Definition, Directive, Document, Field, FragmentDefinition, OperationDefinition, Selection},
    parser::SourceSpan,
};

use super::{positions::Positions, text::over};
use crate::{
    graphql::{Code, Error, execute::literal},
    types::DocumentLimits,
};

/// Maximum number of variables of all operations. Validation searches the list of variables for each use of one.
const MAX_VARIABLES: usize = 500;

/// Maximum number of validation steps. A step is a value in a literal, or a pair of arguments of a field. They are
/// counted for each expansion of a fragment, and again for each selection set that compares the field with others,
/// through inline fragments and spreads. Everything else takes linear time.
const MAX_VALIDATION_STEPS: usize = 250_000;

/// Checks a document's limits.
pub(super) fn check(document: &Document, positions: &Positions, limits: &DocumentLimits) -> Result<(), Error> {
    let at_most = |what, count, unit, limit, setting| {
        if count > limit { Err(over(what, count, unit, limit, setting)) } else { Ok(()) }
    };
    let mut operations = Vec::new();
    let mut fragments = Vec::new();
    for definition in &document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => operations.push(operation),
            Definition::FragmentDefinition(fragment) => fragments.push(fragment),
            // Validation rejects it.
            _ => {}
        }
    }
    at_most("document", operations.len(), "operations", limits.operations, "MEMBERBASE_MAX_OPERATIONS")?;
    at_most("document", fragments.len(), "fragments", limits.fragments, "MEMBERBASE_MAX_FRAGMENTS")?;
    let mut measure = Measure::new(&fragments, positions, limits);
    for fragment in &fragments {
        measure.fragment(&fragment.name, 0)?;
    }
    let mut sizes = Vec::new();
    for operation in operations {
        sizes.push(measure.operation(operation)?);
    }
    at_most("document", measure.aliases, "aliases", limits.aliases, "MEMBERBASE_MAX_ALIASES")?;
    at_most("document", measure.directives, "directives", limits.directives, "MEMBERBASE_MAX_DIRECTIVES")?;
    if measure.variables > MAX_VARIABLES {
        let message = format!("the document has {} variables, at most {MAX_VARIABLES} are allowed", measure.variables);
        return Err(Error::new(Code::LimitExceeded, message));
    }
    for size in &sizes {
        let unit = "selections with its fragments";
        at_most("operation", size.fields, "fields at its root", limits.root_fields, "MEMBERBASE_MAX_ROOT_FIELDS")?;
        at_most("operation", size.selections, unit, limits.selections, "MEMBERBASE_MAX_SELECTIONS")?;
        at_most("operation", size.depth, "levels", limits.selection_depth, "MEMBERBASE_MAX_SELECTION_DEPTH")?;
    }
    let steps = sizes.iter().fold(measure.compared, |steps, size| steps.saturating_add(size.values));
    if steps > MAX_VALIDATION_STEPS {
        let message = format!(
            "the document takes {steps} steps to validate, at most {MAX_VALIDATION_STEPS} are allowed; use variables"
        );
        return Err(Error::new(Code::LimitExceeded, message));
    }
    Ok(())
}

/// The size of a selection set, its fragments expanded.
#[derive(Clone, Copy, Default)]
struct SetSize {
    /// Fields of this level.
    fields: usize,
    /// Selections of all levels.
    selections: usize,
    /// Nesting of fields. Inline fragments and spreads add no level.
    depth: usize,
    /// Nesting of selection sets of all kinds.
    nesting: usize,
    /// Values and pairs of arguments of all levels.
    values: usize,
    /// The cost of comparing the fields of this level.
    compared: usize,
}

/// The state of a fragment's measurement.
enum Progress {
    Started,
    Done(SetSize),
}

struct Measure<'a> {
    definitions: HashMap<&'a str, &'a Node<FragmentDefinition>>,
    fragments: HashMap<&'a str, Progress>,
    positions: &'a Positions,
    /// Maximum nesting of selection sets.
    max_nesting: usize,
    introspection: bool,
    aliases: usize,
    directives: usize,
    variables: usize,
    compared: usize,
}

impl<'a> Measure<'a> {
    fn new(fragments: &[&'a Node<FragmentDefinition>], positions: &'a Positions, limits: &DocumentLimits) -> Self {
        Self {
            definitions: fragments.iter().map(|fragment| (fragment.name.as_str(), *fragment)).collect(),
            fragments: HashMap::new(),
            positions,
            max_nesting: limits.bracket_depth,
            introspection: limits.introspection,
            aliases: 0,
            directives: 0,
            variables: 0,
            compared: 0,
        }
    }

    fn operation(&mut self, operation: &'a Node<OperationDefinition>) -> Result<SetSize, Error> {
        self.variables += operation.variables.len();
        self.directives += operation.variables.iter().map(|variable| variable.directives.len()).sum::<usize>();
        let values = self.directives(&operation.directives);
        let size = self.set(&operation.selection_set, operation.location(), 0)?;
        Ok(size.with_values(values))
    }

    fn fragment(&mut self, name: &'a Name, depth: usize) -> Result<SetSize, Error> {
        match self.fragments.get(name.as_str()) {
            Some(Progress::Done(size)) => return Ok(*size),
            Some(Progress::Started) => {
                let message = format!("the fragment {name} contains itself");
                return Err(Error::new(Code::GraphqlValidationFailed, message));
            }
            None => {}
        }
        // Validation reports a fragment that does not exist.
        let Some(fragment) = self.definitions.get(name.as_str()).copied() else { return Ok(SetSize::default()) };
        self.fragments.insert(name, Progress::Started);
        let values = self.directives(&fragment.directives);
        let size = self.set(&fragment.selection_set, fragment.location(), depth)?.with_values(values);
        self.fragments.insert(name, Progress::Done(size));
        Ok(size)
    }

    /// Measures a selection set. `depth` is the depth of the recursion, which can be less than the nesting, because a
    /// fragment is measured only once.
    fn set(&mut self, set: &'a [Selection], location: Option<SourceSpan>, depth: usize) -> Result<SetSize, Error> {
        if set.is_empty() {
            return Ok(SetSize::default());
        }
        if depth >= self.max_nesting {
            return Err(self.too_deep(location));
        }
        let mut total = SetSize::default();
        for selection in set {
            let size = match selection {
                Selection::Field(field) => self.field(field, depth)?,
                Selection::InlineFragment(inline) => {
                    let values = self.directives(&inline.directives);
                    self.set(&inline.selection_set, inline.location(), depth + 1)?.with_values(values)
                }
                Selection::FragmentSpread(spread) => {
                    let values = self.directives(&spread.directives);
                    let size = self.fragment(&spread.fragment_name, depth + 1).map_err(|error| match error.code() {
                        Code::GraphqlValidationFailed => self.positions.locate(spread.location(), error),
                        _ => error,
                    })?;
                    size.with_values(values)
                }
            };
            total = total.and(size);
        }
        self.compared = self.compared.saturating_add(total.compared);
        total.nesting += 1;
        if total.nesting > self.max_nesting {
            return Err(self.too_deep(location));
        }
        Ok(total)
    }

    fn too_deep(&self, location: Option<SourceSpan>) -> Error {
        let message = format!(
            "selections and fragments are nested deeper than the maximum of {} (MEMBERBASE_MAX_BRACKET_DEPTH)",
            self.max_nesting
        );
        self.positions.locate(location, Error::new(Code::LimitExceeded, message))
    }

    fn field(&mut self, field: &'a Node<Field>, depth: usize) -> Result<SetSize, Error> {
        if !self.introspection && matches!(field.name.as_str(), "__schema" | "__type") {
            let message = "introspection is disabled (MEMBERBASE_INTROSPECTION)";
            let error = Error::new(Code::GraphqlValidationFailed, message);
            return Err(self.positions.locate(field.name.location(), error));
        }
        self.aliases += usize::from(field.alias.is_some());
        let arguments = field.arguments.len();
        let values = field.arguments.iter().map(|argument| literal::count(&argument.value)).sum::<usize>();
        let values = values.saturating_add(arguments.saturating_mul(arguments));
        let directives = self.directives(&field.directives);
        let below = self.set(&field.selection_set, field.location(), depth + 1)?;
        Ok(SetSize {
            fields: 1,
            selections: below.selections,
            depth: below.depth + 1,
            nesting: below.nesting,
            values: below.values.saturating_add(values).saturating_add(directives),
            compared: values.saturating_add(1),
        })
    }

    /// Counts directives, and returns the number of values in their arguments.
    fn directives(&mut self, directives: &[Node<Directive>]) -> usize {
        self.directives += directives.len();
        directives
            .iter()
            .flat_map(|directive| &directive.arguments)
            .map(|argument| literal::count(&argument.value))
            .sum()
    }
}

impl SetSize {
    fn with_values(self, values: usize) -> Self {
        Self { values: self.values.saturating_add(values), ..self }
    }

    /// Returns the size of a set with one more selection.
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
