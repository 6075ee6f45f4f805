//! Arguments of `export`.

use std::path::PathBuf;

use clap::{Args, builder::RangedU64ValueParser};

use crate::{config, members_file::Format};

/// The settings of `export`.
#[derive(Args, Debug)]
pub struct Export {
    /// Id of the memberbase, or its name if no other memberbase has the same name
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) memberbase: String,

    /// File to write, which appears when it is complete; the extension .gz or .zst compresses it. Without it, members
    /// are written to stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Format of the output, csv or ndjson; by default that of the file's extension, and ndjson on stdout
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// Write only members whose ref begins with this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) ref_prefix: Option<String>,

    /// Write only members that match this MemberFilter of the API, as JSON: {"attribute": {"key": "plan", "eq":
    /// "gold"}}
    #[arg(long, value_name = "JSON")]
    pub(crate) filter: Option<String>,

    /// Number of members per request, up to 1,000,000 and to the server's maximum page size
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    #[arg(value_parser = RangedU64ValueParser::<u32>::new().range(1..=1_000_000))]
    pub(crate) page_size: u32,

    /// Settings of the API to call.
    #[command(flatten)]
    pub(crate) api: config::Api,

    /// Settings of the database.
    #[command(flatten)]
    pub(crate) database: config::Database,
}
