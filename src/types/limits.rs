//! The limits of a request. Each is a setting (`config.rs`), and each error that comes of one names its figure.

use std::time::Duration;

/// All limits, with the defaults of the product.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Of pages.
    pub page: PageLimits,
    /// Of filters and lists of values.
    pub filter: FilterLimits,
    /// Of GraphQL documents.
    pub document: DocumentLimits,
    /// Of rows.
    pub row: RowLimits,
    /// Of request bodies.
    pub body: BodyLimits,
    /// Of time.
    pub time: TimeLimits,
    /// Of syncs.
    pub sync: SyncLimits,
}

/// Limits of a page.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// The size of a page that does not say how long it is to be.
    pub default: u64,
    /// The largest size that may be asked for.
    pub max: u64,
    /// The sizes of all pages of one request together: lists in lists multiply.
    pub rows: u64,
}

/// Limits of a filter.
#[derive(Clone, Copy, Debug)]
pub struct FilterLimits {
    /// How deep `and`, `or` and `not` nest.
    pub depth: usize,
    /// How many values an `in` or `nin` list, `membersByRef` or `nodes` takes.
    pub values: usize,
}

/// Limits of what a row may hold.
#[derive(Clone, Copy, Debug)]
pub struct RowLimits {
    /// Bytes of a member's attributes together, as the JSON document that they are stored as.
    pub attributes: usize,
}

/// Limits of a GraphQL document, judged before it is validated.
#[derive(Clone, Copy, Debug)]
pub struct DocumentLimits {
    /// Bytes of text.
    pub bytes: usize,
    /// Lexical tokens.
    pub tokens: usize,
    /// Nesting of brackets of any kind.
    pub bracket_depth: usize,
    /// Nesting of selection sets, fragments expanded.
    pub selection_depth: usize,
    /// Aliases.
    pub aliases: usize,
    /// Fields of an operation's root, fragments expanded.
    pub root_fields: usize,
    /// Directives.
    pub directives: usize,
    /// Fragment definitions.
    pub fragments: usize,
    /// Selections of an operation, fragments expanded.
    pub selections: usize,
    /// Operations.
    pub operations: usize,
    /// Errors in one answer.
    pub errors: usize,
}

/// Limits of a request's body, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The whole body, which only the variables of a mutation can fill.
    pub max: usize,
    /// The variables of a query: room for a list of `FilterLimits::values` refs of usual length.
    pub query_variables: usize,
    /// Everything but the variables.
    pub envelope: usize,
}

/// Limits of a request's time.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// From the request's head to its answer; the statement that runs then ends too.
    pub query: Duration,
    /// The same for a mutation, of which any number of rows may be asked.
    pub mutation: Duration,
}

/// Limits of a sync.
#[derive(Clone, Copy, Debug)]
pub struct SyncLimits {
    /// From its start to the moment when it is forgotten, unless it has ended by then.
    pub expiry: Duration,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self { default: 100, max: 5_000, rows: 100_000 }
    }
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self { depth: 10, values: 100_000 }
    }
}

impl Default for RowLimits {
    fn default() -> Self {
        Self { attributes: 64 << 10 }
    }
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            bytes: 256 << 10,
            tokens: 20_000,
            bracket_depth: 64,
            selection_depth: 15,
            aliases: 50,
            root_fields: 50,
            directives: 50,
            fragments: 50,
            selections: 10_000,
            operations: 10,
            errors: 100,
        }
    }
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { max: 256 << 20, query_variables: 16 << 20, envelope: 1 << 20 }
    }
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { query: Duration::from_secs(30), mutation: Duration::from_secs(300) }
    }
}

impl Default for SyncLimits {
    fn default() -> Self {
        Self { expiry: Duration::from_hours(24) }
    }
}
