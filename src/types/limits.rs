//! The limits of a request. Each is a setting (`config.rs`), and each error that comes of one names its figure.

use std::{num::NonZero, time::Duration};

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
    /// Of how many requests there are.
    pub traffic: TrafficLimits,
    /// Of subscriptions.
    pub live: LiveLimits,
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
    /// How many fields an answer may have, by what an operation asks for at most.
    pub complexity: u64,
    /// Whether the schema may be asked for.
    pub introspection: bool,
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

/// Limits of how many requests there are.
#[derive(Clone, Copy, Debug)]
pub struct TrafficLimits {
    /// At a time, in all.
    pub requests: usize,
    /// At a time, of one token.
    pub requests_per_token: usize,
    /// A second, of one token; none: any number.
    pub requests_per_second: Option<NonZero<u32>>,
    /// How many requests one body may hold as a list; none: it has to be one request.
    pub batch: Option<NonZero<usize>>,
}

/// Limits of subscriptions, and of the connections that carry them.
#[derive(Clone, Copy, Debug)]
pub struct LiveLimits {
    /// Connections at a time, in all.
    pub connections: usize,
    /// Connections at a time, of one token.
    pub connections_per_token: usize,
    /// Subscriptions at a time, of one connection.
    pub subscriptions: usize,
    /// Bytes of a message of a client.
    pub message: usize,
    /// How long a WebSocket may take to say who it is.
    pub init: Duration,
    /// How long a connection is silent before it is asked whether it is still there; it has as long to answer, and as long
    /// to take what is sent to it.
    pub keep_alive: Duration,
    /// How many events wait for a subscriber who is slow. They are shared by all subscribers of a memberbase.
    pub buffer: usize,
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_token: 128,
            subscriptions: 32,
            message: 512 << 10,
            init: Duration::from_secs(10),
            keep_alive: Duration::from_secs(15),
            buffer: 64,
        }
    }
}

impl Default for TrafficLimits {
    fn default() -> Self {
        Self { requests: 1024, requests_per_token: 256, requests_per_second: None, batch: None }
    }
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
            complexity: 10_000_000,
            introspection: true,
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
