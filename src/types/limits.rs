//! The limits of a request. Each is a setting (`config.rs`), and each error for exceeding one names its value.

use std::{num::NonZero, time::Duration};

use crate::budget::MemoryLimit;

/// All limits. `default()` returns the defaults of the settings.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub page: PageLimits,
    pub filter: FilterLimits,
    pub document: DocumentLimits,
    pub row: RowLimits,
    pub body: BodyLimits,
    pub time: TimeLimits,
    pub sync: SyncLimits,
    pub traffic: TrafficLimits,
    pub import: ImportLimits,
    pub export: ExportLimits,
    pub live: LiveLimits,
    pub memory: MemoryLimits,
}

#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// Page size if the request does not state one.
    pub default: u64,
    pub max: u64,
    /// Maximum sum of the sizes of all pages of a request: nested lists multiply.
    pub rows: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct FilterLimits {
    /// Maximum nesting of `and`, `or` and `not`.
    pub(crate) depth: usize,
    /// Maximum number of values in an `in` or `nin` list, `membersByRef` or `nodes`.
    pub(crate) values: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct RowLimits {
    /// Maximum size of a member's attributes, as the stored JSON document, in bytes.
    pub attributes: usize,
}

/// Limits of a GraphQL document, checked before validation.
#[derive(Clone, Copy, Debug)]
pub struct DocumentLimits {
    /// Maximum length of the text, in bytes.
    pub bytes: usize,
    /// Maximum number of lexical tokens.
    pub tokens: usize,
    /// Maximum nesting of brackets of any kind.
    pub bracket_depth: usize,
    /// Maximum nesting of selection sets, with fragments expanded.
    pub selection_depth: usize,
    pub aliases: usize,
    /// Maximum number of root fields of an operation, with fragments expanded.
    pub root_fields: usize,
    pub directives: usize,
    /// Maximum number of fragment definitions.
    pub fragments: usize,
    /// Maximum number of selections of an operation, with fragments expanded.
    pub selections: usize,
    pub operations: usize,
    /// Maximum number of fields in a response, computed from the page sizes of an operation.
    pub complexity: u64,
    pub introspection: bool,
    /// Maximum number of errors in a response.
    pub errors: usize,
}

/// Limits of a request's body, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The whole body. Only the variables of a mutation can be this large.
    pub max: usize,
    /// The variables of a query: enough for a list of `FilterLimits::values` refs of usual length.
    pub query_variables: usize,
    /// Everything except the variables.
    pub envelope: usize,
}

/// Time limits of a request, from its head to its response.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// Time limit of a query. It also stops the running statement.
    pub query: Duration,
    /// Time limit of a mutation. It is longer, because a mutation may have any number of rows.
    pub mutation: Duration,
}

#[derive(Clone, Copy, Debug)]
pub struct SyncLimits {
    /// Time from the start of a sync to its expiry, if it has not ended by then.
    pub expiry: Duration,
}

/// Limits of the number of requests.
#[derive(Clone, Copy, Debug)]
pub struct TrafficLimits {
    /// Maximum number of concurrent requests.
    pub requests: usize,
    /// Maximum number of concurrent requests per token.
    pub requests_per_token: usize,
    /// Maximum number of requests per second and token; `None` for no limit.
    pub requests_per_second: Option<NonZero<u32>>,
    /// Maximum number of requests in a batch; `None` if batches are not allowed.
    pub batch: Option<NonZero<usize>>,
}

/// Limits of imports of files, which have no time limit.
#[derive(Clone, Copy, Debug)]
pub struct ImportLimits {
    /// Maximum number of concurrent imports. Each has a thread.
    pub imports: usize,
    /// Maximum number of concurrent imports per token.
    pub imports_per_token: usize,
    /// Time without data after which an import fails.
    pub pause: Duration,
    /// Maximum number of rows of a batch. With more than 5,000, statements are not faster, and take more memory.
    pub batch_rows: usize,
}

/// Limits of exports of files, which have no time limit.
#[derive(Clone, Copy, Debug)]
pub struct ExportLimits {
    /// Maximum number of concurrent exports.
    pub exports: usize,
    /// Maximum number of concurrent exports per token.
    pub exports_per_token: usize,
}

/// Limits of memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// The whole process.
    pub process: usize,
    /// One query.
    pub query: usize,
    /// One mutation, in addition to [`MemoryLimits::PER_BODY_BYTE`] and [`MemoryLimits::PER_ROW`].
    pub mutation: usize,
}

impl MemoryLimits {
    /// Memory of a mutation for each byte of its body.
    pub(crate) const PER_BODY_BYTE: usize = 6;

    /// Memory of a mutation for each row that it stores: the row itself, its group and its outcome.
    pub(crate) const PER_ROW: usize = 256;

    /// Memory of the process that is not for requests: caches, connections, the program itself.
    const IDLE: usize = 64 << 20;

    pub(crate) fn of_query(&self) -> MemoryLimit {
        MemoryLimit { bytes: self.query, setting: "MEMBERBASE_MAX_QUERY_MEMORY" }
    }

    pub(crate) fn of_mutation(&self) -> MemoryLimit {
        MemoryLimit { bytes: self.mutation, setting: "MEMBERBASE_MAX_MUTATION_MEMORY" }
    }

    /// Returns the memory that all requests may use together. Part of the process's memory is for what the allocator
    /// keeps between allocations, and for the database's own memory.
    pub(crate) fn requests(&self) -> usize {
        self.process.saturating_sub(Self::IDLE) / 4 * 3
    }

    /// Returns the part of the memory of all requests that responses of subscriptions may use while they are sent.
    /// Otherwise clients that do not read them could use all of it.
    pub(crate) fn events(&self) -> usize {
        self.requests() / 4
    }
}

/// Limits of subscriptions, and of the connections that carry them.
#[derive(Clone, Copy, Debug)]
pub struct LiveLimits {
    /// Maximum number of concurrent connections.
    pub connections: usize,
    /// Maximum number of concurrent connections per token.
    pub connections_per_token: usize,
    /// Maximum number of concurrent subscriptions per connection.
    pub subscriptions: usize,
    /// Maximum length of a client's message, in bytes.
    pub message: usize,
    /// Time within which a WebSocket client has to authenticate.
    pub init: Duration,
    /// Idle time after which a connection is pinged. It is also the time limit for the pong, and for accepting sent
    /// data.
    pub keep_alive: Duration,
    /// Maximum number of events that wait for a slow subscriber. All subscribers of a memberbase share the buffer.
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

impl Default for ImportLimits {
    fn default() -> Self {
        Self { imports: 64, imports_per_token: 8, pause: Duration::from_secs(60), batch_rows: 5_000 }
    }
}

impl Default for ExportLimits {
    fn default() -> Self {
        Self { exports: 64, exports_per_token: 8 }
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

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { process: 2 << 30, query: 160 << 20, mutation: 128 << 20 }
    }
}
