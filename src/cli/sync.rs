//! What `sync` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::RangedU64ValueParser};

use super::Format;
use crate::config;

/// The settings of `sync`.
#[derive(Args, Debug)]
pub struct Sync {
    /// The file, or - for stdin. Its format is that of its name (.csv, .ndjson, .jsonl, .txt or none; before that .gz or
    /// .zst, which is unpacked)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The memberbase: its id, or its name where no other has the same
    #[arg(long, value_name = "ID|NAME")]
    pub memberbase: String,

    /// Make the memberbase where none has the name
    #[arg(long)]
    pub create: bool,

    /// What the file says and how.
    #[command(flatten)]
    pub input: Input,

    /// What becomes of members and of bad rows.
    #[command(flatten)]
    pub rules: Rules,

    /// How fast and how loud.
    #[command(flatten)]
    pub work: Work,

    /// Which API.
    #[command(flatten)]
    pub api: config::Api,

    /// Where the data is.
    #[command(flatten)]
    pub database: config::Database,
}

/// How the file is read.
#[derive(Args, Debug)]
#[command(next_help_heading = "File")]
pub struct Input {
    /// The format, whatever the file is called; stdin has no name and needs it
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// Which column of a CSV file is what: ref=COLUMN, sourceUpdatedAt=COLUMN or KEY=COLUMN for an attribute; may be
    /// repeated. A column that is not mapped is the attribute of its name
    #[arg(long, value_name = "KEY=COLUMN", value_parser = mapping)]
    pub map: Vec<(String, String)>,

    /// Leave out columns that are no attribute of the memberbase, which otherwise refuse the file
    #[arg(long)]
    pub ignore_unknown_columns: bool,
}

/// What becomes of members that are not in the file, and of bad rows.
#[derive(Args, Debug)]
#[command(next_help_heading = "Rules")]
pub struct Rules {
    /// Show what would be created, updated and deleted and which rows are bad, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Delete the members that are not in the file, once all of it is stored. Without this nothing is ever deleted
    #[arg(long)]
    pub delete_missing: bool,

    /// Delete nobody where more than this share of the members would go
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent, requires = "delete_missing")]
    pub max_deleted_percent: f64,

    /// Take the place of a sync that is still open, such as that of a run that was killed
    #[arg(long, requires = "delete_missing")]
    pub abandon_open: bool,

    /// What a bad row does: reject ends the run, skip goes on with the others
    #[arg(long, value_name = "WHAT", default_value = "reject")]
    pub on_error: OnError,

    /// Write the bad rows here, as CSV: line, ref, field, code, message
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
}

/// How the work is done and told.
#[derive(Args, Debug)]
#[command(next_help_heading = "Work")]
pub struct Work {
    /// Rows of one request, at most
    #[arg(long, value_name = "NUMBER", default_value_t = 5000)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub batch_size: usize,

    /// Requests in flight, at most
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub concurrency: usize,

    /// Print the summary as JSON to stdout
    #[arg(long)]
    pub json: bool,

    /// Show no progress and no summary; errors are told
    #[arg(long)]
    pub quiet: bool,
}

/// What a bad row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// It ends the run.
    Reject,
    /// It is left out.
    Skip,
}

fn mapping(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, column)) if !key.is_empty() && !column.is_empty() => Ok((key.to_owned(), column.to_owned())),
        _ => Err("expected KEY=COLUMN, such as ref=customer_id".to_owned()),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| "expected 0 to 100".to_owned())
}
