//! An operation of a valid document, and its field collections.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use apollo_compiler::{
    ExecutableDocument, Node,
    ast::{DirectiveList, OperationType, Type},
    executable::{self, Selection, SelectionSet},
};
use async_graphql::{Pos, Value, Variables};

use super::{
    collect_fields::{Collected, collect},
    document::Source,
    literal, operation_label,
    schema::Types,
    variable_uses::VariableUses,
};
use crate::graphql::Error;

/// Maximum number of collections that are stored for an operation, one for each combination of its conditions' values.
const MAX_COLLECTIONS: usize = 8;

type Collections = HashMap<Box<[Option<bool>]>, Arc<Collected>>;

/// An operation of a valid document.
pub(super) struct PreparedOperation {
    label: String,
    source: Arc<Source>,
    operation: Node<executable::Operation>,
    variables: Vec<VariableDefinition>,
    uses: VariableUses,
    /// The variables that decide `@skip` and `@include`.
    conditions: Vec<String>,
    /// The collections by the values of `conditions`.
    collections: Mutex<Collections>,
}

/// A variable that an operation defines.
pub(super) struct VariableDefinition {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) default: Option<Value>,
    pub(super) pos: Pos,
}

impl PreparedOperation {
    pub(super) fn new(types: &Types, source: &Arc<Source>, operation: &Node<executable::Operation>) -> Self {
        let variables = operation.variables.iter().map(|variable| VariableDefinition {
            name: variable.name.to_string(),
            ty: (*variable.ty).clone(),
            default: variable.default_value.as_ref().and_then(|default| {
                // A default has no variables, so it is a constant.
                literal::convert(types, Some(&variable.ty), default).into_const()
            }),
            pos: source.positions.of(variable.location()),
        });
        Self {
            label: operation_label::of(operation.root_fields(&source.document).map(|field| field.name.as_str()))
                .to_owned(),
            variables: variables.collect(),
            uses: VariableUses::of(operation, &source.document.fragments),
            conditions: conditions(operation, &source.document),
            source: Arc::clone(source),
            operation: operation.clone(),
            collections: Mutex::default(),
        }
    }

    /// Prepares the first operation of a document that may be invalid.
    #[cfg(test)]
    pub(super) fn unvalidated(types: &Types, text: &str) -> Self {
        let parsed = apollo_compiler::ast::Document::parse(text, "document").expect("a document");
        let document = parsed.to_executable(types.schema()).unwrap_or_else(|invalid| invalid.partial);
        let source = Source {
            document: apollo_compiler::validation::Valid::assume_valid(document),
            positions: super::document::Positions::new(text),
            late_checks: HashMap::new(),
            max_stored_nodes: 0,
        };
        let source = Arc::new(source);
        let operation = source.document.operations.iter().next().expect("an operation");
        Self::new(types, &source, operation)
    }

    pub(super) fn kind(&self) -> OperationType {
        self.operation.operation_type
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.operation.name.as_ref().map(|name| name.as_str())
    }

    /// Returns the operation's label for metrics.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn variables(&self) -> &[VariableDefinition] {
        &self.variables
    }

    pub(super) fn uses(&self) -> &VariableUses {
        &self.uses
    }

    /// Returns a variable's value, or else its default.
    pub(super) fn value<'a>(&'a self, variables: &'a Variables, name: &str) -> Option<&'a Value> {
        variables.get(name).or_else(|| self.variables.iter().find(|variable| variable.name == name)?.default.as_ref())
    }

    /// Collects the operation's fields for these values of variables, or returns them from an earlier request.
    pub(super) fn collected(&self, types: &Types, variables: &Variables) -> Result<Arc<Collected>, Error> {
        let value = |name: &String| match self.value(variables, name) {
            Some(Value::Boolean(value)) => Some(*value),
            _ => None,
        };
        let values: Box<[_]> = self.conditions.iter().map(value).collect();
        if let Some(collected) = self.collections().get(&values) {
            return Ok(Arc::clone(collected));
        }
        let conditions = self.conditions.iter().map(String::as_str).zip(values.iter().copied()).collect();
        let collected = Arc::new(collect(types, &self.source, &self.operation, &self.variables, &conditions)?);
        let mut collections = self.collections();
        let stored: usize = collections.values().map(|collected| collected.size).sum();
        if collections.len() < MAX_COLLECTIONS && stored + collected.size <= self.source.max_stored_nodes {
            collections.insert(values, Arc::clone(&collected));
        }
        Ok(collected)
    }

    fn collections(&self) -> MutexGuard<'_, Collections> {
        self.collections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the variables in the conditions of the selections that an operation reaches.
fn conditions(operation: &executable::Operation, document: &ExecutableDocument) -> Vec<String> {
    fn add(directives: &DirectiveList, found: &mut Vec<String>) {
        let conditions = directives.iter().filter(|directive| matches!(directive.name.as_str(), "skip" | "include"));
        let variables = conditions.flat_map(|directive| &directive.arguments).filter_map(|it| it.value.as_variable());
        found.extend(variables.map(ToString::to_string));
    }
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut pending: Vec<&SelectionSet> = vec![&operation.selection_set];
    while let Some(set) = pending.pop() {
        for selection in &set.selections {
            add(selection.directives(), &mut found);
            match selection {
                Selection::Field(field) => pending.push(&field.selection_set),
                Selection::InlineFragment(inline) => pending.push(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    if seen.insert(&spread.fragment_name)
                        && let Some(fragment) = document.fragments.get(&spread.fragment_name)
                    {
                        pending.push(&fragment.selection_set);
                    }
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
