//! What `export` takes.

use std::path::PathBuf;

use clap::{Args, builder::RangedU64ValueParser};

use super::Format;
use crate::config;

/// The settings of `export`.
#[derive(Args, Debug)]
pub struct Export {
    /// The memberbase: its id, or its name where no other has the same
    #[arg(long, value_name = "ID|NAME")]
    pub memberbase: String,

    /// Write to this file, which is there once all of it is written; .gz or .zst at its end packs it. Without it, to stdout
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// The format; left out it is that of the file's name, and NDJSON on stdout
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// Only members whose ref begins with this
    #[arg(long, value_name = "TEXT")]
    pub ref_prefix: Option<String>,

    /// Only members that a MemberFilter of the API holds for, as JSON: {"attribute": {"key": "plan", "eq": "gold"}}
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,

    /// Members of one request
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    #[arg(value_parser = RangedU64ValueParser::<u32>::new().range(1..=1_000_000))]
    pub page_size: u32,

    /// Which API.
    #[command(flatten)]
    pub api: config::Api,

    /// Where the data is.
    #[command(flatten)]
    pub database: config::Database,
}
