//! The settings: one struct a concern, each a flag and a `MEMBERBASE_*` variable. The doc comments are the help.
//!
//! The defaults are those of `types/limits.rs`.

mod api;
mod live;
mod log_filter;
mod origin;
mod secret_url;
mod units;

use std::{net::SocketAddr, num::NonZero, path::PathBuf};

use axum::http::HeaderValue;
use clap::{ArgAction, Args, ValueEnum, builder::RangedU64ValueParser};

pub use api::Api;
pub use live::Live;
pub use secret_url::SecretUrl;
pub use units::{Bytes, Span};

use crate::{
    db,
    types::{
        BodyLimits, DocumentLimits, FilterLimits, Limits, PageLimits, RowLimits, SyncLimits, TimeLimits, TrafficLimits,
    },
};

/// Where the data is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct Database {
    /// The database: a SQLite file, which serve and migrate up create if there is none, or postgres://user:password@host/name
    #[arg(long, env = "MEMBERBASE_DATABASE_URL", hide_env_values = true, default_value = "sqlite://memberbase.db")]
    #[arg(value_name = "URL", global = true)]
    pub database_url: SecretUrl,

    /// How many connections to the database are open at once, at most
    #[arg(long, env = "MEMBERBASE_DATABASE_CONNECTIONS", default_value_t = 10, value_name = "NUMBER")]
    #[arg(value_parser = RangedU64ValueParser::<u32>::new().range(1..), global = true)]
    pub database_connections: u32,

    /// How long a request waits for a free connection before it is told that the server is busy
    #[arg(long, env = "MEMBERBASE_DATABASE_ACQUIRE_TIMEOUT", default_value = "5s", value_name = "TIME", global = true)]
    pub database_acquire_timeout: Span,

    /// Maximum lifetime of a connection to PostgreSQL, after which it is replaced by a new one
    #[arg(long, env = "MEMBERBASE_DATABASE_MAX_LIFETIME", default_value = "30m", value_name = "TIME", global = true)]
    pub database_max_lifetime: Span,

    /// Whether a pooler in transaction mode (PgBouncer 1.21 or newer) stands before PostgreSQL
    #[arg(long, env = "MEMBERBASE_DATABASE_POOLER", default_value_t = false, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false", global = true)]
    pub database_pooler: bool,
}

impl Database {
    /// Returns the settings that open an existing database, with the time limits of queries and mutations.
    pub fn settings(&self, times: &TimeLimits) -> db::Settings {
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

/// Where the server listens, and what it shows there.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub struct Server {
    /// The address and port to listen on; port 0 takes a free one
    #[arg(long, env = "MEMBERBASE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Whether GraphiQL, a page to try queries on, is served at /
    #[arg(long, env = "MEMBERBASE_GRAPHIQL", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub graphiql: bool,

    /// Whether the console, a page to work on members without GraphQL, is served at /console
    #[arg(long, env = "MEMBERBASE_CONSOLE", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub console: bool,

    /// The origins whose pages may call the API, separated by commas, such as `https://admin.example.com`; none by default
    #[arg(long, env = "MEMBERBASE_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',', value_parser = origin::origin)]
    pub cors_origins: Vec<HeaderValue>,

    /// A manifest of the only GraphQL documents that may run: a JSON object from id to document, or as Apollo writes it
    #[arg(long, env = "MEMBERBASE_TRUSTED_DOCUMENTS", value_name = "FILE")]
    pub trusted_documents: Option<PathBuf>,

    /// The size of a request's head, at most
    #[arg(long, env = "MEMBERBASE_MAX_HEAD", value_name = "SIZE", default_value_t = Bytes(64 << 10))]
    pub max_head: Bytes,
}

/// What is logged, and how. Logs go to stderr.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct Log {
    /// What is logged: a level (error, warn, info, debug, trace, off), or levels by module such as info,memberbase=debug
    #[arg(
        long,
        env = "MEMBERBASE_LOG",
        default_value = "info,sea_orm_migration=warn",
        value_name = "FILTER",
        global = true
    )]
    #[arg(value_parser = log_filter::log_filter)]
    pub log: String,

    /// Lines to read, or JSON to collect
    #[arg(long, env = "MEMBERBASE_LOG_FORMAT", default_value = "text", value_name = "FORMAT", global = true)]
    pub log_format: LogFormat,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// To read.
    Text,
    /// One object a line.
    Json,
}

/// How long a request may take.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Time limits")]
pub struct Times {
    /// How long a query may take
    #[arg(long, env = "MEMBERBASE_QUERY_TIMEOUT", value_name = "TIME")]
    #[arg(default_value_t = Span(TimeLimits::default().query))]
    pub query_timeout: Span,

    /// How long a mutation may take
    #[arg(long, env = "MEMBERBASE_MUTATION_TIMEOUT", value_name = "TIME")]
    #[arg(default_value_t = Span(TimeLimits::default().mutation))]
    pub mutation_timeout: Span,

    /// How long a sync may stay open; one that is older is forgotten, deletes nobody and stands in nobody's way
    #[arg(long, env = "MEMBERBASE_SYNC_EXPIRY", value_name = "TIME", value_parser = Span::long)]
    #[arg(default_value_t = Span(SyncLimits::default().expiry))]
    pub sync_expiry: Span,
}

/// How large a request may be, and how much it may ask for.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits of a request")]
pub struct RequestLimits {
    /// The size of a request's body, at most; only the variables of a mutation can fill it
    #[arg(long, env = "MEMBERBASE_MAX_BODY", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(BodyLimits::default().max))]
    pub max_body: Bytes,

    /// The size of a query's variables, at most
    #[arg(long, env = "MEMBERBASE_MAX_QUERY_VARIABLES", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(BodyLimits::default().query_variables))]
    pub max_query_variables: Bytes,

    /// The size of a body without its variables, at most
    #[arg(long, env = "MEMBERBASE_MAX_ENVELOPE", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(BodyLimits::default().envelope))]
    pub max_envelope: Bytes,

    /// The size of a page that does not say how long it is to be; never more than the largest page
    #[arg(long, env = "MEMBERBASE_DEFAULT_PAGE_SIZE", default_value_t = PageLimits::default().default)]
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub default_page_size: u64,

    /// The size of a page, at most
    #[arg(long, env = "MEMBERBASE_MAX_PAGE_SIZE", default_value_t = PageLimits::default().max)]
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub max_page_size: u64,

    /// The sizes of all pages of one request together, at most: lists in lists multiply
    #[arg(long, env = "MEMBERBASE_MAX_ROWS", default_value_t = PageLimits::default().rows)]
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub max_rows: u64,

    /// How deep a filter's and, or and not nest, at most
    #[arg(long, env = "MEMBERBASE_MAX_FILTER_DEPTH", default_value_t = FilterLimits::default().depth)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub max_filter_depth: usize,

    /// How many values a list to look up takes (in, nin, membersByRef, nodes), at most
    #[arg(long, env = "MEMBERBASE_MAX_FILTER_VALUES", default_value_t = FilterLimits::default().values)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub max_filter_values: usize,

    /// How many requests are under way at once, at most; one more is told to try again
    #[arg(long, env = "MEMBERBASE_MAX_REQUESTS", default_value_t = TrafficLimits::default().requests)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub max_requests: usize,

    /// How many requests of one token are under way at once, at most
    #[arg(long, env = "MEMBERBASE_MAX_REQUESTS_PER_TOKEN", default_value_t = TrafficLimits::default().requests_per_token)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub max_requests_per_token: usize,

    /// How many requests a token sends a second, at most; 0: any number
    #[arg(long, env = "MEMBERBASE_MAX_REQUESTS_PER_SECOND", default_value_t = 0, value_name = "NUMBER")]
    pub max_requests_per_second: u32,

    /// How many requests a body holds as a list, at most; 0: none, it has to be one request
    #[arg(long, env = "MEMBERBASE_MAX_BATCH", default_value_t = 0, value_name = "NUMBER")]
    pub max_batch: usize,

    /// The size of a member's attributes together, at most
    #[arg(long, env = "MEMBERBASE_MAX_ATTRIBUTES", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(RowLimits::default().attributes))]
    pub max_attributes: Bytes,
}

/// How large a GraphQL document may be.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits of a document")]
pub struct DocumentSizes {
    /// The size of a document's text, at most
    #[arg(long, env = "MEMBERBASE_MAX_DOCUMENT", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(DocumentLimits::default().bytes))]
    pub max_document: Bytes,

    /// How many tokens a document has, at most
    #[arg(long, env = "MEMBERBASE_MAX_TOKENS", default_value_t = DocumentLimits::default().tokens)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub max_tokens: usize,

    /// How deep a document's brackets nest, at most
    #[arg(long, env = "MEMBERBASE_MAX_BRACKET_DEPTH", default_value_t = DocumentLimits::default().bracket_depth)]
    // The parser recurses, and a stack ends the process when it overflows.
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub max_bracket_depth: usize,

    /// How deep selections nest, at most
    #[arg(long, env = "MEMBERBASE_MAX_SELECTION_DEPTH", default_value_t = DocumentLimits::default().selection_depth)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub max_selection_depth: usize,

    /// How many aliases a document has, at most
    #[arg(long, env = "MEMBERBASE_MAX_ALIASES", default_value_t = DocumentLimits::default().aliases)]
    #[arg(value_name = "NUMBER")]
    pub max_aliases: usize,

    /// How many fields an operation asks for at its root, at most
    #[arg(long, env = "MEMBERBASE_MAX_ROOT_FIELDS", default_value_t = DocumentLimits::default().root_fields)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub max_root_fields: usize,

    /// How many directives a document has, at most
    #[arg(long, env = "MEMBERBASE_MAX_DIRECTIVES", default_value_t = DocumentLimits::default().directives)]
    #[arg(value_name = "NUMBER")]
    pub max_directives: usize,

    /// How many fragments a document defines, at most
    #[arg(long, env = "MEMBERBASE_MAX_FRAGMENTS", default_value_t = DocumentLimits::default().fragments)]
    #[arg(value_name = "NUMBER")]
    pub max_fragments: usize,

    /// How many selections an operation has with its fragments expanded, at most
    #[arg(long, env = "MEMBERBASE_MAX_SELECTIONS", default_value_t = DocumentLimits::default().selections)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub max_selections: usize,

    /// How many operations a document has, at most
    #[arg(long, env = "MEMBERBASE_MAX_OPERATIONS", default_value_t = DocumentLimits::default().operations)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub max_operations: usize,

    /// How many fields an operation asks for, at most, its pages as full as they may be
    #[arg(long, env = "MEMBERBASE_MAX_COMPLEXITY", default_value_t = DocumentLimits::default().complexity)]
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_complexity: u64,

    /// Whether the schema may be asked for
    #[arg(long, env = "MEMBERBASE_INTROSPECTION", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub introspection: bool,

    /// How many errors an answer tells, at most
    #[arg(long, env = "MEMBERBASE_MAX_ERRORS", default_value_t = DocumentLimits::default().errors)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub max_errors: usize,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// The limits that the settings make.
pub fn limits(times: &Times, request: &RequestLimits, document: &DocumentSizes, live: &Live) -> Limits {
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
        live: live.limits(),
    }
}
