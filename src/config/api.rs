//! Which API a command speaks to.

use std::path::PathBuf;

use clap::Args;

use super::Span;

/// Which API a command speaks to: that of a server, or its own on the database.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub struct Api {
    /// The server, such as `https://members.example.com`; its token is in MEMBERBASE_TOKEN or in --token-file. Without a
    /// server the command opens the database itself
    #[arg(long, env = "MEMBERBASE_URL", value_name = "URL")]
    pub url: Option<String>,

    /// A file that holds the token and nothing else; it goes before MEMBERBASE_TOKEN
    #[arg(long, env = "MEMBERBASE_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// How long one request may take before it is given up and sent again
    #[arg(long, default_value = "6m", value_name = "TIME")]
    pub request_timeout: Span,

    /// For how long a request is sent again that failed for a reason that passes
    #[arg(long, default_value = "2m", value_name = "TIME")]
    pub retry_for: Span,
}
