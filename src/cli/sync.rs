//! Arguments of `sync`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use encoding_rs::Encoding;

use crate::{
    config,
    members_file::{
        Format,
        cell::Empty,
        columns::Delimiter,
        forms::{DateOrder, Decimal},
    },
};

/// The settings of `sync`.
#[derive(Args, Debug)]
pub struct Sync {
    /// File to read, or - for stdin. Its format is that of its extension (.csv or .tsv; .ndjson or .jsonl; .txt or no extension
    /// for lines), which .gz or .zst may follow
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Id of the memberbase, or its name if no other memberbase has the same name
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) memberbase: String,

    /// Create the memberbase if none has the name
    #[arg(long)]
    pub(crate) create: bool,

    /// Declare columns and fields that are not an attribute of the memberbase as attributes, with the types of their values at
    /// the beginning of the file, which --dry-run shows; needs an admin token
    #[arg(long)]
    pub(crate) declare: bool,

    /// Format and columns of the file.
    #[command(flatten)]
    pub(crate) input: Input,

    /// Treatment of missing members and invalid rows.
    #[command(flatten)]
    pub(crate) rules: Rules,

    /// Output.
    #[command(flatten)]
    pub(crate) output: Output,

    /// Settings of the API to call.
    #[command(flatten)]
    pub(crate) api: config::Api,

    /// Settings of the database.
    #[command(flatten)]
    pub(crate) database: config::Database,
}

/// Format and columns of the file.
#[derive(Args, Debug)]
#[command(next_help_heading = "File")]
pub(crate) struct Input {
    /// Format of the file, which takes precedence over its extension; sync requires it for stdin
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// Map a column of CSV or a field of NDJSON: ref=COLUMN, sourceUpdatedAt=COLUMN, or KEY=COLUMN for an attribute; can be
    /// repeated. A column that is not mapped is the attribute of the same name
    #[arg(long, value_name = "KEY=COLUMN", value_parser = mapping)]
    pub(crate) map: Vec<(String, String)>,

    /// Leave out this column or field, whatever it means; can be repeated
    #[arg(long, value_name = "COLUMN")]
    pub(crate) ignore: Vec<String>,

    /// Ignore columns and fields that are not an attribute of the memberbase; without this, a file with such a column and a
    /// row with such a field are rejected
    #[arg(long)]
    pub(crate) ignore_unknown_columns: bool,

    /// The CSV file has no header, and its columns are named 1, 2 and so on
    #[arg(long)]
    pub(crate) no_header: bool,

    /// Delimiter of the CSV file: a character, or tab. Without this it is recognized by the header: , ; tab or |
    #[arg(long, value_name = "CHARACTER", value_parser = Delimiter::parse)]
    pub(crate) delimiter: Option<Delimiter>,

    /// Encoding of the file, such as windows-1252. Without this it is UTF-8, or UTF-16 with a byte order mark
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    pub(crate) encoding: Option<&'static Encoding>,

    /// Meaning of an empty cell
    #[arg(long, value_name = "WHAT", default_value = "text")]
    pub(crate) empty: Empty,

    /// Decimal separator of numbers, with which the other one and spaces separate thousands. Without this numbers are
    /// written as in JSON
    #[arg(long, value_name = "WHICH")]
    pub(crate) decimal: Option<Decimal>,

    /// Order of the parts of dates such as 3/14/2024. Without this such dates are invalid; 31.12.2024 and 2024-12-31 need
    /// no order
    #[arg(long, value_name = "ORDER")]
    pub(crate) date_order: Option<DateOrder>,
}

/// Treatment of members that are not in the file, and of invalid rows.
#[derive(Args, Debug)]
#[command(next_help_heading = "Rules")]
pub(crate) struct Rules {
    /// Show what would be created, updated and deleted and which rows are invalid, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Delete the members that are not in the file, after all rows are stored. Without this no member is deleted
    #[arg(long)]
    pub(crate) delete_missing: bool,

    /// Maximum percentage of the members to delete, 0 to 100; if more would be deleted, no member is
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent, requires = "delete_missing")]
    pub(crate) max_deleted_percent: f64,

    /// Abandon a sync that is still open, such as that of a run that was killed
    #[arg(long, requires = "delete_missing", conflicts_with = "dry_run")]
    pub(crate) abandon_open: bool,

    /// Treatment of an invalid row
    #[arg(long, value_name = "WHAT", default_value = "reject")]
    pub(crate) on_error: OnError,

    /// Write the invalid rows to this file as CSV: line, ref, field, code, message
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
}

/// Output.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Print the summary as JSON to stdout
    #[arg(long)]
    pub(crate) json: bool,

    /// Print errors only, without progress and summary
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// Treatment of an invalid row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// End the run
    Reject,
    /// Leave the row out and store the others
    Skip,
}

fn mapping(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, column)) if !key.is_empty() && !column.is_empty() => Ok((key.to_owned(), column.to_owned())),
        _ => Err("expected KEY=COLUMN such as ref=customer_id".to_owned()),
    }
}

fn encoding(text: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(text.as_bytes())
        .ok_or_else(|| "unknown; the names are those of https://encoding.spec.whatwg.org/#names-and-labels".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| "expected 0 to 100".to_owned())
}
