//! An operation of a request, with the values of its variables.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Data, Name, Pos, ServerError, Value, Variables, parser::types::DocumentOperations};

use super::{
    Error, OperationType, bulk_rows::DeferredRows, collect_fields::Collected, cost::Cost, document::LateCheck,
    introspection, prepared_operation::PreparedOperation, raw_json, scalar, schema::Types,
    variable_copies::VariableCopies, variables,
};
use crate::budget::{self, Exceeded};

/// An operation that may run.
pub struct Operation {
    pub(super) prepared: Arc<PreparedOperation>,
    pub(super) collected: Arc<Collected>,
    pub(super) variables: Variables,
    pub(super) rows: DeferredRows,
    pub(super) cost: Cost,
    pub(super) shows_cost: bool,
}

/// An operation that runs.
pub(super) struct Pending {
    pub(super) collected: Arc<Collected>,
    /// The root fields that query the schema, with their values and errors.
    pub(super) introspected: Vec<(Name, Value, Vec<ServerError>)>,
    /// Null variables in arguments that must not be null, by the position of the argument.
    pub(super) null_arguments: HashMap<Pos, Name>,
    /// The cost, if it is part of the response.
    pub(super) cost: Option<u64>,
}

impl Operation {
    pub fn kind(&self) -> OperationType {
        self.prepared.kind()
    }

    /// Returns an estimate of the time to compute the response, in fields of usual size.
    pub(crate) fn work(&self) -> u64 {
        self.cost.work
    }

    /// Adds the cost to the response.
    #[must_use]
    pub(crate) fn with_cost_extension(self) -> Self {
        Self { shows_cost: true, ..self }
    }

    /// Returns the label for metrics, one of [`Executor::operations`](super::Executor::operations).
    pub(crate) fn root(&self) -> &str {
        self.prepared.label()
    }

    /// Returns the operation's name in the document.
    pub(crate) fn name(&self) -> Option<&str> {
        self.prepared.name()
    }

    /// Returns the operation for async-graphql, and what is needed for its response.
    pub(super) fn into_request(
        self,
        types: &Types,
        mut data: Data,
    ) -> Result<(async_graphql::Request, Pending), Vec<Error>> {
        let Self { prepared, collected, variables, rows, cost, shows_cost } = self;
        expect_copies(&prepared, &collected, &variables).map_err(|exceeded| vec![exceeded.into()])?;
        let null_arguments = late_checks(&prepared, &collected, &variables)?;
        let mut document = collected.document.clone();
        if let DocumentOperations::Single(operation) = &mut document.operations {
            variables::remove_undefined(&mut operation.node, &variables);
        }
        let introspected = collected.introspection.iter().map(|field| {
            let (json, errors) = introspection::write(types, field, |name| prepared.value(&variables, name));
            // Completion has to recognise a null.
            let value = if json == b"null" { Value::Null } else { raw_json(json) };
            (field.key.clone(), value, errors)
        });
        let introspected = introspected.collect();
        data.insert(rows);
        let mut request = async_graphql::Request::new(String::new()).variables(variables);
        request.data = data;
        request.set_parsed_query(document);
        let cost = shows_cost.then_some(cost.fields);
        Ok((request, Pending { collected, introspected, null_arguments, cost }))
    }
}

/// Checks that the request's budget suffices for all copies of variables.
fn expect_copies(prepared: &PreparedOperation, collected: &Collected, variables: &Variables) -> Result<(), Exceeded> {
    let bytes = |(name, copies): (&Name, &VariableCopies)| {
        prepared.value(variables, name).map_or(0, |value| copies.bytes(value))
    };
    budget::expect(collected.variable_copies.iter().map(bytes).fold(0, usize::saturating_add))
}

/// Checks what depends on the values of variables. An invalid scalar with variables inside is a request error, as an
/// invalid variable is. Returns the arguments with a null variable where null is not allowed: these are field errors
/// (<https://spec.graphql.org/draft/#CoerceArgumentValues()>), which async-graphql raises in its own words.
fn late_checks(
    prepared: &PreparedOperation,
    collected: &Collected,
    variables: &Variables,
) -> Result<HashMap<Pos, Name>, Vec<Error>> {
    let mut nulls = HashMap::new();
    let mut errors = Vec::new();
    for (argument, check) in &collected.late_checks {
        match check {
            LateCheck::NonNull { variable } => {
                if prepared.value(variables, variable) == Some(&Value::Null) {
                    nulls.insert(*argument, Name::new(variable));
                }
            }
            LateCheck::Scalar { name, literal, in_row, path, pos } => {
                let value = |name: Name| Ok::<_, ()>(prepared.value(variables, &name).cloned().unwrap_or_default());
                let Ok(value) = literal.clone().into_const_with(value) else { continue };
                let check = if *in_row { scalar::check_in_row } else { scalar::check };
                if let Err(message) = check(name, &value) {
                    errors.push(Error::bad_input(path, message).at(pos.line, pos.column));
                }
            }
        }
    }
    if errors.is_empty() { Ok(nulls) } else { Err(errors) }
}
