//! Recognizes files that are not member files by their first bytes, after decompression.
//!
//! `tests/members_files.json` has examples.

/// First bytes of other kinds of files, with a description for the user.
const SIGNATURES: [(&[u8], &str); 25] = [
    (b"PK\x03\x04", "a workbook (.xlsx, .ods) or another zip file: save it as CSV"),
    (b"PK\x05\x06", "an empty zip file: save it as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old workbook or document (.xls, .doc): save it as CSV"),
    (b"%PDF-", "a PDF document: save it as CSV"),
    (b"{\\rtf", "a rich text document: save it as CSV"),
    (b"\x89PNG", "a PNG image: save it as CSV"),
    (b"\xff\xd8\xff", "a JPEG image: save it as CSV"),
    (b"GIF87a", "a GIF image: save it as CSV"),
    (b"GIF89a", "a GIF image: save it as CSV"),
    (b"PAR1\x15", "a Parquet file: save it as CSV"),
    (b"Obj\x01", "an Avro file: save it as CSV"),
    (b"SQLite format 3\0", "a SQLite database: save it as CSV"),
    (b"\x7fELF", "a program: save it as CSV"),
    (b"<?xml", "an XML document: save it as CSV"),
    (b"<!DOCTYPE", "a web page: save it as CSV"),
    (b"<!doctype", "a web page: save it as CSV"),
    (b"<html", "a web page: save it as CSV"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it first"),
    (b"BZh91AY&SY", "packed with bzip2: unpack it first"),
    (b"\xfd7zXZ\0", "packed with xz: unpack it first"),
    (b"\x1f\x8b", "packed with gzip: unpack it, or end its name in .gz"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it, or end its name in .zst"),
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
];

/// The number of lines that are compared to see whether a text is a table.
const SNIFFED_LINES: usize = 100;

const UTF_16: &str = "UTF-16 text: save it as UTF-8";

/// Returns a message about a file with these first bytes if it can't be a member file, whatever its encoding.
pub(crate) fn foreign_in_any_encoding(begin: &[u8]) -> Option<String> {
    signature(begin).filter(|what| *what != UTF_16).map(message)
}

/// Returns a message about a file with these first bytes if it can't be a member file in UTF-8.
pub(crate) fn foreign(begin: &[u8]) -> Option<String> {
    // UTF-16 without a byte order mark is recognized by the zero bytes of ASCII letters.
    let has_zeros =
        |offset: usize| begin.len() >= 4 && begin[offset] == 0 && begin[offset + 2] == 0 && begin[1 - offset] != 0;
    let what = signature(begin).or_else(|| (has_zeros(0) || has_zeros(1)).then_some(UTF_16))?;
    Some(message(what))
}

fn signature(begin: &[u8]) -> Option<&'static str> {
    SIGNATURES.iter().find(|(bytes, _)| begin.starts_with(bytes)).map(|(_, what)| *what)
}

fn message(what: &str) -> String {
    format!("the file is {what}")
}

/// Returns the likely format of a file with these first bytes and advice how to read it; `None` if it may have one ref
/// per line.
pub(crate) fn other_than_lines(begin: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = begin.trim_ascii_start();
    let opens = |bracket: &[u8], next: &[u8]| {
        text.strip_prefix(bracket).is_some_and(|rest| rest.trim_ascii_start().starts_with(next))
    };
    if opens(b"{", b"\"") {
        return Some(("JSON objects", "give --format ndjson"));
    }
    if opens(b"[", b"{") || opens(b"[", b"]") {
        return Some(("a JSON array", "write an object per line and give --format ndjson"));
    }
    if is_split_evenly(begin, b'\t') {
        Some(("a table with tabs", "give --format csv"))
    } else if is_split_evenly(begin, b';') {
        Some(("a table with semicolons", "give --format csv"))
    } else if is_split_evenly(begin, b',') {
        Some(("a table with commas", "give --format csv"))
    } else {
        None
    }
}

/// Returns whether at least two lines, and nine in ten of them, have as many separators as the first.
fn is_split_evenly(begin: &[u8], separator: u8) -> bool {
    let lines = begin.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    let counts: Vec<_> =
        lines.take(SNIFFED_LINES).map(|line| line.iter().filter(|byte| **byte == separator).count()).collect();
    let Some(first) = counts.first().filter(|first| **first > 0) else { return false };
    let even = counts.iter().filter(|count| *count == first).count();
    counts.len() > 1 && 10 * even >= 9 * counts.len()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Corpus {
        contents: Vec<Content>,
    }

    /// The first bytes of a file, as characters below 256.
    #[derive(Deserialize)]
    struct Content {
        begin: String,
        foreign: Option<String>,
        seems: Option<String>,
    }

    #[test]
    fn content_is_recognized_as_in_the_shared_examples() {
        let corpus: Corpus = serde_json::from_str(include_str!("../../tests/members_files.json")).expect("examples");
        for Content { begin, foreign: expected, seems } in corpus.contents {
            let bytes: Vec<_> = begin.chars().map(|byte| u8::try_from(byte).expect("a byte")).collect();
            assert_eq!(foreign(&bytes), expected, "{begin:?}");
            let in_any = expected.filter(|message| !message.contains(UTF_16));
            assert_eq!(foreign_in_any_encoding(&bytes), in_any, "{begin:?}");
            assert_eq!(other_than_lines(&bytes).map(|(what, _)| what), seems.as_deref(), "{begin:?}");
        }
    }

    #[test]
    fn each_signature_has_an_example() {
        let corpus: Corpus = serde_json::from_str(include_str!("../../tests/members_files.json")).expect("examples");
        for (bytes, what) in SIGNATURES {
            let is_its = |content: &Content| {
                content
                    .begin
                    .chars()
                    .map(|byte| byte as u32)
                    .take(bytes.len())
                    .eq(bytes.iter().map(|byte| u32::from(*byte)))
            };
            assert!(corpus.contents.iter().any(is_its), "{what}");
        }
    }
}
