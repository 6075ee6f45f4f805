//! `docs/errors.md` documents every error code.

use std::collections::BTreeSet;

use memberbase::graphql::{self, Code};

/// Returns the codes that the second-level headings name.
fn headings(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("## ")).collect()
}

#[test]
fn documented_error_codes_are_exactly_the_existing_ones() {
    let text = std::fs::read_to_string("docs/errors.md").unwrap();
    let (codes, rows) = text.split_once("# Row errors").unwrap();
    assert_eq!(headings(codes), Code::ALL.map(Code::as_str));
    let sdl = graphql::sdl();
    let (_, values) = sdl.split_once("enum RowErrorCode {").unwrap();
    let (values, _) = values.split_once('}').unwrap();
    let is_name = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let values: BTreeSet<_> = values.lines().map(str::trim).filter(is_name).collect();
    assert_eq!(headings(rows).into_iter().collect::<BTreeSet<_>>(), values);
    assert!(values.contains("INVALID_REF"), "{values:?}");
}

#[test]
fn documented_retryable_codes_match() {
    let text = std::fs::read_to_string("docs/errors.md").unwrap();
    for code in Code::ALL {
        let start = format!("| `{}` |", code.as_str());
        let row = text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row of {start}"));
        assert_eq!(row.ends_with("| yes |"), code.retryable(), "{row}");
    }
}
