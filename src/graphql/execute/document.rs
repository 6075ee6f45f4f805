//! Turns the text of a request into a validated document. The cheapest checks come first, and the cost of each step is
//! bounded by the steps before it.

mod literals;
mod measure;
mod merging;
mod scan;
mod single;
mod usages;

pub(super) use literals::check_given;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
};

use async_graphql::{
    ObjectType, Positioned, Request, Response, Schema, SchemaEnv, ServerError, SubscriptionType, ValidationMode, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute},
    parser::{
        self, parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationDefinition},
    },
    registry::Registry,
};
use futures_util::FutureExt;
use quick_cache::{Weighter, sync::Cache};

use super::{Engine, rows::RowReaders};
use crate::{
    graphql::{Code, Error},
    types::DocumentLimits,
};

/// How much the documents that are kept may weigh, in bytes.
const CACHE: u64 = 16 << 20;

/// What a token weighs once it is parsed, about.
const TOKEN: u64 = 150;

/// Up to so many errors each is told with names that may have been meant, which takes long to find.
const SUGGESTED: usize = 20;

/// A document that fits the schema.
pub(super) struct Document {
    pub(super) parsed: ExecutableDocument,
    /// True if some arguments depend on the values of variables ([`check_given`]).
    pub(super) open: bool,
    weight: u64,
}

impl Document {
    /// The operation that a request asks for.
    pub(super) fn operation(
        &self,
        name: Option<&str>,
    ) -> Result<(Option<&str>, &Positioned<OperationDefinition>), Error> {
        let refuse = |message: String| Err(Error::new(Code::GraphqlValidationFailed, message));
        match (name, &self.parsed.operations) {
            (None, DocumentOperations::Single(operation)) => Ok((None, operation)),
            (None, DocumentOperations::Multiple(operations)) => {
                let mut operations = operations.iter();
                match (operations.next(), operations.next()) {
                    (Some((name, operation)), None) => Ok((Some(name.as_str()), operation)),
                    _ => refuse("the document has several operations; operationName must name one".to_owned()),
                }
            }
            (Some(name), operations) => {
                let named = match operations {
                    DocumentOperations::Multiple(operations) => operations.get_key_value(name),
                    DocumentOperations::Single(_) => None,
                };
                let Some((name, operation)) = named else {
                    let name: String = name.chars().take(100).collect();
                    return refuse(format!("the document has no operation named {name}"));
                };
                Ok((Some(name.as_str()), operation))
            }
        }
    }
}

/// The documents of a schema.
pub(super) struct Documents {
    limits: DocumentLimits,
    readers: RowReaders,
    /// Validates.
    plain: Box<dyn Engine>,
    /// Validates once more what is not valid, and adds what may have been meant.
    suggesting: Box<dyn Engine>,
    env: SchemaEnv,
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
    /// Documents for a schema of these roots.
    pub(super) fn new<Q, M, S>(
        query: &Q,
        mutation: &M,
        subscription: &S,
        readers: RowReaders,
        limits: &DocumentLimits,
    ) -> Self
    where
        Q: ObjectType + Clone + 'static,
        M: ObjectType + Clone + 'static,
        S: SubscriptionType + Clone + 'static,
    {
        let env = Arc::new(OnceLock::new());
        let schema = || {
            Schema::build(query.clone(), mutation.clone(), subscription.clone())
                .validation_mode(ValidationMode::Strict)
                .limit_recursive_depth(usize::MAX)
                .extension(Dry(Arc::clone(&env)))
        };
        let (plain, suggesting) = (schema().disable_suggestions().finish(), schema().finish());
        // The extension is shown the types, which the schema itself does not show.
        plain.execute("{ __typename }").now_or_never();
        let env = env.get().cloned().expect("validation never waits, and the schema has a query");
        // Sharded by itself, a cache keeps nothing that weighs more than its share.
        let cache = Cache::with_weighter(100, CACHE, Weight);
        let (plain, suggesting): (Box<dyn Engine>, Box<dyn Engine>) = (Box::new(plain), Box::new(suggesting));
        Self { limits: *limits, readers, plain, suggesting, env, cache }
    }

    /// The types, those of introspection too.
    pub(super) fn registry(&self) -> &Registry {
        &self.env.registry
    }

    /// The readers of bulk rows.
    pub(super) fn readers(&self) -> &RowReaders {
        &self.readers
    }

    /// The document that a text is.
    pub(super) fn get(&self, text: &str) -> Result<Arc<Document>, Vec<Error>> {
        if let Some(document) = self.cache.get(text) {
            return Ok(document);
        }
        // The libraries below are not ours, and the text is anyone's.
        let document = catch_unwind(AssertUnwindSafe(|| self.judge(text))).unwrap_or_else(|_| {
            tracing::error!("document validation panicked");
            Err(vec![Error::new(Code::InternalServerError, "internal error")])
        })?;
        let document = Arc::new(document);
        self.cache.insert(text.into(), Arc::clone(&document));
        Ok(document)
    }

    /// Errors are in the order of the text; the rules have none, and hash maps have another each time.
    fn judge(&self, text: &str) -> Result<Document, Vec<Error>> {
        let one = |error| vec![error];
        let scan = scan::scan(text, &self.limits).map_err(one)?;
        let parsed = parse_query(text).map_err(|error| vec![unparsed(&error)])?;
        measure::measure(&parsed, &self.limits).map_err(one)?;
        if let Some(error) = scan.twice {
            return Err(vec![error]);
        }
        // Before async-graphql, which would look for what an unknown type of a default is.
        literals::check_types(self.registry(), &parsed).map_err(one)?;
        // Before async-graphql, which tells of one conflict once for each selection set around it.
        merging::check(self.registry(), &parsed).map_err(one)?;
        self.validate(&parsed)?;
        single::check(&parsed).map_err(one)?;
        let open = literals::check(self.registry(), &self.readers, &parsed).map_err(|mut errors| {
            errors.sort_by(|a, b| (a.locations(), a.message()).cmp(&(b.locations(), b.message())));
            errors.truncate(self.limits.errors.max(1));
            errors
        })?;
        let weight = TOKEN.saturating_mul(scan.tokens as u64).saturating_add(text.len() as u64);
        Ok(Document { parsed, open, weight })
    }

    /// By async-graphql's rules, without variables: what comes of it depends on the text alone.
    fn validate(&self, document: &ExecutableDocument) -> Result<(), Vec<Error>> {
        let mut errors = dry_run(&*self.plain, document);
        if errors.is_empty() {
            return Ok(());
        }
        // What may have been meant tells of the schema.
        if self.limits.introspection && errors.len() <= SUGGESTED {
            errors = dry_run(&*self.suggesting, document);
        }
        errors.sort_by(|a, b| (&a.locations, &a.message).cmp(&(&b.locations, &b.message)));
        errors.truncate(self.limits.errors.max(1));
        Err(errors.iter().map(invalid).collect())
    }
}

/// Ends every execution before it begins.
struct Dry(Arc<OnceLock<SchemaEnv>>);

impl ExtensionFactory for Dry {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self(Arc::clone(&self.0)))
    }
}

#[async_trait::async_trait]
impl Extension for Dry {
    async fn execute(&self, ctx: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        self.0.get_or_init(|| ctx.schema_env.clone());
        Response::new(Value::Null)
    }
}

/// Validates all of a document, whichever operation is named.
fn dry_run(schema: &dyn Engine, document: &ExecutableDocument) -> Vec<ServerError> {
    let mut request = Request::new(String::new());
    request.operation_name = document.operations.iter().find_map(|(name, _)| name.map(ToString::to_string));
    request.set_parsed_query(document.clone());
    match schema.execute(request).now_or_never() {
        Some(response) => response.errors,
        None => vec![ServerError::new("the document could not be validated", None)],
    }
}

fn unparsed(error: &parser::Error) -> Error {
    let (code, message) = match error {
        // The whole line and a mark below it, and in the end what was expected.
        parser::Error::Syntax { message, .. } => {
            let expected = message.rsplit("  = ").next().unwrap_or_default().replace('_', " ");
            (Code::GraphqlParseFailed, format!("syntax error: {}", expected.replace("EOI", "the end")))
        }
        parser::Error::MultipleOperations { .. } => {
            let message = "an unnamed operation must be the only operation of its document";
            (Code::GraphqlValidationFailed, message.to_owned())
        }
        parser::Error::RecursionLimitExceeded => {
            (Code::LimitExceeded, "selections are nested deeper than the parser allows".to_owned())
        }
        other => (Code::GraphqlValidationFailed, other.to_string()),
    };
    error.positions().fold(Error::new(code, message), |error, at| error.at(at.line, at.column))
}

fn invalid(error: &ServerError) -> Error {
    let message = presentable(&error.message);
    let error_of = Error::new(Code::GraphqlValidationFailed, message);
    error.locations.iter().fold(error_of, |error, at| error.at(at.line, at.column))
}

/// As our own messages are: lower case, no full stop.
pub(super) fn presentable(message: &str) -> String {
    let message = message.strip_suffix('.').unwrap_or(message);
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
