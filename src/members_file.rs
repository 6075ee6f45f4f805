//! Files of members: their formats, compression, columns, cells and rows.

pub(crate) mod cell;
pub(crate) mod columns;
pub(crate) mod content;
pub(crate) mod forms;
pub(crate) mod inspect;
pub(crate) mod rows;
pub(crate) mod source;
pub(crate) mod writer;

use std::{borrow::Cow, path::Path};

use clap::ValueEnum;

/// Format of a file of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A header with ref, sourceUpdatedAt and one column per attribute
    Csv,
    /// One JSON object per line: ref, attributes, sourceUpdatedAt
    Ndjson,
    /// One ref per line
    Lines,
}

/// The error of a row, as the API returns it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowFault {
    /// An error code of the API's rows.
    pub(crate) code: String,
    pub(crate) message: String,
    /// Path of fields in the row.
    pub(crate) path: Vec<String>,
}

/// The code of a row whose ref can't exist. Which member it was meant for is not known.
pub(crate) const INVALID_REF: &str = "INVALID_REF";

/// Compression of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
}

/// Names of the CSV columns that are not attributes.
pub(crate) const REF: &str = "ref";
pub(crate) const SOURCE_UPDATED_AT: &str = "sourceUpdatedAt";

/// Prefix of an attribute's key in a header, for keys that would otherwise be read as another column.
pub(crate) const ATTRIBUTE_PREFIX: &str = "attributes.";

/// Returns the name of an attribute's column. The prefix marks a key that would otherwise be read as another column.
pub(crate) fn column_name(key: &str) -> Cow<'_, str> {
    let is_other = key == REF || key == SOURCE_UPDATED_AT || key.starts_with(ATTRIBUTE_PREFIX);
    if is_other { format!("{ATTRIBUTE_PREFIX}{key}").into() } else { key.into() }
}

/// Returns the compression of a file with this name, and its format if the extension is known.
pub(crate) fn packing_and_format(file: &Path) -> (Packing, Option<Format>) {
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_ascii_lowercase());
    let (packing, name) = match name.rsplit_once('.') {
        Some((name, "gz" | "gzip")) => (Packing::Gzip, name),
        Some((name, "zst" | "zstd")) => (Packing::Zstd, name),
        _ => (Packing::None, name.as_str()),
    };
    let format = match name.rsplit_once('.') {
        Some((_, "csv" | "tsv")) => Some(Format::Csv),
        Some((_, "ndjson" | "jsonl")) => Some(Format::Ndjson),
        Some((_, "txt")) => Some(Format::Lines),
        None if name != "-" => Some(Format::Lines),
        _ => None,
    };
    (packing, format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_and_format_follow_from_the_name() {
        for (name, packing, format) in [
            ("members.csv", Packing::None, Some(Format::Csv)),
            ("a.b/members.CSV.GZ", Packing::Gzip, Some(Format::Csv)),
            ("members.ndjson.zst", Packing::Zstd, Some(Format::Ndjson)),
            ("members.jsonl", Packing::None, Some(Format::Ndjson)),
            ("members.txt", Packing::None, Some(Format::Lines)),
            ("members", Packing::None, Some(Format::Lines)),
            ("members.zst", Packing::Zstd, Some(Format::Lines)),
            ("members.tsv.gz", Packing::Gzip, Some(Format::Csv)),
            ("members.2026-11-24", Packing::None, None),
            ("-", Packing::None, None),
        ] {
            assert_eq!(packing_and_format(Path::new(name)), (packing, format), "{name}");
        }
    }
}
