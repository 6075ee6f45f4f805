//! Turns the text of a request into a validated document. The cheapest checks come first, and the cost of each step is
//! bounded by the steps before it.

mod operation_limits;
mod positions;
mod rules;
mod text;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use apollo_compiler::{
    ExecutableDocument,
    ast::OperationType,
    diagnostic::ToCliReport,
    executable, introspection,
    parser::Parser,
    validation::{DiagnosticList, Valid},
};
use quick_cache::{Weighter, sync::Cache};

use self::text::Text;
pub(super) use self::{
    positions::Positions,
    rules::{LateCheck, LateChecks},
};
use super::{bulk_rows::RowDecoders, collect_fields, prepared_operation::PreparedOperation, schema::Types};
use crate::{
    graphql::{Code, Error},
    types::DocumentLimits,
};

/// Capacity of the cache of documents, in bytes.
const CACHE_BYTES: u64 = 16 << 20;

/// Estimated size of a token once it is parsed and the fields of its operation are collected, in bytes.
const NODE_BYTES: u64 = 400;

/// Each operation may store collections of this many fields and values, in addition to its share of one for each token:
/// fragments multiply, and a short text must not occupy more memory than its weight in the cache.
const MIN_STORED_NODES: usize = 32;

/// A valid document with the locations of its text.
pub(super) struct Source {
    pub(super) document: Valid<ExecutableDocument>,
    pub(super) positions: Positions,
    pub(super) late_checks: LateChecks,
    /// Maximum number of fields and values in the collections that an operation stores.
    pub(super) max_stored_nodes: usize,
}

/// A document that is valid against the schema, prepared for execution.
pub(super) struct Document {
    operations: Vec<Arc<PreparedOperation>>,
    weight: u64,
}

impl Document {
    /// Returns the operation that a request asks for (<https://spec.graphql.org/draft/#GetOperation()>).
    pub(super) fn operation(&self, name: Option<&str>) -> Result<&Arc<PreparedOperation>, Error> {
        let invalid = |message: String| Error::new(Code::GraphqlValidationFailed, message);
        match (name, self.operations.as_slice()) {
            (None, [operation]) => Ok(operation),
            (None, _) => Err(invalid("the document has several operations; operationName must name one".to_owned())),
            (Some(name), operations) => {
                operations.iter().find(|operation| operation.name() == Some(name)).ok_or_else(|| {
                    let name: String = name.chars().take(100).collect();
                    invalid(format!("the document has no operation named {name}"))
                })
            }
        }
    }
}

/// The documents of a schema.
pub(super) struct Documents {
    types: Arc<Types>,
    decoders: RowDecoders,
    limits: DocumentLimits,
    cache: Cache<Box<str>, Arc<Document>, Weight>,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Box<str>, Arc<Document>> for Weight {
    fn weight(&self, _text: &Box<str>, document: &Arc<Document>) -> u64 {
        document.weight
    }
}

impl Documents {
    pub(super) fn new(types: Arc<Types>, decoders: RowDecoders, limits: &DocumentLimits) -> Self {
        // A cache with several shards would store no document that is larger than a shard.
        let cache = Cache::with_weighter(100, CACHE_BYTES, Weight);
        Self { types, decoders, limits: *limits, cache }
    }

    /// Returns the decoders of bulk rows.
    pub(super) fn decoders(&self) -> &RowDecoders {
        &self.decoders
    }

    /// Parses and validates a text, unless it is in the cache.
    pub(super) fn get(&self, text: &str) -> Result<Arc<Document>, Vec<Error>> {
        if let Some(document) = self.cache.get(text) {
            return Ok(document);
        }
        // A panic of a parser or validator must not depend on the text that a client sends.
        let document = catch_unwind(AssertUnwindSafe(|| self.prepare(text))).unwrap_or_else(|_| {
            tracing::error!("document validation panicked");
            Err(vec![Error::new(Code::InternalServerError, "internal error")])
        })?;
        let document = Arc::new(document);
        self.cache.insert(text.into(), Arc::clone(&document));
        Ok(document)
    }

    fn prepare(&self, text: &str) -> Result<Document, Vec<Error>> {
        let one = |error| vec![error];
        let Text { parsable, tokens, positions, missing_value } = Text::scan(text, &self.limits).map_err(one)?;
        // The parser's limits also count white space and more kinds of nesting than `Text`, so they are higher.
        let mut parser =
            Parser::new().token_limit(4 * self.limits.tokens + 2).recursion_limit(4 * self.limits.bracket_depth);
        let parsed = parser.parse_ast(parsable, "document");
        // The errors after the first one are its consequences.
        let first =
            parsed.as_ref().err().and_then(|invalid| invalid.errors.iter().next().map(|it| it.error.location()));
        let offset = first.flatten().map(|location| location.offset());
        if let Some((missing, error)) = missing_value
            && offset.is_none_or(|offset| missing < offset)
        {
            return Err(vec![error]);
        }
        let parsed = parsed.map_err(|invalid| {
            let mut errors = errors(&invalid.errors, &positions, Code::GraphqlParseFailed, |_| true);
            errors.truncate(1);
            errors
        })?;
        operation_limits::check(&parsed, &positions, &self.limits).map_err(one)?;
        let (document, late_checks) = self.validate(&parsed, &positions)?;
        let max_stored_nodes = tokens / document.operations.len().max(1) + MIN_STORED_NODES;
        let source = Arc::new(Source { document, positions, late_checks, max_stored_nodes });
        let mut operations = Vec::with_capacity(source.document.operations.len());
        for operation in source.document.operations.iter() {
            self.check_introspection(&source, operation).map_err(one)?;
            collect_fields::check(&self.types, &source, operation).map_err(one)?;
            operations.push(Arc::new(PreparedOperation::new(&self.types, &source, operation)));
        }
        let minimum = NODE_BYTES * (MIN_STORED_NODES * operations.len()) as u64;
        let weight = NODE_BYTES * tokens as u64 + 3 * text.len() as u64 + minimum;
        Ok(Document { operations, weight })
    }

    /// Validates a document (<https://spec.graphql.org/draft/#sec-Validation>). Errors are in the order of the text.
    fn validate(
        &self,
        parsed: &apollo_compiler::ast::Document,
        positions: &Positions,
    ) -> Result<(Valid<ExecutableDocument>, LateChecks), Vec<Error>> {
        let validated = parsed.to_executable_validate(self.types.schema());
        let document = match &validated {
            Ok(document) => document,
            Err(invalid) => &invalid.partial,
        };
        let findings = rules::check(&self.types, &self.decoders, parsed, document, positions);
        let mut all = findings.errors;
        // Each use of a variable of an unknown type would be reported as well.
        if findings.unknown_types {
            return Err(all);
        }
        let validated = match validated {
            Ok(document) if all.is_empty() => return Ok((document, findings.late_checks)),
            Ok(_) => None,
            Err(invalid) => Some(invalid.errors),
        };
        if let Some(diagnostics) = validated {
            let is_new = |offset: usize| !findings.superseded.contains(&offset);
            all.extend(errors(&diagnostics, positions, Code::GraphqlValidationFailed, is_new));
        }
        all.sort_by(|a, b| (a.locations(), a.message()).cmp(&(b.locations(), b.message())));
        all.truncate(self.limits.errors.max(1));
        Err(all)
    }

    /// Limits the nesting of lists in introspection, because each level multiplies the response.
    fn check_introspection(&self, source: &Source, operation: &executable::Operation) -> Result<(), Error> {
        if operation.operation_type != OperationType::Query {
            return Ok(());
        }
        introspection::check_max_depth(&source.document, operation).map_err(|deep| {
            let message = "fields, interfaces, possibleTypes and inputFields are nested deeper than the maximum of 2";
            source.positions.locate(deep.location(), Error::new(Code::LimitExceeded, message))
        })
    }
}

/// Converts diagnostics whose offset passes a filter.
fn errors(
    diagnostics: &DiagnosticList,
    positions: &Positions,
    code: Code,
    filter: impl Fn(usize) -> bool,
) -> Vec<Error> {
    let convert = |diagnostic: apollo_compiler::diagnostic::Diagnostic<'_, _>| {
        let data: &apollo_compiler::validation::DiagnosticData = diagnostic.error;
        let location = data.location();
        if location.is_some_and(|location| !filter(location.offset())) {
            return None;
        }
        Some(positions.locate(location, Error::new(code, data.to_string())))
    };
    diagnostics.iter().filter_map(convert).collect()
}

#[cfg(test)]
mod tests;
