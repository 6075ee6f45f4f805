//! The header `Content-Disposition` (RFC 6266), which names the file.

use std::fmt::Write;

use axum::http::HeaderValue;

const MAX_NAME_CHARS: usize = 100;

/// Returns the header of an attachment with this name and extension. Characters that are not allowed in names of files become
/// `_`; those that are not ASCII as well in the name for old clients.
pub(super) fn attachment(name: &str, extension: &str) -> HeaderValue {
    let allowed = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
    let name: String = name.chars().take(MAX_NAME_CHARS).map(allowed).collect();
    // Windows ignores dots and blanks at the end, and a dot at the start hides a file.
    let name = name.trim_matches(['.', ' ']);
    let name = if name.is_empty() { "members" } else { name };
    let ascii: String = name.chars().map(|c| if c.is_ascii() && c != '%' { c } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{ascii}.{extension}\"");
    if ascii != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => value.push(char::from(byte)),
                byte => write!(value, "%{byte:02X}").expect("writing to a string does not fail"),
            }
        }
        write!(value, ".{extension}").expect("writing to a string does not fail");
    }
    HeaderValue::from_str(&value).expect("it has visible ASCII characters only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_the_file_is_safe_and_complete() {
        for (name, expected) in [
            ("Readers", r#"attachment; filename="Readers.csv""#),
            ("My readers 2", r#"attachment; filename="My readers 2.csv""#),
            (
                "Leser für Köln",
                r#"attachment; filename="Leser f_r K_ln.csv"; filename*=UTF-8''Leser%20f%C3%BCr%20K%C3%B6ln.csv"#,
            ),
            ("100%", r#"attachment; filename="100_.csv"; filename*=UTF-8''100%25.csv"#),
            ("../a\\b\"\r\nX: y", r#"attachment; filename="_a_b___X_ y.csv""#),
            (" . ", r#"attachment; filename="members.csv""#),
            ("", r#"attachment; filename="members.csv""#),
        ] {
            assert_eq!(attachment(name, "csv"), expected, "{name:?}");
        }
        assert!(attachment(&"é".repeat(300), "csv").len() < 1_000);
    }
}
