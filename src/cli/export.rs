//! Arguments of `export`.

use std::path::PathBuf;

use clap::Args;

use crate::{
    config,
    members_file::{columns::Delimiter, writer::OutputFormat},
};

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

    /// Format of the output; by default that of the file's extension (.csv, .ndjson), and ndjson on stdout
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<OutputFormat>,

    /// Columns to write, separated by commas, in their order: ref, sourceUpdatedAt and keys of attributes; by default all of
    /// them
    #[arg(long, value_name = "NAMES")]
    pub(crate) columns: Vec<String>,

    /// Delimiter of CSV: a character, or tab; by default a comma, in the format excel a semicolon
    #[arg(long, value_name = "CHARACTER", value_parser = Delimiter::parse)]
    pub(crate) delimiter: Option<Delimiter>,

    /// Begin CSV with a byte order mark, as the format excel does
    #[arg(long)]
    pub(crate) bom: bool,

    /// Write an apostrophe before texts of CSV that a spreadsheet would evaluate as formulas; such a file does not have the same
    /// texts when it is synced
    #[arg(long)]
    pub(crate) escape_formulas: bool,

    /// Write only members whose ref begins with this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) ref_prefix: Option<String>,

    /// Write only members that match this MemberFilter of the API, as JSON: {"attribute": {"key": "plan", "eq":
    /// "gold"}}
    #[arg(long, value_name = "JSON")]
    pub(crate) filter: Option<String>,

    /// Settings of the API to call.
    #[command(flatten)]
    pub(crate) api: config::Api,

    /// Settings of the database.
    #[command(flatten)]
    pub(crate) database: config::Database,
}
