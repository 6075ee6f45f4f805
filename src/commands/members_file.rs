//! Member files: their formats, compression and CSV cells, for `sync` and `export`.

pub(super) mod cell;
pub(super) mod content;

use std::path::Path;

use crate::cli::Format;

/// Compression of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

/// Names of the CSV columns that are not attributes.
pub(super) const REF: &str = "ref";
pub(super) const SOURCE_UPDATED_AT: &str = "sourceUpdatedAt";

/// Prefix of an attribute's key in a header, for keys that would otherwise be read as another column.
pub(super) const ATTRIBUTE_PREFIX: &str = "attributes.";

/// Returns the compression of a file with this name, and its format if the extension is known.
pub(super) fn packing_and_format(file: &Path) -> (Packing, Option<Format>) {
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_ascii_lowercase());
    let (packing, name) = match name.rsplit_once('.') {
        Some((name, "gz" | "gzip")) => (Packing::Gzip, name),
        Some((name, "zst" | "zstd")) => (Packing::Zstd, name),
        _ => (Packing::None, name.as_str()),
    };
    let format = match name.rsplit_once('.') {
        Some((_, "csv")) => Some(Format::Csv),
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
            ("members.tsv", Packing::None, None),
            ("members.2026-11-24", Packing::None, None),
            ("-", Packing::None, None),
        ] {
            assert_eq!(packing_and_format(Path::new(name)), (packing, format), "{name}");
        }
    }
}
