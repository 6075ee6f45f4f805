//! Settings: one struct per concern, one flag and one `MEMBERBASE_*` variable per setting. The doc comments are the
//! text of `--help`. Defaults of limits come from `types/limits.rs`.

mod api;
mod connections;
mod live;
mod log_filter;
mod memory;
mod origin;
mod secret_url;
mod units;

use std::{net::SocketAddr, num::NonZero, path::PathBuf};

use axum::http::HeaderValue;
use clap::{ArgAction, Args, ValueEnum, builder::RangedU64ValueParser};

pub(crate) use api::Api;
pub(crate) use connections::Connections;
pub(crate) use live::Live;
pub(crate) use memory::Memory;
pub(crate) use secret_url::SecretUrl;
pub(crate) use units::{Bytes, Span};

use crate::{
    db,
    types::{
        BodyLimits, DocumentLimits, ExportLimits, FilterLimits, ImportLimits, Limits, PageLimits, RowLimits,
        SyncLimits, TimeLimits, TrafficLimits,
    },
};

/// The database and its connections.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub(crate) struct Database {
    /// URL of the database: a SQLite file, which serve and migrate up create if it does not exist, or
    /// postgres://user:password@host/name
    #[arg(long, env = "MEMBERBASE_DATABASE_URL", hide_env_values = true, default_value = "sqlite://memberbase.db")]
    #[arg(value_name = "URL", global = true)]
    pub(crate) database_url: SecretUrl,

    /// Maximum number of open database connections, at least 1
    #[arg(long, env = "MEMBERBASE_DATABASE_CONNECTIONS", default_value_t = 10, value_name = "NUMBER")]
    #[arg(value_parser = RangedU64ValueParser::<u32>::new().range(1..), global = true)]
    pub(crate) database_connections: u32,

    /// Maximum time that a request waits for a free database connection before it is rejected with SERVICE_UNAVAILABLE,
    /// 1ms to 24h
    #[arg(long, env = "MEMBERBASE_DATABASE_ACQUIRE_TIMEOUT", default_value = "5s", value_name = "TIME", global = true)]
    pub(crate) database_acquire_timeout: Span,

    /// Maximum lifetime of a connection to PostgreSQL, after which a new one replaces it, 1ms to 24h
    #[arg(long, env = "MEMBERBASE_DATABASE_MAX_LIFETIME", default_value = "30m", value_name = "TIME", global = true)]
    pub(crate) database_max_lifetime: Span,

    /// Set to true if connections to PostgreSQL pass a pooler in transaction mode (PgBouncer 1.21 or newer)
    #[arg(long, env = "MEMBERBASE_DATABASE_POOLER", default_value_t = false, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false", global = true)]
    pub(crate) database_pooler: bool,
}

impl Database {
    /// Returns the settings that open an existing database, with the time limits of queries and mutations.
    pub(crate) fn settings(&self, times: &TimeLimits) -> db::Settings {
        db::Settings {
            url: self.database_url.expose().to_owned(),
            max_connections: self.database_connections,
            acquire_timeout: self.database_acquire_timeout.0,
            max_lifetime: self.database_max_lifetime.0,
            query_timeout: times.query,
            mutation_timeout: times.mutation,
            pooler: self.database_pooler,
            create: false,
        }
    }
}

/// The address of the server, its pages and its clients.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub(crate) struct Server {
    /// Address and port to listen on; port 0 selects a free port
    #[arg(long, env = "MEMBERBASE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,

    /// Serve the playground (GraphiQL), a page to try queries, at /
    #[arg(long, env = "MEMBERBASE_GRAPHIQL", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub(crate) graphiql: bool,

    /// Serve the console, a page for working on members without GraphQL, at /console
    #[arg(long, env = "MEMBERBASE_CONSOLE", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub(crate) console: bool,

    /// Comma-separated origins whose pages may call the API, such as `https://admin.example.com`; none by default
    #[arg(long, env = "MEMBERBASE_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',', value_parser = origin::origin)]
    pub(crate) cors_origins: Vec<HeaderValue>,

    /// Compress responses for clients that accept it; `false` behind a proxy that does
    #[arg(long, env = "MEMBERBASE_COMPRESSION", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub(crate) compression: bool,

    /// Manifest of trusted GraphQL documents; if set, the server runs no other documents. It is a JSON object from id
    /// to document, or a persisted query manifest of Apollo
    #[arg(long, env = "MEMBERBASE_TRUSTED_DOCUMENTS", value_name = "FILE")]
    pub(crate) trusted_documents: Option<PathBuf>,

    /// Maximum size of a request's head
    #[arg(long, env = "MEMBERBASE_MAX_HEAD", value_name = "SIZE", default_value_t = Bytes(64 << 10))]
    pub(crate) max_head: Bytes,
}

/// Logs, which go to stderr.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct Log {
    /// Log filter: a level (error, warn, info, debug, trace, off), or levels by module such as info,memberbase=debug
    #[arg(
        long,
        env = "MEMBERBASE_LOG",
        default_value = "info,sea_orm_migration=warn",
        value_name = "FILTER",
        global = true
    )]
    #[arg(value_parser = log_filter::log_filter)]
    pub log: String,

    /// Format of the log
    #[arg(long, env = "MEMBERBASE_LOG_FORMAT", default_value = "text", value_name = "FORMAT", global = true)]
    pub log_format: LogFormat,
}

/// Format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

/// Time limits of requests and syncs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Time limits")]
pub(crate) struct Times {
    /// Maximum duration of a query, 1ms to 24h
    #[arg(long, env = "MEMBERBASE_QUERY_TIMEOUT", value_name = "TIME")]
    #[arg(default_value_t = Span(TimeLimits::default().query))]
    pub(crate) query_timeout: Span,

    /// Maximum duration of a mutation, 1ms to 24h
    #[arg(long, env = "MEMBERBASE_MUTATION_TIMEOUT", value_name = "TIME")]
    #[arg(default_value_t = Span(TimeLimits::default().mutation))]
    pub(crate) mutation_timeout: Span,

    /// Time after which an open sync expires, 1s to 30d; an expired sync deletes no members and does not block a new
    /// one
    #[arg(long, env = "MEMBERBASE_SYNC_EXPIRY", value_name = "TIME", value_parser = Span::long)]
    #[arg(default_value_t = Span(SyncLimits::default().expiry))]
    pub(crate) sync_expiry: Span,
}

/// Limits of the size and the cost of requests.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits of a request")]
pub(crate) struct RequestLimits {
    /// Maximum size of a request's body; only the variables of a mutation can be that large
    #[arg(long, env = "MEMBERBASE_MAX_BODY", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(BodyLimits::default().max))]
    pub(crate) max_body: Bytes,

    /// Maximum size of a query's variables
    #[arg(long, env = "MEMBERBASE_MAX_QUERY_VARIABLES", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(BodyLimits::default().query_variables))]
    pub(crate) max_query_variables: Bytes,

    /// Maximum size of a body without its variables
    #[arg(long, env = "MEMBERBASE_MAX_ENVELOPE", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(BodyLimits::default().envelope))]
    pub(crate) max_envelope: Bytes,

    /// Default number of rows in a page (first, last); if it is greater than the maximum, the maximum applies
    #[arg(long, env = "MEMBERBASE_DEFAULT_PAGE_SIZE", default_value_t = PageLimits::default().default)]
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) default_page_size: u64,

    /// Maximum number of rows in a page (first, last), up to 1,000,000
    #[arg(long, env = "MEMBERBASE_MAX_PAGE_SIZE", default_value_t = PageLimits::default().max)]
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) max_page_size: u64,

    /// Maximum number of rows in all pages of a request together, up to 100,000,000; the sizes of nested lists multiply
    #[arg(long, env = "MEMBERBASE_MAX_ROWS", default_value_t = PageLimits::default().rows)]
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) max_rows: u64,

    /// Maximum nesting depth of and, or and not in a filter, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_FILTER_DEPTH", default_value_t = FilterLimits::default().depth)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_filter_depth: usize,

    /// Maximum number of values in a list to look up (in, nin, membersByRef, nodes), at least 1
    #[arg(long, env = "MEMBERBASE_MAX_FILTER_VALUES", default_value_t = FilterLimits::default().values)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_filter_values: usize,

    /// Maximum number of concurrent requests, up to 1,000,000; further requests are rejected with SERVICE_UNAVAILABLE
    #[arg(long, env = "MEMBERBASE_MAX_REQUESTS", default_value_t = TrafficLimits::default().requests)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub(crate) max_requests: usize,

    /// Maximum number of concurrent requests per token, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_REQUESTS_PER_TOKEN", default_value_t = TrafficLimits::default().requests_per_token)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_requests_per_token: usize,

    /// Maximum number of requests per second and token; further requests are rejected with RATE_LIMITED; 0 for no limit
    #[arg(long, env = "MEMBERBASE_MAX_REQUESTS_PER_SECOND", default_value_t = 0, value_name = "NUMBER")]
    pub(crate) max_requests_per_second: u32,

    /// Maximum number of concurrent imports of files, 1 to 256; further ones are rejected with SERVICE_UNAVAILABLE
    #[arg(long, env = "MEMBERBASE_MAX_IMPORTS", default_value_t = ImportLimits::default().imports)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub(crate) max_imports: usize,

    /// Maximum number of concurrent imports of files per token, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_IMPORTS_PER_TOKEN", default_value_t = ImportLimits::default().imports_per_token)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_imports_per_token: usize,

    /// Maximum number of concurrent exports of files, at least 1; further ones are rejected with SERVICE_UNAVAILABLE
    #[arg(long, env = "MEMBERBASE_MAX_EXPORTS", default_value_t = ExportLimits::default().exports)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_exports: usize,

    /// Maximum number of concurrent exports of files per token, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_EXPORTS_PER_TOKEN", default_value_t = ExportLimits::default().exports_per_token)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_exports_per_token: usize,

    /// Maximum number of batched requests in one body; 0 disables batching
    #[arg(long, env = "MEMBERBASE_MAX_BATCH", default_value_t = 0, value_name = "NUMBER")]
    pub(crate) max_batch: usize,

    /// Maximum size of a member's attributes together, as a JSON document
    #[arg(long, env = "MEMBERBASE_MAX_ATTRIBUTES", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(RowLimits::default().attributes))]
    pub(crate) max_attributes: Bytes,
}

/// Limits of GraphQL documents.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits of a document")]
pub(crate) struct DocumentSizes {
    /// Maximum size of a document's text
    #[arg(long, env = "MEMBERBASE_MAX_DOCUMENT", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(DocumentLimits::default().bytes))]
    pub(crate) max_document: Bytes,

    /// Maximum number of lexical tokens in a document, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_TOKENS", default_value_t = DocumentLimits::default().tokens)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_tokens: usize,

    /// Maximum nesting depth of brackets in a document, up to 256
    #[arg(long, env = "MEMBERBASE_MAX_BRACKET_DEPTH", default_value_t = DocumentLimits::default().bracket_depth)]
    // The parser recurses, and a stack overflow would end the process.
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub(crate) max_bracket_depth: usize,

    /// Maximum nesting depth of selection sets with fragments expanded, up to 256
    #[arg(long, env = "MEMBERBASE_MAX_SELECTION_DEPTH", default_value_t = DocumentLimits::default().selection_depth)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub(crate) max_selection_depth: usize,

    /// Maximum number of aliases in a document
    #[arg(long, env = "MEMBERBASE_MAX_ALIASES", default_value_t = DocumentLimits::default().aliases)]
    #[arg(value_name = "NUMBER")]
    pub(crate) max_aliases: usize,

    /// Maximum number of root fields in an operation with fragments expanded, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_ROOT_FIELDS", default_value_t = DocumentLimits::default().root_fields)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_root_fields: usize,

    /// Maximum number of directives in a document
    #[arg(long, env = "MEMBERBASE_MAX_DIRECTIVES", default_value_t = DocumentLimits::default().directives)]
    #[arg(value_name = "NUMBER")]
    pub(crate) max_directives: usize,

    /// Maximum number of fragment definitions in a document
    #[arg(long, env = "MEMBERBASE_MAX_FRAGMENTS", default_value_t = DocumentLimits::default().fragments)]
    #[arg(value_name = "NUMBER")]
    pub(crate) max_fragments: usize,

    /// Maximum number of selections in an operation with fragments expanded, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_SELECTIONS", default_value_t = DocumentLimits::default().selections)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_selections: usize,

    /// Maximum number of operations in a document, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_OPERATIONS", default_value_t = DocumentLimits::default().operations)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_operations: usize,

    /// Maximum number of fields in a response, estimated with every page full, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_COMPLEXITY", default_value_t = DocumentLimits::default().complexity)]
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_complexity: u64,

    /// Permit introspection queries
    #[arg(long, env = "MEMBERBASE_INTROSPECTION", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub(crate) introspection: bool,

    /// Maximum number of errors in a response, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_ERRORS", default_value_t = DocumentLimits::default().errors)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_errors: usize,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

pub(crate) fn limits(
    times: &Times,
    request: &RequestLimits,
    document: &DocumentSizes,
    live: &Live,
    memory: &Memory,
) -> Limits {
    Limits {
        page: PageLimits {
            default: request.default_page_size.min(request.max_page_size),
            max: request.max_page_size,
            rows: request.max_rows,
        },
        filter: FilterLimits { depth: request.max_filter_depth, values: request.max_filter_values },
        row: RowLimits { attributes: request.max_attributes.0 },
        document: DocumentLimits {
            bytes: document.max_document.0,
            tokens: document.max_tokens,
            bracket_depth: document.max_bracket_depth,
            selection_depth: document.max_selection_depth,
            aliases: document.max_aliases,
            root_fields: document.max_root_fields,
            directives: document.max_directives,
            fragments: document.max_fragments,
            selections: document.max_selections,
            operations: document.max_operations,
            complexity: document.max_complexity,
            introspection: document.introspection,
            errors: document.max_errors,
        },
        body: BodyLimits {
            max: request.max_body.0,
            query_variables: request.max_query_variables.0,
            envelope: request.max_envelope.0,
        },
        time: TimeLimits { query: times.query_timeout.0, mutation: times.mutation_timeout.0 },
        sync: SyncLimits { expiry: times.sync_expiry.0 },
        traffic: TrafficLimits {
            requests: request.max_requests,
            requests_per_token: request.max_requests_per_token,
            requests_per_second: NonZero::new(request.max_requests_per_second),
            batch: NonZero::new(request.max_batch),
        },
        import: ImportLimits {
            imports: request.max_imports,
            imports_per_token: request.max_imports_per_token,
            ..ImportLimits::default()
        },
        export: ExportLimits { exports: request.max_exports, exports_per_token: request.max_exports_per_token },
        live: live.limits(),
        memory: memory.limits(),
    }
}
