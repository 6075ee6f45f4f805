//! Settings of the API that a client command (`sync`, `export`) calls.

use std::path::PathBuf;

use clap::Args;

use super::Span;

/// The API that a client command calls: a server's, or an API in process on the database.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub(crate) struct Api {
    /// URL of the server, such as `https://members.example.com`; its token is read from MEMBERBASE_TOKEN or
    /// --token-file. HTTPS_PROXY, HTTP_PROXY and NO_PROXY are respected. Without a URL the command opens the database
    /// itself
    #[arg(long, env = "MEMBERBASE_URL", value_name = "URL")]
    pub(crate) url: Option<String>,

    /// File with the token and nothing else; takes precedence over MEMBERBASE_TOKEN
    #[arg(long, env = "MEMBERBASE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Maximum duration of one request, after which it is sent again, 1ms to 24h
    #[arg(long, default_value = "6m", value_name = "TIME")]
    pub(crate) request_timeout: Span,

    /// Maximum time for retrying a request that failed with a transient error, 1ms to 24h
    #[arg(long, default_value = "2m", value_name = "TIME")]
    pub(crate) retry_for: Span,
}
